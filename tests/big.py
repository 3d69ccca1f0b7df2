"""`python -m tests.big [MEGABYTES [WAY …]]`: bodies larger than memory should hold, through workers in both languages.

Down from an origin, up to it, down and up at once, echoed, and through served workers both ways. For each
the speed, and how far the resident memory of this process and of workerd rose above what it was before.
`tests/live/test_streaming.py` runs a shorter one. What may not live here: assertions.
"""

from __future__ import annotations

import select
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from mtls_notebook.api import Session
from mtls_notebook.lab.catalogue import OriginKind
from mtls_notebook.lab.origin import Origin
from mtls_notebook.pki.authority import Authority
from mtls_notebook.worker.exchange import Language
from mtls_notebook.worker.javascript.program import JavaScriptProgram
from mtls_notebook.worker.runtime import Worker
from mtls_notebook.worker.serve import Served
from tests.unit.lab.dial import dial

HOST = "big.example.com"
WORKER_HOST = "worker.example.com"
MEGABYTES = 1024
PATIENCE_S = 600.0
LANGUAGES: tuple[Language, ...] = ("js", "python")
WAYS = ("down", "up", "pipe", "echo")
SERVED_WAYS = ("served down", "served up", "served echo")

CODE: dict[Language, str] = {
    "js": """\
const block = new Uint8Array(65536).fill(7);
function made(bytes) {
  return new ReadableStream({
    pull(controller) {
      if (bytes <= 0) return controller.close();
      controller.enqueue(block.slice(0, Math.min(bytes, block.length)));
      bytes -= block.length;
    },
  });
}
async function count(body) {
  let bytes = 0;
  for await (const chunk of body) bytes += chunk.length;
  return bytes;
}
const sent = async (answer) => (await answer.json()).body.length;
const WAYS = {
  down: async (env, n) => count((await env.A.fetch(`${env.ORIGIN}/bytes/${n}`)).body),
  up: async (env, n) => sent(await env.A.fetch(`${env.ORIGIN}/`, { method: "POST", body: made(n) })),
  pipe: async (env, n) => {
    const { body } = await env.A.fetch(`${env.ORIGIN}/bytes/${n}`);
    return sent(await env.B.fetch(`${env.ORIGIN}/`, { method: "POST", body }));
  },
  echo: async (env, n) => count((await env.A.fetch(`${env.ORIGIN}/echo`, { method: "POST", body: made(n) })).body),
};
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    const [, way, n] = pathname.split("/");
    if (way !== "through") return new Response(`${await WAYS[way](env, Number(n))}`);
    return env.A.fetch(new Request(env.ORIGIN + pathname.slice("/through".length), request));
  },
};
""",
    "python": """\
from urllib.parse import urlsplit

from workers import Request, Response, WorkerEntrypoint

BLOCK = bytes([7]) * 65536


async def made(n):
    while n > 0:
        yield BLOCK[:n]
        n -= len(BLOCK)


async def count(body):
    n = 0
    async for chunk in body:
        n += len(chunk)
    return n


async def sent(answer):
    return (await answer.json())["body"]["length"]


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        a, origin = self.env.A, self.env.ORIGIN
        _, way, rest = urlsplit(request.url).path.split("/", 2)
        if way == "through":
            return await a.fetch(f"{origin}/{rest}", method=request.method, body=request.body)
        n = int(rest)
        if way == "down":
            got = await count((await a.fetch(f"{origin}/bytes/{n}")).body)
        elif way == "up":
            got = await sent(await a.fetch(f"{origin}/", method="POST", body=made(n)))
        elif way == "pipe":
            body = (await a.fetch(f"{origin}/bytes/{n}")).body
            got = await sent(await self.env.B.fetch(f"{origin}/", method="POST", body=body))
        else:
            got = await count((await a.fetch(f"{origin}/echo", method="POST", body=made(n))).body)
        return Response(str(got))
""",
}


@dataclass(frozen=True, slots=True)
class Passed:
    """How many bytes arrived, how long they took, and how much resident memory rose meanwhile at most.

    `growth_mb` is this process's (worker, origin and client are in it), `workerd_mb` that of workerd.
    """

    arrived_bytes: int
    seconds: float
    growth_mb: float
    workerd_mb: float

    @property
    def mb_per_s(self) -> float:
        """Return the speed."""
        return self.arrived_bytes / self.seconds / 1e6


class Place:
    """An origin, a session with two bindings, and a worker in each language that reaches the origin."""

    def __init__(self, session: Session, authority: Authority) -> None:
        self._session = session
        self.authority = authority

    def worker(self, code: str, language: Language) -> Worker:
        """Return `code` as a worker with the bindings A and B."""
        return self._session.worker(code, language=language)


