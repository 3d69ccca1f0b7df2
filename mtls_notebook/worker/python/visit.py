"""One invocation of a Python worker: its subrequests, from the loop to threads that block, and its background work.

A subrequest belongs to the visit that made it. When the visit and its `waitUntil` work are over, answers that
nobody read are let go of; when a task is cancelled, the connection it waits for is ended.
What may not live here: the cell's code, and the loop's beginning and end.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import select
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from ...errors import ConnectError
from ...loop import in_thread
from ..exchange import Closer, Environment, Fetcher, Headers, Outgoing
from ..fetch.carrier import READ_TIMEOUT_S
from ..fetch.fetcher import Answer, Begun, BoundFetcher, Stale, decoded
from .bodies import Source, TooLong
from .hops import Arrival, FetchError, Leg, Pairs, Ports
from .pipe import Pipe

_AT_ONCE = 32  # blocking fetches of one visit: more only fight for the interpreter lock
_DECODED = {"gzip", "x-gzip", "deflate", "identity"}
_SHORT_BYTES = 64 * 1024  # a body of this length is read with its headers: a second thread would cost more
_OPEN_AT_ONCE = 32  # answers whose body waits to be read: each holds a connection, so further ones are read at once

_SOON_MS = 1
_CAN_WAIT = sys.platform != "win32"  # its loop waits for operations, not for sockets

T = TypeVar("T")


class Line:
    """The way from a waiting task to the thread that works for it: `cut` ends that work, now or once it begins."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cut = False
        self._closer: Closer | None = None

    def on_abandon(self, closer: Closer) -> None:
        """Have `closer` called at the cut; at once if that has been."""
        with self._lock:
            self._closer = closer
            is_cut = self._is_cut
        if is_cut:
            closer()

    def cut(self) -> None:
        """End the work, once; nobody waits for it any more."""
        with self._lock:
            closer = None if self._is_cut else self._closer
            self._is_cut = True
        if closer is not None:
            closer()


