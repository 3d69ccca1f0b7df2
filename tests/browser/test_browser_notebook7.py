"""Notebook 7, which is Lab's parts without Lab around them: one page with the widgets on it."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.axe import problems
from tests.browser.lab import Notebook
from tests.browser.test_browser_axe import need_axe
from tests.browser.test_browser_store import SHOW as SHOW_STORE
from tests.browser.test_browser_upload import SHOW as SHOW_UPLOAD
from tests.browser.test_browser_upload import client, drop


def test_the_widgets_work_and_are_accessible(notebook: Notebook) -> None:
    need_axe()
    notebook.open_in_notebook7("seven.ipynb", SHOW_STORE, SHOW_UPLOAD)
    notebook.run_all()
    zone = notebook.view("Upload a client certificate")
    drop(notebook, zone, ("a.pem", client().certificate_pem), ("b.key", client().key_pem))
    expect(zone.get_by_role("status")).to_have_text("1 certificate stored")
    table = notebook.view("Certificate store")
    before = notebook.cells()
    table.get_by_role("button", name="alpha", exact=True).press("d")
    table.get_by_role("button", name="alpha", exact=True).press("d")
    assert notebook.cells() == before
    assert problems(notebook.page, zone, table) == []
