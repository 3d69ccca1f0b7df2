"""HTTP/2 towards real servers, and towards an origin of ours that says what real ones seldom say."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from mtls_notebook.recorder.events import Kind
from mtls_notebook.recorder.har import recorded_requests
from mtls_notebook.worker.exchange import Outgoing
from mtls_notebook.worker.fetch.fetcher import Answer, BoundFetcher
from tests.live import servers
from tests.live.material import Pki
from tests.live.servers import Server

Serve = Callable[..., Server]
MB = 1 << 20


@pytest.fixture
def session(pki: Pki) -> Iterator[Session]:
    with Session() as made:
        made.trust_authority(pki.ca)
        made.upload(pki.clients["good"].cert, pki.clients["good"].key, name="good")
        made.bind(MY_CERT="good")
        yield made


@pytest.fixture
def fetcher(session: Session) -> Iterator[BoundFetcher]:
    made = session.fetcher("MY_CERT")
    yield made
    made.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "http2"]


def ask(fetcher: BoundFetcher, url: str, method: str = "GET", **more: object) -> Answer:
    return fetcher.send(Outgoing(method, url, (), **more))  # type: ignore[arg-type]


def alpn_of(session: Session) -> list[str]:
    return [shake.alpn for shake in session.handshakes()]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_many_requests_at_once_share_one_connection_of_nginx(
    serve: Serve, session: Session, fetcher: BoundFetcher, version: str
) -> None:
    server = serve(servers.nginx, verify="on", version=version, http2=True)
    url = f"https://localhost:{server.port}/"
    with ThreadPoolExecutor(40) as threads:
        texts = list(threads.map(lambda n: b"".join(ask(fetcher, f"{url}{n}")), range(200)))
    assert all(b"verify: SUCCESS" in text and b"request: GET /%d" % n in text for n, text in enumerate(texts))
    assert alpn_of(session) == ["h2"]


def test_every_answer_is_paired_with_its_request(serve: Serve, session: Session, fetcher: BoundFetcher) -> None:
    server = serve(servers.nginx, verify="on", version="1.3", http2=True)
    for _ in range(3):
        b"".join(ask(fetcher, f"https://localhost:{server.port}/"))
    (number,) = session.recording.connections()
    requests = recorded_requests(session.recording.events(number))
    assert [(one.status, one.reused) for one in requests] == [(200, False), (200, True), (200, True)]


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_apache_that_wants_a_certificate_for_one_place_gets_http1_there(
    serve: Serve, session: Session, fetcher: BoundFetcher, version: str
) -> None:
    server = serve(servers.apache, verify="location", version=version, http2=True)
    url = f"https://localhost:{server.port}"
    assert b"".join(ask(fetcher, f"{url}/"))
    for _ in range(2):
        assert text_of(fetcher, f"{url}/private/index.txt") == b"apache private\n"
    assert alpn_of(session)[:2] == ["h2", "http/1.1"]


def test_a_session_may_leave_http2_out(serve: Serve, session: Session) -> None:
    server = serve(servers.nginx, verify="on", version="1.3", http2=True)
    session.http2 = False
    fetcher = session.fetcher("MY_CERT")
    assert b"".join(ask(fetcher, f"https://localhost:{server.port}/"))
    fetcher.close()
    assert alpn_of(session) == ["http/1.1"]


# An origin of ours.


class Origin:
    """An HTTP/2 origin on loopback; `act(connection, event)` does what a test wants. The state machine is h2's."""

    def __init__(self, pki: Pki, act: Callable[[Talk, object], None]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pki.server.cert, pki.server.key)
        self._context.set_alpn_protocols(["h2"])
        self._act = act
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://localhost:{self._listening.getsockname()[1]}"
        self.talks: list[Talk] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                plain, _ = self._listening.accept()
            except OSError:
                return
            talk = Talk(plain, self._context, self._act)
            self.talks.append(talk)
            self._threads.append(threading.Thread(target=talk.run, daemon=True))
            self._threads[-1].start()

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for talk in self.talks:
            talk.hang_up()
        for thread in self._threads:
            thread.join(5)


class Talk:
    """One connection of the origin."""

    def __init__(self, plain: socket.socket, context: ssl.SSLContext, act: Callable[[Talk, object], None]) -> None:
        self._plain = plain
        self._context = context
        self._act = act
        self.seen: list[object] = []
        self.came = threading.Condition()
        self.http = H2Connection(H2Configuration(client_side=False, header_encoding=None))

    def run(self) -> None:
        try:
            with self._context.wrap_socket(self._plain, server_side=True) as tls:
                self.tls = tls
                self.http.initiate_connection()
                self.flush()
                while data := tls.recv(65536):
                    for event in self.http.receive_data(data):
                        with self.came:
                            self.seen.append(event)
                            self.came.notify_all()
                        self._act(self, event)
                    self.flush()
        except OSError:
            return

    def wait_for(self, kind: type) -> object:
        """Return the first event of that kind once it has come."""
        with self.came:
            assert self.came.wait_for(lambda: any(isinstance(e, kind) for e in self.seen), 5)
            return next(e for e in self.seen if isinstance(e, kind))

    def flush(self) -> None:
        if data := self.http.data_to_send():
            self.tls.sendall(data)

    def raw(self, frame: bytes) -> None:
        self.flush()
        self.tls.sendall(frame)

    def answer(self, stream: int, body: bytes = b"ok", **headers: str) -> None:
        self.http.send_headers(stream, [(":status", "200"), *headers.items()])
        self.http.send_data(stream, body, end_stream=True)

    def hang_up(self) -> None:
        try:
            self.tls.shutdown(socket.SHUT_RDWR)
        except (AttributeError, OSError):
            return


