"""`make bench`: what recording, workers and loading cost, as ratios measured in one run.

Every pair is measured in turns against the same nginx with the same certificate, so a busy
machine slows both sides. Nothing here is a test: the figures go into BENCHMARKS.md.
"""

from __future__ import annotations

import gc
import os
import re
import resource
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
import tracemalloc

from mtls_notebook.recorder.handshake import fold
from mtls_notebook.recorder.proofs import prove
from mtls_notebook.recorder.recording import Recording
from mtls_notebook.recorder.tap import open_stream, watch
from mtls_notebook.worker.exchange import Outgoing
from tests.bench_place import (
    CALLS,
    HOST,
    ROUNDS,
    Place,
    check,
    in_turns,
    line,
    place,
    resident_mb,
    seconds_each,
    workerd_pids,
)
from tests.bench_workers import bodies, cold_starts, gathers
from tests.live.servers import program

PYTHON = "async def on_fetch(request, env):\n    return await env.MY_CERT.fetch('{url}')\n"
JAVASCRIPT = "export default {{ async fetch(request, env) {{ return await env.MY_CERT.fetch('{url}') }} }}"
PYTHON_ROW = """
from workers import Response
async def on_fetch(request, env):
    for _ in range({count}):
        await (await env.MY_CERT.fetch('{url}')).bytes()
    return Response("done")
"""
JAVASCRIPT_ROW = """
export default {{
  async fetch(request, env) {{
    for (let n = 0; n < {count}; n++) await (await env.MY_CERT.fetch('{url}')).arrayBuffer();
    return new Response("done");
  }}
}}
"""


def warm_fetches(here: Place) -> None:
    """A fetch over a kept connection: through each kind of worker, and through httpx alone."""
    with (
        here.client() as bare,
        here.session.worker(PYTHON.format(url=here.url), name="py") as py,
        here.session.worker(JAVASCRIPT.format(url=here.url), name="js") as js,
    ):
        check(bare.get(here.url).status_code == 200)
        check((answer := py.fetch("/").response) is not None and answer.status == 200)
        check((answer := js.fetch("/").response) is not None and answer.status == 200)
        base, python, javascript = in_turns(lambda: bare.get(here.url), lambda: py.fetch("/"), lambda: js.fetch("/"))
        line("warm fetch, bare httpx.Client", f"{base * 1e3:.3f} ms", 1.0)
        line("warm invocation with one fetch, Python worker", f"{python * 1e3:.3f} ms", python / base, "goal ≤ 1.3×")
        line("the same, JavaScript worker", f"{javascript * 1e3:.3f} ms", javascript / base, "goal ≤ 2.5×")
        memory(workerd_pids())


def fetches_within(here: Place) -> None:
    """One fetch after another inside one invocation, against as many with httpx: what a fetch itself takes."""
    with (
        here.client() as bare,
        here.session.worker(PYTHON_ROW.format(url=here.url, count=CALLS), name="py-row") as py,
        here.session.worker(JAVASCRIPT_ROW.format(url=here.url, count=CALLS), name="js-row") as js,
    ):
        for worker in (py, js):
            check((answer := worker.fetch("/").response) is not None and answer.status == 200)

        def plain() -> None:
            for _ in range(CALLS):
                bare.get(here.url)

        each = [seconds / CALLS for seconds in in_turns(plain, lambda: py.fetch("/"), lambda: js.fetch("/"), count=1)]
        for name, seconds in zip(("a Python", "a JavaScript"), each[1:], strict=True):
            line(f"a fetch within {name} worker", f"{seconds * 1e3:.3f} ms", seconds / each[0])


def new_connections(here: Place) -> None:
    """CPU seconds of one new, recorded mTLS connection with a GET, against `openssl s_time -new`."""
    ours, theirs = [], []
    for _ in range(3):
        theirs.append(s_time(here))
        ours.append(recorded_connection(here, count=300))
    base, own = statistics.median(theirs), statistics.median(ours)
    line("CPU per new connection + GET, openssl s_time -new", f"{base * 1e3:.3f} ms", 1.0)
    line("CPU per new connection + GET, recorded", f"{own * 1e3:.3f} ms", own / base, "goal ≤ 2.5×")


def recorded_connection(here: Place, count: int) -> float:
    fetcher = here.session.fetcher("MY_CERT")
    request = Outgoing("GET", here.url, (("Connection", "close"),))

    def once() -> None:
        for _ in fetcher.send(request):
            pass

    once()
    start = time.process_time()
    for _ in range(count):
        once()
    return (time.process_time() - start) / count


