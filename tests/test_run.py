"""The rules of `tests/conftest.py`, tried on a small suite of their own in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import shared_by

HERE = Path(__file__).parent
SUITE = {
    "test_some.py": """
import pytest
def test_passes(): ...
def test_skips(): pytest.skip("nginx is not installed")
@pytest.mark.xfail
def test_fails_as_expected(): assert False
""",
    "test_module.py": "import pytest\npytest.importorskip('no_such_module')\n",
}


def run(root: Path, *options: str, ci: str = "") -> subprocess.CompletedProcess[str]:
    """Return a finished pytest over `root`, which has this suite's conftest in its tests/."""
    (root / "tests").mkdir(exist_ok=True)
    (root / "pytest.ini").write_text("[pytest]\n")
    shutil.copy(HERE / "conftest.py", root / "tests")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {"CI": ci, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # only what `options` names: quicker
    argv = [sys.executable, "-m", "pytest", "tests", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(argv, cwd=root, env=environment, capture_output=True, text=True, timeout=100, check=False)


def write_suite(root: Path) -> None:
    (root / "tests").mkdir()
    for name, source in SUITE.items():
        (root / "tests" / name).write_text(source)


def test_a_skip_is_a_skip_at_home(tmp_path: Path) -> None:
    write_suite(tmp_path)
    done = run(tmp_path)
    assert "1 passed, 2 skipped, 1 xfailed" in done.stdout
    assert done.returncode == 0


@pytest.mark.parametrize("parallel", [(), ("-p", "xdist", "-n", "1")], ids=["alone", "in a worker"])
def test_a_skip_fails_the_run_in_ci(tmp_path: Path, parallel: tuple[str, ...]) -> None:
    write_suite(tmp_path)
    (tmp_path / "tests" / "test_module.py").unlink()
    done = run(tmp_path, *parallel, ci="true")
    assert "1 failed, 1 passed, 1 xfailed" in done.stdout
    assert "skipped, which CI=true does not allow: Skipped: nginx is not installed" in done.stdout
    assert done.returncode == 1


def test_a_module_that_skips_itself_fails_the_run_in_ci(tmp_path: Path) -> None:
    write_suite(tmp_path)
    done = run(tmp_path, ci="true")
    assert "does not allow: Skipped: could not import 'no_such_module'" in done.stdout
    assert done.returncode != 0


def test_cells_run_in_their_order_in_one_kernel_each_whatever_is_shuffled(tmp_path: Path) -> None:
    (tmp_path / "notebooks").mkdir()
    for name in ("first", "second"):
        write_counting_notebook(tmp_path / "notebooks" / f"{name}.ipynb", cells=11)
    plugins = ("-p", "xdist", "-p", "pytest_randomly", "-p", "nbval.plugin")
    done = run(tmp_path, "notebooks", "--nbval", "--nbval-current-env", "-n", "2", *plugins)
    assert "22 passed" in done.stdout, done.stdout


def write_counting_notebook(path: Path, cells: int) -> None:
    """Write a notebook in which each cell fails unless the one before it has just run."""
    sources = ["x = 0", *(f"assert x == {n - 1}\nx = {n}" for n in range(1, cells))]
    code: dict[str, object] = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    notebook: dict[str, object] = {"nbformat": 4, "nbformat_minor": 4, "metadata": {}}
    path.write_text(json.dumps(notebook | {"cells": [code | {"source": s} for s in sources]}), "utf-8")


@pytest.mark.parametrize(
    ("nodeid", "shared"),
    [
        ("tests/browser/test_a.py::test_x", "tests/browser/"),
        ("tests/browser/sub/test_b.py::test_x[a::b]", "tests/browser/"),
        ("tests/unit/tls/test_reader.py::TestX::test_y", "tests/unit/tls/test_reader.py"),
        ("notebooks/01.ipynb::Cell 3", "notebooks/"),
    ],
)
def test_what_shares_a_worker_shares_its_file_or_its_browser(nodeid: str, shared: str) -> None:
    assert shared_by(nodeid) == shared
