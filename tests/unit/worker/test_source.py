"""From a cell's text to a source and a request: the language, what it expects of env, what it is asked."""

from __future__ import annotations

import pytest

from mtls_notebook.errors import UsageError
from mtls_notebook.worker.source import detect, parse, parse_request, undeclared

ANNOUNCED_JS = """export default {
    async fetch(request, environment) {
        return await environment.MY_CERT.fetch("https://example-secure-origin.com")
    }
}"""
ENTRYPOINT_TS = """import { WorkerEntrypoint } from "cloudflare:workers";
export default class extends WorkerEntrypoint<Env> { async fetch(request: Request) { return new Response("x") } }"""


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("js", ANNOUNCED_JS),
        ("js", "addEventListener('fetch', event => event.respondWith(new Response('x')))"),
        ("js", "const f = async (request) => new Response('x')\nexport { f as default }"),
        ("js", "// class of its own: none\nexport default { fetch() { return new Response() } }"),
        ("js", "class A {\n  go() { if (x) { return 1 } }\n}\nexport default new A()"),
        (
            "js",
            "export default {\n  fetch(r) {\n    switch (r.method) {\n      default:\n        return 1\n    }\n  }\n}",
        ),
        ("ts", ENTRYPOINT_TS),
        ("ts", "export default { async fetch(r) { return new Response() } } satisfies ExportedHandler<Env>"),
        ("ts", "interface Env { MY_CERT: Fetcher }\nexport default { fetch() {} }"),
        ("ts", "type Env = { A: Fetcher }\nexport default { async fetch(request: Request, env: Env) { return 1 } }"),
        ("python", "async def on_fetch(request, env):\n    return Response('x')"),
        ("python", "class Default(WorkerEntrypoint):\n    def fetch(self, request): ..."),
        ("python", "from workers import Response\non_fetch = lambda request: Response('=>')"),
        ("python", "import workers as w\nclass Default(w.WorkerEntrypoint):  # the entry\n    pass"),
        ("python", "async def on_fetch(\n    request,\n    env,\n):\n    return None"),
        ("python", "def on_fetch(request) -> Response:\n    return {'export default': 1}"),
        ("python", "x = 1"),
    ],
)
def test_the_language_is_found_from_the_code(language: str, code: str) -> None:
    assert detect(code) == language


def test_an_explicit_language_wins() -> None:
    assert parse(ANNOUNCED_JS, "python").language == "python"


@pytest.mark.parametrize("code", ["", "  \n\t\n"])
def test_an_empty_cell_is_a_usage_error_that_says_where_the_worker_goes(code: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(code)
    assert "cell" in caught.value.hint


def test_names_read_from_env_and_declared_nowhere_are_listed_once_in_order() -> None:
    code = "env.B.fetch(1); environment.A.fetch(2); self.env.B; env?.C; env.A; environ.Z; myenv.Y"
    assert undeclared(parse(code), {"A"}) == ("B", "C")


@pytest.mark.parametrize(
    ("line", "body", "method", "url"),
    [
        ("/", b"", "GET", "https://worker.local/"),
        ("/a?b=c#d", b"", "GET", "https://worker.local/a?b=c#d"),
        ("/", b"x", "POST", "https://worker.local/"),
        ("put /x", b"", "PUT", "https://worker.local/x"),
        ("DELETE https://shop.example/1", b"", "DELETE", "https://shop.example/1"),
        ("  GET   /x ", b"", "GET", "https://worker.local/x"),
    ],
)
def test_a_request_line_names_method_and_url(line: str, body: bytes, method: str, url: str) -> None:
    request = parse_request(line, ("X-A: 1", "x-b:2:3"), body)
    assert (request.method, request.url, request.body) == (method, url, body)
    assert request.headers == (("X-A", "1"), ("x-b", "2:3"))


@pytest.mark.parametrize("line", ["", "GET", "GET x", "/a b", "G-T /", "ftp://x/", "GET / HTTP/1.1", "/a\n/b"])
def test_a_line_that_is_no_request_is_a_usage_error(line: str) -> None:
    with pytest.raises(UsageError):
        parse_request(line)


@pytest.mark.parametrize("header", ["", "novalue", ": x", "a: b\r\nc: d", "a b: c", "ä: c", "a: →"])
def test_a_header_that_cannot_be_sent_is_a_usage_error(header: str) -> None:
    with pytest.raises(UsageError):
        parse_request("/", (header,))


@pytest.mark.parametrize("url", ["https://", "https:///x", "https://[::1/x", "https://h:99999/"])
def test_a_url_that_cannot_be_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        parse_request(url)
