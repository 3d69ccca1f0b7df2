"""The house rules of the package, read from its source: who may import whom, and who may touch what.

Every import counts, wherever it stands: at the top, inside a function, under TYPE_CHECKING.
Only a cycle is forgiven when one of its imports exists for the type checker alone.
What may not live here: tests of behaviour. These tests read source text, and only the last one
runs any of it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "mtls_notebook"
ROOT = Path(__file__).resolve().parent.parent / PACKAGE

# Lowest first. A room imports from rows below its own and from itself, never from its neighbours.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("errors", "spans"),
    ("loop",),
    ("tls", "pki"),
    ("recorder",),
    ("session", "lab"),
    ("diagnosis",),
    ("worker",),
    ("api",),
    ("views",),
    ("completion",),
    ("magics", "demo"),
    ("__init__", "__main__"),
)

# An outside module → the only files that import it (a folder ends with "/").
RESERVED: dict[str, tuple[str, ...]] = {
    "httpx": ("worker/fetch/fetcher.py", "worker/fetch/address.py"),
    "httpcore": (),
    "ipywidgets": ("views/",),
    "anywidget": ("views/",),
    "OpenSSL": ("lab/",),
}

# A file or folder → what it never imports, because it only says what bytes or events mean.
PURE: dict[str, tuple[str, ...]] = {
    "tls/": ("ssl", "socket", "time", "asyncio", "threading", "subprocess", "OpenSSL"),
    "recorder/events.py": ("ssl", "socket", "time", "asyncio", "threading", "httpcore"),
    **{
        f"recorder/{name}.py": ("ssl", "socket", "time", "asyncio", "threading")
        for name in (
            "handshake",
            "flows",
            "transcript",
            "compare",
            "packets",
            "pcapng",
            "documents",
            "har",
            "phases",
            "plain",
            "proofs",
            "claims",
            "decrypt",
            "key_schedule",
            "keyring",
            "record_protection",
            "signatures",
            "conversation",
        )
    },
    **{
        f"pki/{name}.py": ("ssl", "socket", "time", "asyncio", "threading")
        for name in (
            "der",
            "der_types",
            "certificate_tree",
            "certificate_names",
            "certificate_keys",
            "certificate_extensions",
            "certificate_timestamps",
            "certificate_prose",
        )
    },
}

# A word → the only file whose source holds it: a private API is leaned on in one place.
MENTIONS = {"_msg_callback": "recorder/tap.py"}

# Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}

# What a bare `import mtls_notebook` leaves alone: it must be quick, and work where these are broken.
LAZY = ("IPython", "OpenSSL", "anywidget", "cryptography", "httpcore", "httpx", "ipywidgets")


@dataclass(frozen=True, slots=True)
class Import:
    """One import: `source` and `target` are dotted names; `place` is "top", "function" or "typing"."""

    source: str
    target: str
    line: int
    place: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line} imports {self.target} ({self.place})"


def module_names(root: Path) -> dict[str, Path]:
    """Return dotted name → file for every module under `root`, a package's own name included."""
    names = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


def _is_type_checking(node: ast.If) -> bool:
    return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def _placed_imports(node: ast.AST, place: str) -> Iterator[tuple[ast.Import | ast.ImportFrom, str]]:
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node, place
        return
    if isinstance(node, ast.If) and _is_type_checking(node):
        for statement in node.body:
            yield from _placed_imports(statement, "typing")
        for statement in node.orelse:
            yield from _placed_imports(statement, place)
        return
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        place = "function"
    for child in ast.iter_child_nodes(node):
        yield from _placed_imports(child, place)


def _base(node: ast.ImportFrom, source: str, is_package: bool) -> str:
    """Return the absolute dotted name that a `from … import` starts from."""
    if not node.level:
        return node.module or ""
    parts = source.split(".")
    keep = len(parts) - node.level + (1 if is_package else 0)
    return ".".join(parts[:keep] + (node.module.split(".") if node.module else []))