@contextmanager
def place(folder: Path) -> Iterator[Place]:
    """Yield a place with an origin that requires a client certificate."""
    authority = Authority.create("Big CA")
    own, client = authority.issue(HOST, usage=("serverAuth",), names=(HOST,)), authority.issue("client")
    (folder / "client.pem").write_bytes(client.certificate_pem)
    (folder / "client.key").write_bytes(client.key_pem)
    kind = OriginKind("big bodies", "", client_auth="required")
    pem, key = own.certificate_pem, own.key_pem
    with (
        Origin.start("big", kind, certificate_pem=pem, key_pem=key, accepts=(authority.certificate,)) as origin,
        Session() as session,
    ):
        session.trust = session.trust.with_authority(authority.certificate)
        session.connect_to(HOST, 443, ("127.0.0.1", origin.port))
        session.upload(folder / "client.pem", folder / "client.key", name="mine")
        session.bind_config(
            f'[vars]\nORIGIN = "https://{HOST}"\n\n'
            '[[mtls_certificates]]\nbinding = "A"\ncertificate_id = "mine"\n\n'
            '[[mtls_certificates]]\nbinding = "B"\ncertificate_id = "mine"\n',
            format="toml",
        )
        yield Place(session, authority)


def through(worker: Worker, way: str, size: int) -> int:
    """Return how many bytes arrived at the end of a way that the worker goes by itself."""
    invocation = worker.fetch(f"/{way}/{size}", timeout_s=PATIENCE_S)
    assert invocation.response is not None, invocation.error
    return int(invocation.response.text())


def through_served(served: Served, context: ssl.SSLContext, way: str, size: int) -> int:
    """Return how many bytes a client of the served worker got back, or got across."""
    target = {"served down": f"/bytes/{size}", "served up": "/", "served echo": "/echo"}[way]
    up = 0 if way == "served down" else size
    with dial(served.port, context, WORKER_HOST) as sock:
        method = "POST" if up else "GET"
        length = f"Content-Length: {up}\r\n" if up else ""
        head = f"{method} /through{target} HTTP/1.1\r\nHost: {WORKER_HOST}\r\n{length}Connection: close\r\n\r\n"
        sock.sendall(head.encode())
        got, tail = 0, b""
        for data in _exchanged(sock, up):
            got, tail = got + len(data), (tail + data)[-4096:] if way == "served up" else b""
    return size if way == "served up" and f'"length": {size}'.encode() in tail else got


def _exchanged(sock: ssl.SSLSocket, size: int) -> Iterator[bytes]:
    """Send `size` bytes, and yield what comes back meanwhile and afterwards."""
    sock.setblocking(False)
    block = bytes(1 << 16)
    while True:
        moved = False
        with suppress(ssl.SSLWantWriteError, ssl.SSLWantReadError):
            if size > 0:
                size -= sock.send(block[:size])
                moved = True
        with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
            data = sock.recv(1 << 16)
            if not data:
                return
            moved = True
            yield data
        if not moved and not any(select.select([sock], [sock] if size > 0 else [], [], PATIENCE_S)):
            raise TimeoutError("nothing moved")


def measured(work: Callable[[], int], pid: int | None) -> Passed:
    """Return what `work` came to, watching this process and workerd (None: there is none)."""
    pids = ["self", *([str(pid)] if pid else [])]
    before = [_resident_mb(each) for each in pids]
    peaks, over = list(before), threading.Event()

    def watch() -> None:
        while not over.wait(0.02):
            peaks[:] = [max(peak, _resident_mb(each)) for peak, each in zip(peaks, pids, strict=True)]

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.monotonic()
    try:
        arrived = work()
    finally:
        seconds = time.monotonic() - started
        over.set()
        watcher.join()
    grown = [peak - was for peak, was in zip(peaks, before, strict=True)]
    return Passed(arrived, seconds, grown[0], sum(grown[1:]))


def passed(here: Place, language: Language, way: str, size: int) -> Passed:
    """Return how `size` bytes went that way, once a few had warmed it up."""
    with ExitStack() as stack:
        worker = stack.enter_context(here.worker(CODE[language], language))
        if way in WAYS:
            work: Callable[[int], int] = lambda size: through(worker, way, size)  # noqa: E731
        else:
            served = stack.enter_context(Served.start(worker.program, authority=here.authority, hosts=(WORKER_HOST,)))
            context = client_context(here.authority)
            work = lambda size: through_served(served, context, way, size)  # noqa: E731
        work(1 << 20)
        pid = worker.program.pid if isinstance(worker.program, JavaScriptProgram) else None
        work(64 << 20 if pid else 8 << 20)  # V8 collects its garbage once there is enough of it
        return measured(lambda: work(size), pid)


def client_context(authority: Authority) -> ssl.SSLContext:
    """Return a client's context that trusts the authority."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=authority.certificate.pem())
    return made


def _resident_mb(pid: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:")) / 1e3


def main() -> None:
    """Print a line for every language and way."""
    ways = sys.argv[2:] or (*WAYS, *SERVED_WAYS)
    size = int(sys.argv[1] if len(sys.argv) > 1 else MEGABYTES) << 20
    with tempfile.TemporaryDirectory() as folder, place(Path(folder)) as here:
        for language in LANGUAGES:
            for way in ways:
                seen = passed(here, language, way, size)
                is_whole = "whole" if seen.arrived_bytes >= size else f"ONLY {seen.arrived_bytes} BYTES"
                print(
                    f"{language:7}{way:12}{is_whole}  {seen.mb_per_s:6.0f} MB/s  "
                    f"+{seen.growth_mb:.0f} MB here  +{seen.workerd_mb:.0f} MB in workerd",
                    flush=True,
                )


if __name__ == "__main__":
    main()
