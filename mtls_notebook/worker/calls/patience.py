"""A program that takes no turn any more is stopped: what was cancelled there cannot end by itself.

What may not live here: what a turn is (`Program.answers`), and what a request is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

from ..exchange import Program

_PATIENCE_S = 0.5  # how long a worker's code may keep its turn after a request was cancelled
_LONG_PATIENCE_S = 3.0


class Patience:
    """Looks after one program, in a thread of its own when there is something to doubt.

    `others()` says how many requests are under way: while there are some we are slower to believe that the
    program is stuck, for it may be starting, or at a long computation.
    """

    def __init__(self, program: Program, others: Callable[[], int]) -> None:
        self._program = program
        self._others = others
        self._lock = threading.Lock()
        self._doubts = 0
        self._verdict: Future[None] | None = None

    def doubt(self) -> None:
        """Find out whether the program still takes turns, and stop it if not. Returns at once."""
        with self._lock:
            self._doubts += 1
            if self._verdict is not None:
                return
            self._verdict = Future()
        threading.Thread(target=self._examine, name="worker-watch", daemon=True).start()

    def then(self, work: Callable[[], None]) -> None:
        """Do `work` once nothing is in doubt: what is begun on a stuck program would be stopped with it."""
        with self._lock:
            verdict = self._verdict
        if verdict is None:
            work()
        else:
            verdict.add_done_callback(lambda _: work())

    def _examine(self) -> None:
        seen = 0
        while (verdict := self._settled(seen)) is None:
            seen = self._doubts
            if self._is_stuck():
                self._program.stop()
        verdict.set_result(None)

    def _settled(self, seen: int) -> Future[None] | None:
        """Return the verdict to be given, None while a doubt came after those `seen`."""
        with self._lock:
            if seen < self._doubts:
                return None
            verdict, self._verdict = self._verdict, None
            return verdict

    def _is_stuck(self) -> bool:
        if self._program.answers(_PATIENCE_S):
            return False
        return not self._others() or not self._program.answers(_LONG_PATIENCE_S)