def goaway(last: int, code: int = 0) -> bytes:
    return b"\0\0\x08\x07\0\0\0\0\0" + last.to_bytes(4, "big") + code.to_bytes(4, "big")


def text_of(fetcher: BoundFetcher, url: str, method: str = "GET", **more: object) -> bytes:
    return b"".join(ask(fetcher, url, method, **more))


def test_a_large_echo_comes_back_while_it_is_still_sent(pki: Pki, fetcher: BoundFetcher) -> None:
    def echo(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived):
            talk.http.send_headers(event.stream_id, [(":status", "200")])
        if isinstance(event, DataReceived):
            talk.http.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            pending.extend(event.data)
        if isinstance(event, StreamEnded):
            ended.append(event.stream_id)
        while pending and (room := talk.http.local_flow_control_window(1)):
            size = min(room, talk.http.max_outbound_frame_size, len(pending))
            talk.http.send_data(1, bytes(pending[:size]))
            del pending[:size]
            talk.flush()
        if ended and not pending:
            talk.http.end_stream(ended.pop())

    pending, ended = bytearray(), list[int]()
    with Origin(pki, echo) as origin:
        sent = [bytes([n]) * MB for n in range(12)]
        assert text_of(fetcher, origin.url, "POST", body=iter(sent)) == b"".join(sent)
        fetcher.close()


def test_one_request_that_is_abandoned_leaves_the_others_alone(
    pki: Pki, fetcher: BoundFetcher, session: Session
) -> None:
    def act(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived) and dict(event.headers)[b":path"] != b"/never":
            talk.answer(event.stream_id)

    with Origin(pki, act) as origin:
        assert text_of(fetcher, origin.url) == b"ok"
        closers: list[Callable[[], None]] = []
        request = Outgoing("GET", f"{origin.url}/never", (), b"", closers.append)
        with ThreadPoolExecutor(1) as threads:
            never = threads.submit(fetcher.send, request)
            with origin.talks[0].came:
                seen = origin.talks[0].seen
                assert origin.talks[0].came.wait_for(
                    lambda: sum(isinstance(one, RequestReceived) for one in seen) == 2, 5
                )
            assert text_of(fetcher, origin.url) == b"ok"
            for close in closers:
                close()
            with pytest.raises(ConnectError, match="gave up its fetch"):
                never.result(5)
        assert isinstance(origin.talks[0].wait_for(StreamReset), StreamReset)
        assert text_of(fetcher, origin.url) == b"ok"
        assert len(session.recording.connections()) == 1
        fetcher.close()


@pytest.mark.parametrize("code", [ErrorCodes.REFUSED_STREAM, "goaway"])
@pytest.mark.parametrize("body", [b"", b"x" * 10, [b"a", b"b"]])
def test_a_request_that_was_not_processed_is_sent_again(
    pki: Pki, fetcher: BoundFetcher, code: object, body: object
) -> None:
    refused: list[int] = []
    answered: list[int] = []

    def act(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived) and refused:
            answered.append(event.stream_id)
        elif isinstance(event, RequestReceived):
            refused.append(event.stream_id)
            if code == "goaway":
                talk.raw(goaway(0))
                talk.hang_up()
            else:
                talk.http.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
        elif isinstance(event, StreamEnded) and event.stream_id in answered:
            received = [e.data for e in talk.seen if isinstance(e, DataReceived) and e.stream_id == event.stream_id]
            talk.answer(event.stream_id, b"got " + b"".join(received))

    with Origin(pki, act) as origin:
        expected = body if isinstance(body, bytes) else b"ab"
        sent = body if isinstance(body, bytes) else iter([b"a", b"b"])
        assert text_of(fetcher, origin.url, "POST", body=sent) == b"got " + expected
        assert refused
        fetcher.close()


def test_streams_that_goaway_promises_come_to_their_end(pki: Pki, fetcher: BoundFetcher) -> None:
    def act(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived):
            talk.http.send_headers(event.stream_id, [(":status", "200")])
            talk.raw(goaway(event.stream_id))
            talk.http.send_data(event.stream_id, b"whole", end_stream=True)

    with Origin(pki, act) as origin:
        assert [text_of(fetcher, origin.url) for _ in range(2)] == [b"whole"] * 2
        assert len(origin.talks) == 2
        fetcher.close()


