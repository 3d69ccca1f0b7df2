"""The handshake widget in a real JupyterLab: text, roles and the kernel's side; no pixels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, expect

from tests.browser import axe
from tests.browser.contrast import FAINT
from tests.browser.lab import Notebook
from tests.browser.test_browser_axe import need_axe

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


MET = """
from tests.unit.views.replay import met
from mtls_notebook.views.handshake import HandshakeWidget
widget = HandshakeWidget(met(), predict={predict})
widget
"""


@pytest.fixture
def show_met(notebook: Notebook) -> Callable[[bool], Locator]:
    """Return `show_met(predict)`: a handshake with its records and secrets kept."""

    def shown(predict: bool) -> Locator:
        notebook.open(f"met-{predict}.ipynb", MET.format(predict=predict))
        notebook.run_all()
        return notebook.view("Predict the handshake" if predict else "Handshake with pair.example")

    return shown


def test_a_click_on_a_message_shows_its_fields_and_the_kernel_follows(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="ClientHello, client to server").click()
    expect(view.get_by_role("region", name="Selected message")).to_contain_text("cipher_suites")
    expect(view.get_by_role("tree", name="Fields").get_by_role("treeitem").first).to_contain_text("client_hello")
    notebook.expect("widget.selected", "0")


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
    last = int(notebook.ask("print(len(widget.state['arrows']))")) - 1
    expect(view).to_contain_text(f"{last + 1} of {last + 1}")
    notebook.expect("widget.selected", str(last))
    view.get_by_role("button", pressed=True).press("ArrowUp")
    notebook.expect("widget.selected", str(last - 1))
    view.get_by_role("button", pressed=True).press("Home")
    notebook.expect("widget.selected", "0")
    expect(view.get_by_role("button", pressed=True)).to_be_focused()


def test_the_kernel_selects_and_the_widget_follows(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    notebook.ask("widget.selected = 5")
    expect(view.get_by_role("button", pressed=True)).to_have_accessible_name(
        "CertificateVerify, server to client, encrypted, ecdsa_secp256r1_sha256, Client verifies it, proof holds"
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
    notebook.expect("widget.selected", "0")
    view.get_by_role("button", name="Next message").click()
    notebook.expect("widget.selected", "1")
    expect(view.get_by_role("slider", name="Message")).to_have_value("1")


def test_escape_gives_the_keys_back_to_the_notebook(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="ClientHello").click()
    cells = notebook.cells()
    notebook.page.keyboard.type("ddxab")
    assert notebook.cells() == cells
    notebook.page.keyboard.press("Escape")
    assert not view.evaluate("root => root.contains(document.activeElement)")
    assert notebook.page.evaluate("document.activeElement.closest('.jp-Notebook') !== null")
    notebook.page.keyboard.press("b")  # "insert a cell below", which is the notebook's
    notebook.page.wait_for_function(
        "count => window.jupyterapp.shell.currentWidget.content.model.cells.length === count", arg=cells + 1
    )
    notebook.page.evaluate("window.jupyterapp.commands.execute('notebook:delete-cell')")


def test_playing_is_slow_for_whoever_wants_less_motion(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="First message").click()
    for motion, is_slow in (("no-preference", False), ("reduce", True)):
        notebook.page.emulate_media(reduced_motion=motion)
        notebook.page.evaluate(HEAR_DELAYS)
        view.get_by_role("button", name="Play").click()
        view.get_by_role("button", name="Pause").click()
        delays = notebook.page.evaluate("window.unhear()")
        assert any(delay >= 1200 for delay in delays) is is_slow
    notebook.page.emulate_media(reduced_motion="no-preference")


# Notes the delays that scripts ask for, until window.unhear() gives them.
HEAR_DELAYS = """() => {
    const real = window.setTimeout;
    const heard = [];
    window.setTimeout = (act, delay, ...rest) => {
        if (String(act).includes('move(')) heard.push(delay);
        return real(act, delay, ...rest);
    };
    window.unhear = () => { window.setTimeout = real; return heard; };
}"""


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


def test_a_proof_stands_at_its_message_and_opens_its_working(show_met: Callable[[bool], Locator]) -> None:
    view = show_met(False)
    view.get_by_role("button", name="CertificateVerify, client to server").click()
    details = view.get_by_role("region", name="Selected message")
    expect(details.get_by_text("64 spaces, context string")).to_be_hidden()
    details.get_by_text("Client's CertificateVerify", exact=True).click()
    working = details.locator(".mtls-working")
    expect(working).to_contain_text("Transcript-Hash")
    expect(working).to_contain_text("20 20 20 20")
    view.get_by_role("button", name="Finished, client to server").click()
    details.get_by_text("Client's Finished", exact=True).click()
    expect(working).to_contain_text("secret: kept in memory, not shown")


def test_the_wire_tab_shows_the_record_beside_what_it_says(show_met: Callable[[bool], Locator]) -> None:
    view = show_met(False)
    view.get_by_role("button", name="Finished, client to server").click()
    fields = view.get_by_role("tab", name="Fields")
    fields.focus()
    fields.press("ArrowRight")
    expect(view.get_by_role("tab", name="Wire")).to_be_focused()
    record = view.get_by_role("region", name="Record: application_data outside, handshake inside")
    expect(record.locator(".mtls-record-header")).to_have_text("17 03 03 00 45")
    expect(record).to_contain_text("14 00 00 30")
    expect(view.get_by_role("treeitem")).to_have_count(0)


def test_the_request_shows_its_http_head(show_met: Callable[[bool], Locator]) -> None:
    view = show_met(False)
    view.get_by_role("button", name="GET /orders, client to server").click()
    expect(view.get_by_role("region", name="Selected message")).to_contain_text("GET /orders HTTP/1.1")
    expect(view).to_contain_text("(18 bytes, not shown)")


def test_a_certificate_opens_as_a_tree_whose_fields_light_their_bytes(show: Show) -> None:
    view = show("tls13-mtls")
    view.get_by_role("button", name="Certificate, client to server").click()
    serial = view.get_by_role("treeitem", name="serialNumber").first
    for name in ("certificate_list", "CertificateEntry", "cert_data", "data", "tbsCertificate"):
        row = view.locator(".mtls-field:visible").filter(has=view.page.get_by_text(name, exact=True)).first
        if row.get_attribute("aria-expanded") == "false":
            row.click()
    serial.click()
    expect(view.locator(".mtls-field-prose")).to_contain_text("RFC 5280")
    expect(view.locator(".mtls-byte.mtls-lit")).to_have_count(22)


def test_playing_walks_to_the_end_and_stops(notebook: Notebook, show: Show) -> None:
    view = show("tls13-refused")
    view.get_by_role("button", name="Previous message").click()
    view.get_by_role("button", name="Play").click()
    expect(view.get_by_role("button", name="Pause")).to_be_visible()
    expect(view.get_by_role("button", name="Play")).to_be_visible()
    expect(view).to_contain_text("11 of 11")


def test_predicting_hides_what_is_to_come_and_grades_by_what_came(
    notebook: Notebook, show_met: Callable[[bool], Locator]
) -> None:
    view = show_met(True)
    expect(view.locator(".mtls-arrow:visible")).to_have_count(1)
    expect(view).not_to_contain_text("mutual")
    question = view.get_by_role("region", name="Prediction")
    expect(question).not_to_contain_text("null")
    question.get_by_role("button", name="ServerHello", exact=True).press("Enter")
    expect(question.get_by_role("status")).to_contain_text("Right: ServerHello.")
    following = question.get_by_role("button", name="Next question")
    expect(following).to_be_focused()
    following.press("Enter")
    expect(question.get_by_role("button").first).to_be_focused()
    question.get_by_role("button", name="Finished", exact=True).click()
    expect(question.get_by_role("status")).to_contain_text("Not this time:")
    notebook.expect("widget.score", "(1, 2)")


def test_answered_to_the_end_a_prediction_becomes_the_whole_handshake(
    notebook: Notebook, show_met: Callable[[bool], Locator]
) -> None:
    view = show_met(True)
    right = {"ServerHello", "EncryptedExtensions", "CertificateRequest", "Certificate", "CertificateVerify"}
    question = view.get_by_role("region", name="Prediction")
    asked = int(notebook.ask("print(len(widget.state['questions']))"))
    for _ in range(asked):
        question.get_by_role("button").first.click()
        question.get_by_role("button").click()
    expect(question).to_contain_text(f"of {asked} right")
    expect(view).to_contain_text("mutual")
    names = set(notebook.ask("print(*(a['name'] for a in widget.state['arrows']))").split())
    assert right <= names
    expect(view.locator(".mtls-arrow:visible")).to_have_count(int(notebook.ask("print(len(widget.state['arrows']))")))


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"])
def test_proofs_records_and_questions_are_readable_and_accessible(
    notebook: Notebook, show_met: Callable[[bool], Locator], theme: str
) -> None:
    need_axe()
    notebook.theme(theme)
    for predict in (False, True):
        view = show_met(predict)
        if predict:
            view.get_by_role("region", name="Prediction").get_by_role("button").first.click()
        else:
            view.get_by_role("button", name="Finished, client to server").click()
            view.get_by_text("Client's Finished", exact=True).click()
            view.get_by_role("tab", name="Wire").click()
        assert view.evaluate(FAINT) == []
        assert axe.problems(notebook.page, view) == []
    notebook.theme("JupyterLab Light")


def test_the_selected_message_stays_in_sight_while_the_page_scrolls(notebook: Notebook, show: Show) -> None:
    view = show("tls13-mtls")
    panel = view.locator(".mtls-message")
    size = notebook.page.viewport_size
    notebook.page.set_viewport_size({"width": 1400, "height": 480})
    try:
        view.get_by_role("button", name="Certificate, server to client").evaluate("row => row.scrollIntoView(true)")
        expect(view.get_by_role("button", name="ClientHello")).not_to_be_in_viewport()
        expect(panel.get_by_role("heading")).to_be_in_viewport()
    finally:
        notebook.page.set_viewport_size(size or {"width": 1400, "height": 1000})


def test_a_handshake_is_painted_soon_after_its_state_has_arrived(notebook: Notebook, show: Show) -> None:
    """200 ms is the aim on an idle machine; the assertion leaves room for a busy one."""
    view = show("tls13-mtls")
    notebook.page.evaluate(PAINTED)
    notebook.ask("widget.show(handshake('tls12-mtls'))")
    expect(view).to_contain_text("ServerHelloDone")
    took = notebook.page.wait_for_function("window.painted").json_value()  # two frames after the change
    print(f"painted in {took:.0f} ms")
    assert took < 2000


# Notes how long the change of the view takes from its first node to the frame after its last.
PAINTED = """() => {
    const root = document.querySelector('section.mtls-view');
    let began = 0;
    window.painted = undefined;
    new MutationObserver((_, watching) => {
        began ||= performance.now();
        requestAnimationFrame(() => requestAnimationFrame(() => (window.painted = performance.now() - began)));
        watching.disconnect();
    }).observe(root, { childList: true, subtree: true });
}"""
