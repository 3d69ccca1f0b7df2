"""A page of its own, opened from a file in a real browser that reaches nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
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
