"""What HTTP/2 origins seldom do: hints before the answer, pings, and a connection that runs out of numbers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from h2.events import PingAckReceived, RequestReceived

from mtls_notebook import Session
from mtls_notebook.worker.exchange import Outgoing
from mtls_notebook.worker.fetch.fetcher import BoundFetcher
from tests.live.material import Pki
from tests.live.test_http2 import Origin, Talk

HIGHEST_STREAM = 2**31 - 1  # RFC 9113 §5.1.1


@pytest.fixture
def trusting(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        yield made


def get(fetcher: BoundFetcher, origin: Origin) -> tuple[int, bytes]:
    """Return the answer's status and body."""
    answer = fetcher.send(Outgoing("GET", origin.url, ()))
    return answer.status, b"".join(answer)


def test_hints_and_pings_before_an_answer_are_not_the_answer(pki: Pki, trusting: Session) -> None:
    def act(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived):
            for status in ("100", "103", "103"):
                talk.http.send_headers(event.stream_id, [(":status", status), ("link", "</style.css>; rel=preload")])
            talk.http.ping(b"are you?")
            talk.answer(event.stream_id)

    fetcher = trusting.fetcher()
    with Origin(pki, act) as origin:
        assert get(fetcher, origin) == (200, b"ok")
        ack = origin.talks[0].wait_for(PingAckReceived)
        assert isinstance(ack, PingAckReceived)
        assert ack.ping_data == b"are you?"
        assert get(fetcher, origin) == (200, b"ok")
        assert len(origin.talks) == 1
        fetcher.close()


def test_a_connection_without_numbers_left_is_replaced_without_a_word(pki: Pki, trusting: Session) -> None:
    def act(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived):
            talk.answer(event.stream_id)

    fetcher = trusting.fetcher()
    with Origin(pki, act) as origin:
        assert get(fetcher, origin) == (200, b"ok")
        (shared,) = fetcher._connections._shared.values()
        shared._core._http.highest_outbound_stream_id = HIGHEST_STREAM
        assert [get(fetcher, origin) for _ in range(3)] == [(200, b"ok")] * 3
        assert len(origin.talks) == 2
        fetcher.close()
