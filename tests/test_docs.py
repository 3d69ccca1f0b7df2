"""The words keep up with the code: every magic and every option stands where users look for it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mtls_notebook.magics import MtlsMagics

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def magics() -> dict[str, list[str]]:
    """Return every magic with its long options."""
    names = sorted({name for kind in MtlsMagics.magics.values() for name in kind})
    return {name: options(getattr(MtlsMagics, name).parser.format_help()) for name in names}


def options(text: str) -> list[str]:
    return sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", text)))


def cells(path: Path) -> list[dict]:
    return json.loads(path.read_text("utf-8"))["cells"]


@pytest.mark.parametrize("name", magics())
def test_the_readme_names_every_magic_with_all_its_options(name: str) -> None:
    lines = [line for line in README.splitlines() if re.search(rf"`%+{name}\b", line)]
    assert lines
    assert [option for option in magics()[name] if not any(option in line for line in lines)] == []


@pytest.mark.parametrize("name", magics())
def test_a_notebook_shows_every_magic(name: str) -> None:
    sources = ["".join(cell["source"]) for path in NOTEBOOKS for cell in cells(path)]
    assert any(re.search(rf"%{name}\b", source) for source in sources)


def test_the_readme_promises_no_option_that_there_is_not() -> None:
    known = {option for found in magics().values() for option in found}
    promised = {option for line in README.splitlines() if line.startswith("| `%") for option in options(line)}
    assert promised - known == set()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_committed_notebook_is_executed_and_holds_no_widget_state_and_no_key(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "PRIVATE KEY" not in text
    assert "widgets" not in json.loads(text)["metadata"]
    code = [cell for cell in cells(path) if cell["cell_type"] == "code"]
    assert [cell["id"] for cell in code if cell["execution_count"] is None] == []