class Visit:
    """One invocation under way, as `Ports` see it. `over` is told when nothing of it is left."""

    def __init__(
        self, environment: Environment, complain: Callable[[str], None], over: Callable[[Visit], None] = lambda _: None
    ) -> None:
        self.ports = Ports(self.hop, self.wait_until)
        self._environment = environment
        self._complain = complain
        self._over = over
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._lines: set[Line] = set()
        self._unread: set[Line] = set()
        self._background: set[asyncio.Future[Any]] = set()
        self._pumps: set[asyncio.Future[None]] = set()
        self._answered = False

    async def hop(self, leg: Leg) -> Arrival:
        """Return what came back. Raises FetchError, TypeError for a URL that is none after all."""
        fetcher = self._environment.fetchers[leg.binding] if leg.binding else self._environment.fallback
        line = Line()
        headers = _with_encodings(leg.headers)
        body: bytes | Pipe
        if isinstance(leg.body, Source):
            length = leg.body.length
            headers = headers if length is None else (*headers, ("Content-Length", str(length)))
            body = self._upload(leg.body)
        else:
            body = leg.body
        outgoing = Outgoing(leg.method, leg.url, headers, body, line.on_abandon)
        async with self._slots:
            self._lines.add(line)
            try:
                arrival = await self._arrived(fetcher, outgoing, line)
            except BaseException:
                self._lines.discard(line)
                line.cut()  # a task that is closed instead of cancelled leaves its thread behind otherwise
                raise
        if arrival.held:
            self._lines.discard(line)
        else:
            self._unread.add(line)
        return arrival

    def _upload(self, source: Source) -> Pipe:
        """Return a body for the thread that sends it, filled from now on, as fast as that takes it."""
        pipe = Pipe()
        pump = asyncio.ensure_future(_pump(source, pipe))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        return pipe

    async def _arrived(self, fetcher: Fetcher, outgoing: Outgoing, line: Line) -> _Arrival:
        arrival = await self._begun(fetcher, outgoing, line)
        if arrival is None:
            arrival = await _blocking(partial(self._sent, fetcher, outgoing, line), line)
        return arrival

    async def _begun(self, fetcher: Fetcher, outgoing: Outgoing, line: Line) -> _Arrival | None:
        """Send on a kept connection and wait on the loop itself: two hops between threads cost more than the fetch.

        None: nothing was sent, no connection is kept.
        """
        with _as_the_worker_sees_it():
            try:
                begun = fetcher.begin(outgoing) if isinstance(fetcher, BoundFetcher) and _CAN_WAIT else None
                if begun is None:
                    return None
                answer = await self._answer_of(begun)
            except Stale as stale:
                answer = await in_thread(stale.again, line.cut)
        arrival = _Arrival(answer, line, self._read)
        line.on_abandon(arrival.end)
        if arrival.is_short:
            arrival.hold()
        return arrival

    async def _answer_of(self, begun: Begun) -> Answer:
        """Return the answer, on the loop. Raises ConnectError, Stale."""
        try:
            answer = None
            while answer is None:
                await self._arrival_of(begun)
                answer = begun.step()
        except (ConnectError, Stale):
            raise
        except BaseException:  # cancelled, or thrown out
            begun.abandon()
            raise
        return answer

    async def _arrival_of(self, begun: Begun) -> None:
        """Wait until there is something to read. Raises ConnectError when nothing came.

        Where nothing else is under way, a fast answer is waited for right here: the loop's own way to wait costs
        as much as the answer.
        """
        is_alone = len(self._lines) == 1
        if not (is_alone and comes_soon(begun.fileno())) and not await _readable(begun.fileno(), READ_TIMEOUT_S):
            raise begun.late()

    def _sent(self, fetcher: Fetcher, outgoing: Outgoing, line: Line) -> _Arrival:
        """Send, in a thread; read the body too where it is short, or where many wait to be read."""
        answer = fetcher.send(outgoing)
        arrival = _Arrival(answer, line, self._read)
        line.on_abandon(arrival.end)
        if arrival.is_short or len(self._unread) >= _OPEN_AT_ONCE:
            arrival.hold()
        return arrival

    def _read(self, line: Line) -> None:
        self._lines.discard(line)
        self._unread.discard(line)

    def wait_until(self, work: Awaitable[Any]) -> None:
        """Let `work` go on after the response. Raises TypeError for what cannot be awaited."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background_done)

    def leave(self) -> None:
        """The handler has answered, or failed: once its background work is over, nothing is left open."""
        self._answered = True
        if not self._background:
            self.close()

    def close(self) -> None:
        """End every connection that still waits for somebody. Any thread may call, once the loop has stopped."""
        for line in tuple(self._lines):
            line.cut()
            self._read(line)
        for pump in tuple(self._pumps):
            with contextlib.suppress(RuntimeError):  # the loop is closed, and the pump with it
                pump.cancel()
        self._over(self)

    def _background_done(self, task: asyncio.Future[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._complain(f"waitUntil: {type(error).__name__}: {error}")
        if self._answered:
            self.leave()


async def _pump(source: Source, pipe: Pipe) -> None:
    """Fill `pipe`; what goes wrong in the source goes wrong for the sender, who ends the connection."""
    try:
        async with contextlib.aclosing(source.chunks()) as chunks:
            async for chunk in chunks:
                await pipe.put(chunk)
    except asyncio.CancelledError:
        pipe.end(OSError("nobody waits for this fetch any more"))
        raise
    except Exception as error:  # noqa: BLE001 - whatever it was, the sender is told
        pipe.end(error)
    else:
        pipe.end()


class _Arrival:
    """An origin's answer on its way to the worker (see hops.Arrival)."""

    def __init__(self, answer: Any, line: Line, over: Callable[[Line], None]) -> None:
        self.status: int = answer.status
        self.reason: str = answer.reason
        said = {name.lower(): value for name, value in reversed(answer.headers)}  # the first of a name counts
        self.headers: Pairs = _as_seen(answer.headers) if "content-encoding" in said else list(answer.headers)
        self.held = False
        self._length = said.get("content-length", "")
        self.length = _length_of(answer.status, self.headers)
        self._answer = answer
        self._chunks = decoded(answer)
        self._turn = threading.Lock()  # an answer is read and closed by one thread at a time
        self._line = line
        self._over = over

    @property
    def is_short(self) -> bool:
        """Return whether the body is known to be short."""
        return self.status in (204, 304) or (self._length.isdigit() and int(self._length) <= _SHORT_BYTES)

    def hold(self) -> None:
        """Read the body now, in this thread; what goes wrong shows when the worker reads it."""
        self.held = True
        try:
            self._chunks = iter((self._gathered(),))
        except ConnectError as error:
            self._chunks = _failing(error)

    async def read(self, most_bytes: int | None = None) -> bytes:
        """Return what is left of the body, held once. Raises FetchError, TooLong past `most_bytes`."""
        data = await self._in_thread(partial(self._gathered, most_bytes))
        self._over(self._line)
        return data

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes. Raises FetchError."""
        while (chunk := await self._in_thread(self._next)) is not None:
            yield chunk
        self._over(self._line)

    async def discard(self) -> None:
        """Let go of a body that nobody wants."""
        if not self.held:
            self._over(self._line)
            self._line.cut()

    def end(self) -> None:
        """End the connection: whoever reads the body fails at once, and nobody has to come and close it."""
        getattr(self._answer, "abort", self._answer.close)()
        threading.Thread(target=self._close, name="goodbye", daemon=True).start()

    def _close(self) -> None:
        with self._turn:
            self._answer.close()

    def _gathered(self, most_bytes: int | None = None) -> bytes:
        """Return all that is left as one: joining a list of chunks would hold the body twice."""
        whole = io.BytesIO()
        with self._turn:
            whole.writelines(self._chunks if most_bytes is None else _up_to(most_bytes, self._chunks))
        return whole.getvalue()

    def _next(self) -> bytes | None:
        with self._turn:
            return next(self._chunks, None)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self.held:
            with _as_the_worker_sees_it():
                return work()
        return await _blocking(work, self._line)


def comes_soon(descriptor: int) -> bool:
    """Return whether there is something to read within a millisecond."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(_SOON_MS))


