"""deno as our npm client: where it is, how it is run, and its reasons in one line.

The `deno` wheel needs no Node and checks every package's digest. It runs with no project's settings and in
a folder that its caller names. What may not live here: what is fetched, and what it means when that fails.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

TIMEOUT_S = 600.0


class NoDeno(Exception):
    """The Python package deno is not installed."""


def deno() -> str:
    """Return the path of the deno binary. Raises NoDeno."""
    try:
        import deno as wheel  # noqa: PLC0415  an optional part: whoever names their own workerd may never need it

        return str(wheel.find_deno_bin())
    except (ImportError, FileNotFoundError) as error:
        raise NoDeno from error


def run(arguments: Sequence[str], folder: Path, store: Path) -> subprocess.CompletedProcess[str]:
    """Return deno's outcome in `folder`; packages are kept in `store`. Raises NoDeno, subprocess.TimeoutExpired."""
    environment = os.environ | {"DENO_DIR": str(store), "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    return subprocess.run(
        [deno(), *arguments],
        env=environment,
        cwd=folder,  # no project's settings may change what is fetched
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def reason(stderr: str) -> str:
    """Return deno's own reason in one line: the innermost of its numbered causes, or its last word."""
    report = stderr.partition("Stack backtrace")[0]
    causes = re.findall(r"^ *(?:error|\d+): *(.+)$", report, re.MULTILINE)
    return causes[-1] if causes else (report.strip().splitlines() or ["deno said nothing"])[-1]
