"""What a reader without a kernel sees in Lab, who has not said that the notebook is trusted."""

from __future__ import annotations

from playwright.sync_api import expect

from mtls_notebook.views import handshake as view
from tests.browser.lab import Notebook
from tests.unit.views.replay import handshake


def test_the_picture_and_the_table_survive_sanitising(notebook: Notebook) -> None:
    shown = handshake("tls13-mtls", via=("127.0.0.1", 8443))
    notebook.open_saved("saved.ipynb", {"text/html": view.html(shown), "text/plain": view.text(shown)})
    output = notebook.page.locator(".jp-OutputArea-output")
    picture = output.get_by_role("img", name="Handshake with origin.example: mutual")
    expect(picture).to_be_visible()
    assert picture.evaluate("async image => { await image.decode(); return image.naturalWidth; }") == 780
    output.get_by_text("As a table").click()
    expect(output.get_by_role("row", name="CertificateRequest")).to_contain_text("only in mTLS")
