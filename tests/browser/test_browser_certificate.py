"""The certificate card in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.lab import Notebook

SHOW = """
from dataclasses import replace
from mtls_notebook.views.certificate import CertificateWidget
from tests.unit.views.material import HOSTILE, chain, stored
hostile = replace(chain()[0], common_name=HOSTILE, subject_alternative_names=(HOSTILE,))
CertificateWidget((hostile, *chain()[1:]), stored())
"""


@pytest.fixture
def card(notebook: Notebook) -> Locator:
    notebook.open("certificate.ipynb", SHOW)
    notebook.run_all()
    return notebook.view("Certificate ")


def test_the_card_shows_name_chain_validity_and_usage(card: Locator) -> None:
    expect(card.get_by_role("list", name="Chain")).to_contain_text("views root")
    expect(card.get_by_role("img", name="Valid from")).to_be_visible()
    expect(card.get_by_role("list", name="Usages")).to_contain_text("clientAuth: proves a client to a server")
    expect(card.get_by_text("my-client-cert", exact=True).first).to_be_visible()


def test_markup_in_a_certificate_is_text(card: Locator) -> None:
    expect(card.get_by_role("heading", level=3)).to_have_text("<img src=x onerror=alert(1)>⟨U+001B⟩[31m⟨U+202E⟩evil")
    expect(card.locator("img, script")).to_have_count(0)


def test_every_byte_is_folded_until_wanted(card: Locator) -> None:
    dump = card.get_by_role("group", name="Bytes in hexadecimal")
    expect(dump).to_be_hidden()
    card.get_by_text("Every byte").click()
    expect(dump).to_contain_text("30 82")


def test_every_byte_belongs_to_a_field_that_says_what_it_is_for(card: Locator) -> None:
    card.get_by_text("Every byte").click()
    card.locator(".mtls-byte[data-at='0']").click()
    expect(card.get_by_role("treeitem", name="tag").first).to_have_attribute("aria-selected", "true")
    card.get_by_role("treeitem", name="tbsCertificate").click()
    card.get_by_role("treeitem", name="validity").click()
    expect(card.locator(".mtls-field-prose")).to_contain_text("RFC 5280")
    expect(card.locator(".mtls-byte.mtls-lit")).to_have_count(32)


def test_a_fingerprint_is_copied_or_selected(notebook: Notebook, card: Locator) -> None:
    shown = card.get_by_role("button", name="Copy").nth(1)
    wanted = (shown.get_attribute("aria-label") or "").removeprefix("Copy ")
    notebook.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    shown.click()
    expect(shown).to_have_text("copied")
    assert notebook.page.evaluate("navigator.clipboard.readText()") == wanted
    assert len(wanted.split(":")) == 32