def _targets(node: ast.Import | ast.ImportFrom, source: str, is_package: bool, known: dict[str, Path]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    base = _base(node, source, is_package)
    for alias in node.names:
        dotted = f"{base}.{alias.name}"
        yield dotted if dotted in known else base


def imports(root: Path) -> list[Import]:
    """Return every import statement under `root`, one `Import` for each thing it names."""
    known = module_names(root)
    found = []
    for source, path in known.items():
        for node, place in _placed_imports(ast.parse(path.read_text("utf-8")), "top"):
            for target in dict.fromkeys(_targets(node, source, path.name == "__init__.py", known)):
                found.append(Import(source, target, node.lineno, place))
    return found


def inner_imports(root: Path) -> list[Import]:
    """Return the imports of the package's own modules."""
    return [i for i in imports(root) if i.target.split(".")[0] == root.name]


def room(dotted: str) -> str:
    """Return the room that a module of the package lies in: "tls" for mtls_notebook.tls.reader."""
    parts = dotted.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def floor(dotted: str, floors: tuple[tuple[str, ...], ...] = FLOORS) -> int:
    """Return the row that a module's room stands in. Raises LookupError for a room without one."""
    for number, rooms in enumerate(floors):
        if room(dotted) in rooms:
            return number
    raise LookupError(f"{dotted} has no floor: add its room to FLOORS")


def not_downward(root: Path, floors: tuple[tuple[str, ...], ...] = FLOORS) -> list[str]:
    """Return the imports that go up, or across to another room of the same floor."""
    return [
        str(i)
        for i in inner_imports(root)
        if room(i.source) != room(i.target) and floor(i.target, floors) >= floor(i.source, floors)
    ]


def cycle(root: Path) -> list[str]:
    """Return the modules of one import cycle in order, first one repeated at the end; [] if there is none."""
    graph: dict[str, list[str]] = {}
    for i in inner_imports(root):
        if i.place != "typing" and i.source != i.target:
            graph.setdefault(i.source, []).append(i.target)
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> list[str]:
        if name in trail:
            return [*trail[trail.index(name) :], name]
        if name in done:
            return []
        for target in graph.get(name, ()):
            if found := visit(target, [*trail, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(graph) if (found := visit(name, []))), [])


def _within(path: str, places: tuple[str, ...]) -> bool:
    return any(path == place or (place.endswith("/") and path.startswith(place)) for place in places)


def outer_imports(root: Path) -> Iterator[tuple[str, str, Import]]:
    """Yield (file relative to `root`, top-level module imported, Import) for what comes from outside."""
    known = module_names(root)
    for i in imports(root):
        if (top := i.target.split(".")[0]) != root.name:
            yield known[i.source].relative_to(root).as_posix(), top, i


def trespasses(root: Path) -> list[str]:
    """Return the imports that RESERVED keeps for other files, or that PURE forbids."""
    return [
        str(i)
        for path, top, i in outer_imports(root)
        if (top in RESERVED and not _within(path, RESERVED[top]))
        or any(top in banned and _within(path, (place,)) for place, banned in PURE.items())
    ]


def misplaced_mentions(root: Path) -> list[str]:
    """Return the files that hold a word of MENTIONS without being the one that may."""
    return [
        f"{path.relative_to(root).as_posix()} mentions {word}"
        for path in sorted(root.rglob("*.py"))
        for word, owner in MENTIONS.items()
        if word in path.read_text("utf-8") and path.relative_to(root).as_posix() != owner
    ]


def build(root: Path, files: dict[str, str]) -> Path:
    """Return the package folder `root`/house, written from relative path → source."""
    package = root / "house"
    for name, source in {"__init__.py": "", **files}.items():
        path = package / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    return package


# ---- the package keeps the rules


def test_imports_go_down_only() -> None:
    assert not_downward(ROOT) == []


def test_there_is_no_import_cycle() -> None:
    assert cycle(ROOT) == []


def test_every_module_has_a_floor() -> None:
    assert [floor(name) for name in module_names(ROOT)]


def test_the_network_and_the_widgets_are_imported_where_they_belong() -> None:
    assert trespasses(ROOT) == []


def test_a_private_api_is_mentioned_in_one_file() -> None:
    assert misplaced_mentions(ROOT) == []


def test_no_module_has_an_empty_name() -> None:
    assert [n for n in module_names(ROOT) if EMPTY_NAMES & set(n.split("."))] == []


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = f"import json, sys, {PACKAGE}; print(json.dumps(sorted(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT.parent)
    loaded = {name.split(".")[0] for name in json.loads(run.stdout)}
    assert PACKAGE in loaded
    assert loaded.isdisjoint(LAZY)


# ---- the walker sees what it should

SMALL_HOUSE = (("errors",), ("tls", "pki"), ("recorder",), ("__init__",))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("from ..recorder import tap\n", "top"),
        ("from ..recorder.tap import Tap\n", "top"),
        ("from house.recorder import tap\n", "top"),
        ("import house.recorder.tap\n", "top"),
        ("def read():\n    from ..recorder import tap\n", "function"),
        ("async def read():\n    import house.recorder.tap as t\n", "function"),
        ("try:\n    from ..recorder import tap\nexcept ImportError:\n    tap = None\n", "top"),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..recorder import tap\n", "typing"),
        ("import typing\nif typing.TYPE_CHECKING:\n    from ..recorder import tap\n", "typing"),
        ("TYPE_CHECKING = 0\nif TYPE_CHECKING:\n    pass\nelse:\n    from ..recorder import tap\n", "top"),
    ],
)
def test_an_upward_import_is_found_however_it_is_written(tmp_path: Path, source: str, place: str) -> None:
    house = build(tmp_path, {"tls/reader.py": source, "recorder/tap.py": "class Tap: ...\n"})
    (found,) = not_downward(house, SMALL_HOUSE)
    assert found.startswith("house.tls.reader:")
    assert found.endswith(f"imports house.recorder.tap ({place})")


