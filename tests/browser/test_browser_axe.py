"""Every widget as assistive technology meets it: axe-core finds nothing, in any theme and with forced colours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator

from mtls_notebook import views
from tests.browser import axe
from tests.browser.lab import Notebook
from tests.browser.test_browser_store import SHOW as SHOW_STORE
from tests.browser.test_browser_upload import SHOW as SHOW_UPLOAD
from tests.browser.test_browser_upload import client, drop
from tests.unit.views.test_views_upload import archive

SHOW_OTHERS = """
from IPython.display import display
from mtls_notebook.recorder.compare import compare
from mtls_notebook.views.certificate import CertificateWidget
from mtls_notebook.views.comparison import ComparisonWidget
from mtls_notebook.views.handshake import HandshakeWidget
from mtls_notebook.views.invocation import InvocationWidget
from tests.unit.views.material import chain, run, stored
from tests.unit.views.replay import handshake

display(CertificateWidget(chain(), stored()))
display(HandshakeWidget(handshake("tls13-refused")))
display(InvocationWidget(run()))
display(ComparisonWidget(compare(handshake("tls13"), handshake("tls13-mtls"))))
"""
WIDGETS = {
    name
    for file in Path(views.__file__).parent.glob("*.py")
    for name in re.findall(r"^class (\w+)\(anywidget\.AnyWidget\)", file.read_text("utf-8"), re.MULTILINE)
}
TALL = 8_000  # pixels: all widgets at once, since what is scrolled out of sight is not judged
THEMES = ("JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast")


def need_axe() -> None:
    """Skip by name where axe-core cannot be had; where CI=true, fail."""
    try:
        axe.script()
    except axe.Unavailable as lacking:
        if os.environ.get("CI") == "true":
            pytest.fail(str(lacking))
        pytest.skip(str(lacking))


@pytest.fixture
def widgets(notebook: Notebook) -> Iterator[list[Locator]]:
    """Return every widget on one page, with what a user may open in it opened."""
    need_axe()
    window = notebook.page.viewport_size
    assert window is not None
    notebook.page.set_viewport_size({"width": window["width"], "height": TALL})
    notebook.open("axe.ipynb", SHOW_STORE, SHOW_UPLOAD, SHOW_OTHERS)
    shown = notebook.page.locator(".jp-OutputArea-output section.mtls-view:not(section section)")
    if shown.count() == 0:
        notebook.run_all()
        prepare(notebook)
    yield shown.all()
    notebook.page.emulate_media(forced_colors="none")
    notebook.theme(THEMES[0])
    notebook.page.set_viewport_size(window)


def prepare(notebook: Notebook) -> None:
    table = notebook.view("Certificate store")
    table.get_by_role("button", name="alpha", exact=True).click()
    table.get_by_role("button", name="Delete…").click()
    zone = notebook.view("Upload a client certificate")
    drop(notebook, zone, ("p.html", b"<html>"), ("l.p12", archive(client("locked"))), ("a.key", client("a").key_pem))
    drop(notebook, zone, ("c.pem", client().certificate_pem), ("c.key", client().key_pem))
    zone.get_by_text("client in the browser stored").wait_for()


def test_every_widget_is_looked_at() -> None:
    shown = SHOW_STORE + SHOW_UPLOAD + SHOW_OTHERS
    assert [name for name in WIDGETS if f"{name}(" not in shown] == []


def test_axe_finds_nothing_in_any_theme(notebook: Notebook, widgets: list[Locator]) -> None:
    assert len(widgets) == len(WIDGETS)
    assert axe.problems(notebook.page, *widgets) == []
    for theme in THEMES[1:]:
        notebook.theme(theme)
        assert {theme: axe.problems(notebook.page, *widgets, rules=axe.COLOURS)} == {theme: []}


def test_axe_finds_nothing_with_forced_colours(notebook: Notebook, widgets: list[Locator]) -> None:
    notebook.page.emulate_media(forced_colors="active")
    assert axe.problems(notebook.page, *widgets, rules=axe.COLOURS) == []


def test_axe_would_find_a_button_without_a_name_and_faint_text(notebook: Notebook, widgets: list[Locator]) -> None:
    spoilt = (
        """root => root.insertAdjacentHTML('beforeend', '<div class="spoilt"><button></button><p>faint</p></div>')"""
    )
    widgets[0].evaluate(spoilt)
    widgets[0].locator(".spoilt p").evaluate("text => text.style.color = '#aaa'")
    found = axe.problems(notebook.page, widgets[0])
    widgets[0].locator(".spoilt").evaluate("box => box.remove()")
    assert {line.split(":")[0] for line in found} == {"button-name", "color-contrast"}
