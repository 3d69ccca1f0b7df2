"""Bodies that stream: larger than memory should be, through workers, and as they are made.

The figures for 1 GB: `python -m tests.big`. What may not live here: the workers and ways that it shares with that.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mtls_notebook.errors import WorkerThrew, WorkerTimeout
from mtls_notebook.pki.authority import Authority
from mtls_notebook.worker.engines import ENGINES, Surroundings
from mtls_notebook.worker.exchange import Environment, HttpRequest, Language, Program, WorkerSource
from mtls_notebook.worker.serve import Served
from tests.big import LANGUAGES, SERVED_WAYS, WAYS, WORKER_HOST, Place, client_context, passed, place
from tests.live.plain_http import DeadFetcher
from tests.live.workers import Said
from tests.unit.lab.dial import WAIT_S, dial

SIZE = 256 << 20
MOST_GROWTH_MB = 64.0

# It says one word per word that it hears (through the request's body), and when it was let go of.
SLOW: dict[Language, str] = {
    "js": """\
const text = new TextEncoder(), words = new TextDecoder();
function ticks() {
  let n = 0;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, n === 0 ? 0 : 20));
      controller.enqueue(text.encode(`data: ${n++}\\n\\n`));
    },
    cancel() { console.log("let go"); },
  });
}
async function* heard(body) {
  for await (const chunk of body) yield text.encode(words.decode(chunk).toUpperCase());
}
export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    if (pathname === "/ticks") return new Response(ticks(), { headers: { "content-type": "text/event-stream" } });
    const pull = (controller) => controller.enqueue(new Uint8Array(65536));
    if (pathname === "/fast") return new Response(new ReadableStream({ pull }));
    if (pathname === "/silent") return new Response(new ReadableStream({
      start: (c) => c.enqueue(text.encode("first")), pull: () => scheduler.wait(600_000),
    }));
    return new Response(ReadableStream.from(heard(request.body)));
  },
};
""",
    "python": """\
import asyncio
from urllib.parse import urlsplit

from workers import Response


async def ticks():
    n = 0
    try:
        while True:
            yield f"data: {n}\\n\\n"
            n += 1
            await asyncio.sleep(0.02)
    finally:
        print("let go")


async def fast():
    while True:
        yield bytes(65536)


async def silent():
    yield b"first"
    await asyncio.sleep(600)


async def heard(body):
    async for chunk in body:
        yield chunk.decode().upper()


async def on_fetch(request):
    path = urlsplit(request.url).path
    if path == "/ticks":
        return Response(ticks(), headers={"content-type": "text/event-stream"})
    if path == "/fast":
        return Response(fast())
    if path == "/silent":
        return Response(silent())
    return Response(heard(request.body))
""",
}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with place(Path(tmp_path_factory.mktemp("big"))) as found:
        yield found


@pytest.mark.parametrize("way", [*WAYS, *SERVED_WAYS])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_quarter_of_a_gigabyte_passes_in_flat_memory(here: Place, language: Language, way: str) -> None:
    seen = passed(here, language, way, SIZE)
    assert seen.arrived_bytes >= SIZE
    assert seen.growth_mb < MOST_GROWTH_MB
    assert seen.workerd_mb < MOST_GROWTH_MB


@contextmanager
def slow(language: Language) -> Iterator[tuple[Program, Said]]:
    said = Said()
    surroundings = Surroundings(Environment({}, DeadFetcher(), {}), said)
    program = ENGINES[language](WorkerSource(language, SLOW[language], "slow"), surroundings)
    try:
        yield program, said
    finally:
        program.stop()


@contextmanager
def served(language: Language, **options: float) -> Iterator[tuple[ssl.SSLSocket, Said]]:
    """Yield a connection to the slow worker as an origin."""
    authority = Authority.create("Streaming CA")
    with (
        slow(language) as (program, said),
        Served.start(program, authority=authority, hosts=(WORKER_HOST,), **options) as running,  # type: ignore[arg-type]
        dial(running.port, client_context(authority), WORKER_HOST) as sock,
    ):
        yield sock, said


def read_until(sock: socket.socket, wanted: bytes) -> bytes:
    heard = b""
    while wanted not in heard:
        data = sock.recv(1 << 16)
        assert data, heard
        heard += data
    return heard


def ask_for(sock: socket.socket, path: str) -> None:
    sock.sendall(f"GET {path} HTTP/1.1\r\nHost: {WORKER_HOST}\r\n\r\n".encode())


@pytest.mark.parametrize("language", LANGUAGES)
def test_events_reach_the_client_while_the_worker_makes_the_next_and_end_when_it_leaves(language: Language) -> None:
    with served(language) as (sock, said):
        ask_for(sock, "/ticks")
        assert b"content-type: text/event-stream" in read_until(sock, b"data: 3\n\n").lower()
        assert "let go" not in said.texts
        sock.close()
        said.wait_for(lambda texts: "let go" in texts)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_request_reaches_the_worker_as_it_arrives_and_is_answered_meanwhile(language: Language) -> None:
    with served(language) as (sock, _):
        head = f"POST /heard HTTP/1.1\r\nHost: {WORKER_HOST}\r\nTransfer-Encoding: chunked\r\n\r\n"
        sock.sendall(head.encode() + b"3\r\none\r\n")
        read_until(sock, b"ONE")
        sock.sendall(b"3\r\ntwo\r\n")
        read_until(sock, b"TWO")
        sock.sendall(b"0\r\n\r\n")
        read_until(sock, b"0\r\n\r\n")
        ask_for(sock, "/ticks")
        read_until(sock, b"data: 0\n\n")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_can_be_let_go_of_in_its_middle_and_the_next_one_is_whole(language: Language) -> None:
    with slow(language) as (program, _):
        answer = program.open(HttpRequest(url="https://worker.local/fast")).result(WAIT_S)
        got = 0
        while got < (8 << 20):
            chunk = answer.next_chunk(WAIT_S)
            assert chunk
            got += len(chunk)
        answer.close()
        answer.close()
        again = program.open(HttpRequest(url="https://worker.local/ticks")).result(WAIT_S)
        assert again.next_chunk(WAIT_S) == b"data: 0\n\n"
        again.close()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_response_that_stands_still_is_cut_off(language: Language) -> None:
    with served(language, timeout_s=0.6) as (sock, _):
        ask_for(sock, "/silent")
        heard = read_until(sock, b"first")
        with suppress(ConnectionResetError, ssl.SSLEOFError):
            while data := sock.recv(4096):
                heard += data
        assert not heard.endswith(b"0\r\n\r\n")  # half an answer is not to pass for the whole


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_endless_answer_is_no_cells_and_says_so(language: Language) -> None:
    with slow(language) as (program, _), pytest.raises(WorkerThrew, match="longer than 64 MB") as caught:
        program.submit(HttpRequest(url="https://worker.local/fast")).result(60)
    assert "summary" in caught.value.hint


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_that_never_ends_ends_by_the_timeout(here: Place, language: Language) -> None:
    with here.worker(SLOW[language], language) as worker:
        started = time.monotonic()
        invocation = worker.fetch("/ticks", timeout_s=1.0)
        assert isinstance(invocation.error, WorkerTimeout)
        assert time.monotonic() - started < 3.0
    assert not [thread for thread in threading.enumerate() if thread.name == "worker-request"]
