"""`python -m tests.soak [FETCHES]`: a worker fetches through eight bindings while the origin misbehaves.

The origin answers, streams, breaks off, resets, stays silent, speaks no HTTP, and is restarted again and again.
Every fetch must end in a response or in a named error, and at the end nothing is left: no descriptor, no
thread, no process, no memory. Memory is measured without what malloc merely holds back for later: three dozen
threads that come and go leave it in pieces, 25 MB of them. `tests/live/test_soak.py` runs a short one.
What may not live here: the origin.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from mtls_notebook import Session
from mtls_notebook.worker.exchange import HttpRequest
from mtls_notebook.worker.runtime import Worker
from tests.live.corpus_origin import CorpusOrigin
from tests.live.material import GOOD, Pki, write_pki

FETCHES = 10_000
BATCH = 250  # fetches of one request to the worker
BINDINGS = [f"CERT_{n}" for n in range(8)]
RESTART_EVERY = 300  # answers of the origin
SAMPLE_EVERY = 1_000  # fetches; a short run samples after each batch
MOST_GROWTH_MB = 5.0  # in the second half
SETTLE_S = 10.0
BATCH_LIMIT_S = 120.0

CODE = """
const GOOD = ["/who", "/stream/5", "/bytes/65536", "/who", "/gzip", "/redirect/302?to=/who"];
const PATHS = [...GOOD, "/reset", "/broken", "/silent", "/no-http"];
async function one(env, at) {
  const binding = env[`CERT_${at % 8}`];
  const path = PATHS[Math.floor(at / 8) % PATHS.length];
  const signal = path === "/silent" ? AbortSignal.timeout(40) : undefined;
  try {
    const answer = await binding.fetch(env.ORIGIN + path, { signal });
    await answer.arrayBuffer();
    return `${answer.status}`;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}
export default {
  async fetch(request, env) {
    const [first, count] = await request.json();
    const ends = {};
    let next = first;
    const lane = async () => {
      while (next < first + count) {
        const end = await one(env, next++);
        ends[end] = (ends[end] ?? 0) + 1;
      }
    };
    await Promise.all(Array.from({ length: 24 }, lane));
    return Response.json(ends);
  },
};
"""


@dataclass(frozen=True, slots=True)
class Held:
    """What this process holds at one moment."""

    descriptors: int
    threads: int
    children: int
    resident_mb: float

    def more_than(self, other: Held) -> dict[str, tuple[int, int]]:
        """Return (other, self) by name for what there is more of here, memory aside."""
        names = ("descriptors", "threads", "children")
        pairs = {name: (getattr(other, name), getattr(self, name)) for name in names}
        return {name: pair for name, pair in pairs.items() if pair[1] > pair[0]}

    @staticmethod
    def now() -> Held:
        gc.collect()
        _give_back()
        status = Path("/proc/self/status").read_text("ascii")
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        children = sum(map(_children, Path("/proc/self/task").glob("*/children")))
        return Held(len(os.listdir("/proc/self/fd")), threading.active_count(), children, resident / 1e3)


def _children(file: Path) -> int:
    try:
        return len(file.read_text("ascii").split())
    except OSError:  # that thread has just ended
        return 0


def _give_back() -> None:
    """Have malloc return the memory that it only keeps for later, where it knows how (glibc)."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


@dataclass(slots=True)
class Report:
    """How the fetches ended; what was held before, on the way (by the number of fetches), and at the end."""

    before: Held
    samples: dict[int, Held] = field(default_factory=dict)
    after: Held | None = None
    ends: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    seconds: float = 0.0

    def leaks(self) -> dict[str, tuple[int, int]]:
        """Return what there is more of at the end than before: (before, after) by its name."""
        assert self.after is not None
        return self.after.more_than(self.before)

    def growth_mb(self) -> float:
        """Return how much more memory the second half needed than the second quarter, at the least of either.

        In the first quarter the recording fills up. At its least, because a sample that falls together with a
        restart sees some forty threads more.
        """
        sizes = [held.resident_mb for held in self.samples.values()]
        middle = len(sizes) // 2
        return min(sizes[middle:]) - min(sizes[middle // 2 : middle])


def soak(pki: Pki, fetches: int) -> Report:
    """Return how `fetches` fetches ended, in batches; at least four of them."""
    report = Report(Held.now())
    begun = time.monotonic()
    _fetch_all(pki, fetches, report)
    report.after = _settled(report.before)  # what the session held went with the last name for it
    report.seconds = time.monotonic() - begun
    return report


def _fetch_all(pki: Pki, fetches: int, report: Report) -> None:
    origin = CorpusOrigin(pki)
    every = SAMPLE_EVERY if fetches >= 8 * SAMPLE_EVERY else BATCH
    stop = threading.Event()
    unrest = threading.Thread(target=_restart, args=(origin, report, stop))
    unrest.start()
    try:
        with Session() as session:
            _prepare(session, pki, origin)
            with session.worker(CODE, name="soak") as worker:
                for first in range(0, fetches, BATCH):
                    report.ends.update(_batch(worker, first, min(BATCH, fetches - first)))
                    if (done := first + BATCH) % every == 0:
                        report.samples[done] = Held.now()
    finally:
        stop.set()
        unrest.join()
        origin.close()


def _prepare(session: Session, pki: Pki, origin: CorpusOrigin) -> None:
    session.trust_authority(pki.ca)
    for at, binding in enumerate(BINDINGS):
        name = list(GOOD)[at % len(GOOD)]
        pair = pki.clients[name]
        session.upload(pair.cert, pair.key, name=f"{name}-{at}")
        session.bind([f"{binding}={name}-{at}"])
    session.variables["ORIGIN"] = origin.url


def _batch(worker: Worker, first: int, count: int) -> dict[str, int]:
    invocation = worker.fetch(HttpRequest("POST", body=f"[{first}, {count}]".encode()), timeout_s=BATCH_LIMIT_S)
    if invocation.response is None:
        raise AssertionError(f"fetches from {first} on: {invocation.error!r}")
    ends: dict[str, int] = invocation.response.json()
    return ends


def _restart(origin: CorpusOrigin, report: Report, stop: threading.Event) -> None:
    due = RESTART_EVERY
    while not stop.is_set():
        if origin.answered.wait_for(due, 0.1):
            origin.restart()
            report.restarts += 1
            due += RESTART_EVERY


def _settled(before: Held) -> Held:
    """Return what is held once it is no more than before, or when patience ends."""
    limit = time.monotonic() + SETTLE_S
    while True:
        held = Held.now()
        if not held.more_than(before) or time.monotonic() > limit:
            return held
        time.sleep(0.05)


def main() -> None:
    """Print how the fetches ended; exit with 1 when something was left."""
    fetches = int(sys.argv[1]) if len(sys.argv) > 1 else FETCHES
    with tempfile.TemporaryDirectory(prefix="mtls-soak-") as folder:
        report = soak(write_pki(Path(folder)), fetches)
    for end, count in report.ends.most_common():
        print(f"{count:7}  {end}")
    print(f"{sum(report.ends.values())} fetches, {report.restarts} restarts of the origin, {report.seconds:.1f} s")
    print(f"{'before':>7}  {report.before}")
    for done, held in report.samples.items():
        print(f"{done:7}  {held}")
    print(
        f"{'after':>7}  {report.after}\nthe second half needs {report.growth_mb():.1f} MB more than the second quarter"
    )
    if report.leaks():
        raise SystemExit(f"left over: {report.leaks()}")
    if report.growth_mb() >= MOST_GROWTH_MB:
        raise SystemExit(f"memory grows: {report.growth_mb():.1f} MB in the second half")


if __name__ == "__main__":
    main()
