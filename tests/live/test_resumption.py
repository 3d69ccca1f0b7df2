"""A later connection of one pool resumes the TLS session of an earlier one, and of no other pool's."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from mtls_notebook import Session
from mtls_notebook.worker.exchange import Outgoing
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


def text(fetcher: BoundFetcher, url: str) -> bytes:
    """Return the answer of a connection of its own: the origin is asked to close it."""
    return b"".join(fetcher.send(Outgoing("GET", url, (("Connection", "close"),))))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_every_later_connection_resumes_and_the_client_is_still_known(
    serve: Serve, session: Session, version: str
) -> None:
    server = serve(servers.nginx, verify="on", version=version)
    fetcher = session.fetcher("MY_CERT")
    texts = [text(fetcher, f"https://localhost:{server.port}/") for _ in range(4)]
    fetcher.close()
    assert [b"resumed: r" in one for one in texts] == [False, True, True, True]
    assert all(b"verify: SUCCESS" in one for one in texts)
    shakes = session.handshakes()
    assert [shake.outcome for shake in shakes] == ["mutual", "resumed", "resumed", "resumed"]
    # A ticket's binder cannot be recomputed (None); nothing may be wrong.
    assert not any(proof.holds is False for shake in shakes for proof in session.proofs(shake))


def test_another_pool_of_the_same_binding_resumes_nothing(serve: Serve, session: Session) -> None:
    server = serve(servers.nginx, verify="on", version="1.3")
    for _ in range(2):
        fetcher = session.fetcher("MY_CERT")
        assert b"resumed: ." in text(fetcher, f"https://localhost:{server.port}/")
        fetcher.close()


def test_a_lesson_may_ask_for_full_handshakes(serve: Serve, session: Session) -> None:
    server = serve(servers.nginx, verify="on", version="1.3")
    session.resumption = False
    fetcher = session.fetcher("MY_CERT")
    for _ in range(2):
        text(fetcher, f"https://localhost:{server.port}/")
    fetcher.close()
    assert [shake.outcome for shake in session.handshakes()] == ["mutual", "mutual"]
