"""A real JupyterLab (which serves Notebook 7 too) in folders of its own, and one page of a real Chromium in it.

Nothing here knows what a test asserts. A page waits on what Lab says of itself (a command's promise, the
kernel's status, an attribute of the page), never on time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, Locator, Page, Playwright, expect

REPOSITORY = Path(__file__).resolve().parents[2]
LABEXTENSION = REPOSITORY / "mtls_notebook" / "views" / "highlight"  # as it lies here, not as it was installed
CHROMIUM = "chromium"
START_TIMEOUT_S = 60

# Folders that Lab and IPython write to: each test run has its own, so nothing of a user is read or changed.
FOLDERS = (
    "JUPYTER_CONFIG_DIR",
    "JUPYTER_DATA_DIR",
    "JUPYTER_RUNTIME_DIR",
    "IPYTHONDIR",
    "JUPYTERLAB_SETTINGS_DIR",
    "JUPYTERLAB_WORKSPACES_DIR",
)
OPTIONS = (
    "--no-browser",
    "--allow-root",
    "--ip=127.0.0.1",
    "--ServerApp.port_retries=0",
    "--LabApp.expose_app_in_browser=True",
    "--JupyterNotebookApp.expose_app_in_browser=True",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.news_url=",
    "--LabApp.extension_manager=readonly",
)
# The page reaches this machine and nothing else.
BROWSER_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


def missing() -> str:
    """Return what the browser tests lack on this machine, "" if nothing."""
    return "" if shutil.which(CHROMIUM) else f"{CHROMIUM} is not installed (apt-get install {CHROMIUM})"


@dataclass(frozen=True, slots=True)
class Server:
    """A running JupyterLab: where it listens, its token, and the folder it serves."""

    address: str
    token: str
    root: Path

    def url(self, path: str, query: str = "") -> str:
        """Return the address of `path`, token included."""
        return f"{self.address}/{path}?{query}token={self.token}"


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    """Run JupyterLab under `folder` on a free port until the block ends."""
    token = secrets.token_hex(16)
    root = folder / "root"
    root.mkdir()
    port = _free_port()
    command = [sys.executable, "-m", "jupyter", "lab", *OPTIONS]
    command += [f"--port={port}", f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={root}"]
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=_environment(folder), stdout=log, stderr=log, cwd=folder)
        running = Server(f"http://127.0.0.1:{port}", token, root)
        try:
            _wait_until_up(running, process, folder / "lab.log")
            yield running
        finally:
            process.terminate()
            process.wait(timeout=20)


@contextmanager
def browser(playwright: Playwright, folder: Path) -> Iterator[BrowserContext]:
    """Run Chromium with an empty profile in `folder` until the block ends."""
    context = playwright.chromium.launch_persistent_context(
        folder,
        executable_path=shutil.which(CHROMIUM),
        args=list(BROWSER_OPTIONS),
        viewport={"width": 1400, "height": 1000},
    )
    try:
        yield context
    finally:
        context.close()


def is_of_notebook7(stack: str) -> bool:
    """Return whether Notebook 7 itself threw: it does so while it opens, with no extension of ours there."""
    first = next((line for line in stack.splitlines() if "://" in line), "")
    return "/static/notebook/" in first


class Notebook:
    """One page of Lab, showing one notebook at a time."""

    def __init__(self, page: Page, lab: Server) -> None:
        self.page = page
        self._lab = lab
        self._opened: tuple[str, ...] = ()

    def open_saved(self, name: str, data: dict[str, Any]) -> None:
        """Open a notebook that somebody else ran: one cell, its output `data`, and no trust in it."""
        output = {"output_type": "display_data", "data": data, "metadata": {}}
        self.write(name, [_cell("", output)])
        self._show(name)

    def open(self, name: str, *sources: str) -> None:
        """Write a notebook of the code cells `sources`, open it, and wait for its kernel.

        When it is open already it stays, its kernel and all; `run_all` makes its outputs anew.
        """
        if self._opened == (name, *sources):
            return
        self.write(name, [_cell(source) for source in sources])
        self._show(name)
        self._opened = (name, *sources)

    def open_in_notebook7(self, name: str, *sources: str) -> None:
        """Write a notebook of the code cells `sources` and open it in Notebook 7, a page without Lab around it."""
        self.write(name, [_cell(source) for source in sources])
        self._show(name, "notebooks")

    def _show(self, name: str, app: str = "lab/tree") -> None:
        self._opened = ()
        self.page.goto(self._lab.url(f"{app}/{name}", "reset&"))
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.wait_for_idle()

    def write(self, name: str, cells: list[dict[str, Any]]) -> None:
        """Write a notebook of `cells` where Lab finds it."""
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        written = {"cells": cells, "metadata": {"kernelspec": spec}, "nbformat": 4, "nbformat_minor": 4}
        (self._lab.root / name).write_text(json.dumps(written), "utf-8")

    def run_all(self) -> None:
        """Run every cell; all must pass."""
        passed = self.page.evaluate("window.jupyterapp.commands.execute('notebook:run-all-cells')")
        self.wait_for_idle()
        assert passed, self.errors()

    def ask(self, source: str) -> str:
        """Run `source` in the kernel, apart from the cells, and return what it printed."""
        return str(self.page.evaluate(_EXECUTE, source))

    def expect(self, expression: str, printed: str, within_s: float = 15) -> None:
        """Wait until `print(expression)` in the kernel prints `printed`: a widget's news may come after us."""
        deadline = time.monotonic() + within_s
        while (found := self.ask(f"print({expression})")) != printed:
            assert time.monotonic() < deadline, f"{expression} is {found}, not {printed}"
            self.page.wait_for_timeout(20)

    def wait_for_idle(self) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.context?.sessionContext.session?.kernel?.status === 'idle'"
        )

    def errors(self) -> list[str]:
        """Return the text of every error output."""
        return self.page.locator(".jp-OutputArea-output[data-mime-type*='stderr']").all_inner_texts()

    def view(self, label: str) -> Locator:
        """Return the widget whose label starts with `label`, once it is there."""
        found = self.page.locator(f"section.mtls-view[aria-label^='{label}']")
        expect(found).to_be_visible()
        return found

    def theme(self, name: str) -> None:
        """Change Lab's theme and wait until the page wears it."""
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', { theme })", name)
        self.page.wait_for_selector(f"body[data-jp-theme-name='{name}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    @property
    def root(self) -> Path:
        """Return the folder that Lab serves."""
        return self._lab.root

    def save(self) -> str:
        """Save the notebook, the state of its widgets with it, and return the text of the file."""
        self.page.evaluate("window.jupyterapp.commands.execute('@jupyter-widgets/jupyterlab-manager:saveWidgetState')")
        self.page.evaluate("window.jupyterapp.commands.execute('docmanager:save')")
        return (self.root / self._opened[0]).read_text("utf-8")

    def cells(self) -> int:
        """Return how many cells the notebook has, those out of sight included (they are taken off the page)."""
        return int(self.page.evaluate("window.jupyterapp.shell.currentWidget.content.model.cells.length"))


# Asks the kernel without touching the notebook; resolves with all that was printed, or rejects with the error.
_EXECUTE = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel;
    const future = kernel.requestExecute({ code, store_history: false });
    let printed = '';
    future.onIOPub = ({ header, content }) => {
        if (header.msg_type === 'stream') printed += content.text;
    };
    const { content } = await future.done;
    if (content.status !== 'ok') throw new Error(content.ename + ': ' + content.evalue);
    return printed.trim();
}"""


def _cell(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    cell = {"cell_type": "code", "source": source, "outputs": list(outputs)}
    return {**cell, "metadata": {}, "execution_count": None}


def _environment(folder: Path) -> dict[str, str]:
    """Return this process's environment with Lab's folders moved into `folder` and the repository importable."""
    moved: dict[str, Any] = {}
    for name in FOLDERS:
        moved[name] = str(folder / name.lower())
        Path(moved[name]).mkdir()
    _answer_no_news(Path(moved["JUPYTERLAB_SETTINGS_DIR"]))
    shutil.copytree(LABEXTENSION, Path(moved["JUPYTER_DATA_DIR"]) / "labextensions" / "mtls-notebook")
    path = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH", ""))))
    # A virtual environment's own folders would go before ours, and with them the extension as it was installed.
    return {**os.environ, **moved, "PYTHONPATH": path, "JUPYTER_PREFER_ENV_PATH": "no"}


def _answer_no_news(settings: Path) -> None:
    """Answer beforehand what Lab would ask in a box over the page: whether to fetch news."""
    folder = settings / "@jupyterlab" / "apputils-extension"
    folder.mkdir(parents=True)
    (folder / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}', "utf-8")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_up(lab: Server, process: subprocess.Popen[bytes], log: Path) -> None:
    """Ask until Lab answers; each refused connection is tried again while the process lives."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(START_TIMEOUT_S * 10):
        if process.poll() is not None:
            raise RuntimeError(f"JupyterLab ended at once:\n{log.read_text('utf-8', 'replace')[-2000:]}")
        try:
            with opener.open(lab.url("api/status"), timeout=5):
                return
        except urllib.error.URLError:
            # There is no state to wait on before the port is open.
            _pause_for(process)
    raise RuntimeError(f"JupyterLab did not answer:\n{log.read_text('utf-8', 'replace')[-2000:]}")


def _pause_for(process: subprocess.Popen[bytes]) -> None:
    """Wait for the process to end, a tenth of a second at most."""
    try:
        process.wait(timeout=0.1)
    except subprocess.TimeoutExpired:
        return
