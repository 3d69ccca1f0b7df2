"""Cells are highlighted in their own language, in JupyterLab and in Notebook 7; other cells are left alone."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from mtls_notebook.worker.source import detect
from tests.browser.lab import Notebook

JAVASCRIPT = 'export default {\n  async fetch(request, env) { return new Response("ok") }\n}'
TYPESCRIPT = "interface Env { API: Fetcher }\nexport default { fetch(request: Request) {} }"
PYTHON = "from workers import Response\nasync def on_fetch(request, env):\n    return Response('ok')"
CLASS = "class Default(WorkerEntrypoint):\n    pass"
SCRIPT = "addEventListener('fetch', event => event.respondWith(new Response('ok')))"
TOML = 'mtls_certificates = [ { binding = "MY_CERT", certificate_id = "x" } ]'
JSONC = '// wrangler.jsonc\n/* { */\n{ "mtls_certificates": [] }'

OURS = (
    (f"%%worker\n{JAVASCRIPT}", "text/javascript"),
    (f'%%worker --name api --request "GET /"\n{SCRIPT}', "text/javascript"),
    (f"%%worker -o r\n{TYPESCRIPT}", "application/typescript"),
    (f"%%worker\n{PYTHON}", "text/x-python"),
    (f"%%worker\n{CLASS}", "text/x-python"),
    (f"%%worker --language python\n{JAVASCRIPT}", "text/x-python"),
    (f"%%worker --language=ts\n{JAVASCRIPT}", "application/typescript"),
    (f"%%mtls_bindings\n{TOML}", "text/x-toml"),
    (f"%%mtls_bindings --env staging\n{JSONC}", "application/json"),
)
OTHERS = ("1 + 1", "%%time\nexport = 1", "%mtls_bindings MY_CERT=x", "x = '''\n%%worker\n'''")

SOURCES = (*(source for source, _ in OURS), *OTHERS)

MIME_TYPES = "[...window.jupyterapp.shell.currentWidget.content.model.cells].map(cell => cell.mimeType)"
REWRITE = """source => {
    window.jupyterapp.shell.currentWidget.content.model.cells.get(0).sharedModel.setSource(source);
}"""


def assert_highlighted(notebook: Notebook) -> None:
    mime_types = notebook.page.evaluate(MIME_TYPES)
    assert mime_types == [*(mime for _, mime in OURS), *["text/x-ipython"] * len(OTHERS)]
    # Inside JavaScript the highlighter knows `export` as a keyword; as Python it is a name like any other.
    line = notebook.page.locator(".jp-Cell").first.locator(".cm-line").nth(1)
    expect(line.locator("span").first).to_have_text("export")


@pytest.fixture
def cells(notebook: Notebook) -> Notebook:
    notebook.open("highlight.ipynb", *SOURCES)
    return notebook


def test_cells_are_highlighted_in_lab(cells: Notebook) -> None:
    assert_highlighted(cells)


def test_cells_are_highlighted_in_notebook_7(notebook: Notebook) -> None:
    notebook.open_in_notebook7("highlight7.ipynb", *SOURCES)
    assert_highlighted(notebook)


def test_the_language_follows_what_is_typed(cells: Notebook) -> None:
    first, mime = OURS[0]
    for source, expected in (*OURS, ("2 + 2", "text/x-ipython"), (first, mime)):
        cells.page.evaluate(REWRITE, source)
        assert cells.page.evaluate(MIME_TYPES)[0] == expected


def test_a_new_kernel_does_not_make_it_python_again(cells: Notebook) -> None:
    cells.page.evaluate("window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()")
    cells.wait_for_idle()
    assert_highlighted(cells)


def test_the_page_and_the_kernel_see_the_same_language(cells: Notebook) -> None:
    module = "window._JUPYTERLAB['mtls-notebook'].get('./extension').then(make => make())"
    names = {"text/javascript": "js", "application/typescript": "ts", "text/x-python": "python"}
    for code in (JAVASCRIPT, TYPESCRIPT, PYTHON, CLASS, SCRIPT):
        seen = cells.page.evaluate(f"async code => (await {module}).mimeType('%%worker\\n' + code)", code)
        assert (names[seen], code) == (detect(code), code)
