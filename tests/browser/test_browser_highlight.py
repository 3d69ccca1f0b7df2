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


def test_cells_are_highlighted_in_lab(notebook: Notebook) -> None:
    notebook.open("highlight.ipynb", *(source for source, _ in OURS), *OTHERS)
    assert_highlighted(notebook)


def test_cells_are_highlighted_in_notebook_7(notebook: Notebook) -> None:
    notebook.open_in_notebook7("highlight7.ipynb", *(source for source, _ in OURS), *OTHERS)
    assert_highlighted(notebook)


def test_the_language_follows_what_is_typed(notebook: Notebook) -> None:
    notebook.open("typed.ipynb", "1 + 1")
    for source, mime in (*OURS, ("2 + 2", "text/x-ipython")):
        notebook.page.evaluate(REWRITE, source)
        assert notebook.page.evaluate(MIME_TYPES) == [mime]


def test_a_new_kernel_does_not_make_it_python_again(notebook: Notebook) -> None:
    notebook.open("again.ipynb", f"%%worker\n{JAVASCRIPT}")
    notebook.page.evaluate("window.jupyterapp.shell.currentWidget.context.sessionContext.restartKernel()")
    notebook.wait_for_idle()
    assert notebook.page.evaluate(MIME_TYPES) == ["text/javascript"]


@pytest.mark.parametrize("code", [JAVASCRIPT, TYPESCRIPT, PYTHON, CLASS, SCRIPT])
def test_the_page_and_the_kernel_see_the_same_language(notebook: Notebook, code: str) -> None:
    module = "window._JUPYTERLAB['mtls-notebook'].get('./extension').then(make => make())"
    notebook.open("same.ipynb", "1")
    seen = notebook.page.evaluate(f"async code => (await {module}).mimeType('%%worker\\n' + code)", code)
    names = {"text/javascript": "js", "application/typescript": "ts", "text/x-python": "python"}
    assert names[seen] == detect(code)