def test_an_import_of_a_neighbour_is_found(tmp_path: Path) -> None:
    house = build(tmp_path, {"tls/reader.py": "from ..pki import chain\n", "pki/chain.py": ""})
    assert not_downward(house, SMALL_HOUSE) == ["house.tls.reader:1 imports house.pki.chain (top)"]


def test_an_import_of_the_package_itself_is_upward(tmp_path: Path) -> None:
    house = build(tmp_path, {"__init__.py": "VERSION = 1\n", "tls/reader.py": "from house import VERSION\n"})
    assert not_downward(house, SMALL_HOUSE) == ["house.tls.reader:1 imports house (top)"]


def test_downward_and_inner_imports_are_allowed(tmp_path: Path) -> None:
    files = {
        "errors.py": "",
        "tls/reader.py": "import ssl\nfrom .names import X\nfrom .. import errors\n",
        "tls/names.py": "X = 1\n",
        "tls/__init__.py": "from .reader import X\n",
        "recorder/tap.py": "from ..tls import reader\nfrom ..tls.names import X\n",
    }
    assert not_downward(build(tmp_path, files), SMALL_HOUSE) == []


def test_a_room_without_a_floor_is_an_error(tmp_path: Path) -> None:
    house = build(tmp_path, {"attic/box.py": "from ..tls import reader\n", "tls/reader.py": ""})
    with pytest.raises(LookupError, match=r"house\.attic\.box has no floor"):
        not_downward(house, SMALL_HOUSE)


def test_a_cycle_is_found_even_through_a_function(tmp_path: Path) -> None:
    files = {
        "tls/a.py": "from . import b\n",
        "tls/b.py": "from .c import C\n",
        "tls/c.py": "C = 1\ndef late():\n    from .a import A\n",
    }
    assert cycle(build(tmp_path, files)) == ["house.tls.a", "house.tls.b", "house.tls.c", "house.tls.a"]


def test_an_import_for_the_type_checker_makes_no_cycle(tmp_path: Path) -> None:
    later = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .a import A\n"
    assert cycle(build(tmp_path, {"tls/a.py": "from .b import B\n", "tls/b.py": later})) == []


def test_a_trespass_is_found_inside_a_function(tmp_path: Path) -> None:
    files = {
        "worker/fetch/fetcher.py": "import httpx\nfrom httpx import Request\n",
        "worker/python/program.py": "def go():\n    from httpx import Client\n",
        "recorder/tap.py": "import socket\nimport ssl\n",
        "views/upload.py": "import anywidget\n",
        "magics.py": "import ipywidgets.widgets\n",
        "tls/reader.py": "import socket\n",
    }
    assert trespasses(build(tmp_path, files)) == [
        "house.magics:1 imports ipywidgets.widgets (top)",
        "house.tls.reader:1 imports socket (top)",
        "house.worker.python.program:2 imports httpx (function)",
    ]


def test_a_mention_elsewhere_is_found(tmp_path: Path) -> None:
    files = {"recorder/tap.py": "context._msg_callback = f\n", "lab/origin.py": "c._msg_callback = f\n"}
    assert misplaced_mentions(build(tmp_path, files)) == ["lab/origin.py mentions _msg_callback"]
