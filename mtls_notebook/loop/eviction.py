"""Ending Python code that does not want to end: endless loops, and handlers that swallow everything.

An exception raised in another thread ends a plain endless loop, but `except BaseException: pass` catches it.
`ThrownOut` therefore comes again: each one that is made, or thrown away by whoever caught it, sets a trace
on the frames of the code to be ended, and the trace raises the next one at the next line, which is inside
or behind the handler. So it climbs out of any nest of handlers, one level at a time.

What may not live here: event loops, and anything that decides when code is to end.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import inspect
import sys
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_MOST_TRIES = 64


class ThrownOut(BaseException):
    """Raised inside code that must end. `except Exception` does not catch it; what does gets another one."""

    def __init__(self, *args: object) -> None:
        super().__init__(*args)
        self._base = _base(sys._getframe())
        _set_trace(self._base)

    def __del__(self) -> None:
        # Run where the handler drops it. Elsewhere (a future forgets its error) the base is another one.
        base = _base(sys._getframe())
        if base is not None and base is self._base:
            _set_trace(base)


def throw_into(thread: threading.Thread) -> None:
    """Raise ThrownOut in `thread` at its next bytecode; a blocking call must return first."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(ThrownOut))


def evict(coroutine: Any) -> bool:
    """Close a suspended coroutine, whatever its handlers do; return whether it was closed before.

    To be called where nothing else runs it.
    """
    for tries in range(_MOST_TRIES):
        if not inspect.iscoroutine(coroutine) or inspect.getcoroutinestate(coroutine) == inspect.CORO_CLOSED:
            return tries == 0
        with contextlib.suppress(BaseException):
            _close(coroutine)
        sys.settrace(None)
    return False


def _close(coroutine: Any) -> None:
    sys.settrace(_on_call)
    coroutine.close()


# A step of a task starts in the first, an eviction in the second: what lies above is the code to be ended.
_BASES = (asyncio.Handle._run.__code__, _close.__code__)


def _base(frame: FrameType | None) -> FrameType | None:
    return next((each for each in _outwards(frame) if each.f_code in _BASES), None)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _set_trace(base: FrameType | None) -> None:
    """Trace every frame above `base`; without one this is no task's step, and nothing is traced."""
    if base is None:
        return
    for frame in _outwards(sys._getframe(2)):
        if frame is base:
            break
        frame.f_trace = _raise
    sys.settrace(_on_call)


def _raise(_frame: FrameType, event: str, _argument: object) -> Any:
    if event == "line":
        raise ThrownOut
    return _raise


def _on_call(frame: FrameType, _event: str, _argument: object) -> None:
    """End what traced code calls or resumes; leave the rest alone, and stop tracing once that runs."""
    for each in _outwards(frame):
        if each.f_code in _OURS:
            return
        if each.f_trace is _raise or each.f_code is _close.__code__:
            raise ThrownOut
    sys.settrace(None)


# Code that runs on behalf of the eviction itself, and would otherwise be taken for what is to be ended.
_OURS = (ThrownOut.__init__.__code__, ThrownOut.__del__.__code__)
