"""Fixtures of the browser tests: one JupyterLab, one Chromium and one page for all of them.

    def test_…(notebook):
        notebook.open("x.ipynb", "1 + 1")
        notebook.run_all()

What may not live here: how Lab or a browser is started (`lab`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, sync_playwright

from tests.browser import lab


def need_browser() -> None:
    """Skip by name what needs a browser on a machine without one; where CI=true, fail."""
    lacking = lab.missing()
    if lacking and os.environ.get("CI") == "true":
        pytest.fail(lacking)
    if lacking:
        pytest.skip(lacking)


@pytest.fixture(scope="session")
def page_of_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[lab.Notebook]:
    """Return the one page; Lab and Chromium live as long as the session."""
    need_browser()
    folder = tmp_path_factory.mktemp("lab")
    with (
        lab.server(folder) as server,
        sync_playwright() as playwright,
        lab.browser(playwright, folder / "profile") as context,
    ):
        page = context.pages[0]
        page.set_default_timeout(30_000)
        yield lab.Notebook(page, server)


@pytest.fixture
def notebook(page_of_lab: lab.Notebook) -> Iterator[lab.Notebook]:
    """Return the page in the light theme; a script error on the page fails the test."""
    errors: list[str] = []

    def note(error: Error) -> None:
        if not lab.is_of_notebook7(error.stack or ""):
            errors.append(str(error))

    page_of_lab.page.on("pageerror", note)
    yield page_of_lab
    page_of_lab.page.remove_listener("pageerror", note)
    assert errors == []
