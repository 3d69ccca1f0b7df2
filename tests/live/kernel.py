"""A real kernel for a test: its own folders, its own process, driven over its own sockets."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager


class Kernel:
    """A running kernel; `run` executes a cell and returns what it put out."""

    def __init__(self, manager: KernelManager, client: BlockingKernelClient) -> None:
        self.manager = manager
        self.client = client

    @property
    def pid(self) -> int:
        return int(self.manager.provisioner.pid)

    def run(self, code: str, timeout_s: float = 60) -> list[dict[str, Any]]:
        """Return the cell's outputs, errors among them, in order."""
        outputs: list[dict[str, Any]] = []
        self.client.execute_interactive(code, timeout=timeout_s, output_hook=outputs.append, allow_stdin=False)
        kept = ("stream", "display_data", "execute_result", "error")
        return [message["content"] for message in outputs if message["msg_type"] in kept]

    def value(self, expression: str) -> str:
        """Return what `print(expression)` prints."""
        return "".join(out.get("text", "") for out in self.run(f"print({expression})")).strip()


@contextmanager
def kernel(folder: Path) -> Iterator[Kernel]:
    """Start a kernel whose home, temporary files and history live below `folder`."""
    for name in ("home", "tmp", "ipython", "runtime", "work"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    cache = os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache"))
    environment = os.environ | {
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "IPYTHONDIR": str(folder / "ipython"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "XDG_CACHE_HOME": cache,  # workerd is fetched once for all
    }
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(env=environment, cwd=str(folder / "work"))
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield Kernel(manager, client)
    finally:
        client.stop_channels()
        if manager.has_kernel:
            manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def await_gone(pid: int, limit_s: float = 10) -> None:
    """Wait until no process has that id. Raises AssertionError after `limit_s`."""
    deadline = time.monotonic() + limit_s
    while is_alive(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Return whether the process runs (a zombie does not)."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
