"""Which npm packages a JavaScript cell imports, and which names from each.

deno's parser says which specifiers are imported; a pattern then finds the names in front of each. A cell
without a foreign specifier, which is most of them, never starts deno. What may not live here: fetching.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ..exchange import WorkerSource
from . import npm
from .syntax import without_comments

ALL = "*"  # the name for "whatever it exports"

_OURS = {"cell", "console-lines", "notebook-host", "service-worker"}
_SPECIFIER = re.compile(r"""\b(?:from|import)\s*\(?\s*(["'])([^"'\n]+)\1""")
# npm's own rule for names, an optional version (npm: only), an optional path within the package.
_PACKAGE = re.compile(
    r"(?:npm:)?(?:@[a-z0-9~-][\w.~-]*/)?[a-z0-9~-][\w.~-]*(?:@[\w.^~*+-]+)?(?:/[\w@./+-]+)?", re.IGNORECASE
)
# Node's modules that workerd has, by their bare names.
# fmt: off
NODE = frozenset({
    "assert", "async_hooks", "buffer", "console", "crypto", "diagnostics_channel", "dns", "events", "http",
    "https", "module", "net", "os", "path", "process", "punycode", "querystring", "stream", "string_decoder",
    "timers", "tls", "url", "util", "zlib",
})
# fmt: on


@dataclass(frozen=True, slots=True)
class Import:
    """One specifier that a cell imports. `names` are sorted; "default" and ALL ("*") may be among them."""

    specifier: str
    names: tuple[str, ...]


@lru_cache(maxsize=64)
def imports(source: WorkerSource) -> tuple[Import, ...]:
    """Return what the cell imports from npm (and Node's modules by bare name). Raises npm.NoDeno."""
    code = without_comments(source.code)
    if not any(_is_package(found[2]) for found in _SPECIFIER.finditer(code)):
        return ()
    return tuple(Import(specifier, _names(code, specifier)) for specifier in _specifiers(source))


def _is_package(specifier: str) -> bool:
    return specifier not in _OURS and _PACKAGE.fullmatch(specifier) is not None


def _specifiers(source: WorkerSource) -> list[str]:
    """Return the specifiers of packages that deno's parser finds: none in code that does not parse."""
    with tempfile.TemporaryDirectory(prefix="mtls-imports-") as scratch:
        cell = Path(scratch) / f"cell.{source.language}"
        cell.write_text(source.code, "utf-8")
        offline = ["--no-config", "--no-lock", "--no-npm", "--no-remote"]
        try:
            outcome = npm.run(["info", "--json", *offline, cell.name], Path(scratch), Path(scratch))
        except subprocess.TimeoutExpired:
            return []
    modules = json.loads(outcome.stdout)["modules"] if outcome.returncode == 0 else []
    found = [
        one for module in modules for one in module.get("dependencies", ()) if module["specifier"].endswith(cell.name)
    ]
    # What is imported as a type only has no "code": it is erased.
    return sorted({one["specifier"] for one in found if "code" in one and _is_package(one["specifier"])})


def _names(code: str, specifier: str) -> tuple[str, ...]:
    quoted = rf"""["']{re.escape(specifier)}["']"""
    names: set[str] = set()
    for found in re.finditer(rf"""\b(import|export)\b\s*([\w$\s,*{{}}]*?)\s*\bfrom\s*{quoted}""", code):
        names |= _clause(found[2])
    if re.search(rf"\bimport\s*\(\s*{quoted}", code):
        names |= {ALL, "default"}
    return tuple(sorted(names))


def _clause(clause: str) -> set[str]:
    """Return the exported names in `a, { b as c, type D }` or `* as e`."""
    if re.match(r"type\b(?!\s*(?:,|$))", clause):
        return set()
    listed = re.search(r"\{([^}]*)\}", clause)
    items = [item.split() for item in listed[1].split(",")] if listed else []
    names = {item[0] for item in items if item and not (item[0] == "type" and len(item) in (2, 4))}
    rest = clause[: listed.start()] if listed else clause
    if "*" in rest:
        names.add(ALL)
    if re.match(r"[\w$]", rest):
        names.add("default")
    return names
