"""`env.NAME.fetch` underneath: streaming both ways, kept connections, and every way in which it can end."""

from __future__ import annotations

import resource
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError, HostNotAllowed
from mtls_notebook.recorder.events import Kind
from mtls_notebook.worker.exchange import Outgoing
from mtls_notebook.worker.fetch.fetcher import Answer, BoundFetcher, decoded

HOST = "https://example-secure-origin.com"
MB = 1 << 20


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


def get(fetcher: BoundFetcher, path: str, method: str = "GET", **more: object) -> Answer:
    return fetcher.send(Outgoing(method, HOST + path, (), **more))  # type: ignore[arg-type]


def works(fetcher: BoundFetcher) -> bool:
    """Return whether an ordinary request still gets its answer."""
    answer = get(fetcher, "/status/200")
    return answer.status == 200 and b"".join(answer) is not None


def chunks(count: int, size: int = MB) -> Iterator[bytes]:
    yield from (bytes([number % 251]) * size for number in range(count))


def test_a_large_echo_comes_back_while_it_is_still_being_sent(fetcher: BoundFetcher) -> None:
    answer = get(fetcher, "/echo", "POST", body=chunks(48))
    assert b"".join(answer) == b"".join(chunks(48))


def test_a_streamed_upload_arrives_whole(fetcher: BoundFetcher) -> None:
    text = b"".join(get(fetcher, "/", "POST", body=chunks(3)))
    assert f'"length": {3 * MB}'.encode() in text


def test_a_large_download_takes_no_memory(fetcher: BoundFetcher) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    size = sum(len(chunk) for chunk in get(fetcher, f"/bytes/{256 * MB}"))
    grown_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert size == 256 * MB
    assert grown_kb < 48 * 1024


def test_a_large_upload_takes_no_memory(fetcher: BoundFetcher) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    text = b"".join(get(fetcher, "/", "POST", body=chunks(256)))
    assert f'"length": {256 * MB}'.encode() in text
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 48 * 1024


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_every_method_reaches_the_origin_and_leaves_the_connection_usable(
    fetcher: BoundFetcher, session: Session, method: str
) -> None:
    before = len(session.recording.connections())
    for _ in range(2):
        answer = get(fetcher, "/", method)
        text = b"".join(answer)
        assert answer.status == 200
        assert method == "HEAD" or f'"method": "{method}"'.encode() in text
    assert len(session.recording.connections()) - before <= 1


def test_a_body_without_an_end_in_sight_is_closed_not_kept(fetcher: BoundFetcher, session: Session) -> None:
    answer = get(fetcher, f"/bytes/{64 * MB}")
    next(iter(answer))
    answer.close()
    before = session.recording.connections()[-1]
    assert b"".join(get(fetcher, "/status/200")) is not None
    assert session.recording.connections()[-1] != before


def test_a_body_that_fails_is_told_and_the_next_request_works(fetcher: BoundFetcher) -> None:
    def failing() -> Iterator[bytes]:
        yield b"x" * 1000
        raise RuntimeError("no more")

    with pytest.raises(ConnectError, match="its own body could not be read"):
        b"".join(get(fetcher, "/echo", "POST", body=failing()))
    assert works(fetcher)


def test_an_abandoned_request_ends_at_once(fetcher: BoundFetcher) -> None:
    closers: list[object] = []
    request = Outgoing("GET", HOST + "/slow/30", (), b"", closers.append)
    timer = threading.Timer(0.2, lambda: [close() for close in closers])  # type: ignore[operator]
    timer.start()
    with pytest.raises(ConnectError):
        fetcher.send(request)
    timer.join()
    assert works(fetcher)


def test_an_answer_can_be_aborted_while_another_thread_reads_it(fetcher: BoundFetcher) -> None:
    answer = get(fetcher, "/slow/0")
    b"".join(answer)
    answer = get(fetcher, f"/bytes/{1024 * MB}")
    threading.Timer(0.1, answer.abort).start()
    with pytest.raises(ConnectError):
        for _ in answer:
            pass


