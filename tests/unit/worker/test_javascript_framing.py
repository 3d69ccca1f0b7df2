"""HTTP/1.1 between us and workerd: whatever is written is read again, however the bytes are cut."""

from __future__ import annotations

from collections.abc import Iterator

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.worker.exchange import Headers
from mtls_notebook.worker.javascript.framing import LAST_CHUNK, Inbox, Malformed, chunk_bytes, head_bytes, value_of

NAMES = st.text("abcXYZ-", min_size=1, max_size=9)
VALUES = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f\x80\x85\xa0"), max_size=20
)
HEADERS = st.lists(st.tuples(NAMES, VALUES), max_size=6).map(tuple)
BODIES = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


def arriving(data: bytes, cuts: list[int]) -> Inbox:
    """Return an inbox into which `data` comes in pieces of the given lengths, then of seven bytes."""
    lengths = iter(cuts)
    rest = memoryview(data)

    def receive(_most: int) -> bytes:
        nonlocal rest
        length = next(lengths, 7)
        piece, rest = rest[:length], rest[length:]
        return bytes(piece)

    return Inbox(receive)


def body_of(inbox: Inbox) -> Iterator[bytes]:
    while (chunk := inbox.chunk()) is not None:
        yield chunk


CUTS = st.lists(st.integers(1, 30), max_size=20)


@given(HEADERS, BODIES, CUTS)
def test_a_chunked_message_is_read_as_it_was_written_however_it_is_cut(
    headers: Headers, body: list[bytes], cuts: list[int]
) -> None:
    whole: Headers = (*headers, ("Transfer-Encoding", "chunked"))
    data = head_bytes("GET https://h/ HTTP/1.1", whole) + b"".join(map(chunk_bytes, body)) + LAST_CHUNK
    inbox = arriving(data * 2, cuts)
    for _ in range(2):
        assert inbox.head() == ("GET https://h/ HTTP/1.1", whole)
        inbox.expect(whole)
        assert b"".join(body_of(inbox)) == b"".join(body)
    assert inbox.head() is None


@given(BODIES, CUTS)
def test_a_body_of_known_length_ends_where_the_next_message_begins(body: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(body)
    headers: Headers = (("Content-Length", str(len(whole))),)
    inbox = arriving((head_bytes("HTTP/1.1 200 OK", headers) + whole) * 2, cuts)
    for _ in range(2):
        assert inbox.head() == ("HTTP/1.1 200 OK", headers)
        inbox.expect(headers, -1)
        assert b"".join(body_of(inbox)) == whole
    assert not inbox.until_close


@given(st.binary(max_size=60), CUTS)
def test_a_body_without_framing_goes_to_the_end_where_that_is_allowed(body: bytes, cuts: list[int]) -> None:
    inbox = arriving(body, cuts)
    inbox.expect((), -1)
    assert b"".join(body_of(inbox)) == body
    assert inbox.until_close


@given(HEADERS, BODIES)
def test_h11_reads_the_same_in_what_we_write(headers: Headers, body: list[bytes]) -> None:
    whole: Headers = (*headers, ("Transfer-Encoding", "chunked"))
    peer = h11.Connection(h11.CLIENT)
    peer.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    peer.send(h11.EndOfMessage())
    peer.receive_data(head_bytes("HTTP/1.1 200 Fine", whole) + b"".join(map(chunk_bytes, body)) + LAST_CHUNK)
    head = peer.next_event()
    assert isinstance(head, h11.Response)
    assert [(k.decode(), v.decode("latin-1")) for k, v in head.headers.raw_items()] == list(whole)
    got = b""
    while isinstance(event := peer.next_event(), h11.Data):
        got += bytes(event.data)
    assert got == b"".join(body)


@given(st.binary(max_size=80), CUTS)
def test_any_bytes_are_a_message_or_malformed(data: bytes, cuts: list[int]) -> None:
    inbox = arriving(data, cuts)
    try:
        head = inbox.head()
        if head is not None:
            inbox.expect(head[1], -1)
            list(body_of(inbox))
    except Malformed:
        return


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ((("Content-Length", "5"),), b"four"),
        ((("Content-Length", "-1"),), b""),
        ((("Content-Length", "+1"),), b"x"),
        ((("Content-Length", "9" * 30),), b""),
        ((("Transfer-Encoding", "chunked"),), b"5\r\nfour\r\n0\r\n\r\n"),
        ((("Transfer-Encoding", "chunked"),), b"3\r\nfour\r\n0\r\n\r\n"),
        ((("Transfer-Encoding", "chunked"),), b"zz\r\n"),
        ((("Transfer-Encoding", "chunked"),), b"4\r\nfour\r\n"),
        ((("Transfer-Encoding", "chunked"),), b"x" * 10_000),
    ],
)
def test_a_body_that_is_not_as_long_as_it_says_is_malformed(headers: Headers, body: bytes) -> None:
    inbox = arriving(body, [])
    with pytest.raises(Malformed):
        inbox.expect(headers)
        list(body_of(inbox))


@pytest.mark.parametrize("text", ["a\r\nX: y", "a\nb", "a\rb", "a\0b"])
@pytest.mark.parametrize("place", ["line", "name", "value"])
def test_no_header_can_make_another_message(text: str, place: str) -> None:
    line, name, value = (text if place == here else "x" for here in ("line", "name", "value"))
    with pytest.raises(Malformed):
        head_bytes(line, ((name, value),))


@pytest.mark.parametrize(
    "head", [b"GET / HTTP/1.1\r\nNo colon\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n", b"G\r\nA : b\r\n\r\n"]
)
def test_headers_have_a_name_and_a_colon_right_after_it(head: bytes) -> None:
    with pytest.raises(Malformed):
        arriving(head, []).head()


def test_a_value_is_found_whatever_the_case_of_its_name() -> None:
    assert value_of((("X-A", "1"), ("x-a", "2")), "x-a") == "1"
    assert value_of((), "x-a") == ""


def test_a_receiver_that_gives_up_between_any_two_bytes_may_come_again() -> None:
    said = b"2;x=y\r\nok\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n"
    waiting = iter([part for byte in said for part in (None, bytes([byte]))])

    def receive(_: int) -> bytes:
        part = next(waiting)
        if part is None:
            raise BlockingIOError
        return part

    inbox, got = Inbox(receive), b""
    inbox.expect((("Transfer-Encoding", "chunked"),))
    while True:
        try:
            chunk = inbox.chunk()
        except BlockingIOError:
            continue
        if chunk is None:
            break
        got += chunk
    assert (got, list(waiting)) == (b"ok!", [])
