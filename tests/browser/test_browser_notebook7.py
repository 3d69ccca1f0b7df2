"""Notebook 7, which is Lab's parts without Lab around them: one page with the widgets on it."""

from __future__ import annotations

import json

from playwright.sync_api import expect

from mtls_notebook.pki.authority import Issued
from mtls_notebook.pki.identity import read_certificates
from mtls_notebook.pki.sensitive import Sensitive
from tests.browser.axe import problems
from tests.browser.lab import REPOSITORY, Notebook
from tests.browser.test_browser_axe import need_axe
from tests.browser.test_browser_store import SHOW as SHOW_STORE
from tests.browser.test_browser_store import opened
from tests.browser.test_browser_upload import SHOW as SHOW_UPLOAD
from tests.browser.test_browser_upload import client, drop
from tests.unit.views.test_views_upload import PASSPHRASE, archive

LESSON = REPOSITORY / "notebooks" / "02_inside_the_handshake.ipynb"
LOOK_AGAIN = """
from mtls_notebook.views.handshake import view
widget = view(mutual.handshakes[0])
widget
"""
SET_UP = "%load_ext mtls_notebook\n%mtls_lab --dir seven-lab"
USE = """
from IPython import get_ipython
shell = get_ipython()
shell.run_line_magic("mtls_bindings", "MY_CERT=dropped")
shell.run_cell_magic("worker", "--no-trace -o answer", '''
from workers import WorkerEntrypoint
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.MY_CERT.fetch("https://example-secure-origin.com")
''')
print("answered", answer.response.status, answer.handshakes[0].outcome)
"""


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


def test_the_table_of_certificates_filters_and_what_is_bound_there_reaches_the_session(notebook: Notebook) -> None:
    notebook.open_in_notebook7("seven-store.ipynb", SHOW_STORE)
    notebook.run_all()
    table = notebook.view("Certificate store")
    table.get_by_role("searchbox", name="Filter certificates").fill("store beta")
    expect(table.get_by_role("status").first).to_have_text("1 of 4")
    opened(table, "beta").get_by_label("Bind as env.").fill("API")
    table.get_by_role("button", name="Bind", exact=True).click()
    notebook.expect("session.identity('API').leaf.common_name", "beta")


def test_a_locked_archive_is_dropped_opened_and_presented(notebook: Notebook) -> None:
    notebook.open_in_notebook7("seven-upload.ipynb", SET_UP, "%mtls_upload --name dropped")
    notebook.run_all()
    zone = notebook.view("Upload a client certificate")
    chain, key = ((notebook.root / "seven-lab" / name).read_bytes() for name in ("cert.pem", "key.pem"))
    issued = Issued(read_certificates(chain, label="cert.pem")[0], chain, Sensitive(key))
    drop(notebook, zone, ("client.p12", archive(issued)))
    field = zone.get_by_label("Passphrase of client.p12")
    expect(field).to_have_attribute("type", "password")
    field.fill(PASSPHRASE.decode())
    field.press("Enter")
    expect(zone.get_by_role("status")).to_have_text("1 certificate stored")
    assert "answered 200 mutual" in notebook.ask(USE)


def test_the_lesson_runs_and_the_kernel_follows_a_click_through_a_handshake(notebook: Notebook) -> None:
    cells = json.loads(LESSON.read_text("utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    notebook.open_in_notebook7("seven-lesson.ipynb", *code, LOOK_AGAIN)
    notebook.run_all()
    notebook.page.evaluate("index => window.jupyterapp.shell.currentWidget.content.scrollToItem(index)", len(code))
    view = notebook.page.locator(".jp-Cell").last.locator("section.mtls-view")
    view.get_by_role("button", name="CertificateVerify, client to server").click()
    expect(view.get_by_role("heading", name="CertificateVerify")).to_be_visible()
    notebook.expect("mutual.handshakes[0].arrows[widget.selected].sender", "client")
    view.get_by_role("button", name="Next message").click()
    expect(view.get_by_role("heading", name="Finished")).to_be_visible()
    notebook.expect("mutual.handshakes[0].arrows[widget.selected].name", "Finished")
