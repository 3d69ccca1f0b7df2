"""Blocking calls for a loop: in daemon threads that are kept for the next call.

Starting a thread costs more than a whole fetch over a kept connection, so they wait for more work; a
usual pool will not do, since it joins its threads when the interpreter ends.
What may not live here: what the calls do.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import queue
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Job = Callable[[], None]

_KEPT_S = 10.0  # an idle thread ends after this


class Threads:
    """As many daemon threads as there are calls at once."""

    def __init__(self) -> None:
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._idle = 0  # threads that wait, less the jobs that wait for them
        self._lock = threading.Lock()

    def start(self, job: Job) -> None:
        """Run `job`, which must not raise, in a kept thread or a new one."""
        with self._lock:
            is_kept = self._idle > 0
            self._idle -= is_kept
        self._jobs.put(job)
        if not is_kept:  # no argument: a thread keeps those alive as long as it lives
            threading.Thread(target=self._serve, name="waiting", daemon=True).start()

    def dismiss(self) -> None:
        """End the threads that have nothing to do."""
        with self._lock:
            idle, self._idle = max(self._idle, 0), min(self._idle, 0)
        for _ in range(idle):
            self._jobs.put(None)

    def _serve(self) -> None:
        thread = threading.current_thread()
        while (job := self._next()) is not None:
            thread.name = "blocking"
            job()
            del job  # a waiting thread keeps nothing alive
            thread.name = "waiting"
            with self._lock:
                self._idle += 1

    def _next(self) -> Job | None:
        """Return the next job, whoever's it was meant to be; None when there is none for long, or we are dismissed."""
        try:
            return self._jobs.get(timeout=_KEPT_S)
        except queue.Empty:
            with self._lock:
                if self._idle > 0:  # else a job is on its way to this thread
                    self._idle -= 1
                    return None
            return self._jobs.get()


_threads = Threads()


def dismiss() -> None:
    """End the threads that wait for more work; those that work go on."""
    _threads.dismiss()


async def in_thread(work: Callable[[], T], abandon: Callable[[], None] = lambda: None) -> T:
    """Return what blocking `work` returns, from a daemon thread, in this context.

    When the waiting task is cancelled, `abandon()` is called, which should make `work` end soon.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()
    _threads.start(partial(_deliver, loop, future, partial(context.run, work)))
    try:
        return await future
    except asyncio.CancelledError:
        abandon()
        raise


def _deliver(loop: asyncio.AbstractEventLoop, future: asyncio.Future[T], work: Callable[[], T]) -> None:
    settle: Callable[[], Any]
    try:
        settle = partial(future.set_result, work())
    except BaseException as error:  # noqa: BLE001 - whatever it was, the waiter gets it
        settle = partial(future.set_exception, error)
    with contextlib.suppress(RuntimeError):  # the loop was stopped meanwhile, and closed
        loop.call_soon_threadsafe(_unless_done, future, settle)


def _unless_done(future: asyncio.Future[Any], settle: Callable[[], Any]) -> None:
    if not future.done():
        settle()