@pytest.mark.parametrize(
    ("headers", "after", "words"),
    [
        ((), "reset", "gave this request up"),
        (((":status", "200"),), "reset", "midway"),
        (((":status", "200"),), "hang up", "midway"),
        (((":status", "200"), ("content-length", "10")), "end", "midway"),
        ((), "hang up", "without an answer|reset the connection"),
        ((), "garbage", "not HTTP"),
    ],
)
def test_an_answer_that_breaks_off_is_named(
    pki: Pki, fetcher: BoundFetcher, headers: tuple[tuple[str, str], ...], after: str, words: str
) -> None:
    def act(talk: Talk, event: object) -> None:
        if not isinstance(event, RequestReceived):
            return
        if headers:
            talk.http.send_headers(event.stream_id, headers)
            talk.http.config.validate_outbound_headers = False
            talk.http.send_data(event.stream_id, b"half", end_stream=after == "end")
            talk.flush()
        if after == "reset":
            talk.http.reset_stream(event.stream_id, ErrorCodes.INTERNAL_ERROR)
        elif after == "hang up":
            talk.hang_up()
        elif after == "garbage":
            talk.raw(b"HTTP/1.1 200 OK\r\n\r\n")

    with Origin(pki, act) as origin:
        with pytest.raises(ConnectError, match=words):
            text_of(fetcher, origin.url)
        fetcher.close()


def test_an_answer_that_nobody_reads_stops_no_other(pki: Pki, fetcher: BoundFetcher) -> None:
    def act(talk: Talk, event: object) -> None:
        if not isinstance(event, RequestReceived):
            return
        if dict(event.headers)[b":path"] == b"/long":
            talk.http.send_headers(event.stream_id, [(":status", "200")])
            while room := talk.http.local_flow_control_window(event.stream_id):
                talk.http.send_data(event.stream_id, bytes(min(room, talk.http.max_outbound_frame_size)))
                talk.flush()
        else:
            talk.answer(event.stream_id)

    with Origin(pki, act) as origin:
        unread = [ask(fetcher, f"{origin.url}/long") for _ in range(20)]
        assert text_of(fetcher, origin.url) == b"ok"
        for answer in unread:
            answer.close()
        assert len(origin.talks) == 1
        fetcher.close()


def test_no_more_streams_at_once_than_the_origin_allows(pki: Pki, fetcher: BoundFetcher) -> None:
    most = 0

    def act(talk: Talk, event: object) -> None:
        nonlocal most
        if isinstance(event, RequestReceived):
            most = max(most, talk.http.open_inbound_streams)
        if isinstance(event, StreamEnded):
            if event.stream_id == 1:
                talk.http.update_settings({3: 4})  # SETTINGS_MAX_CONCURRENT_STREAMS
            talk.answer(event.stream_id)

    with Origin(pki, act) as origin:
        assert text_of(fetcher, origin.url) == b"ok"
        with ThreadPoolExecutor(16) as threads:
            assert set(threads.map(lambda _: text_of(fetcher, origin.url), range(64))) == {b"ok"}
        assert 0 < most <= 4
        assert len(origin.talks) == 1
        fetcher.close()


def test_a_fetcher_that_is_forgotten_leaves_no_thread(pki: Pki, session: Session) -> None:
    def act(talk: Talk, event: object) -> None:
        if isinstance(event, RequestReceived):
            talk.answer(event.stream_id)

    with Origin(pki, act) as origin:
        fetcher = session.fetcher("MY_CERT")
        unread = ask(fetcher, origin.url)
        threads = [thread for thread in threading.enumerate() if thread.name == "http2"]
        assert threads
        del fetcher, unread
        gc.collect()
        for thread in threads:
            thread.join(5)
            assert not thread.is_alive()
    assert session.recording.events(session.recording.connections()[-1])[-1].kind is Kind.CLOSED


def test_answers_that_overtake_each_other_stay_with_their_requests(
    pki: Pki, fetcher: BoundFetcher, session: Session
) -> None:
    waiting: list[int] = []

    def act(talk: Talk, event: object) -> None:
        if not isinstance(event, RequestReceived):
            return
        if dict(event.headers)[b":path"] == b"/first":
            waiting.append(event.stream_id)
        else:
            talk.answer(event.stream_id, b"second")
            talk.answer(waiting.pop(), b"first")

    with Origin(pki, act) as origin, ThreadPoolExecutor(1) as threads:
        first = threads.submit(text_of, fetcher, f"{origin.url}/first")
        while not waiting:
            assert not first.done()
        assert text_of(fetcher, f"{origin.url}/second") == b"second"
        assert first.result(5) == b"first"
        (number,) = session.recording.connections()
        requests = recorded_requests(session.recording.events(number))
        assert [one.url.rpartition("/")[2] for one in requests] == ["first", "second"]
        assert [one.status for one in requests] == [200, 200]
        answered = [e.data for e in session.recording.events(number) if e.kind is Kind.RESPONSE]
        assert sorted(one.ordinal for one in answered) == [1, 2]  # type: ignore[union-attr]
        fetcher.close()
