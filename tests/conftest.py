"""How every test runs: what shares a worker, in which order, and that CI skips nothing.

What may not live here: fixtures of one kind of test (they stand beside those tests).
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

# Folder (from the repository's root) → its tests share one worker: one JupyterLab and one page for all; and the
# notebooks, which write the lab's files into one folder, run one after the other.
# Everything else shares a worker per file: a module has its own fixtures.
ONE_WORKER = ("tests/browser/", "notebooks/")

# What takes longest starts first, so that it does not run alone at the end.
SLOW_FIRST = ("tests/browser/", "notebooks/", "tests/live/")


class NothingSkipped:
    """Turns every skip into a failure: a run that left tests out must not look like one that passed."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.skipped and not hasattr(report, "wasxfail"):
            _fail(report)
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_make_collect_report(self) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if report.skipped:
            _fail(report)
        return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"skipped, which CI=true does not allow: {reason}"


def pytest_configure(config: pytest.Config) -> None:
    """Register the ban on skips where CI=true; as a plugin it also sees the notebooks."""
    if os.environ.get("CI") == "true":
        config.pluginmanager.register(NothingSkipped(), "nothing-skipped")


def shared_by(nodeid: str) -> str:
    """Return what the test shares a worker with: the name of its folder or of its file."""
    file = nodeid.split("::", 1)[0]
    return next((folder for folder in ONE_WORKER if file.startswith(folder)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Return a scheduler that keeps together what `shared_by` says, in the order of collection.

    Not `--dist loadgroup`: xdist 3.8 writes the group into an attribute that pytest 9.2 no longer
    reads, so the groups fall apart without a word.
    """
    # Here, since xdist is there only when this hook is called.
    from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # noqa: PLC0415

    class Scheduling(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            return shared_by(nodeid)

    config.option.loadscopereorder = False
    return Scheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put slow tests first, and the cells of each notebook together in their own order again."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> tuple[int, str, int]:
    """Return the sort key; equal keys keep the order that pytest-randomly chose."""
    rank = next((n for n, folder in enumerate(SLOW_FIRST) if item.nodeid.startswith(folder)), len(SLOW_FIRST))
    if Path(item.path).suffix != ".ipynb":
        return rank, "", 0
    return rank, item.path.name, int(item.name.split()[-1])  # nbval names a cell "Cell 7"
