"""The one door through which synchronous code waits for a loop's future.

The waiting thread relays what arrives meanwhile, and turns an interrupt or a deadline into a clean stop.
What may not live here: what is waited for, and how it is stopped.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # what `signal` wraps, and slows down: every handler as an enum?
import contextlib
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

# Linux wakes the main thread for an interrupt. Elsewhere another thread may get it, or none can be woken from a
# lock: there we look this often whether one is pending. (A wait without limits costs a third less.)
_SLICE_S = None if sys.platform == "linux" else 0.25

_SIGINT = int(signal.SIGINT)
_DONE = object()


class Interrupted(Exception):
    """The wait ended early: `by` is "interrupt" or "deadline". What was waited for has been stopped."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


def wait(
    begin: Callable[[], Future[T]],
    stop: Callable[[], None],
    *,
    timeout_s: float | None = None,
    inbox: queue.SimpleQueue[Any] | None = None,
    show: Callable[[Any], None] = lambda _: None,
) -> T:
    """Return the result of the future that `begin()` returns, passing every item of `inbox` to `show` meanwhile.

    Both run in this thread. Raises Interrupted after an interrupt or `timeout_s` seconds, once `stop()` has
    returned; what `begin` or `show` raises stops the work too.
    """
    inbox = inbox or queue.SimpleQueue()
    with _Interrupts() as interrupts:
        try:
            future = begin()
            future.add_done_callback(lambda _: inbox.put(_DONE))
            deadline = None if timeout_s is None else time.monotonic() + timeout_s
            interrupts.let_through()
            in_time = _relay_until_done(inbox, show, deadline)
            interrupts.hold()
        except BaseException as error:
            interrupts.hold()
            stop()
            if not isinstance(error, KeyboardInterrupt):
                raise
            _relay_rest(inbox, show)
            raise Interrupted("interrupt") from None
        if not in_time and not future.done():
            stop()
            _relay_rest(inbox, show)
            raise Interrupted("deadline")
        return future.result()


def wait_here(begin: Callable[[], Callable[[], T]], stop: Callable[[], None]) -> T:
    """Return what `begin()()` returns; only its second half, which waits in this thread, may be interrupted.

    Raises Interrupted after an interrupt, once `stop()` has returned, and what either half raises.
    """
    with _Interrupts() as interrupts:
        try:
            rest = begin()
            interrupts.let_through()
            result = rest()
            interrupts.hold()
        except KeyboardInterrupt:
            interrupts.hold()
            stop()
            raise Interrupted("interrupt") from None
        except BaseException:
            interrupts.hold()
            raise
        return result


class _Interrupts:
    """The interrupts of one wait: held back while work is begun or stopped, and let through once at most.

    A KeyboardInterrupt in the middle of a beginning would leave work that nobody knows of; a second one in the
    middle of a stop would leave the work itself. Threads but the main one get none.
    """

    def __init__(self) -> None:
        self._came = False
        self._open = False
        self._former: Any = None

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():
            former = _signal.getsignal(_SIGINT)
            if former not in (None, signal.SIG_IGN):  # set by C code, or whoever runs us wants to hear of none
                self._former = former
                _signal.signal(_SIGINT, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        if self._former is not None:
            _signal.signal(_SIGINT, self._former)

    def let_through(self) -> None:
        """Raise KeyboardInterrupt when an interrupt comes, or now if one has come."""
        self._open = True
        if self._came:
            self._raise_once()

    def hold(self) -> None:
        """Raise nothing from now on."""
        self._open = False

    def _take(self, _number: int, _frame: FrameType | None) -> None:
        self._came = True
        self._raise_once()

    def _raise_once(self) -> None:
        if self._open:
            self._open = False
            raise KeyboardInterrupt


def _relay_until_done(inbox: queue.SimpleQueue[Any], show: Callable[[Any], None], deadline: float | None) -> bool:
    """Return whether the future ended before the deadline."""
    while True:
        left = _left(deadline)
        if left is not None and left <= 0:
            return False
        try:
            item = inbox.get(timeout=left)
        except queue.Empty:
            continue
        if item is _DONE:
            return True
        show(item)


def _left(deadline: float | None) -> float | None:
    """Return how long to wait at once, None for as long as it takes."""
    left = None if deadline is None else deadline - time.monotonic()
    return min((one for one in (_SLICE_S, left) if one is not None), default=None)


def _relay_rest(inbox: queue.SimpleQueue[Any], show: Callable[[Any], None]) -> None:
    """Pass on what came before the stop: often it tells where the worker was."""
    with contextlib.suppress(queue.Empty):
        while True:
            if (item := inbox.get_nowait()) is not _DONE:
                show(item)
