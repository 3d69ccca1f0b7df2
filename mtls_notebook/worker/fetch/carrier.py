"""One request and its answer on a connection, as `fetch` sees it, whichever HTTP carries it.

`http1` and `http2` each have a `Carrier`; what both need to name stands here: heads, endings, time limits.
What may not live here: protocols, sockets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from ...recorder.tap import TappedStream

READ_TIMEOUT_S = 60.0
WRITE_TIMEOUT_S = 60.0
LARGEST_HEAD_BYTES = 256 * 1024
SENT_AT_ONCE_BYTES = 64 * 1024  # a longer body is sent while the answer is read: an echoing origin waits for that

Pairs = list[tuple[bytes, bytes]]


class NoAnswer(Exception):
    """The connection ended before an answer began."""


class Garbled(Exception):
    """What came is not the HTTP that was agreed on."""


class Truncated(Exception):
    """The body ended before its declared end."""


class BodyFailed(Exception):
    """The request's own body could not be produced; `__cause__` says why."""


class GivenUp(Exception):
    """The origin ended this exchange, and not the connection, before an answer began."""


class NotProcessed(Exception):
    """The origin says that it did nothing with the request, which may be sent again (RFC 9113 §8.7)."""


class OnlyHttp1(NotProcessed):
    """The origin wants HTTP/1.1 for this request (RFC 9113 §7, HTTP_1_1_REQUIRED)."""


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body: `headers` are complete (Host, framing)."""

    method: str
    target: bytes
    headers: Pairs


@dataclass(frozen=True, slots=True)
class AnswerHead:
    """An answer without its body; names are as they came, `reason` is b"" in HTTP/2, which has none."""

    status: int
    reason: bytes
    headers: Pairs


class Carrier(Protocol):
    """What carries one request and its answer; close it, or give it back to its `Connections`."""

    @property
    def stream(self) -> TappedStream:
        """Return the connection that it runs on."""

    def ask(self, head: Head, body: bytes | Iterable[bytes]) -> AnswerHead:
        """Return the answer's head; the body may still be on its way. Raises OSError and what stands above."""

    def next_chunk(self, timeout_s: float) -> bytes | None:
        """Return the next raw bytes of the body, b"" at its end; None when not there yet and `timeout_s` is 0."""

    def body(self) -> Iterator[bytes]:
        """Yield the answer's raw body. Raises Truncated, OSError."""

    def close(self) -> None:
        """End what has not ended; others on the same connection go on."""


def pieces(body: bytes | Iterable[bytes]) -> Iterable[bytes]:
    """Return a body as the chunks to send."""
    if not isinstance(body, bytes):
        return body
    return (body[at : at + (1 << 20)] for at in range(0, len(body), 1 << 20))
