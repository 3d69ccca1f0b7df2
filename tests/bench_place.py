"""Where the benchmarks are measured, and how: one nginx, one certificate, a session, calls timed in turns.

What may not live here: what is measured (`bench`, `bench_workers`).
"""

from __future__ import annotations

import os
import re
import ssl
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from mtls_notebook import Session
from tests.live.material import Pki, write_pki
from tests.live.servers import Server, nginx

HOST = "localhost"
ROUNDS = 7
CALLS = 150


@dataclass(frozen=True, slots=True)
class Place:
    """Where the measurements happen."""

    pki: Pki
    server: Server
    session: Session

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.server.port}/"

    def client(self) -> httpx.Client:
        """Return a bare httpx.Client with the same certificate and trust."""
        pair = self.pki.clients["good"]
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(self.pki.ca)
        context.load_cert_chain(pair.cert, pair.key)
        return httpx.Client(verify=context, trust_env=False, timeout=60)


@contextmanager
def place() -> Iterator[Place]:
    """Yield a place, whose session has the binding MY_CERT."""
    with tempfile.TemporaryDirectory(prefix="mtls-bench-") as folder:
        directory = Path(folder)
        pki = write_pki(directory)
        pair = pki.clients["good"]
        with nginx(directory, pki, version="1.3") as server, Session() as session:
            session.resumption = False  # each new connection is to be a whole handshake, as its yardstick is
            session.trust_authority(pki.ca)
            session.upload(pair.cert, pair.key, name="good")
            session.bind(MY_CERT="good")
            yield Place(pki, server, session)


def seconds_each(call: Callable[[], object], count: int = CALLS) -> float:
    """Return the wall seconds of one call, from `count` of them."""
    start = time.perf_counter()
    for _ in range(count):
        call()
    return (time.perf_counter() - start) / count


def in_turns(*calls: Callable[[], object], count: int = CALLS, rounds: int = ROUNDS) -> list[float]:
    """Return the median seconds of each call, measured round by round."""
    for call in calls:
        call()
    measured = [[seconds_each(call, count) for call in calls] for _ in range(rounds)]
    return [statistics.median(column) for column in zip(*measured, strict=True)]


def line(what: str, value: str, ratio: float | None = None, goal: str = "") -> None:
    """Print one figure."""
    shown = f"{ratio:5.2f}×" if ratio is not None else "      "
    print(f"{what:<58} {value:>22}  {shown}  {goal}", flush=True)


def resident_mb(pid: int | str = "self") -> float:
    """Return a process's resident memory."""
    status = Path(f"/proc/{pid}/status").read_text("utf-8")
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) / 1e3


def workerd_pids() -> list[int]:
    """Return the ids of this process's workerd children."""
    children = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    ids = [int(word) for file in children for word in file.read_text("utf-8").split()]
    return [pid for pid in ids if "workerd" in Path(f"/proc/{pid}/cmdline").read_text("utf-8")]


def check(condition: bool, what: str = "a fetch did not get its 200") -> None:
    """Raise SystemExit unless `condition`: a figure of something that went wrong is worth nothing."""
    if not condition:
        raise SystemExit(f"bench: {what}; nothing was measured")
