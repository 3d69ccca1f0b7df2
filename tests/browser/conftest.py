"""Fixtures of the browser tests: one JupyterLab, one Chromium and one page for all of them.

    def test_…(notebook):
        notebook.open("x.ipynb", "1 + 1")
        notebook.run_all()

What may not live here: how Lab or a browser is started (`lab`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator

import pytest
from playwright.sync_api import Error, sync_playwright

from tests.browser import lab


def need_browser() -> None:
    """Skip by name what needs a browser on a machine without one; where CI=true, fail."""
    lacking = lab.missing()
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)  # no browser here; with CI=true that is a failure, above


OPEN = pytest.StashKey[contextlib.ExitStack]()


@pytest.fixture(scope="session")
def page_of_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Notebook]:
    """Return the one page; Lab and Chromium live until the last browser test is over."""
    need_browser()
    folder = tmp_path_factory.mktemp("lab")
    with contextlib.ExitStack() as stack:
        request.config.stash[OPEN] = stack
        server = stack.enter_context(lab.server(folder))
        playwright = stack.enter_context(sync_playwright())
        page = stack.enter_context(lab.browser(playwright, folder / "profile")).pages[0]
        page.set_default_timeout(30_000)
        yield lab.Notebook(page, server)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Close everything with the last browser test, not with the session.

    While Playwright lives, its event loop counts as running in this thread: a later test of this worker could not
    call `asyncio.run`.
    """
    yield
    is_last = nextitem is None or not nextitem.nodeid.startswith("tests/browser/")
    if is_last and (stack := item.config.stash.get(OPEN, None)) is not None:
        stack.close()


@pytest.fixture
def notebook(page_of_lab: lab.Notebook) -> Iterator[lab.Notebook]:
    """Return the page in the light theme; a script error on the page fails the test."""
    errors: list[str] = []

    def note(error: Error) -> None:
        # Lab cancels its own requests when a kernel restarts, and says so as an error of the page.
        if not lab.is_of_notebook7(error.stack or "") and "Canceled future for" not in str(error):
            errors.append(str(error))

    page_of_lab.page.on("pageerror", note)
    yield page_of_lab
    page_of_lab.page.remove_listener("pageerror", note)
    assert errors == []
