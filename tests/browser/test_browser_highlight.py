"""Cells are highlighted in their own language, in JupyterLab and in Notebook 7; other cells are left alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from playwright.sync_api import expect

from mtls_notebook.session.config import sniff
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
MIME_TYPES_OF = """async sources => {
    const make = await window._JUPYTERLAB["mtls-notebook"].get("./extension");
    return sources.map(make().mimeType);
}"""
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


ROOT = Path(__file__).resolve().parents[2]
CORPUS = sorted(p for p in (ROOT / "tests" / "corpus").iterdir() if p.suffix in (".js", ".ts"))
HALF_TYPED = (
    "",
    "\n\n",
    "// only a comment",
    "/* only\n a comment */",
    "# only a comment",
    "# a comment\n\nimport asyncio",
    "// a comment\nexport default {",
    "# Worker\nfrom workers import Response\n",
    "async def on_fetch(request, env)",
    "async def on_fetch(request, env):\n    return Resp",
    "class Default(WorkerEntrypoint)",
    "class Default extends WorkerEntrypoint {",
    "class Größe(WorkerEntrypoint):\n    pass",
    "import",
    "import asyncio",
    "import json, os\n",
    "import x from 'y'",
    "import 'side-effect'",
    "from x import y",
    "export",
    "export default",
    "async",
    "await fetch('https://example.com')",
    "return new Response()",
    "new Response('x')",
    "print('x'",
    "print('x')",
    "if x:\n    y = 1",
    "if (x) {\n  y = 1\n}",
    "  x = 1",
    "x = 1;",
    "@handler\n",
    "{'a': 1}",
    "({ fetch() {} })",
    "x = lambda request: request",
    "with open('x') as f:\n\tpass",
    "'use strict';\nself.x = 1",
    "/re/.test('x')",
    "`template`",
    "x === 1",
    "x = y ? 1 : 2",
    "x = 1 if y else 2",
    '"""A worker."""',
    "match x:\n    case 1:\n        pass",
    "x++",
    "x && y",
    "!x",
    "not x",
)


def python_workers() -> list[str]:
    """Return every Python worker that stands in a test of ours."""
    texts = [path.read_text("utf-8") for path in (ROOT / "tests").rglob("test_*.py")]
    strings = [
        node.value
        for text in texts
        if "on_fetch" in text or "WorkerEntrypoint" in text
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return sorted({code for code in strings if "\n" in code and ("on_fetch" in code or "WorkerEntrypoint" in code)})


def test_the_page_and_the_kernel_see_the_same_language(cells: Notebook) -> None:
    names = {"text/javascript": "js", "application/typescript": "ts", "text/x-python": "python"}
    codes = [JAVASCRIPT, TYPESCRIPT, PYTHON, CLASS, SCRIPT, *HALF_TYPED, *python_workers()]
    codes += [path.read_text("utf-8") for path in CORPUS]
    seen = [names[mime] for mime in cells.page.evaluate(MIME_TYPES_OF, [f"%%worker\n{code}" for code in codes])]
    assert len(codes) > 200
    assert [(code, one) for code, one in zip(codes, seen, strict=True) if one != detect(code)] == []


def test_the_page_and_the_kernel_see_the_same_configuration(cells: Notebook) -> None:
    names = {"text/x-toml": "toml", "application/json": "jsonc"}
    texts = [TOML, JSONC, "", "{", " \n{", "// c", "/* c */ {", "/", "# c\n{", "[[x]]", "name = '{'"]
    seen = cells.page.evaluate(MIME_TYPES_OF, [f"%%mtls_bindings\n{text}" for text in texts])
    assert [names[mime] for mime in seen] == [sniff(text) for text in texts]


@pytest.mark.parametrize(
    ("line", "mime"),
    [
        ("--language js --language ts", "application/typescript"),
        ("--header 'x: --language ts' --language python", "text/x-python"),
        ("--data '--language ts'", "text/javascript"),
        ('--language "python"', "text/x-python"),
        ("--language=ts", "application/typescript"),
    ],
)
def test_the_last_language_on_the_line_counts(cells: Notebook, line: str, mime: str) -> None:
    cells.page.evaluate(REWRITE, f"%%worker {line}\n{JAVASCRIPT}")
    assert cells.page.evaluate(MIME_TYPES)[0] == mime
    cells.page.evaluate(REWRITE, OURS[0][0])
