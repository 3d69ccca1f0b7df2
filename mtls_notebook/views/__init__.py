"""What the user sees: one view for each value that a cell may end with.

Values know nothing of views: `register` tells IPython which view shows which type, by the type's name, so
that loading the extension imports no widget. A view module is imported when its first value is displayed.
What may not live here: anything about one view. Adding a view is adding a row to VIEWS.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from .static import Bundle, bundle


@dataclass(frozen=True, slots=True)
class View:
    """Where the view of one type lives, and the names of its functions there: widget, HTML, text, one line."""

    module: str
    widget: str
    html: str
    text: str
    line: str

    def function(self, name: str) -> Callable[[Any], Any]:
        """Return one of the view's functions; this imports its module."""
        found: Callable[[Any], Any] = getattr(import_module(f"{__name__}.{self.module}"), name)
        return found


# (module, type) → its view.
VIEWS = {
    ("mtls_notebook.recorder.handshake", "Handshake"): View("handshake", "view", "html", "text", "line"),
    ("mtls_notebook.recorder.compare", "Comparison"): View("comparison", "view", "html", "text", "line"),
    ("mtls_notebook.worker.exchange", "Invocation"): View("invocation", "view", "html", "text", "line"),
    ("mtls_notebook.worker.calls.rows", "Results"): View("batch", "view", "html", "text", "line"),
    ("mtls_notebook.pki.certificate", "Certificate"): View(
        "certificate", "view_certificate", "html_certificate", "text_certificate", "line"
    ),
    ("mtls_notebook.session.store", "Stored"): View(
        "certificate", "view_stored", "html_stored", "text_stored", "line_stored"
    ),
    ("mtls_notebook.api", "Session"): View("store", "view", "html", "text", "line"),
}

_PLAIN = "text/plain"


def register(ipython: Any) -> None:
    """Show every type of VIEWS with its view, in this shell; again is harmless."""
    formatter = ipython.display_formatter
    for (module, name), view in VIEWS.items():
        formatter.mimebundle_formatter.for_type_by_name(module, name, _bundler(ipython, view))
        formatter.formatters[_PLAIN].for_type_by_name(module, name, _printer(view))


def unregister(ipython: Any) -> None:
    """Take every view back out of this shell; without `register` before it, nothing happens."""
    formatter = ipython.display_formatter
    for module, name in VIEWS:
        for each in (formatter.mimebundle_formatter, formatter.formatters[_PLAIN]):
            each.deferred_printers.pop((module, name), None)
            loaded = next((kind for kind in each.type_printers if _is_named(kind, module, name)), None)
            each.type_printers.pop(loaded, None)


@contextmanager
def following(ipython: Any, source: Any, request: Any, recording: Any) -> Iterator[Callable[[Any], None]]:
    """Show a run while it goes on, where a kernel can carry a widget.

    Yields what takes in its log lines and subrequests. At the end the place is empty again: the result has its own.
    """
    if getattr(ipython, "kernel", None) is None:
        yield lambda _told: None
        return
    from IPython.display import display  # noqa: PLC0415 - as the next

    from .live import LiveInvocation  # noqa: PLC0415 - a widget, loaded when it is shown

    live = LiveInvocation(source, request)
    display(live.widget)  # type: ignore[no-untyped-call]
    unfollow = recording.follow(live.push)
    try:
        yield live.push
    finally:
        unfollow()
        live.leave()


def _bundler(ipython: Any, view: View) -> Callable[[Any], Bundle]:
    """Return the display function: a widget where a kernel can carry it, else only what stands still."""

    def show(value: Any, **_: object) -> Bundle:
        if getattr(ipython, "kernel", None) is not None:
            shown: Bundle = view.function(view.widget)(value)._repr_mimebundle_()
            return shown
        return bundle(None, view.function(view.html)(value), view.function(view.text)(value))

    return show


def _printer(view: View) -> Callable[[Any, Any, bool], None]:
    """Return how a value prints: whole, and inside another (a list of handshakes) in one line.

    IPython asks this printer even for a value whose bundle has its text already.
    """

    def show(value: Any, printer: Any, cycle: bool) -> None:
        nested = len(printer.stack) > 1
        printer.text(view.function(view.line if nested else view.text)(value))

    return show


def _is_named(kind: type, module: str, name: str) -> bool:
    return kind.__module__ == module and kind.__name__ == name
