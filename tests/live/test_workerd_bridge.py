"""What a worker's fetch is like over the bridge: streams both ways, redirects, failures, abandonment."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager

import pytest

from mtls_notebook.errors import WorkerStopped
from mtls_notebook.worker.exchange import HttpRequest
from tests.live.plain_http import DeadFetcher, PlainFetcher, PlainOrigin
from tests.live.workers import WAIT_S, Running, handler, running

LOST = "Error: Network connection lost."


@pytest.fixture
def origin() -> Iterator[PlainOrigin]:
    started = PlainOrigin()
    yield started
    started.close()


def fetched(origin: PlainOrigin, body: str) -> AbstractContextManager[Running]:
    return running(handler(body), {"API": PlainFetcher(origin)})


def test_method_headers_and_body_reach_the_origin_and_hop_by_hop_headers_do_not(origin: PlainOrigin) -> None:
    body = """return env.API.fetch("https://api.test/p?q=1#f", {method: "PUT", body: "data", headers: {
        "X-A": "1", "Host": "evil.test", "TE": "trailers", "Proxy-Authorization": "x", "Keep-Alive": "9"}})"""
    with fetched(origin, body) as worker:
        seen = worker.fetch().json()
    assert (seen["method"], seen["path"], seen["body"]) == ("PUT", "/p?q=1", "data")
    names = {name.lower() for name in seen["headers"]}
    assert seen["headers"]["Host"] == "api.test"
    assert "x-a" in names
    assert not names & {"te", "proxy-authorization", "keep-alive", "proxy-connection"}


def test_each_binding_has_its_own_fetcher_and_the_global_fetch_has_none_of_theirs(origin: PlainOrigin) -> None:
    code = handler("""const ask = async (by) => (await (await by.fetch("https://h/")).json()).headers["X-Fetcher"];
      return Response.json([await ask(env.A), await ask(env.B), await ask(globalThis), await ask(env.A)])""")
    bindings = {"A": PlainFetcher(origin, "a"), "B": PlainFetcher(origin, "b")}
    with running(code, bindings, fallback=PlainFetcher(origin, "none")) as worker:
        assert worker.fetch().json() == ["a", "b", "none", "a"]


def test_redirects_are_followed_by_the_worker_through_the_same_binding(origin: PlainOrigin) -> None:
    body = """const raw = await env.API.fetch("https://h/redirect", {redirect: "manual"});
      const end = await env.API.fetch("https://h/redirect");
      return Response.json([raw.status, raw.headers.get("location"), end.status, end.redirected, end.url])"""
    with fetched(origin, body) as worker:
        assert worker.fetch().json() == [302, "/landed", 200, True, "https://h/landed"]
    assert origin.requests == ["GET /redirect", "GET /redirect", "GET /landed"]


def test_a_compressed_answer_is_decoded_in_the_worker_only(origin: PlainOrigin) -> None:
    body = """const r = await env.API.fetch("https://h/gzip");
      return new Response(await r.text() + r.headers.get("content-encoding"))"""
    with fetched(origin, body) as worker:
        assert worker.fetch().text() == "plain textgzip"


def test_refusals_over_http_are_answers_not_errors(origin: PlainOrigin) -> None:
    with fetched(origin, 'return env.API.fetch("https://h/refuse")') as worker:
        answer = worker.fetch()
    assert (answer.status, answer.body) == (403, b"no certificate")


def test_a_head_request_has_no_body_and_the_next_request_works(origin: PlainOrigin) -> None:
    body = """const head = await env.API.fetch("https://h/gzip", {method: "HEAD"});
      const next = await env.API.fetch("https://h/gzip");
      return Response.json([head.headers.get("content-length") > 0, await head.text(), await next.text()])"""
    with fetched(origin, body) as worker:
        assert worker.fetch().json() == [True, "", "plain text"]


def test_a_body_that_breaks_off_rejects_the_read(origin: PlainOrigin) -> None:
    body = """const r = await env.API.fetch("https://h/broken");
      try { return new Response(await r.text()) } catch (error) { return new Response(`${r.status} ${error}`) }"""
    with fetched(origin, body) as worker:
        assert worker.fetch().text() == f"200 {LOST}"


def test_megabytes_stream_through_in_both_directions_without_being_gathered(origin: PlainOrigin) -> None:
    # Full duplex: the origin echoes while it reads, so a bridge that sent first and read later would never end.
    body = """const block = new Uint8Array(65536).fill(7); let left = 512, got = 0;
      const pull = (to) => left-- > 0 ? to.enqueue(block.slice()) : to.close();
      const up = new ReadableStream({ type: "bytes", pull });
      const r = await env.API.fetch("https://h/duplex", {method: "POST", body: up});
      for await (const chunk of r.body) got += chunk.length;
      return new Response(got)"""
    with fetched(origin, body) as worker:
        assert int(worker.fetch().text()) == 512 * 65536


def test_an_origin_that_answers_before_reading_leaves_the_binding_usable(origin: PlainOrigin) -> None:
    body = """const texts = [];
      for (let i = 0; i < 5; i++) {
        const r = await env.API.fetch("https://h/early", {method: "POST", body: new Uint8Array(300000)});
        texts.push(await r.text());
      }
      return Response.json(texts)"""
    with fetched(origin, body) as worker:
        assert worker.fetch().json() == ["answered before reading"] * 5


@pytest.mark.parametrize("path", ["endless", "silent"])
def test_a_fetch_that_the_worker_aborts_lets_go_of_the_origin(origin: PlainOrigin, path: str) -> None:
    body = f"""const stop = new AbortController();
      const going = env.API.fetch("https://h/{path}", {{signal: stop.signal}}).then((r) => r.text());
      setTimeout(() => stop.abort(), 50);
      try {{ await going }} catch (error) {{ return new Response(error.name) }}"""
    with fetched(origin, body) as worker:
        assert worker.fetch().text() == "AbortError"
        assert origin.left.acquire(timeout=WAIT_S)


def test_stopping_the_worker_lets_go_of_the_origins(origin: PlainOrigin) -> None:
    with fetched(origin, 'return env.API.fetch("https://h/silent")') as worker:
        future = worker.program.submit(HttpRequest())
        assert origin.reached.acquire(timeout=WAIT_S)
        worker.program.stop()
        with pytest.raises(WorkerStopped):
            future.result(WAIT_S)
        assert origin.left.acquire(timeout=WAIT_S)


def test_two_hundred_fetches_at_once_all_come_back(origin: PlainOrigin) -> None:
    body = """const all = Array.from({length: 200}, (_, n) => env.API.fetch(`https://h/${n}`).then((r) => r.json()));
      return Response.json((await Promise.all(all)).map((seen) => seen.path))"""
    with fetched(origin, body) as worker:
        assert worker.fetch().json() == [f"/{n}" for n in range(200)]


@pytest.mark.parametrize(
    "body",
    [
        'const r = await env.API.fetch("https://h/", {headers: {Upgrade: "websocket"}}); return r',
        'return await fetch("https://h/", {headers: {Upgrade: "websocket"}})',
    ],
)
def test_websockets_are_refused_with_a_reason(origin: PlainOrigin, body: str) -> None:
    with running(handler(body), {"API": PlainFetcher(origin)}, fallback=PlainFetcher(origin)) as worker:
        answer = worker.fetch()
    assert (answer.status, "WebSocket" in answer.text()) == (403, True)
    assert origin.requests == []


def test_a_failed_fetch_does_not_spoil_the_ones_beside_it(origin: PlainOrigin) -> None:
    code = handler("""const both = await Promise.allSettled([env.DEAD.fetch("https://h/"), env.API.fetch("https://h/")]);
      return Response.json(both.map((one) => one.status))""")
    with running(code, {"DEAD": DeadFetcher(), "API": PlainFetcher(origin)}) as worker:
        for _ in range(3):
            assert worker.fetch().json() == ["rejected", "fulfilled"]


def test_no_thread_of_the_bridge_outlives_the_program(origin: PlainOrigin) -> None:
    before = set(threading.enumerate())
    with fetched(origin, 'return env.API.fetch("https://h/")') as worker:
        worker.fetch()
    for thread in set(threading.enumerate()) - before:
        if not thread.name.startswith("Thread-"):  # the origin's own
            thread.join(WAIT_S)
            assert not thread.is_alive(), thread.name
