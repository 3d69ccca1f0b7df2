"""The static forms, and the parts that widgets are made of."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import pytest

from mtls_notebook.views import assets, static
from mtls_notebook.views.batch import BatchWidget
from mtls_notebook.views.certificate import CertificateWidget
from mtls_notebook.views.comparison import ComparisonWidget
from mtls_notebook.views.handshake import HandshakeWidget
from mtls_notebook.views.invocation import InvocationWidget
from mtls_notebook.views.store import StoreWidget
from mtls_notebook.views.upload import UploadZone

SHOWN = (HandshakeWidget, CertificateWidget, InvocationWidget, ComparisonWidget)
WIDGETS = (*SHOWN, BatchWidget, StoreWidget, UploadZone)
FOLDER = Path(static.__file__).parent


def test_cells_are_text_and_never_markup() -> None:
    table = static.html_table(("<a>",), [("<script>",)])
    assert "<a>" not in table
    assert "<script>" not in table
    assert "&lt;script&gt;" in table


def test_a_picture_carries_its_svg_and_its_description() -> None:
    image = static.picture("<svg/>", 'a "b"')
    found = re.fullmatch(r'<img alt="a &quot;b&quot;" src="data:image/svg\+xml;base64,([^"]+)">', image)
    assert found
    assert base64.b64decode(found[1]) == b"<svg/>"


def test_a_text_table_is_aligned_and_has_no_trailing_spaces() -> None:
    assert static.text_table(("A", "Longer"), [("1", "2"), ("three", "")]) == (
        "A      Longer\n─────  ──────\n1      2\nthree"
    )


def test_facts_without_a_value_are_left_out() -> None:
    assert static.facts([("A", "1"), ("Empty", ""), ("Long", "2")]) == "A     1\nLong  2"


def test_no_script_writes_markup() -> None:
    forbidden = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function")
    assert [path.name for path in FOLDER.glob("*.js") if forbidden.search(path.read_text("utf-8"))] == []


def test_no_style_or_script_fetches_anything() -> None:
    outward = re.compile(r"url\(|@import|\bfetch\(|XMLHttpRequest|\bimport\b[^a-z]|https?://(?!www\.w3\.org/2000/svg)")
    parts = [*FOLDER.glob("*.js"), *FOLDER.glob("*.css")]
    assert len(parts) > 8
    assert [path.name for path in parts if outward.search(path.read_text("utf-8"))] == []


@pytest.mark.parametrize("widget", SHOWN)
def test_a_widgets_class_names_are_styled_or_only_hooks(widget: type) -> None:
    hooks = {"mtls-icon-", "mtls-from-client"}
    script, sheet = str(widget._esm), str(widget._css)  # type: ignore[attr-defined]
    used = set(re.findall(r"mtls-[a-z]+(?:-[a-z]+)*", re.sub(r"//.*", "", script)))
    styled = set(re.findall(r"\.(mtls-[a-z]+(?:-[a-z]+)*)", sheet))
    families = (
        "mtls-icon",
        "mtls-tone",
        "mtls-from",
        "mtls-period",
        "mtls-phase",
        "mtls-json",
        "mtls-log",
        "mtls-body",
    )
    assert {name for name in used - styled - hooks if not name.startswith(families)} <= PLAIN


# Classes that need no style of their own.
PLAIN = {
    "mtls-fold",
    "mtls-field-prose",
    "mtls-headers",
    "mtls-validity",
    "mtls-prose",
    "mtls-columns",
    "mtls-choices",
    "mtls-gap",
    "mtls-pairs",
}


@pytest.mark.parametrize("widget", WIDGETS)
def test_a_widgets_script_is_a_module_with_one_export(widget: type) -> None:
    script = str(widget._esm)  # type: ignore[attr-defined]
    assert len(re.findall(r"^export ", script, re.MULTILINE)) == 1
    name = re.search(r"^export default \{ render: (\w+) \};$", script, re.MULTILINE)
    assert name
    assert f"function {name[1]}(" in script


def test_every_part_belongs_to_a_widget() -> None:
    joined = "".join(str(widget._esm) + str(widget._css) for widget in WIDGETS)
    joined += assets.script("page.js") + assets.stylesheet("page.css")
    parts = [*FOLDER.glob("*.js"), *FOLDER.glob("*.css")]
    assert [path.name for path in parts if assets.part(path.name) not in joined] == []