def s_time(here: Place) -> float:
    """Return the CPU seconds (user and system) that s_time spent on one connection."""
    pair = here.pki.clients["good"]
    argv = [
        program("openssl"), "s_time", "-new", "-time", "3", "-connect", f"{HOST}:{here.server.port}",
        "-cert", str(pair.cert), "-key", str(pair.key), "-CAfile", str(here.pki.ca), "-www", "/",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    count = int(re.findall(r"(\d+) connections in \d+ real seconds", done.stdout)[-1])
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / count


def recording_costs(here: Place) -> None:
    """One handshake on our own pump with everything recorded, and the same with nothing recorded."""
    pair = here.pki.clients["good"]
    contexts = []
    for _ in range(2):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(here.pki.ca)
        context.load_cert_chain(pair.cert, pair.key)
        contexts.append(context)
    plain, watched = contexts[0], watch(contexts[1])
    nothing, everything = Recording(keep=0), Recording()

    def shake(context: ssl.SSLContext, recording: Recording) -> None:
        stream = open_stream(recording, HOST, here.server.port, timeout_s=5)
        stream.start_tls(context, HOST, 5)
        stream.close()

    off, on = in_turns(lambda: shake(plain, nothing), lambda: shake(watched, everything), count=60)
    line("a handshake, nothing recorded", f"{off * 1e3:.3f} ms", 1.0)
    line("a handshake, everything recorded", f"{on * 1e3:.3f} ms", on / off, "goal ≤ 1.10×")


def recorded_memory(here: Place) -> None:
    """Memory of one recorded connection, and how many a session of 10,000 connections keeps."""
    session = here.session
    request = Outgoing("GET", here.url, (("Connection", "close"),))
    fetcher = session.fetcher("MY_CERT")
    for _ in range(10):
        b"".join(fetcher.send(request))
    session.recording = Recording(keep=256)
    fetcher = session.fetcher("MY_CERT")
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(200):
        b"".join(fetcher.send(request))
    gc.collect()
    each = (tracemalloc.get_traced_memory()[0] - before) / 200
    tracemalloc.stop()
    line("memory of one recorded connection", f"{each / 1e3:.1f} kB", None, "goal ≤ 100 kB")
    kept = Recording(keep=256)
    for _ in range(10_000):
        kept.open()
    line("connections kept after 10,000 (Session(keep=…))", f"{len(kept.connections())}")


def folding(here: Place) -> None:
    """Decoding and folding one whole mTLS 1.3 handshake."""
    here.session.worker(PYTHON.format(url=here.url), name="fold").fetch("/")
    recording = here.session.recording
    events = recording.events(recording.connections()[-1])
    seconds = statistics.median(seconds_each(lambda: fold(events), 50) for _ in range(ROUNDS))
    line("decode and fold a whole mTLS 1.3 handshake", f"{seconds * 1e3:.3f} ms", None, "goal ≤ 5 ms")
    proving = statistics.median(seconds_each(lambda: prove(events), 50) for _ in range(ROUNDS))
    line("recompute all its proofs", f"{proving * 1e3:.3f} ms")


_LOAD = """
import sys, time
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
start = time.perf_counter()
{what}
print(time.perf_counter() - start)
"""


def loading() -> None:
    """`%load_ext mtls_notebook` against `import httpx`, each in fresh interpreters that have IPython loaded."""
    extension = "shell.run_line_magic('load_ext', 'mtls_notebook')"
    with tempfile.TemporaryDirectory() as ipython_dir:
        environment = os.environ | {"IPYTHONDIR": ipython_dir}

        def fresh(what: str) -> float:
            argv = [sys.executable, "-c", _LOAD.format(what=what)]
            done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment)
            return float(done.stdout.splitlines()[-1])

        pairs = [(fresh("import httpx"), fresh(extension)) for _ in range(ROUNDS)]
    base, own = (statistics.median(column) for column in zip(*pairs, strict=True))
    line("import httpx", f"{base * 1e3:.1f} ms", 1.0)
    line("%load_ext mtls_notebook", f"{own * 1e3:.1f} ms", own / base, "goal ≤ 1.3×")


def memory(workerds: list[int]) -> None:
    gc.collect()
    line("memory of this process, after the fetches above", f"{resident_mb():.0f} MB")
    for pid in workerds:
        line("memory of workerd, after the fetches above", f"{resident_mb(pid):.0f} MB")


def main() -> None:
    """Print every figure, one line each."""
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores, TLS 1.3, P-256, nginx\n")
    loading()
    with place() as here:
        warm_fetches(here)
        fetches_within(here)
        gathers(here)
        cold_starts(here)
        bodies(here)
        new_connections(here)
        recording_costs(here)
        recorded_memory(here)
        folding(here)


if __name__ == "__main__":
    main()
