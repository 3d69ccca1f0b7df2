"""wrangler, the judge of what `worker.ship` writes: npm's own, with a Node.js of its own, in the user's cache.

Both come with the npm client of the `deno` wheel, which the package needs anyway, once (some 400 MB). No install
script runs. wrangler then runs without a home and with a proxy that does not exist: it cannot reach anything.
What may not live here: which project is judged, any assertion.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import deno

from mtls_notebook.worker.javascript.workerd import cache_folder
from tests.live.servers import NotInstalled

VERSION = "4.164.0"
NODE_VERSION = "22.23.3"  # wrangler wants 22 or later
FETCH_TIMEOUT_S = 300
RUN_TIMEOUT_S = 60
NOWHERE = "http://127.0.0.1:1"
COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # esbuild's messages have them whatever the environment says
MACHINES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a wrangler command ended: its exit status, and what it wrote to both streams."""

    status: int
    text: str

    @property
    def warnings(self) -> list[str]:
        """Return its warnings' first lines, but for the one about our proxy."""
        found = re.findall(r"\[WARNING\] (.*)", self.text)
        return [line for line in found if not line.startswith("Proxy environment variables detected")]


def run(project: Path, home: Path, *words: str) -> Outcome:
    """Return how `wrangler WORDS` ended in the folder `project`. Raises NotInstalled."""
    modules = installed() / "node_modules"
    command = [modules / node_package() / "bin" / "node", modules / "wrangler" / "bin" / "wrangler.js", *words]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": str(home),
        "CI": "true",
        "NO_COLOR": "1",
        "WRANGLER_SEND_METRICS": "false",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NOWHERE),
    }
    ended = subprocess.run(
        command,
        env=environment,
        cwd=project,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    return Outcome(ended.returncode, COLOURS.sub("", ended.stdout))


def installed() -> Path:
    """Return the folder whose node_modules hold wrangler and Node.js, fetched now if absent. Raises NotInstalled."""
    folder = cache_folder() / f"wrangler-{VERSION}-node-{NODE_VERSION}"
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetch-", dir=folder.parent) as scratch:
            _fetch(Path(scratch) / "whole")
            if not folder.exists():  # another process may have fetched it meanwhile
                (Path(scratch) / "whole").rename(folder)
    return folder


def node_package() -> str:
    """Return the npm package that holds Node.js for this machine. Raises NotInstalled."""
    machine = MACHINES.get(platform.machine().lower())
    if machine is None or sys.platform not in ("linux", "darwin"):
        raise NotInstalled(f"npm has no Node.js for {sys.platform} {platform.machine()}")
    return f"node-{sys.platform}-{machine}"


def _fetch(folder: Path) -> None:
    folder.mkdir()
    wanted = {"wrangler": VERSION, node_package(): NODE_VERSION}
    (folder / "package.json").write_text(json.dumps({"private": True, "dependencies": wanted}), "utf-8")
    # Beside the modules, so that deno may link its files there instead of copying them.
    environment = os.environ | {"DENO_DIR": str(folder / "deno"), "NO_COLOR": "1", "DENO_NO_UPDATE_CHECK": "1"}
    try:
        outcome = subprocess.run(
            [deno.find_deno_bin(), "install", "--quiet"],
            env=environment,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=FETCH_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise NotInstalled(f"wrangler {VERSION} could not be fetched: no end after {FETCH_TIMEOUT_S} s") from error
    if outcome.returncode != 0:
        raise NotInstalled(f"wrangler {VERSION} could not be fetched: {outcome.stderr.strip()[-300:]}")
