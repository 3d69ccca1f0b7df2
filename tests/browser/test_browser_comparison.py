"""Two handshakes side by side in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.contrast import FAINT
from tests.browser.lab import Notebook
from tests.browser.test_browser_axe import need_axe

SHOW = """
from mtls_notebook.recorder.compare import compare
from dataclasses import replace
from mtls_notebook.views.comparison import ComparisonWidget
from tests.unit.views.replay import handshake
both = compare(handshake("tls13"), handshake("tls13-mtls"))
widget = ComparisonWidget(replace(both, servers=both))
widget
"""


@pytest.fixture
def view(notebook: Notebook) -> Locator:
    notebook.open("comparison.ipynb", SHOW)
    notebook.run_all()
    return notebook.view("Comparison of TLS and mTLS with origin.example")


def test_it_opens_on_the_first_row_that_only_mtls_has(view: Locator) -> None:
    row = view.get_by_role("button", expanded=True)
    expect(row).to_have_accessible_name(
        "TLS: no such message; mTLS: CertificateRequest, server to client, encrypted, trusts 1 party, "
        "Server asks who you are, only in mTLS. Only in mTLS: TLS has no such message."
    )
    expect(row.locator(".mtls-gap")).to_be_visible()


def test_a_row_opens_both_messages_with_what_differs_marked(notebook: Notebook, view: Locator) -> None:
    view.get_by_role("button", name="TLS: ClientHello").click()
    expect(view.get_by_role("tree", name="Fields")).to_have_count(2)
    expect(view.get_by_role("treeitem", name="random (differs)")).to_have_count(2)
    expect(view.get_by_role("treeitem", name="legacy_version (differs)")).to_have_count(0)
    notebook.expect("widget.selected", "0")


def test_the_keyboard_walks_the_rows_and_opens_them(notebook: Notebook, view: Locator) -> None:
    first = view.get_by_role("button", name="TLS: ClientHello")
    first.focus()
    first.press("ArrowDown")
    second = view.get_by_role("button", name="TLS: ServerHello")
    expect(second).to_be_focused()
    second.press("Enter")
    expect(second).to_have_attribute("aria-expanded", "true")
    notebook.expect("widget.selected", "1")


def test_each_side_can_be_seen_whole_and_the_kernel_follows(notebook: Notebook, view: Locator) -> None:
    side = view.get_by_role("button", name="mTLS", exact=True)
    side.click()
    expect(view.get_by_role("button", name="CertificateRequest, server to client")).to_be_visible()
    expect(view.get_by_role("button", name="mTLS", exact=True)).to_be_focused()
    notebook.expect("widget.shown", "right")
    view.get_by_role("button", name="side by side").click()
    expect(view.get_by_role("list", name="Messages of both, row by row")).to_be_visible()


def test_the_other_end_is_one_press_away(notebook: Notebook, view: Locator) -> None:
    servers = view.get_by_role("button", name="server's view", exact=True)
    servers.click()
    expect(servers).to_have_attribute("aria-pressed", "true")
    expect(view.get_by_text("A server sees no name lookup", exact=False)).to_be_visible()
    notebook.expect("widget.end", "1")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_it_is_readable_and_accessible_in_every_theme(notebook: Notebook, view: Locator, theme: str) -> None:
    need_axe()
    notebook.theme(theme)
    view.get_by_role("button", name="TLS: ClientHello").click()
    assert view.evaluate(FAINT) == []
    assert axe.problems(notebook.page, view) == []
    notebook.theme("JupyterLab Light")
