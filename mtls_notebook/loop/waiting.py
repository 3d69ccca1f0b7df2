"""The one door through which synchronous code waits for a loop's future.

The waiting thread relays what arrives meanwhile, and turns an interrupt or a deadline into a clean stop.
What may not live here: what is waited for, and how it is stopped.
"""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

_SLICE_S = 0.25  # Windows cannot interrupt a lock: wake this often to notice a pending interrupt
_DONE = object()


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

    Raises Interrupted after KeyboardInterrupt or `timeout_s` seconds, once `stop()` has returned;
    what `show` raises stops the work too.
    """
    inbox = inbox or queue.SimpleQueue()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    try:
        future.add_done_callback(lambda _: inbox.put(_DONE))
        in_time = _relay_until_done(inbox, show, deadline)
    except KeyboardInterrupt:
        _insist(stop)
        _relay_rest(inbox, show)
        raise Interrupted("interrupt") from None
    except BaseException:
        _insist(stop)
        raise
    if not in_time and not future.done():
        _insist(stop)
        _relay_rest(inbox, show)
        raise Interrupted("deadline")
    return future.result()


def _relay_until_done(inbox: queue.SimpleQueue[Any], show: Callable[[Any], None], deadline: float | None) -> bool:
    """Return whether the future ended before the deadline."""
    while True:
        left = _SLICE_S if deadline is None else min(_SLICE_S, deadline - time.monotonic())
        if left <= 0:
            return False
        try:
            item = inbox.get(timeout=left)
        except queue.Empty:
            continue
        if item is _DONE:
            return True
        show(item)


def _relay_rest(inbox: queue.SimpleQueue[Any], show: Callable[[Any], None]) -> None:
    """Pass on what came before the stop: often it tells where the worker was."""
    with contextlib.suppress(queue.Empty):
        while True:
            if (item := inbox.get_nowait()) is not _DONE:
                show(item)


def _insist(stop: Callable[[], None]) -> None:
    """Stop, also when the user presses interrupt again in the meantime."""
    while True:
        try:
            stop()
        except KeyboardInterrupt:
            continue
        return
