"""A page of its own, opened from a file in a real browser that reaches nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mtls_notebook.recorder.compare import compare
from mtls_notebook.views.page import page as page_of
from tests.browser.lab import Notebook
from tests.unit.views.material import run
from tests.unit.views.replay import handshake, met


@pytest.fixture
def page(notebook: Notebook) -> Iterator[Page]:
    """Return an empty page of the same browser; complaints of its policy and requests fail the test."""
    opened = notebook.page.context.new_page()
    told: list[str] = []
    opened.on("console", lambda message: told.append(message.text))
    opened.on("pageerror", lambda error: told.append(str(error)))
    opened.on(
        "request", lambda request: None if request.url.startswith(("file:", "data:")) else told.append(request.url)
    )
    yield opened
    opened.close()
    assert told == []


def show(page: Page, folder: Path, text: str) -> None:
    file = folder / "page.html"
    file.write_text(text, "utf-8")
    page.goto(file.as_uri())


def test_a_handshake_steps_in_a_page_of_its_own(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, page_of(met()))
    view = page.get_by_role("region", name="Handshake with pair.example: mutual")
    view.get_by_role("button", name="Next message").click()
    pressed = view.get_by_role("button", pressed=True)
    expect(pressed).to_have_accessible_name(re.compile("^Certificate, server to client, encrypted"))
    pressed.press("Home")
    expect(pressed).to_have_accessible_name(re.compile("^ClientHello"))
    expect(pressed).to_be_focused()
    expect(page.locator("#view > img")).to_have_count(0)


def test_a_run_opens_its_handshakes_whole_without_a_kernel(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, page_of(run()))
    page.get_by_role("button", name="mutual", exact=False).click()
    page.get_by_role("button", name="ClientHello, client to server").click()
    expect(page.get_by_role("treeitem", name="cipher_suites").first).to_be_visible()


def test_a_comparison_changes_sides_without_a_kernel(page: Page, tmp_path: Path) -> None:
    show(page, tmp_path, page_of(compare(handshake("tls13"), handshake("tls13-mtls"))))
    page.get_by_role("button", name="TLS", exact=True).click()
    expect(page.get_by_role("button", name="ClientHello, client to server")).to_be_visible()


def test_a_page_follows_the_readers_colours(page: Page, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    show(page, tmp_path, page_of(met()))
    body = page.locator("body")
    expect(body).to_have_attribute("data-jp-theme-light", "false")
    page.emulate_media(color_scheme="light")
    expect(body).to_have_attribute("data-jp-theme-light", "true")


def test_a_page_is_light_on_paper_and_shows_all_that_scrolled(page: Page, tmp_path: Path) -> None:
    page.emulate_media(color_scheme="dark")
    show(page, tmp_path, page_of(run()))
    body, play = page.locator("body"), page.get_by_role("group", name="Step through the messages").first
    expect(play).to_be_visible()
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    expect(body).to_have_attribute("data-jp-theme-light", "true")
    expect(play).to_be_hidden()
    assert page.evaluate(
        "[...document.querySelectorAll('#view pre')].every(one => one.scrollHeight <= one.clientHeight)"
    )
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(body).to_have_attribute("data-jp-theme-light", "false")


def test_every_handshake_of_a_run_with_many_is_on_its_page(page: Page, tmp_path: Path) -> None:
    mutual, first = run().handshakes[0], run().trace[0]
    url = "https://origin.example/orders/"
    many = run(
        handshakes=tuple(replace(mutual, connection=number) for number in range(12)),
        trace=tuple(replace(first, connection=number, url=f"{url}{number}") for number in range(12)),
    )
    show(page, tmp_path, page_of(many))
    row = page.get_by_role("button", name="/orders/11", exact=False)
    row.press("Enter")
    expect(row).to_have_attribute("aria-expanded", "true")
    page.get_by_role("button", name="ClientHello, client to server").click()
    expect(page.get_by_role("treeitem", name="cipher_suites").first).to_be_visible()


def test_a_comparison_on_a_page_shows_the_servers_view_too(page: Page, tmp_path: Path) -> None:
    both = compare(handshake("tls13"), handshake("tls13-mtls"))
    show(page, tmp_path, page_of(replace(both, servers=both)))
    page.get_by_role("button", name="server's view").press("Enter")
    expect(page.get_by_text("A server sees no name lookup", exact=False)).to_be_visible()
    page.get_by_role("button", name="TLS: ClientHello").click()
    expect(page.get_by_role("treeitem", name="random (differs)")).to_have_count(2)
