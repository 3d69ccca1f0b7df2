"""Resumption on a Python that loses memory with every look at a TLS session: one look serves many connections."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

import pytest

from mtls_notebook import Session
from mtls_notebook.recorder.tap import TappedStream
from mtls_notebook.worker.exchange import Outgoing
from mtls_notebook.worker.fetch import connections
from mtls_notebook.worker.fetch.fetcher import BoundFetcher
from tests.live import servers
from tests.live.material import Pki
from tests.live.servers import Server

Serve = Callable[..., Server]


@pytest.fixture
def session(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        made.upload(pki.clients["good"].cert, pki.clients["good"].key, name="good")
        made.bind(MY_CERT="good")
        yield made


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[TappedStream]:
    """Return the streams whose session was looked at, as they come."""
    seen: list[TappedStream] = []
    look = TappedStream.session.fget
    assert look is not None

    def counted(stream: TappedStream) -> ssl.SSLSession | None:
        seen.append(stream)
        found: ssl.SSLSession | None = look(stream)
        return found

    monkeypatch.setattr(TappedStream, "session", property(counted))
    return seen


def resumed(fetcher: BoundFetcher) -> bool:
    """Return whether a connection of its own resumed a session."""
    answer = fetcher.send(Outgoing("GET", "https://localhost/", (("Connection", "close"),)))
    return b"resumed: r" in b"".join(answer)


@pytest.mark.parametrize("loses", [True, False])
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_connections_resume_with_one_look_where_looks_cost_and_with_fresh_sessions_elsewhere(
    serve: Serve,
    session: Session,
    looks: list[TappedStream],
    monkeypatch: pytest.MonkeyPatch,
    version: str,
    loses: bool,
) -> None:
    monkeypatch.setattr(connections, "_LOSES_SESSIONS", loses)
    one, other = (serve(servers.nginx, verify=verify, version=version) for verify in ("on", "optional"))
    fetcher = session.fetcher("MY_CERT")
    session.connect_to("localhost", 443, ("127.0.0.1", one.port))
    assert [resumed(fetcher) for _ in range(4)] == [False, True, True, True]
    assert len(looks) == (1 if loses else 4)
    session.connect_to("localhost", 443, ("127.0.0.1", other.port))  # it takes none of the other's sessions
    assert [resumed(fetcher) for _ in range(3)] == [False, True, True]
    assert len(looks) == (2 if loses else 7)
    fetcher.close()