def test_a_host_outside_the_bindings_list_never_sees_the_certificate(session: Session) -> None:
    session.scope("MY_CERT=api.example.com")
    try:
        limited = session.fetcher("MY_CERT")
        before = session.recording.connections()
        with pytest.raises(HostNotAllowed, match=r"may not be presented to example-secure-origin\.com") as caught:
            get(limited, "/")
        assert "--hosts" in caught.value.hint
        assert session.recording.connections() == before
    finally:
        session.bindings.scope("MY_CERT", ())


@pytest.mark.parametrize("url", ["", "/relative", "ftp://host/", "https://", "nonsense"])
def test_what_is_no_url_is_refused_in_two_lines(fetcher: BoundFetcher, url: str) -> None:
    with pytest.raises(ConnectError) as caught:
        fetcher.send(Outgoing("GET", url, ()))
    assert caught.value.hint


@pytest.mark.parametrize("header", [("Bad Name", "x"), ("X", "a\r\nb: c"), ("", "x")])
def test_a_header_that_would_break_the_protocol_is_refused(fetcher: BoundFetcher, header: tuple[str, str]) -> None:
    with pytest.raises(ConnectError):
        fetcher.send(Outgoing("GET", HOST, (header,)))
    assert works(fetcher)


# Origins that misbehave, written byte by byte.


def test_a_kept_connection_that_ended_meanwhile_is_replaced_without_a_word() -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with Session() as session, misbehaving([whole, whole]) as port:
        fetcher = session.fetcher()
        for _ in range(2):
            assert b"".join(fetcher.send(Outgoing("GET", f"http://127.0.0.1:{port}/", ()))) == b"ok"
        assert len(session.recording.connections()) == 2
        fetcher.close()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "midway"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", "midway"),
        (b"HELO there\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "without an answer"),
    ],
)
def test_an_answer_that_is_none_is_named(answer: bytes, words: str) -> None:
    with Session() as session, misbehaving([answer]) as port:
        fetcher = session.fetcher()
        with pytest.raises(ConnectError, match=words):
            b"".join(fetcher.send(Outgoing("GET", f"http://127.0.0.1:{port}/", ())))
        fetcher.close()


def test_an_early_answer_is_heard_while_the_body_is_still_sent() -> None:
    refusal = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    with Session() as session, misbehaving([refusal]) as port:
        fetcher = session.fetcher()
        url = f"http://127.0.0.1:{port}/"
        answer = fetcher.send(Outgoing("POST", url, (), chunks(64)))
        assert answer.status == 413
        answer.close()
        fetcher.close()


def test_a_compressed_body_is_undone_and_a_plain_one_left_alone(session: Session) -> None:
    import gzip  # noqa: PLC0415

    packed = gzip.compress(b"hello" * 100)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed)
    with misbehaving([head + packed]) as port:
        fetcher = session.fetcher()
        answer = fetcher.send(Outgoing("GET", f"http://127.0.0.1:{port}/", ()))
        assert b"".join(decoded(answer)) == b"hello" * 100
        fetcher.close()


class misbehaving:
    """A loopback server that answers one request per connection with given bytes, then closes."""

    def __init__(self, answers: list[bytes]) -> None:
        self._answers = answers

    def __enter__(self) -> int:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return int(self._listening.getsockname()[1])

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                connection.settimeout(5)
                try:
                    while connection.recv(1 << 20):
                        pass
                except OSError:
                    pass

    def __exit__(self, *_: object) -> None:
        self._listening.close()
        self._thread.join(5)


def test_an_answer_that_outlives_its_fetcher_leaves_no_connection_open(session: Session) -> None:
    fetcher = session.fetcher("MY_CERT")
    answer = get(fetcher, "/")
    fetcher.close()
    assert b"".join(answer)
    assert session.recording.events(session.recording.connections()[-1])[-1].kind is Kind.CLOSED


def test_descriptors_do_not_pile_up(session: Session) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(50):
        fetcher = session.fetcher("MY_CERT")
        b"".join(get(fetcher, "/"))
        fetcher.close()
    # The lab's ends of these connections are in this process too and close a moment later.
    assert len(list(Path("/proc/self/fd").iterdir())) <= before + 10
