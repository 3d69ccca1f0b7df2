"""A view as a page of its own."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest

from mtls_notebook.recorder.compare import Comparison, compare
from mtls_notebook.recorder.handshake import Handshake
from mtls_notebook.views.page import page
from mtls_notebook.worker.exchange import Invocation
from tests.unit.views.material import HOSTILE, run
from tests.unit.views.replay import handshake, met

VALUES: dict[str, Handshake | Invocation | Comparison] = {
    "handshake": met(),
    "hostile": handshake("tls13-refused", host="</script><script>alert(1)</script>" + HOSTILE),
    "invocation": run(),
    "comparison": compare(handshake("tls13"), handshake("tls13-mtls")),
}
each = pytest.mark.parametrize("name", VALUES)


class Elements(HTMLParser):
    """Every element's name and attributes, and the text inside `<script>` and `<style>`."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.inside: dict[str, list[str]] = {}
        self._open = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._open = tag
        if tag in ("script", "style"):
            self.inside.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = ""

    def handle_data(self, data: str) -> None:
        if self._open in ("script", "style"):
            self.inside[self._open][-1] += data


@each
def test_a_page_names_nothing_to_fetch(name: str) -> None:
    for tag, attributes in Elements(page(VALUES[name])).found:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert (attributes.get("src") or "data:").startswith("data:")
        assert "href" not in attributes


@each
def test_the_policy_allows_exactly_the_pages_own_script_and_style(name: str) -> None:
    elements = Elements(page(VALUES[name]))
    policy = next(a["content"] for tag, a in elements.found if tag == "meta" and "http-equiv" in a) or ""
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for text in (elements.inside["script"][1], elements.inside["style"][0]):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy
    assert len(re.findall(r"sha256-", policy)) == 2


@each
def test_the_values_are_data_that_cannot_end_their_element(name: str) -> None:
    elements = Elements(page(VALUES[name]))
    kinds = [attributes.get("type") for tag, attributes in elements.found if tag == "script"]
    assert kinds == ["application/json", "module"]
    values = json.loads(elements.inside["script"][0])
    assert values["state"]["label"]


@each
def test_before_its_script_runs_a_page_shows_the_static_form(name: str) -> None:
    assert any(tag in ("img", "pre") for tag, _ in Elements(page(VALUES[name])).found)


def test_a_page_of_a_run_holds_every_handshake_whole() -> None:
    values = json.loads(Elements(page(run())).inside["script"][0])
    assert set(values["details"]) == {"0", "1"}
    assert all(detail["arrows"][0]["anatomy"]["hex"] for detail in values["details"].values())
