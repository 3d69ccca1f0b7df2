"""The drop zone in a real JupyterLab: a drop, the file dialog, the keyboard, a passphrase, an awaited upload."""

from __future__ import annotations

import base64
from functools import cache

import pytest
from playwright.sync_api import JSHandle, Locator, expect

from mtls_notebook.pki.authority import Authority, Issued
from tests.browser.lab import Notebook
from tests.unit.views.test_views_upload import PASSPHRASE, archive

SHOW = """
from mtls_notebook.api import Session
from mtls_notebook.views.upload import UploadZone
session = Session()
zone = UploadZone(session)
zone
"""
AWAIT = "names = [stored.name for stored in await zone.uploaded()]\nprint('awaited', names)"

# Makes what a drag from the desktop carries: files that say nothing of where they came from.
CARRY = """files => {
    const carried = new DataTransfer();
    for (const [name, data] of files) {
        carried.items.add(new File([Uint8Array.from(atob(data), c => c.charCodeAt(0))], name));
    }
    return carried;
}"""


CLIENT = "client in the browser"


def client(name: str = CLIENT) -> Issued:
    """Return the certificate of that name, the same every time, with an intermediate above it."""
    return _issued(name)


@cache
def _issued(name: str) -> Issued:
    return Authority.create("browser root").intermediate("browser issuing").issue(name, usage=("clientAuth",))


@pytest.fixture
def zone(notebook: Notebook) -> Locator:
    notebook.open("upload.ipynb", SHOW)
    notebook.run_all()
    return notebook.view("Upload a client certificate")


def carried(notebook: Notebook, *files: tuple[str, bytes]) -> JSHandle:
    encoded = [[name, base64.b64encode(data).decode("ascii")] for name, data in files]
    return notebook.page.evaluate_handle(CARRY, encoded)


def drop(notebook: Notebook, zone: Locator, *files: tuple[str, bytes]) -> None:
    target = zone.locator(".mtls-drop")
    for event in ("dragenter", "dragover", "drop"):
        target.dispatch_event(event, {"dataTransfer": carried(notebook, *files)})


def stored(notebook: Notebook) -> str:
    return notebook.ask("print([stored.name for stored in session.store])")


def test_a_dropped_pair_becomes_a_certificate_card(notebook: Notebook, zone: Locator) -> None:
    drop(notebook, zone, ("b.key", client().key_pem), ("a.pem", client().certificate_pem))
    expect(zone.get_by_role("status")).to_have_text("1 certificate stored")
    card = zone.locator(".mtls-inner-card")
    expect(card.get_by_role("heading", name="client in the browser")).to_be_visible()
    expect(card.get_by_role("list", name="Usages")).to_contain_text("clientAuth")
    assert stored(notebook) == "['client in the browser']"


def test_files_are_picked_with_the_keyboard_under_a_typed_name(notebook: Notebook, zone: Locator) -> None:
    zone.get_by_role("textbox", name="Name for the certificate").fill("typed")
    button = zone.get_by_role("button", name="Choose files")
    button.focus()
    with notebook.page.expect_file_chooser() as chosen:
        button.press("Enter")
    chosen.value.set_files(
        [
            {"name": "cert.pem", "mimeType": "", "buffer": client().certificate_pem},
            {"name": "key.pem", "mimeType": "", "buffer": bytes(client().key_pem)},
        ]
    )
    expect(zone.get_by_role("status")).to_have_text("1 certificate stored")
    assert stored(notebook) == "['typed']"


def test_a_locked_archive_asks_for_its_passphrase_in_a_masked_field(notebook: Notebook, zone: Locator) -> None:
    drop(notebook, zone, ("client.p12", archive(client())))
    field = zone.get_by_label("Passphrase of client.p12")
    expect(field).to_be_focused()
    expect(field).to_have_attribute("type", "password")
    field.fill("wrong")
    field.press("Enter")
    expect(zone.get_by_role("alert")).to_have_text("The passphrase does not open it.")
    expect(field).to_be_focused()
    field.fill(PASSPHRASE.decode())
    field.press("Enter")
    expect(zone.get_by_role("status")).to_have_text("1 certificate stored")
    expect(zone.get_by_role("button", name="Choose files")).to_be_focused()
    expect(zone.locator("input[type=password]")).to_have_count(0)


def test_a_refusal_says_what_happened_and_what_to_do(notebook: Notebook, zone: Locator) -> None:
    drop(notebook, zone, ("page.html", b"<html><body>log in</body></html>"), ("cert.pem", client().certificate_pem))
    expect(zone.get_by_role("note").filter(has_text="page.html holds an HTML page, not a certificate.")).to_be_visible()
    expect(zone.get_by_role("note").filter(has_text="no dropped file holds its private key")).to_be_visible()
    zone.get_by_role("button", name="Forget what waits").click()
    expect(zone.get_by_role("note")).to_have_count(0)


def test_a_cell_may_wait_for_the_drop(notebook: Notebook) -> None:
    notebook.open("await.ipynb", SHOW, AWAIT)
    page = notebook.page
    page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
    zone = notebook.view("Upload a client certificate")
    expect(page.locator(".jp-Cell").nth(1).locator(".jp-InputPrompt")).to_have_text("[*]:")
    drop(notebook, zone, ("a.pem", client().certificate_pem), ("b.key", client().key_pem))
    expect(page.locator(".jp-Cell").nth(1)).to_contain_text("awaited ['client in the browser']")
    notebook.wait_for_idle()


def test_keys_typed_in_the_zone_do_not_delete_the_cell(notebook: Notebook, zone: Locator) -> None:
    before = notebook.cells()
    button = zone.get_by_role("button", name="Choose files")
    button.focus()
    for key in "ddabx":
        button.press(key)
    name = zone.get_by_role("textbox", name="Name for the certificate")
    name.press_sequentially("dd")
    expect(name).to_have_value("dd")
    assert notebook.cells() == before


def test_a_dropped_cell_is_left_to_the_notebook(notebook: Notebook, zone: Locator) -> None:
    handled = zone.locator(".mtls-drop").evaluate("""target => {
        const carried = new DataTransfer();
        carried.setData('text/plain', 'a cell');
        const event = new DragEvent('dragover', { dataTransfer: carried, cancelable: true, bubbles: true });
        target.dispatchEvent(event);
        return target.classList.contains('mtls-drop-over');
    }""")
    assert handled is False
