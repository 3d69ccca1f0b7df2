"""Where the workerd binary is, and how it gets there.

workerd is the JavaScript runtime that runs workers in production. It comes in no Python package,
so it is looked for (environment, PATH, the user's cache folder) and else fetched once, with the
npm client of the `deno` wheel and a lock file that names the digest of every platform's package.
What may not live here: starting a worker, or anything about JavaScript.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from ...errors import EngineUnavailable
from . import npm

VERSION = "1.20261023.1"
COMPATIBILITY_DATE = "2026-10-20"  # the runtime behaviour workers get; no binary older than this knows it

VARIABLE = "MTLS_NOTEBOOK_WORKERD"
SETUP = "python -m mtls_notebook setup"
_VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Platform:
    """One platform that workerd is built for, and the npm package and file that hold its binary."""

    package: str
    binary: str = "workerd"


PLATFORMS = {
    ("linux", "x86_64"): Platform("@cloudflare/workerd-linux-64"),
    ("linux", "aarch64"): Platform("@cloudflare/workerd-linux-arm64"),
    ("darwin", "x86_64"): Platform("@cloudflare/workerd-darwin-64"),
    ("darwin", "arm64"): Platform("@cloudflare/workerd-darwin-arm64"),
    ("win32", "AMD64"): Platform("@cloudflare/workerd-windows-64", "workerd.exe"),
}
_SPELLINGS = {("linux", "amd64"): "x86_64", ("linux", "arm64"): "aarch64"}


def silent(_line: str) -> None:
    """Say nothing: the progress callback of callers that show no progress."""


def find(say: Callable[[str], None] = silent) -> Path:
    """Return a workerd that runs here: $MTLS_NOTEBOOK_WORKERD, PATH, the cache, or fetched now.

    `say` gets a line of progress when something takes long or is passed over.
    Raises: EngineUnavailable, whose hint names the way out.
    """
    return _from_variable() or _from_path(say) or _from_cache() or fetch(say)


def fetch(say: Callable[[str], None] = silent) -> Path:
    """Return the pinned workerd from the cache folder, fetched there first if it is absent.

    Raises: EngineUnavailable when this platform has no build, or the fetch fails.
    """
    target = cached_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(target.with_suffix(".lock")):
        if not target.exists():  # another process may have fetched it while this one waited
            _fetch_into(target, say)
    return target


def cached_path() -> Path:
    """Return where the cache keeps (or will keep) the pinned binary."""
    return cache_folder() / f"workerd-{VERSION}" / this_platform().binary


def cache_folder() -> Path:
    """Return this user's cache folder for the package (it may not exist yet)."""
    return _cache_root() / "mtls-notebook"


def this_platform() -> Platform:
    """Return the row of PLATFORMS for this machine. Raises EngineUnavailable where there is none."""
    machine = platform.machine()
    key = (sys.platform, _SPELLINGS.get((sys.platform, machine), machine))
    if key not in PLATFORMS:
        known = ", ".join(f"{system} {kind}" for system, kind in PLATFORMS)
        raise EngineUnavailable(
            f"JavaScript workers need workerd, and there is no build for {sys.platform} {machine} (only {known})",
            "Write the worker in Python (%%worker --language python): it needs no workerd.",
        )
    return PLATFORMS[key]


def locked(package: str) -> str:
    """Return a deno lock file's text that allows `package` at the pinned version and nothing else.

    deno fetches all that a lock file lists, so the shipped one (five platforms) is narrowed to one.
    """
    lock = json.loads(resources.files(__package__).joinpath(f"workerd-{VERSION}.lock").read_text("utf-8"))
    wanted = f"{package}@{VERSION}"
    lock["specifiers"] = {f"npm:{wanted}": VERSION}
    lock["npm"] = {wanted: lock["npm"][wanted]}
    return json.dumps(lock, indent=2)


def _from_variable() -> Path | None:
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    fault = _fault(Path(named))
    if fault:
        raise EngineUnavailable(
            f"{VARIABLE} names {named}, which {fault}",
            f"Name a workerd of {COMPATIBILITY_DATE} or later, or unset {VARIABLE}.",
        )
    return Path(named)


