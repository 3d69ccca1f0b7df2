"""Workers against what they are measured by: many fetches at once, the first answer, and 64 MB each way.

`python -m tests.bench_workers` prints these rows alone.
What may not live here: the place and the clock (`bench_place`).
"""

from __future__ import annotations

import itertools
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import httpx

from mtls_notebook.worker.javascript import workerd
from mtls_notebook.worker.runtime import Worker
from tests.bench_place import HOST, Place, check, in_turns, line, place
from tests.live.servers import free_port, program

AT_ONCE = 200
THREADS = 8
MB = 1 << 20
BODY_MB = 64
PIECE = bytes(MB)

# ---- many at once

GATHER_PYTHON = """
import asyncio
from workers import Response
async def on_fetch(request, env):
    async def one():
        answer = await env.MY_CERT.fetch('{url}')
        return answer.status == 200 and len(await answer.text()) > 0
    return Response(str(sum(await asyncio.gather(*(one() for _ in range({count}))))))
"""
GATHER_JAVASCRIPT = """export default {{ async fetch(request, env) {{
  const one = async () => {{
    const answer = await env.MY_CERT.fetch('{url}');
    return answer.status === 200 && (await answer.text()).length > 0;
  }};
  const all = await Promise.all(Array.from({{ length: {count} }}, one));
  return new Response(all.filter(Boolean).length);
}} }}"""


def gathers(here: Place) -> None:
    """200 fetches at once over kept connections: by each kind of worker, and by 8 threads on one httpx.Client."""
    words = {"url": here.url, "count": AT_ONCE}
    with (
        here.client() as bare,
        ThreadPoolExecutor(THREADS) as pool,
        here.session.worker(GATHER_PYTHON.format(**words), language="python", name="py") as py,
        here.session.worker(GATHER_JAVASCRIPT.format(**words), language="js", name="js") as js,
    ):

        def threads() -> None:
            answers = list(pool.map(lambda _: bare.get(here.url), range(AT_ONCE)))
            check(all(answer.status_code == 200 and answer.text for answer in answers))

        calls = (threads, lambda: counted(py, AT_ONCE), lambda: counted(js, AT_ONCE))
        base, python, javascript = in_turns(*calls, count=3)
    line("200 fetches, 8 threads on one httpx.Client", f"{base * 1e3:.0f} ms", 1.0)
    line("200 fetches at once in a Python worker", f"{python * 1e3:.0f} ms", python / base, "goal ≤ 1.25×")
    line("200 fetches at once in a JavaScript worker", f"{javascript * 1e3:.0f} ms", javascript / base, "goal ≤ 1.75×")


def counted(worker: Worker, count: int) -> None:
    """Run the worker, whose answer must be `count`."""
    invocation = worker.fetch("/", timeout_s=60)
    answer = invocation.response
    check(answer is not None and answer.text() == str(count), f"a worker did not answer {count}: {invocation.error!r}")


# ---- the first answer

HELLO = "export default { fetch() { return new Response('hello') } }"
BARE = """using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = (
    modules = [(name = "cell", esModule = embed "cell.js")], compatibilityDate = "{date}"))],
  sockets = [(name = "in", address = "unix:in", http = (), service = "main")]);
"""


def cold_starts(here: Place) -> None:
    """From the code to the first answer: a JavaScript worker, and `workerd serve` with the same program."""

    def ours() -> None:
        with here.session.worker(HELLO, language="js", name="cold") as worker:
            answer = worker.fetch("/").response
            check(answer is not None and answer.text() == "hello")

    base, own = in_turns(lambda: bare_start(workerd.find()), ours, count=3)
    line("cold start to the first answer, bare workerd serve", f"{base * 1e3:.1f} ms", 1.0)
    line("cold start to the first answer, JavaScript worker", f"{own * 1e3:.1f} ms", own / base, "goal ≤ 1.5×")


def bare_start(binary: Path) -> None:
    """Start workerd on a socket that listens already (so that nothing polls), take the first answer, end it."""
    with tempfile.TemporaryDirectory(prefix="mtls-bare-") as folder, socket.socket(socket.AF_UNIX) as listener:
        directory = Path(folder)
        (directory / "cell.js").write_text(HELLO, "utf-8")
        (directory / "bare.capnp").write_text(BARE.format(date=workerd.COMPATIBILITY_DATE), "utf-8")
        listener.bind(str(directory / "in"))
        listener.listen()
        argv = [str(binary), "serve", str(directory / "bare.capnp"), "--socket-fd", "in=0"]
        with subprocess.Popen(argv, env={}, stdin=listener.fileno()) as process:
            try:
                with socket.socket(socket.AF_UNIX) as peer:
                    peer.connect(str(directory / "in"))
                    check(asked(peer) == b"hello")
            finally:
                process.kill()


def asked(peer: socket.socket) -> bytes:
    peer.sendall(b"GET / HTTP/1.1\r\nHost: worker.local\r\n\r\n")
    answer = HTTPResponse(peer)
    answer.begin()
    return answer.read()


# ---- 64 MB each way