async def _readable(descriptor: int, timeout_s: float) -> bool:
    """Wait until there is something to read, or the end; return False when `timeout_s` passed without either."""
    loop = asyncio.get_running_loop()
    came: asyncio.Future[bool] = loop.create_future()

    def wake(is_there: bool) -> None:
        if not came.done():
            came.set_result(is_there)

    loop.add_reader(descriptor, wake, True)
    late = loop.call_later(timeout_s, wake, False)
    try:
        return await came
    finally:
        late.cancel()
        loop.remove_reader(descriptor)


async def _blocking(work: Callable[[], T], line: Line) -> T:
    with _as_the_worker_sees_it():
        return await in_thread(work, line.cut)


@contextlib.contextmanager
def _as_the_worker_sees_it() -> Iterator[None]:
    """A worker learns no more of a failure than in production; the cell shows the cause."""
    try:
        yield
    except ConnectError as error:
        if error.diagnosis is None:  # refused before anything was sent
            raise TypeError(error.message) from error
        raise FetchError("Network connection lost.") from error


def _up_to(most_bytes: int, chunks: Iterator[bytes]) -> Iterator[bytes]:
    length = 0
    for chunk in chunks:
        length += len(chunk)
        if length > most_bytes:
            raise TooLong(most_bytes)
        yield chunk


def _length_of(status: int, headers: Pairs) -> int | None:
    """Return the decoded body's length, None where the headers do not say."""
    length = next((value for name, value in headers if name.lower() == "content-length"), "")
    return int(length) if length.isdecimal() and status != 206 else None


def _failing(error: ConnectError) -> Iterator[bytes]:
    yield from ()
    raise error


def _with_encodings(headers: Pairs) -> Headers:
    """Return the headers with an Accept-Encoding that we can undo."""
    asked = ",".join(value for name, value in headers if name.lower() == "accept-encoding")
    codings = {part.partition(";")[0].strip().lower() for part in asked.split(",") if part.strip()}
    if codings and codings <= _DECODED:
        return tuple(headers)
    others = [(name, value) for name, value in headers if name.lower() != "accept-encoding"]
    return (*others, ("Accept-Encoding", "gzip, deflate"))


def _as_seen(headers: Headers) -> Pairs:
    """Return the headers of the decoded body: where it was encoded, its length on the wire says nothing."""
    codings = ",".join(value.lower() for name, value in headers if name.lower() == "content-encoding")
    if not codings or not {part.strip() for part in codings.split(",")} <= _DECODED:
        return list(headers)
    return [(name, value) for name, value in headers if name.lower() not in ("content-encoding", "content-length")]
