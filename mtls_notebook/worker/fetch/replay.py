"""A request's streamed body that can be sent once more as long as little of it has been read.

An origin that refuses a request unprocessed (HTTP/2's REFUSED_STREAM, GOAWAY, HTTP_1_1_REQUIRED) usually does so
before the body flows. What may not live here: the decision to send again (`fetch`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator

KEPT_BYTES = 64 * 1024


class Replay:
    """The chunks of a body; after `restart`, from the first one again. A reader of before gets an error."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._source = iter(body)
        self._kept: list[bytes] = []
        self._kept_bytes = 0
        self._is_lost = False
        self._is_over = False
        self._turn = 0
        self._lock = threading.Lock()  # held while a chunk is awaited: a new reader comes after the old one's

    def restart(self) -> bool:
        """Let the next reader begin anew; return False where too much has been read for that."""
        if self._is_lost:
            return False
        self._turn += 1  # without the lock: the old reader may wait in there for a chunk
        return True

    def __iter__(self) -> Iterator[bytes]:
        """Yield the chunks. Raises what the body raises, and ConnectionAbortedError in a reader of before."""
        turn, at = self._turn, 0
        while (chunk := self._chunk(turn, at)) is not None:
            yield chunk
            at += 1

    def _chunk(self, turn: int, at: int) -> bytes | None:
        with self._lock:
            if turn != self._turn:
                raise ConnectionAbortedError("the body is sent anew")
            if at == 0 and self._is_lost:
                raise RuntimeError("the beginning of the body is gone")
            if not self._is_lost and at < len(self._kept):
                return self._kept[at]
            if self._is_over:
                return None
            chunk = next(self._source, None)
            self._is_over = chunk is None
            if chunk is not None and not self._is_lost:
                self._keep(chunk, is_current=turn == self._turn)
            if turn != self._turn:
                raise ConnectionAbortedError("the body is sent anew")
            return chunk

    def _keep(self, chunk: bytes, *, is_current: bool) -> None:
        self._kept.append(chunk)
        self._kept_bytes += len(chunk)
        if is_current and self._kept_bytes > KEPT_BYTES:
            self._is_lost = True
            self._kept.clear()
