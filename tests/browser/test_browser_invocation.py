"""The view of a worker's run in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.contrast import FAINT
from tests.browser.lab import Notebook

SHOW = """
from mtls_notebook.views.invocation import InvocationWidget
from tests.unit.views.material import run
widget = InvocationWidget(run())
widget
"""


@pytest.fixture
def view(notebook: Notebook) -> Locator:
    notebook.open("invocation.ipynb", SHOW)
    notebook.run_all()
    return notebook.view("Worker cell: 200 OK")


def subrequest(view: Locator, number: int) -> Locator:
    return view.locator(".mtls-trace > li").nth(number)


def test_the_answer_shows_status_headers_folded_and_json_as_a_tree(view: Locator) -> None:
    expect(view.get_by_role("region", name="Answer")).to_contain_text("2 headers")
    expect(view.get_by_text("content-type")).to_be_hidden()
    view.get_by_text("2 headers").click()
    expect(view.get_by_text("content-type")).to_be_visible()
    expect(view.get_by_role("group", name="Response body")).to_contain_text("12345678901234567890")


def test_markup_in_headers_and_logs_is_text(view: Locator) -> None:
    expect(view.get_by_role("region", name="Log")).to_contain_text("<img src=x onerror=alert(1)>⟨U+001B⟩[31m")
    expect(view.locator("img, script")).to_have_count(0)


def test_a_failed_subrequest_is_open_and_says_cause_and_fix(view: Locator) -> None:
    failed = subrequest(view, 2)
    expect(failed.get_by_role("note")).to_contain_text("What to do: Fetch through the binding")
    expect(failed.get_by_role("button", expanded=True)).to_be_visible()
    expect(failed.get_by_role("button", name="Alert, server to client")).to_be_visible()


def test_each_subrequest_opens_its_own_handshake_and_the_kernel_follows(notebook: Notebook, view: Locator) -> None:
    first = subrequest(view, 0)
    first.get_by_role("button", expanded=False).click()
    expect(first.get_by_role("button", name="CertificateRequest, server to client")).to_be_visible()
    expect(subrequest(view, 2).get_by_role("button", name="Alert")).to_have_count(0)
    assert notebook.ask("print(widget.opened)") == "0"
    first.get_by_role("button", expanded=True).click()
    expect(first.get_by_role("button", name="CertificateRequest")).to_have_count(0)
    assert notebook.ask("print(widget.opened)") == "-1"


def test_a_reused_connection_says_so_and_opens_nothing(view: Locator) -> None:
    expect(subrequest(view, 1)).to_contain_text("connection reused: no handshake")
    expect(subrequest(view, 1).get_by_role("button")).to_have_count(0)


def test_the_kernel_opens_a_handshake_and_the_view_follows(notebook: Notebook, view: Locator) -> None:
    notebook.ask("widget.opened = 0")
    expect(subrequest(view, 0).get_by_role("button", name="ClientHello")).to_be_visible()


def test_a_message_is_chosen_inside_a_run(view: Locator) -> None:
    failed = subrequest(view, 2)
    failed.get_by_role("button", name="ClientHello, client to server").click()
    expect(failed.get_by_role("region", name="Selected message")).to_contain_text("cipher_suites")
    expect(failed.get_by_role("button", expanded=True)).to_have_count(1)


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_text_is_readable_in_light_and_dark(notebook: Notebook, view: Locator, theme: str) -> None:
    notebook.theme(theme)
    assert view.evaluate(FAINT) == []
    notebook.theme("JupyterLab Light")
