"""The handshake widget in a real JupyterLab: text, roles and the kernel's side; no pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.contrast import FAINT
from tests.browser.lab import Notebook

Show = Callable[[str], Locator]

SHOW = """
from tests.unit.views.replay import handshake
from mtls_notebook.views.handshake import HandshakeWidget
widget = HandshakeWidget(handshake("{capture}", via=("127.0.0.1", 8443)))
widget
"""


@pytest.fixture
def show(notebook: Notebook) -> Show:
    """Return `show(capture)`: the widget of that capture in a notebook of its own."""

    def shown(capture: str) -> Locator:
        notebook.open(f"{capture}.ipynb", SHOW.format(capture=capture), "1 + 1")
        notebook.run_all()
        return notebook.view("Handshake with origin.example")

    return shown


def selected(notebook: Notebook) -> int:
    return int(notebook.ask("print(widget.selected)"))


def test_a_click_on_a_message_shows_its_fields_and_the_kernel_follows(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="ClientHello, client to server").click()
    expect(view.get_by_role("region", name="Selected message")).to_contain_text("cipher_suites")
    expect(view.get_by_role("tree", name="Fields").get_by_role("treeitem").first).to_contain_text("client_hello")
    assert selected(notebook) == 0


def test_the_widget_opens_on_the_message_that_makes_tls_mutual(show: Show) -> None:
    view = show("tls13-mtls")
    pressed = view.get_by_role("button", pressed=True)
    expect(pressed).to_have_accessible_name(
        "CertificateRequest, server to client, encrypted, trusts 1 party, Server asks who you are, only in mTLS"
    )
    expect(view).to_contain_text("This message exists only in mTLS.")
    expect(view).to_contain_text("routed to 127.0.0.1:8443, no public host was reached")
    expect(view).to_contain_text("no message says so: no alert came")


def test_the_keyboard_walks_the_messages_and_the_kernel_follows(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", pressed=True).press("End")
    last = selected(notebook)
    expect(view).to_contain_text(f"{last + 1} of {last + 1}")
    view.get_by_role("button", pressed=True).press("ArrowUp")
    assert selected(notebook) == last - 1
    view.get_by_role("button", pressed=True).press("Home")
    assert selected(notebook) == 0
    expect(view.get_by_role("button", pressed=True)).to_be_focused()


def test_the_kernel_selects_and_the_widget_follows(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    notebook.ask("widget.selected = 5")
    expect(view.get_by_role("button", pressed=True)).to_have_accessible_name(
        "CertificateVerify, server to client, encrypted, ecdsa_secp256r1_sha256, Client verifies it"
    )


def test_keys_typed_in_the_widget_do_not_delete_the_cell(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    before = notebook.cells()
    message = view.get_by_role("button", pressed=True)
    message.focus()
    for key in "ddaby":
        message.press(key)
    assert notebook.cells() == before
    expect(view).to_be_visible()


def test_a_chosen_field_lights_its_bytes_and_a_chosen_byte_its_field(show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="ClientHello, client to server").click()
    view.get_by_role("treeitem", name="random").click()
    lit = view.locator(".mtls-byte.mtls-lit")
    expect(lit).to_have_count(32)
    expect(view.locator(".mtls-field-prose")).to_contain_text("RFC 8446")
    view.locator(".mtls-byte[data-at='0']").click()
    expect(view.get_by_role("treeitem", name="msg_type")).to_have_attribute("aria-selected", "true")


def test_the_field_tree_is_walked_and_folded_by_keyboard(show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="ClientHello, client to server").click()
    first = view.get_by_role("treeitem").first
    first.focus()
    first.press("ArrowDown")
    expect(view.get_by_role("treeitem", name="length").first).to_be_focused()
    suites = view.get_by_role("treeitem", name="cipher_suites")
    suites.focus()
    suites.press("ArrowRight")
    expect(suites).to_have_attribute("aria-expanded", "true")
    suites.press("ArrowLeft")
    expect(suites).to_have_attribute("aria-expanded", "false")


def test_a_refusal_opens_on_the_alert_and_says_why(show: Show) -> None:
    view = show("tls13-refused")
    expect(view.get_by_role("button", pressed=True)).to_have_accessible_name(
        "Alert, server to client, encrypted, fatal certificate_required (116), Server refuses access"
    )
    expect(view.get_by_role("note")).to_contain_text("The server refused: certificate_required (alert 116).")


def test_the_scrubber_steps_through_the_messages(notebook: Notebook, show: Show) -> None:
    view = show("tls12-mtls")
    view.get_by_role("button", name="First message").click()
    assert selected(notebook) == 0
    view.get_by_role("button", name="Next message").click()
    assert selected(notebook) == 1
    expect(view.get_by_role("slider", name="Message")).to_have_value("1")


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_text_is_readable_in_every_theme(notebook: Notebook, show: Show, theme: str) -> None:
    view = show("tls13-refused")
    notebook.theme(theme)
    assert view.evaluate(FAINT) == []
    notebook.theme("JupyterLab Light")


def test_a_cell_that_ends_with_a_handshake_shows_the_widget(notebook: Notebook) -> None:
    notebook.open(
        "value.ipynb",
        "from mtls_notebook import views\nviews.register(get_ipython())",
        "from tests.unit.views.replay import handshake\nhandshake('tls13')",
    )
    notebook.run_all()
    view = notebook.view("Handshake with origin.example: server only")
    expect(view.get_by_role("button", pressed=True)).to_have_accessible_name(
        "ClientHello, client to server, in plain text, SNI origin.example · http/1.1, Client connects to server"
    )