DOWN_PYTHON = """
from workers import Response
async def on_fetch(request, env):
    answer = await env.MY_CERT.fetch('{url}')
    length = 0
    async for chunk in answer.body:
        length += len(chunk)
    return Response(str(length))
"""
UP_PYTHON = """
from workers import Response
async def on_fetch(request, env):
    answer = await env.MY_CERT.fetch('{url}', method='PUT', body=bytes({length}))
    return Response(str({length} if answer.status in (201, 204) else answer.status))
"""
# `for await` over a body costs workerd more than all else, with us or without: it gives 4 kB at a time.
DOWN_JAVASCRIPT = """export default {{ async fetch(request, env) {{
  const answer = await env.MY_CERT.fetch('{url}');
  const reader = answer.body.getReader({{ mode: 'byob' }});
  let length = 0;
  for (;;) {{
    const {{ done, value }} = await reader.read(new Uint8Array(1 << 18));
    if (done) return new Response(length);
    length += value.byteLength;
  }}
}} }}"""
UP_JAVASCRIPT = """export default {{ async fetch(request, env) {{
  const {{ readable, writable }} = new FixedLengthStream({length});
  const send = async () => {{
    const writer = writable.getWriter();
    for (let sent = 0; sent < {length}; sent += {piece}) await writer.write(new Uint8Array({piece}));
    await writer.close();
  }};
  const [answer] = await Promise.all([env.MY_CERT.fetch('{url}', {{ method: 'PUT', body: readable }}), send()]);
  return new Response([201, 204].includes(answer.status) ? {length} : answer.status);
}} }}"""

# A second nginx, with a folder to read and to write; a PUT is answered once the whole body is in a file.
FILES_CONF = """
daemon off; master_process off; pid files.pid; error_log files.log info;
events {{ }}
http {{
  access_log off; client_max_body_size 0; client_body_temp_path files-in; keepalive_timeout 60s;
  proxy_temp_path p; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_protocols TLSv1.3;
    ssl_certificate {cert}; ssl_certificate_key {key};
    ssl_client_certificate {ca}; ssl_verify_client on;
    location / {{ root files; dav_methods PUT; }}
  }}
}}
"""


@contextmanager
def files(here: Place) -> Iterator[str]:
    """Yield the address of an nginx that has /64.bin and takes a PUT."""
    with tempfile.TemporaryDirectory(prefix="mtls-files-") as folder:
        directory, port = Path(folder), free_port()
        directory.chmod(0o755)
        (directory / "files").mkdir()
        (directory / "files" / "64.bin").write_bytes(PIECE * BODY_MB)
        pair = here.pki.server
        conf = FILES_CONF.format(port=port, cert=pair.cert, key=pair.key, ca=here.pki.ca)
        (directory / "files.conf").write_text(conf, "utf-8")
        argv = [program("nginx"), "-p", folder, "-c", str(directory / "files.conf"), "-e", str(directory / "files.log")]
        with subprocess.Popen(argv) as process:
            try:
                await_port(port)
                yield f"https://{HOST}:{port}"
            finally:
                process.terminate()


def await_port(port: int) -> None:
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        threading.Event().wait(0.01)
    raise SystemExit("bench: nginx does not listen")


def bodies(here: Place) -> None:
    """64 MB down and up over kept connections: through each kind of worker, and through httpx alone."""
    with files(here) as origin, here.client() as bare:
        down, up = f"{origin}/64.bin", f"{origin}/up.bin"
        compared(here, "down", lambda: streamed_down(bare, down), DOWN_PYTHON, DOWN_JAVASCRIPT, down)
        compared(here, "up", lambda: streamed_up(bare, up), UP_PYTHON, UP_JAVASCRIPT, up)


def compared(here: Place, way: str, base: Callable[[], None], python: str, javascript: str, url: str) -> None:
    words = {"url": url, "length": BODY_MB * MB, "piece": MB}
    with (
        here.session.worker(python.format(**words), language="python", name="py") as py,
        here.session.worker(javascript.format(**words), language="js", name="js") as js,
    ):
        calls = (base, lambda: counted(py, BODY_MB * MB), lambda: counted(js, BODY_MB * MB))
        bare_s, python_s, javascript_s = in_turns(*calls, count=1, rounds=5)
    line(f"64 MB {way}, bare httpx.Client", rate(bare_s), 1.0)
    line(f"64 MB {way}, Python worker", rate(python_s), bare_s / python_s, "goal ≥ 0.5×")
    line(f"64 MB {way}, JavaScript worker", rate(javascript_s), bare_s / javascript_s, "goal ≥ 0.5×")


def rate(seconds: float) -> str:
    return f"{BODY_MB * MB / seconds / 1e6:.0f} MB/s"


def streamed_down(bare: httpx.Client, url: str) -> None:
    with bare.stream("GET", url) as answer:
        check(sum(map(len, answer.iter_bytes())) == BODY_MB * MB)


def streamed_up(bare: httpx.Client, url: str) -> None:
    headers = {"Content-Length": str(BODY_MB * MB)}
    answer = bare.put(url, content=itertools.repeat(PIECE, BODY_MB), headers=headers)
    check(answer.status_code in (201, 204))


def main() -> None:
    """Print the rows of this module."""
    with place() as here:
        gathers(here)
        cold_starts(here)
        bodies(here)


if __name__ == "__main__":
    main()
