"""A private event loop in a thread of its own, which can be stopped whatever its code does.

A stop climbs until the code is over: cancel every task; throw `ThrownOut` into a step that never
yields; close what swallows both; and leave behind a thread that sits in a blocking call.

What may not live here: how the caller waits, and how code is thrown out.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from .eviction import ThrownOut, evict, throw_into

T = TypeVar("T")
Complaint = dict[str, Any]

_GRACE_S = 0.2  # how long cancelled code may clean up
_LIMIT_S = 0.8  # after which a thread that cannot be ended is left behind
_PAUSE_S = 0.03
_HAUNT_S = 0.25
_MOST_ROUNDS = 16


class Stopped(Exception):
    """The loop was stopped before the coroutine came to its end."""


class LoopThread:
    """An asyncio loop in a daemon thread that can be stopped even while its code never yields.

    `stopped` makes the error of a future whose coroutine was stopped; `complain` hears what asyncio would log.
    """

    def __init__(
        self,
        name: str,
        *,
        stopped: Callable[[], Exception] = Stopped,
        complain: Callable[[Complaint], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._stopped = stopped
        self._complain = complain
        self._lock = threading.Lock()
        self._life: _Life | None = None

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        """Return a future of `coroutine`, started on the loop (which starts when first needed)."""
        with self._lock:
            if self._life is None:
                self._life = _Life(self._name, self._stopped, self._complain)
            return self._life.submit(coroutine)

    def answers(self, within_s: float) -> bool:
        """Return whether the loop takes a turn in that time; one that does not run has nothing to do."""
        life = self._life
        return life is None or life.answers(within_s)

    def stop(self) -> None:
        """End all that runs, within a second; the next `submit` starts afresh. Any thread may call."""
        life = self._life
        if life is None:
            return
        life.stop()
        with self._lock:
            if self._life is life:
                self._life = None


class _Life:
    """One loop with its thread, from the first submit to the stop."""

    def __init__(self, name: str, stopped: Callable[[], Exception], complain: Callable[[Complaint], None]) -> None:
        self._stopped = stopped
        self._given: dict[Future[Any], Coroutine[Any, Any, Any]] = {}
        self._ending = False
        self._threads = _OwnThreads(f"{name}-thread")
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(self._threads)
        self._loop.set_exception_handler(lambda _loop, complaint: None if self._ending else complain(complaint))
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        promise: Future[T] = Future()
        self._given[promise] = coroutine
        if not self._call(partial(self._begin, promise, coroutine)):
            self._settle_rest()
        return promise

    def stop(self) -> None:
        self._ending = True
        self._call(self._wind_up)
        if self._thread is threading.current_thread():
            return
        deadline = time.monotonic() + _LIMIT_S
        self._thread.join(_GRACE_S / 2)
        while self._thread.is_alive() and time.monotonic() < deadline:
            if not self.answers(_PAUSE_S):
                throw_into(self._thread)
            self._thread.join(_PAUSE_S)
        self._threads.throw_out()
        if self._thread.is_alive():
            threading.Thread(target=self._haunt, name="evictor", daemon=True).start()
        self._settle_rest()

    # -- in the loop's thread --------------------------------------------------------------

    def _run(self) -> None:
        while True:
            try:
                self._loop.run_forever()
                break
            except BaseException:  # noqa: BLE001 - a task's SystemExit, or ThrownOut between two steps
                if self._ending:
                    self._call(self._wind_up)
        with contextlib.suppress(ThrownOut):
            self._loop.close()

    def _begin(self, promise: Future[T], coroutine: Coroutine[Any, Any, T]) -> None:
        task = self._loop.create_task(coroutine)
        task.add_done_callback(lambda done: self._settle(promise, done))
        promise.add_done_callback(lambda _: self._call(task.cancel) if promise.cancelled() else None)

    def _settle(self, promise: Future[T], task: asyncio.Task[T]) -> None:
        self._given.pop(promise, None)
        error = None if task.cancelled() else task.exception()
        if not promise.set_running_or_notify_cancel():
            return
        if task.cancelled() or isinstance(error, ThrownOut):
            promise.set_exception(self._stopped())
        elif error is not None:
            promise.set_exception(error)
        else:
            promise.set_result(task.result())

    def _wind_up(self) -> None:
        self._last = self._loop.create_task(self._end_tasks())

    async def _end_tasks(self) -> None:
        """Cancel everything, give it a moment for its clean-up, and let the loop end whatever came of it."""
        end = time.monotonic() + _GRACE_S
        while (tasks := self._others()) and (left := end - time.monotonic()) > 0:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks, timeout=left)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._loop.shutdown_asyncgens(), _GRACE_S)
        self._evict_rest()
        self._loop.stop()

    def _others(self) -> list[asyncio.Task[Any]]:
        return [task for task in asyncio.all_tasks(self._loop) if task is not self._last]

    def _evict_rest(self) -> None:
        """Close what cancelling did not end; its clean-up may start new tasks, which go the same way."""
        for _ in range(_MOST_ROUNDS):
            found = [evict(task.get_coro()) for task in self._others()]
            if all(found):
                break

    # -- in any thread ---------------------------------------------------------------------

    def _call(self, function: Callable[[], object]) -> bool:
        try:
            self._loop.call_soon_threadsafe(function)
        except RuntimeError:  # closed
            return False
        return True

    def answers(self, within_s: float) -> bool:
        """Return whether the loop still takes turns, or is about to end."""
        answered = threading.Event()
        return not self._call(answered.set) or answered.wait(within_s)

    def _haunt(self) -> None:
        """Throw the code out of a blocking call as soon as that returns."""
        while self._thread.is_alive():
            throw_into(self._thread)
            self._thread.join(_HAUNT_S)

    def _settle_rest(self) -> None:
        while self._given:
            with contextlib.suppress(KeyError):  # the loop's thread settled the last one itself
                promise, coroutine = self._given.popitem()
                if not self._thread.is_alive():
                    evict(coroutine)
                if promise.set_running_or_notify_cancel():
                    promise.set_exception(self._stopped())


class _OwnThreads(ThreadPoolExecutor):
    """What `asyncio.to_thread` runs on: a daemon thread for each call.

    A usual pool joins its threads when the interpreter ends: an endless loop there would never let it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(1)
        self.name = name
        self.alive: set[threading.Thread] = set()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        promise: Future[T] = Future()
        thread = _OwnThread(self, promise, partial(fn, *args, **kwargs))
        self.alive.add(thread)
        thread.start()
        return promise

    def throw_out(self) -> None:
        """End what still computes in these threads."""
        for thread in tuple(self.alive):
            throw_into(thread)


class _OwnThread(threading.Thread):
    def __init__(self, pool: _OwnThreads, promise: Future[T], work: Callable[[], T]) -> None:
        super().__init__(name=pool.name, daemon=True)
        self._pool = pool
        self._work = partial(_fulfil, promise, work)

    def run(self) -> None:
        with contextlib.suppress(ThrownOut):
            self._work()
        self._pool.alive.discard(self)


def _fulfil(promise: Future[T], work: Callable[[], T]) -> None:
    if not promise.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:  # noqa: BLE001 - whatever it was, the waiter gets it
        promise.set_exception(error)
    else:
        promise.set_result(result)
