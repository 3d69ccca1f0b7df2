"""Every widget as assistive technology meets it: axe-core finds nothing, in any theme and with forced colours."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator

from tests.browser import axe
from tests.browser.lab import Notebook
from tests.browser.test_browser_store import SHOW as SHOW_STORE
from tests.browser.test_browser_upload import SHOW as SHOW_UPLOAD
from tests.browser.test_browser_upload import client, drop
from tests.unit.views.test_views_upload import archive

SHOW_OTHERS = """
from IPython.display import display
from mtls_notebook.views.certificate import CertificateWidget
from mtls_notebook.views.handshake import HandshakeWidget
from mtls_notebook.views.invocation import InvocationWidget
from tests.unit.views.material import chain, run, stored
from tests.unit.views.replay import handshake

display(CertificateWidget(chain(), stored()))
display(HandshakeWidget(handshake("tls13-refused")))
display(InvocationWidget(run()))
"""
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
    notebook.open("axe.ipynb", SHOW_STORE, SHOW_UPLOAD, SHOW_OTHERS)
    notebook.run_all()
    table = notebook.view("Certificate store")
    table.get_by_role("button", name="alpha", exact=True).click()
    table.get_by_role("button", name="Delete…").click()
    zone = notebook.view("Upload a client certificate")
    drop(notebook, zone, ("p.html", b"<html>"), ("l.p12", archive(client("locked"))), ("a.key", client("a").key_pem))
    drop(notebook, zone, ("c.pem", client().certificate_pem), ("c.key", client().key_pem))
    zone.get_by_text("client in the browser stored").wait_for()
    yield notebook.page.locator("section.mtls-view").all()
    notebook.page.emulate_media(forced_colors="none")
    notebook.theme(THEMES[0])


def test_axe_finds_nothing_in_any_theme(notebook: Notebook, widgets: list[Locator]) -> None:
    assert len(widgets) == 5
    for theme in THEMES:
        notebook.theme(theme)
        assert {theme: [line for view in widgets for line in axe.problems(notebook.page, view)]} == {theme: []}


def test_axe_finds_nothing_with_forced_colours(notebook: Notebook, widgets: list[Locator]) -> None:
    notebook.page.emulate_media(forced_colors="active")
    assert [line for view in widgets for line in axe.problems(notebook.page, view)] == []


def test_axe_would_find_a_button_without_a_name(notebook: Notebook, widgets: list[Locator]) -> None:
    view = widgets[0]
    view.evaluate("root => root.append(Object.assign(document.createElement('button'), { className: 'nameless' }))")
    assert any("button-name" in line for line in axe.problems(notebook.page, view))
