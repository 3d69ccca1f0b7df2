"""The lines that `waitUntil` work logs after the response, below the cell that ran the worker.

They come when that cell is long over, from another thread: so they are sent as messages of that cell, in a
place of their own that is updated. What may not live here: how lines come to be.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Sequence
from typing import Any

from ..worker.exchange import LogLine
from ..worker.journal import Late
from .static import html_table
from .text import visible

EVERY_S = 0.1
LINES_SHOWN = 500
TITLE = "Log after the response"


def follow(shell: Any, logs: Any) -> None:
    """Show every line of `logs` (an invocation's `late_logs`) below the cell that runs now."""
    publisher: Any = getattr(shell, "display_pub", None)
    if getattr(shell, "kernel", None) is not None and hasattr(publisher, "session") and isinstance(logs, Late):
        logs.follow(Place(publisher, publisher.parent_header, logs).changed)


class Place:
    """Where the late lines of one run stand. Nothing is sent before there is one, then at most ten times a second."""

    def __init__(self, publisher: Any, parent: Any, logs: Sequence[LogLine]) -> None:
        self._publisher = publisher
        self._parent = parent
        self._logs = logs
        self._id = uuid.uuid4().hex
        self._kind = "display_data"
        self._lock = threading.Lock()
        self._is_due = False

    def changed(self) -> None:
        """Send the lines soon; returns at once, for any thread."""
        with self._lock:
            if self._is_due:
                return
            self._is_due = True
        timer = threading.Timer(EVERY_S, self._send)
        timer.daemon = True
        timer.start()

    def _send(self) -> None:
        with self._lock:
            self._is_due = False
            kind, self._kind = self._kind, "update_display_data"
            content = {"data": bundle(self._logs), "metadata": {}, "transient": {"display_id": self._id}}
            session = self._publisher.session
            message = session.msg(kind, content, parent=self._parent)
            session.send(self._publisher.pub_socket, message, ident=self._publisher.topic)


def bundle(logs: Sequence[LogLine]) -> dict[str, str]:
    """Return the lines as HTML and text."""
    shown: list[tuple[str, str]] = [(line.level, visible(line.text, lines=True)) for line in logs[:LINES_SHOWN]]
    if len(logs) > LINES_SHOWN:
        shown.append(("", "… more lines: the invocation's late_logs has them"))
    text = "\n".join([TITLE, *(f"  {level}: {words}" if level else f"  {words}" for level, words in shown)])
    return {"text/html": html_table((TITLE, ""), shown), "text/plain": text}