def _from_path(say: Callable[[str], None]) -> Path | None:
    named = shutil.which("workerd")
    if named is None:
        return None
    fault = _fault(Path(named))
    if fault:
        say(f"Passing over {named}: it {fault}.")
        return None
    return Path(named)


def _from_cache() -> Path | None:
    cached = cached_path()
    return cached if cached.exists() else None


def _fault(binary: Path) -> str:
    """Return why `binary` cannot be used, "" if it can: it must run without an environment and be recent."""
    try:
        # Workers get an empty environment, so the binary must run in one (npm's wrapper script does not).
        answer = subprocess.run(
            [binary, "--version"], env={}, capture_output=True, text=True, timeout=_VERSION_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not run ({_reason(error)})"
    dated = re.fullmatch(r"workerd (\d{4}-\d\d-\d\d)\s*", answer.stdout)
    if dated is None:
        return "does not answer --version as workerd does"
    return "" if dated[1] >= COMPATIBILITY_DATE else f"is of {dated[1]}, before {COMPATIBILITY_DATE}"


def _reason(error: OSError | subprocess.TimeoutExpired) -> str:
    return (error.strerror or "error") if isinstance(error, OSError) else "no answer to --version"


def _fetch_into(target: Path, say: Callable[[str], None]) -> None:
    """Fetch this platform's package and move its binary to `target`, whole or not at all."""
    build = this_platform()
    say(f"Fetching workerd {VERSION} for {sys.platform} {platform.machine()} (about 40 MB, once) …")
    with tempfile.TemporaryDirectory(prefix="fetch-", dir=target.parent) as scratch:
        fetched = _fetch_package(build, Path(scratch))
        fetched.chmod(0o755)
        fault = _fault(fetched)
        if fault:
            raise EngineUnavailable(
                f"workerd {VERSION} was fetched, but {fault}",
                f"It needs glibc 2.27 or macOS 13.5; or set {VARIABLE} to a workerd that runs here.",
            )
        fetched.replace(target)
    say(f"workerd is ready in {target.parent}.")


def _fetch_package(build: Platform, scratch: Path) -> Path:
    """Return the package's binary inside `scratch`, its digest checked by deno against the lock file."""
    lock = scratch / "deno.lock"
    lock.write_text(locked(build.package), "utf-8")
    wanted = f"npm:{build.package}@{VERSION}"
    outcome = _run_deno(["cache", "--no-config", f"--lock={lock}", "--frozen", wanted], scratch)
    found = next(scratch.glob(f"npm/*/{build.package}/{VERSION}/bin/{build.binary}"), None)
    if outcome.returncode != 0 or found is None:
        raise EngineUnavailable(
            f"JavaScript workers need workerd {VERSION}, and it could not be fetched: {npm.reason(outcome.stderr)}",
            f"With a network, run: {SETUP}   or set {VARIABLE} to a workerd binary.",
        )
    return found


def _run_deno(arguments: list[str], scratch: Path) -> subprocess.CompletedProcess[str]:
    try:
        return npm.run(arguments, scratch, scratch)
    except npm.NoDeno as error:
        raise EngineUnavailable(
            "workerd is fetched with deno, and the Python package deno is not installed",
            f"pip install 'deno>=2.9'   or set {VARIABLE} to a workerd binary.",
        ) from error
    except subprocess.TimeoutExpired as error:
        raise EngineUnavailable(
            f"workerd {VERSION} could not be fetched: no end after {error.timeout:.0f} s",
            f"Try again with a better network ({SETUP}), or set {VARIABLE} to a workerd binary.",
        ) from error


@contextmanager
def one_at_a_time(lock: Path) -> Iterator[None]:
    """Hold `lock` so that of several kernels only one fetches; where locks are unknown, the rename alone protects."""
    try:
        import fcntl  # noqa: PLC0415  absent on Windows
    except ImportError:
        yield
        return
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cache_root() -> Path:
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if sys.platform == "darwin" and not os.environ.get("XDG_CACHE_HOME"):
        return Path.home() / "Library" / "Caches"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
