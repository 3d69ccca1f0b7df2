"""One private event-loop thread, and the one door through which synchronous code waits.

A notebook's main thread already runs a loop, so a cell cannot simply run another one. Workers
run on a `LoopThread`; the cell waits in `wait`, which relays what arrives meanwhile (log
lines, events) in the waiting thread, and turns an interrupt or a deadline into a clean stop.

What may not live here: anything that knows TLS, HTTP or Jupyter.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import queue
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_SLICE_S = 0.25  # Windows cannot interrupt a lock: wake this often to notice a pending interrupt
_GRACE_S = 0.3  # how long cancelled code may clean up before it is thrown out
_DONE = object()


class ThrownOut(BaseException):
    """Raised inside code that ignores cancellation (an endless loop). No `except Exception` catches it."""


class LoopThread:
    """An asyncio loop in a daemon thread that can be stopped even while its code never yields."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Return a future of `coroutine`, started on the loop (which starts when first needed)."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._running())

    def stop(self) -> None:
        """Cancel all that runs, throw out what will not be cancelled, end the thread. Any thread may call."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        loop.call_soon_threadsafe(_cancel_all_then_stop, loop)
        thread.join(_GRACE_S)
        while thread.is_alive() and thread is not threading.current_thread():
            _throw_out(thread)
            thread.join(0.05)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


def _run(loop: asyncio.AbstractEventLoop) -> None:
    while True:
        try:
            loop.run_forever()
            break
        except ThrownOut:  # it landed between two steps of the loop: go on until the stop is seen
            continue
    with contextlib.suppress(ThrownOut):
        loop.close()


def _cancel_all_then_stop(loop: asyncio.AbstractEventLoop) -> None:
    async def cancel_all() -> None:
        mine = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not mine]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        loop.stop()

    loop.create_task(cancel_all())


def _throw_out(thread: threading.Thread) -> None:
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(ThrownOut))


class Interrupted(Exception):
    """The wait ended early: `by` is "interrupt" or "deadline". What was waited for has been stopped."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


def wait(
    future: Future[T],
    stop: Callable[[], None],
    *,
    timeout_s: float | None = None,
    inbox: queue.SimpleQueue[Any] | None = None,
    show: Callable[[Any], None] = lambda _: None,
) -> T:
    """Return the future's result, meanwhile passing every item of `inbox` to `show` in this thread.

    Raises Interrupted after KeyboardInterrupt or `timeout_s` seconds, once `stop()` has returned.
    """
    inbox = inbox or queue.SimpleQueue()
    future.add_done_callback(lambda _: inbox.put(_DONE))
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        _relay_until_done(inbox, show, deadline)
    except KeyboardInterrupt:
        stop()
        raise Interrupted("interrupt") from None
    except TimeoutError:
        stop()
        raise Interrupted("deadline") from None
    return future.result()


def _relay_until_done(inbox: queue.SimpleQueue[Any], show: Callable[[Any], None], deadline: float | None) -> None:
    while True:
        left = _SLICE_S if deadline is None else min(_SLICE_S, deadline - time.monotonic())
        if left <= 0:
            raise TimeoutError
        try:
            item = inbox.get(timeout=left)
        except queue.Empty:
            continue
        if item is _DONE:
            return
        show(item)
