"""Where the time of real subrequests went: new and reused connections, bodies both ways, failures."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from mtls_notebook.worker.exchange import Outgoing, Subrequest
from mtls_notebook.worker.fetch.fetcher import BoundFetcher

URL = "https://example-secure-origin.com/"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session() as made:
        folder = tmp_path_factory.mktemp("lab") / "mtls-lab"
        made.start_lab(folder)
        made.upload(folder / "cert.pem", folder / "key.pem", name="good")
        made.bind(MY_CERT="good")
        yield made


@pytest.fixture
def fetcher(session: Session) -> Iterator[BoundFetcher]:
    made = session.fetcher("MY_CERT")
    yield made
    made.close()


def told(fetcher: BoundFetcher, *requests: Outgoing) -> list[Subrequest]:
    """Return what the trace says of `requests`, made one after the other."""
    mark = fetcher.journal.mark()
    for request in requests:
        for _ in fetcher.send(request):
            pass
    return list(fetcher.journal.since(mark)[1])


def test_a_new_connection_has_all_phases_and_a_reused_one_has_no_setup(fetcher: BoundFetcher) -> None:
    first, again = told(fetcher, Outgoing("GET", URL, ()), Outgoing("GET", URL, ()))
    assert list(dict(first.phases)) == ["queue", "dns", "tcp", "tls", "send", "wait", "receive"]
    assert list(dict(again.phases)) == ["queue", "send", "wait", "receive"]
    assert again.reused
    for sub in (first, again):
        assert sub.ended_ns is not None
        assert sub.phases.total_ns == sub.ended_ns - sub.started_ns
    assert (first.phases.tls_ns or 0) > 0


@pytest.mark.parametrize("body", [b"x" * 1000, b"x" * 300_000, [b"x" * 500, b"y" * 501]])
def test_what_was_sent_is_counted_streams_too(fetcher: BoundFetcher, body: bytes | list[bytes]) -> None:
    (sub,) = told(fetcher, Outgoing("POST", URL, (), body))
    assert sub.request_bytes == len(body if isinstance(body, bytes) else b"".join(body))
    assert sub.phases.send_ns is not None


def test_a_failure_ends_in_the_phase_in_which_it_happened(fetcher: BoundFetcher) -> None:
    mark = fetcher.journal.mark()
    with pytest.raises(ConnectError):
        fetcher.send(Outgoing("GET", "https://localhost:1/", ()))
    (sub,) = fetcher.journal.since(mark)[1]
    assert sub.phases.last == "tcp"
    assert sub.diagnosis is not None
    assert sub.phases.total_ns == (sub.ended_ns or 0) - sub.started_ns
