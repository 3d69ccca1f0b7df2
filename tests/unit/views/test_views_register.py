"""Values are shown by their views, once the shell knows them, and only then."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from IPython.core.formatters import DisplayFormatter

from mtls_notebook import Session, views
from mtls_notebook.recorder.compare import compare
from mtls_notebook.session.store import Stored
from tests.unit.views.material import chain, results, run, stored
from tests.unit.views.replay import handshake

WIDGET = "application/vnd.jupyter.widget-view+json"


def holding(certificate: Stored) -> Session:
    """Return a session that holds one certificate."""
    session = Session()
    session.add(certificate.identity, certificate.name)
    return session


VALUES: dict[str, Callable[[], object]] = {
    "Handshake": lambda: handshake("tls13-mtls"),
    "Comparison": lambda: compare(handshake("tls13"), handshake("tls13-mtls")),
    "Invocation": run,
    "Results": results,
    "Certificate": lambda: chain()[0],
    "Stored": stored,
    "Session": lambda: holding(stored()),
}


@pytest.fixture
def shell() -> SimpleNamespace:
    """Return what `register` needs of a terminal's shell: a real display formatter."""
    return SimpleNamespace(display_formatter=DisplayFormatter())


def shown(shell: SimpleNamespace, value: object) -> dict[str, Any]:
    data, _ = shell.display_formatter.format(value)
    return dict(data)


def test_every_view_has_a_value_to_try() -> None:
    assert {name for _, name in views.VIEWS} == set(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_in_a_terminal_a_value_is_its_text_and_no_widget_is_made(shell: SimpleNamespace, name: str) -> None:
    views.register(shell)
    data = shown(shell, VALUES[name]())
    assert set(data) == {"text/html", "text/plain"}
    assert "\n" in data["text/plain"]
    assert "0x" not in data["text/plain"]


@pytest.mark.parametrize("name", VALUES)
def test_with_a_kernel_a_value_is_a_widget_with_static_forms(shell: SimpleNamespace, name: str) -> None:
    shell.kernel = object()
    views.register(shell)
    assert set(shown(shell, VALUES[name]())) == {WIDGET, "text/html", "text/plain"}


@pytest.mark.parametrize("name", VALUES)
def test_a_value_inside_a_list_is_one_line(shell: SimpleNamespace, name: str) -> None:
    views.register(shell)
    text = shown(shell, [VALUES[name]()])["text/plain"]
    assert text.startswith(f"[<{name} ")
    assert "\n" not in text


@pytest.mark.parametrize("name", VALUES)
def test_after_unregister_a_value_has_no_view(shell: SimpleNamespace, name: str) -> None:
    before = shown(shell, VALUES[name]())
    views.register(shell)
    shown(shell, VALUES[name]())
    views.register(shell)
    views.unregister(shell)
    assert shown(shell, VALUES[name]()) == before


def test_unregister_without_register_changes_nothing(shell: SimpleNamespace) -> None:
    views.unregister(shell)
    assert shown(shell, 1) == {"text/plain": "1"}


def test_registering_imports_no_widget() -> None:
    code = (
        "import sys; from types import SimpleNamespace; from IPython.core.formatters import DisplayFormatter;"
        "from mtls_notebook import views; views.register(SimpleNamespace(display_formatter=DisplayFormatter()));"
        "print([name for name in ('anywidget', 'ipywidgets', 'cryptography') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
