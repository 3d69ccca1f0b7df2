"""npm packages for a JavaScript cell: fetched and bundled by deno once, then kept in the user's cache folder.

The cell stays a module of its own, so that its lines keep their numbers; each specifier it imports becomes
a small module beside it that hands on the names which the cell uses. All packages are bundled at once, so
that two specifiers of one package share its state. What may not live here: what a cell imports
(`imports`), and how workerd is told (`workerd_config`).
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ...errors import EngineUnavailable, WorkerSyntaxError
from ..exchange import WorkerSource
from . import npm
from .imports import ALL, NODE, Import, imports
from .workerd import cache_folder, one_at_a_time, silent
from .workerd_config import Module

_FORMAT = 1  # of a kept bundle; a new number makes new ones
_PLACE = "npm"  # the folder that the bundle's own modules have in the worker

# A CommonJS package asks for Node's modules with `require`, which a worker's module does not have.
_REQUIRE = 'import { createRequire as bundledRequire } from "node:module"; const require = bundledRequire("/");\n'


def bundled(source: WorkerSource, say: Callable[[str], None] = silent) -> tuple[Module, ...]:
    """Return the modules that stand beside the cell for what it imports: none for most cells.

    `say` hears when packages must be fetched first.
    Raises: EngineUnavailable (no deno, no network, no such package), WorkerSyntaxError (no such export).
    """
    try:
        wanted = imports(source)
    except npm.NoDeno as error:
        raise EngineUnavailable(
            "The cell imports npm packages, which deno fetches, and the Python package deno is not installed",
            "pip install 'deno>=2.9'   or paste the package's code into the cell.",
        ) from error
    node = [one for one in wanted if one.specifier in NODE]
    packages = [one for one in wanted if one.specifier not in NODE]
    return (*(_shim(one, f"node:{one.specifier}") for one in node), *(_from_cache(packages, say) if packages else ()))


def _from_cache(packages: Sequence[Import], say: Callable[[str], None]) -> list[Module]:
    folder = cache_folder() / "npm-bundles" / _key(packages)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(folder.with_suffix(".lock")):
        if not folder.exists():  # another kernel may have made it while this one waited
            _make(folder, packages, say)
    files = sorted(folder.glob("*.js"))
    inside = [Module(f"{_PLACE}/{file.name}", _with_require(file.read_text("utf-8"))) for file in files]
    return [*(_shim(one, f"/{_PLACE}/{at}.js") for at, one in enumerate(packages)), *inside]


def _key(packages: Sequence[Import]) -> str:
    asked = json.dumps([_FORMAT, [[one.specifier, one.names] for one in packages]])
    return hashlib.sha256(asked.encode()).hexdigest()[:32]


def _shim(one: Import, target: str) -> Module:
    """Return the module that the cell's specifier names."""
    return Module(one.specifier, _exports(one, target))


def _exports(one: Import, target: str) -> str:
    """Return the text of a module that hands on the wanted names of `target`."""
    lines = [f"import {json.dumps(target)};"]
    if named := [name for name in one.names if name != ALL and not (ALL in one.names and name == "default")]:
        lines.append(f"export {{ {', '.join(named)} }} from {json.dumps(target)};")
    if ALL in one.names:
        lines.append(f"export * from {json.dumps(target)};")
    if ALL in one.names and "default" in one.names:  # of a package that may have none
        lines.append(f"import * as all from {json.dumps(target)}; export default all.default;")
    return "\n".join(lines) + "\n"


def _with_require(text: str) -> str:
    return _REQUIRE + text if "__require" in text else text


# ---- making a bundle


def _make(folder: Path, packages: Sequence[Import], say: Callable[[str], None]) -> None:
    """Fetch and bundle the packages into `folder`, whole or not at all."""
    names = ", ".join(one.specifier for one in packages)
    say(f"Fetching {names} from npm (once) …")
    with tempfile.TemporaryDirectory(prefix="bundle-", dir=folder.parent) as text:
        scratch = Path(text)
        for at, one in enumerate(packages):
            (scratch / f"{at}.js").write_text(_exports(one, _npm(one.specifier)), "utf-8")
        _fetch(packages, scratch)
        _bundle(packages, scratch)
        shutil.copytree(scratch / "out", folder.with_suffix(".new"), dirs_exist_ok=True)
        folder.with_suffix(".new").rename(folder)
        say(f"{_versions(scratch / 'deno.lock') or names}: ready.")


def _npm(specifier: str) -> str:
    return specifier if specifier.startswith("npm:") else f"npm:{specifier}"


def _fetch(packages: Sequence[Import], scratch: Path) -> None:
    wanted = [_npm(one.specifier) for one in packages]
    outcome = _run(["cache", "--no-config", "--lock=deno.lock", *wanted], scratch, packages)
    if outcome.returncode != 0:
        raise _unavailable(packages, npm.reason(outcome.stderr))


def _bundle(packages: Sequence[Import], scratch: Path) -> None:
    options = ["--no-config", "--lock=deno.lock", "--platform=browser", "--format=esm", "--code-splitting"]
    entries = [f"{at}.js" for at in range(len(packages))]
    outcome = _run(["bundle", *options, "--outdir=out", *entries], scratch, packages)
    if outcome.returncode == 0:
        return
    if not any(_store().glob("npm/*/@esbuild/*")):  # deno fetches its bundler with the first bundle
        raise _unavailable(packages, npm.reason(outcome.stderr))
    raise WorkerSyntaxError(
        f"{', '.join(one.specifier for one in packages)} cannot be bundled for a worker: {_cause(outcome.stderr)}",
        "Check the names in the cell's import lines against the package's documentation.",
    )


def _run(arguments: list[str], scratch: Path, packages: Sequence[Import]) -> subprocess.CompletedProcess[str]:
    try:
        return npm.run(arguments, scratch, _store())
    except subprocess.TimeoutExpired as error:
        raise _unavailable(packages, f"no end after {error.timeout:.0f} s") from error


def _store() -> Path:
    return cache_folder() / "deno"


def _unavailable(packages: Sequence[Import], why: str) -> EngineUnavailable:
    names = ", ".join(one.specifier for one in packages)
    return EngineUnavailable(
        f"The cell imports {names}, which could not be fetched from npm: {why}",
        "Check the package's name; with a network, run the cell once: from then on it works offline.",
    )


def _cause(stderr: str) -> str:
    """Return the first of deno's errors: the last one only says that there were some."""
    first = next((line for line in stderr.splitlines() if line.startswith("error: ")), "")
    said = first.removeprefix("error: ") or npm.reason(stderr)
    return re.sub(r'"[^"]*/npm/[^/"]+/', '"', said)  # the package's own path, without where we keep it


def _versions(lock: Path) -> str:
    """Return the packages that were chosen, with their versions, as the lock file names them."""
    if not lock.exists():
        return ""
    chosen = json.loads(lock.read_text("utf-8")).get("specifiers", {})
    return ", ".join(f"{spec.removeprefix('npm:').rpartition('@')[0]} {version}" for spec, version in chosen.items())
