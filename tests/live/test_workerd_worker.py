"""JavaScript workers as users write them, on the real workerd: what they see, and how their faults are told."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mtls_notebook.errors import NotAResponse, WorkerError, WorkerSyntaxError, WorkerThrew
from mtls_notebook.worker.exchange import HttpRequest
from mtls_notebook.worker.javascript.workerd_config import Limits
from tests.live.plain_http import DeadFetcher, PlainFetcher, PlainOrigin
from tests.live.workers import handler, running

ANNOUNCEMENT = """export default {
  async fetch(request, environment) {
    return await environment.MY_CERT.fetch("https://example-secure-origin.com")
  }
}
"""


@pytest.fixture(scope="module")
def origin() -> Iterator[PlainOrigin]:
    started = PlainOrigin()
    yield started
    started.close()


def test_the_announcements_worker_runs_verbatim(origin: PlainOrigin) -> None:
    with running(ANNOUNCEMENT, {"MY_CERT": PlainFetcher(origin, "the certificate")}) as worker:
        seen = worker.fetch().json()
    assert seen["headers"]["Host"] == "example-secure-origin.com"
    assert seen["headers"]["X-Fetcher"] == "the certificate"


def test_a_worker_entrypoint_class_gets_the_same_environment_and_context(origin: PlainOrigin) -> None:
    code = """
    import { WorkerEntrypoint, env } from "cloudflare:workers";
    export default class extends WorkerEntrypoint {
      async fetch(asked) {
        this.ctx.waitUntil(Promise.resolve());
        const seen = await (await this.env.API.fetch("http://h/x")).json();
        return Response.json([new URL(asked.url).pathname, seen.path, Object.keys(env)]);
      }
    }"""
    with running(code, {"API": PlainFetcher(origin)}) as worker:
        assert worker.fetch("/here").json() == ["/here", "/x", ["API"]]


def test_typescript_runs_with_its_types_erased_and_its_positions_kept() -> None:
    code = """interface Env { NAME: string }
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const path = new URL(request.url).pathname as string;
    if (path === "/throw") throw new Error("typed");
    return new Response(env.NAME!);
  },
} satisfies ExportedHandler<Env>;
"""
    with running(code, variables={"NAME": "value"}, language="ts") as worker:
        assert worker.fetch().text() == "value"
        with pytest.raises(WorkerThrew, match=r"^Error: typed \(line 5, column 34 of the cell\)"):
            worker.fetch("/throw")


def test_a_binding_is_workerds_own_fetcher_and_the_environment_holds_nothing_else() -> None:
    code = handler("""
      return Response.json([env.A.constructor.name, String(env.A), JSON.stringify(env.A), Object.keys(env)])""")
    with running(code, {"A": DeadFetcher(), "B": DeadFetcher()}, variables={"V": "x"}) as worker:
        assert worker.fetch().json() == ["Fetcher", "[object Fetcher]", "{}", ["A", "B", "V"]]


def test_variables_arrive_as_text_or_as_json_whatever_they_contain() -> None:
    variables = {"TEXT": 'a"\\\n\tü😀\0', "NUMBER": 1.5, "FLAG": True, "OBJECT": {"list": [1, None, "ü"]}}
    with running(handler("return Response.json(env)"), variables=variables) as worker:
        assert worker.fetch().json() == variables


def test_the_request_reaches_the_handler_as_it_was_asked() -> None:
    code = handler("""return Response.json({method: request.method, url: request.url, cf: request.cf === undefined,
        header: request.headers.get("x-a"), host: request.headers.get("host"), body: await request.text()})""")
    with running(code) as worker:
        headers = (("X-A", "ü"), ("Connection", "close"), ("Content-Length", "99"))
        url = "https://api.test:8443/ü?q=1 2"
        seen = worker.fetch(url, method="POST", headers=headers, body=b"data").json()
    assert seen == {
        "method": "POST",
        "url": "https://api.test:8443/%C3%BC?q=1%202",
        "cf": True,
        "header": "ü",
        "host": "api.test:8443",
        "body": "data",
    }


def test_the_answer_keeps_its_status_reason_headers_and_bytes() -> None:
    code = handler("""const headers = new Headers([["X-Two", "1"], ["Set-Cookie", "a=1"], ["Set-Cookie", "b=2"]]);
      return new Response(new Uint8Array([0, 255, 10]), {status: 418, statusText: "Teapot", headers})""")
    with running(code) as worker:
        answer = worker.fetch()
    assert (answer.status, answer.reason, answer.body) == (418, "Teapot", b"\x00\xff\n")
    assert [value for name, value in answer.headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_leaves_the_connection_usable(status: int) -> None:
    with running(handler(f"return new Response(null, {{status: {status}}})")) as worker:
        assert [worker.fetch().status for _ in range(3)] == [status] * 3


def test_head_gets_headers_and_no_body() -> None:
    with running(handler("return new Response('12345')")) as worker:
        assert worker.fetch(method="HEAD").body == b""
        assert worker.fetch().body == b"12345"


def test_state_outside_the_handler_lives_from_one_request_to_the_next() -> None:
    code = "let count = 0; export default { fetch() { return new Response(++count) } }"
    with running(code) as worker:
        assert [worker.fetch().text() for _ in range(3)] == ["1", "2", "3"]


FAULTS = {
    "a syntax error": (
        "export default {\n  fetch() {\n    return new Response('a'\n  }\n}",
        WorkerSyntaxError,
        "SyntaxError: missing ) after argument list (line 3, column 25 of the cell)",
    ),
    "a throw at the top level": (
        "const a = 1\nfunction f() { null.x }\nf()\nexport default {}",
        WorkerThrew,
        "TypeError: Cannot read properties of null (reading 'x') (line 2, column 21 of the cell)",
    ),
    "an unknown module": ("import x from './other.js'", WorkerSyntaxError, 'Error: No such module "other.js".'),
    "no default export": (
        "export const a = 1; export function fetch() {}",
        WorkerSyntaxError,
        "The worker has no default export (it exports a, fetch)",
    ),
    "nothing at all": ("", WorkerSyntaxError, "The worker has no default export"),
    "a default export without fetch": (
        "export default { scheduled() {} }",
        WorkerSyntaxError,
        "The worker's default export ({ scheduled: [Function: scheduled] }) has no fetch handler",
    ),
    "a function as default export": (
        "export default async function answer() {}",
        WorkerSyntaxError,
        "The worker's default export (function answer) has no fetch handler",
    ),
    "a class of another kind": (
        "export default class Api { fetch() {} }",
        WorkerSyntaxError,
        "The worker's default export (class Api) has no fetch handler",
    ),
    "an export that is no handler": (
        "export const version = '1'\nexport default { fetch() {} }",
        WorkerSyntaxError,
        "The worker exports version ('1'), which is no function, class or object",
    ),
    "a listener that does not respond": (
        "addEventListener('fetch', () => {})",
        NotAResponse,
        "The fetch listener did not call event.respondWith",
    ),
    "a syntax error in a service worker": (
        "addEventListener('fetch', (event) => {\n  event.respondWith(new Response('a'\n})",
        WorkerSyntaxError,
        "SyntaxError: missing ) after argument list (line 2, column 34 of the cell)",
    ),
    "no answer": (handler(""), NotAResponse, "fetch returned undefined, not a Response"),
    "another answer": (handler("return {a: [1]}"), NotAResponse, "fetch returned { a: [ 1 ] }, not a Response"),
    "a used body": (
        handler("const r = new Response('x'); await r.text(); return r"),
        NotAResponse,
        "fetch returned a Response whose body was already read",
    ),
    "a throw": (
        handler("  throw new RangeError('too\\nfar')"),
        WorkerThrew,
        "RangeError: too far (line 2, column 9 of the cell)",
    ),
    "a thrown value": (
        handler("throw {code: 7}"),
        WorkerThrew,
        "The worker threw { code: 7 }, which is no Error",
    ),
    "an undeclared binding": (
        handler("return await env.NOPE.fetch('https://h/')"),
        WorkerThrew,
        "TypeError: Cannot read properties of undefined (reading 'fetch') (line 2, column 23 of the cell)",
    ),
    "a promise that nothing settles": (
        handler("return new Promise(() => {})"),
        WorkerThrew,
        "The worker never answered: it waits for a promise that nothing settles",
    ),
    "a body that breaks off": (
        handler("""return new Response(new ReadableStream({ async pull(to) {
          to.enqueue(new Uint8Array(9)); await scheduler.wait(5); throw new Error("mid-stream") } }))"""),
        WorkerThrew,
        "The worker's answer broke off before its end: Error: mid-stream",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_told_in_one_line_with_its_place_in_the_cell(name: str) -> None:
    code, kind, message = FAULTS[name]
    with running(code) as worker, pytest.raises(WorkerError) as caught:
        worker.fetch()
    assert (type(caught.value), caught.value.message) == (kind, message)
    assert caught.value.hint
    assert "\n" not in caught.value.hint


def test_a_thrown_error_carries_name_place_and_a_stack_without_our_frames() -> None:
    code = "function deep() {\n  throw new TypeError('x')\n}\n" + handler("deep()")
    with running(code, name="orders") as worker, pytest.raises(WorkerThrew) as caught:
        worker.fetch()
    error = caught.value
    assert (error.name, error.line, error.column) == ("TypeError", 2, 9)
    assert error.message.endswith("(line 2, column 9 of orders)")
    frames = [line.strip() for line in error.stack.splitlines()[1:]]
    assert frames == ["at deep (orders:2:9)", "at Object.fetch (orders:5:1)"]


def test_a_fault_leaves_the_worker_answering() -> None:
    code = handler("if (request.url.endsWith('/bad')) throw new Error('once'); return new Response('good')")
    with running(code) as worker:
        with pytest.raises(WorkerThrew):
            worker.fetch("/bad")
        assert worker.fetch("/fine").text() == "good"


def test_a_worker_cannot_forge_a_fault_report() -> None:
    code = handler("""return new Response('{"kind":"threw"}', {status: 500, headers: {"mtls-notebook-fault": "0"}})""")
    with running(code) as worker:
        assert worker.fetch().status == 500


def test_a_failed_fetch_rejects_in_the_worker_and_can_be_caught() -> None:
    code = handler("""if (request.url.endsWith("/throw")) return await env.API.fetch("https://h/");
      try { await env.API.fetch("https://h/") } catch (error) { return new Response(`${error}`) }""")
    with running(code, {"API": DeadFetcher()}) as worker:
        assert worker.fetch().text() == "Error: Network connection lost."
        with pytest.raises(WorkerThrew, match=r"^Error: Network connection lost\. \(line 2, "):
            worker.fetch("/throw")


def test_an_answer_that_never_ends_is_given_up_at_the_limit() -> None:
    code = handler("return new Response(new ReadableStream({ pull(to) { to.enqueue(new Uint8Array(65536)) } }))")
    limits = Limits(response_bytes=1 << 20)
    with running(code, limits=limits) as worker, pytest.raises(WorkerThrew, match="longer than 1 MB"):
        worker.fetch()


def test_many_requests_at_once_are_answered_side_by_side() -> None:
    code = handler("await scheduler.wait(20); return new Response(new URL(request.url).pathname)")
    with running(code) as worker:
        futures = [worker.program.submit(HttpRequest(url=f"https://w/{n}")) for n in range(100)]
        assert [future.result(20).text() for future in futures] == [f"/{n}" for n in range(100)]


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_an_answer_in_a_content_coding_arrives_plain(origin: PlainOrigin, coding: str) -> None:
    code = handler(f"""if (request.url.endsWith("/origin")) return env.API.fetch("https://h/gzip");
      return new Response("plain text", {{headers: {{"Content-Encoding": "{coding}"}}}})""")
    with running(code, {"API": PlainFetcher(origin)}) as worker:
        assert worker.fetch().text() == "plain text"
        assert worker.fetch("/origin").text() == "plain text"
        assert worker.fetch("/origin", method="HEAD").body == b""


def test_a_small_answer_that_unpacks_to_too_much_is_given_up() -> None:
    code = handler("return new Response('x'.repeat(5 << 20), {headers: {'Content-Encoding': 'gzip'}})")
    limits = Limits(response_bytes=1 << 20)
    with running(code, limits=limits) as worker, pytest.raises(WorkerThrew, match="longer than 1 MB"):
        worker.fetch()


def test_a_long_request_is_echoed_while_it_is_sent_and_may_be_left_unread() -> None:
    code = handler("return new Response(request.url.endsWith('/echo') ? request.body : 'unread')")
    body = bytes(range(256)) * 40_000
    with running(code) as worker:
        assert worker.fetch("/echo", method="POST", body=body).body == body
        assert worker.fetch("/ignore", method="POST", body=body).body == b"unread"
        assert worker.fetch("/ignore").body == b"unread"
