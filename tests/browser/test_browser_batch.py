"""Many requests and late log lines in a real JupyterLab."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.contrast import FAINT
from tests.browser.lab import Notebook

LOADED = "%load_ext mtls_notebook"
WORKER = """%%worker --name api --language python
from workers import Response
import asyncio

async def later():
    await asyncio.sleep(0.4)
    print("a late line")

async def on_fetch(request, env, ctx):
    if request.url.endswith("/throw"):
        raise TypeError("<b>no</b>")
    if not request.url.endswith("/quiet"):
        ctx.waitUntil(later())
    return Response("here")
"""
MANY = "results = await api.fetch_all([f'/{n}/quiet' for n in range(200)] + ['/throw'], at_once=4)\nresults"


@pytest.mark.parametrize("theme", ["JupyterLab Light", "JupyterLab Dark"])
def test_a_batch_shows_its_end_in_one_line_and_its_results_as_a_readable_table(notebook: Notebook, theme: str) -> None:
    notebook.open("batch.ipynb", LOADED, WORKER, MANY)
    notebook.run_all()
    view = notebook.view("Results: 201 requests, 1 failed")
    expect(notebook.page.get_by_role("status").filter(has_text="201 requests done, 1 failed.")).to_have_count(1)
    expect(view.get_by_role("table", name="Outcomes").get_by_role("row", name="200")).to_be_visible()
    expect(view.get_by_role("region", name="Failures")).to_contain_text("<b>no</b>")
    expect(view.get_by_role("region", name="Time")).to_contain_text("median")
    notebook.theme(theme)
    assert view.evaluate(FAINT) == []
    notebook.theme("JupyterLab Light")


def test_late_lines_stand_below_the_cell_that_ran_the_worker_and_in_no_other(notebook: Notebook) -> None:
    notebook.open("late.ipynb", LOADED, WORKER, "print('another cell')")
    notebook.run_all()
    cells = notebook.page.locator(".jp-Notebook .jp-CodeCell")
    expect(cells.nth(1).locator(".jp-OutputArea")).to_contain_text("a late line")
    expect(cells.nth(2).locator(".jp-OutputArea")).to_contain_text("another cell")
    expect(cells.nth(2).locator(".jp-OutputArea")).not_to_contain_text("a late line")
