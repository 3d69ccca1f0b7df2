"""Bytes between a Python worker's loop and threads that block, in both directions, with backpressure.

A `Pipe` leads out of the loop: little waits in between, so a slow reader slows the worker down. An `Inflow`
leads into it. What may not live here: requests, responses, and what the bytes mean.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator

from ...loop import in_thread
from .bodies import TooLong
from .hops import FetchError

_MOST_HELD_BYTES = 1 << 18


class Pipe:
    """What a coroutine puts and a thread takes; make it in the loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Event()
        self._room.set()
        self._news = threading.Condition()  # guards what follows
        self._chunks: deque[bytes] = deque()
        self._held_bytes = 0
        self._is_over = False
        self._error: BaseException | None = None

    async def put(self, chunk: bytes) -> None:
        """Hand `chunk` over; return once there is room for another."""
        if not chunk:
            return
        with self._news:
            self._chunks.append(chunk)
            self._held_bytes += len(chunk)
            if self._held_bytes >= _MOST_HELD_BYTES:
                self._room.clear()
            self._news.notify()
        await self._room.wait()

    def end(self, error: BaseException | None = None) -> None:
        """Say that nothing follows; with `error`, that something should have. Any thread may call."""
        with self._news:
            if not self._is_over:
                self._is_over, self._error = True, error
            self._news.notify()

    def take(self, timeout_s: float | None = None) -> bytes | None:
        """Return the next chunk, b"" at the end; None when none came in time. Raises what `end` was told."""
        with self._news:
            if not self._news.wait_for(lambda: self._chunks or self._is_over, timeout_s):
                return None
            if not self._chunks:
                if self._error is not None:
                    raise self._error
                return b""
            was_full = self._held_bytes >= _MOST_HELD_BYTES
            chunk = self._chunks.popleft()
            self._held_bytes -= len(chunk)
            has_room = was_full and self._held_bytes < _MOST_HELD_BYTES
        if has_room:
            with contextlib.suppress(RuntimeError):  # the loop was stopped meanwhile
                self._loop.call_soon_threadsafe(self._room.set)
        return chunk

    def __iter__(self) -> Iterator[bytes]:
        while chunk := self.take():
            yield chunk


class Inflow:
    """A body that a thread takes chunk by chunk, as a stream of the loop's (see bodies.Stream).

    `length` is what its sender says of it, None if nothing.
    """

    def __init__(self, chunks: Iterable[bytes], length: int | None) -> None:
        self.length = length
        self._chunks = iter(chunks)
        self._turn = threading.Lock()

    async def read(self, most_bytes: int | None = None) -> bytes:
        """Return all that is left. Raises FetchError, TooLong."""
        whole = bytearray()
        async for chunk in self.chunks():
            whole += chunk
            if most_bytes is not None and len(whole) > most_bytes:
                raise TooLong(most_bytes)
        return bytes(whole)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the bytes as they come. Raises FetchError when their sender breaks off."""
        while (chunk := await in_thread(self._next)) is not None:
            yield chunk

    def _next(self) -> bytes | None:
        try:
            with self._turn:
                return next(self._chunks, None)
        except Exception as error:
            raise FetchError("Network connection lost.") from error
