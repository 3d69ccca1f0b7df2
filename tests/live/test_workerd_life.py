"""The life of a workerd process: started late, stopped at once, replaced when dead, and never left behind."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import pytest

from mtls_notebook.errors import EngineUnavailable, WorkerStopped, WorkerThrew
from mtls_notebook.worker.exchange import Environment, HttpRequest, WorkerSource
from mtls_notebook.worker.javascript import workerd
from mtls_notebook.worker.javascript.program import JavaScriptProgram, start
from mtls_notebook.worker.javascript.workerd_config import Limits
from tests.live.plain_http import DeadFetcher
from tests.live.workers import WAIT_S, handler, running

LOOPS = handler("if (request.url.endsWith('/loop')) { console.log('looping'); for (;;); } return new Response('fine')")
ROOT = Path(__file__).resolve().parents[2]


def gone(pid: int) -> bool:
    """Return whether the process has ended; one that merely waits for its parent's `wait` has."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except ProcessLookupError:
        return True
    except FileNotFoundError:
        return sys.platform == "linux"


def until_gone(pid: int) -> None:
    deadline = time.monotonic() + WAIT_S
    while not gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_no_process_runs_before_the_first_request_nor_after_stop() -> None:
    with running(LOOPS) as worker:
        assert worker.program.pid is None
        worker.fetch()
        pid = worker.program.pid
        assert pid is not None
        worker.program.stop()
        assert gone(pid)
        assert worker.program.pid is None


def test_stop_ends_an_endless_loop_within_a_second_and_the_next_request_is_answered() -> None:
    with running(LOOPS) as worker:
        future = worker.program.submit(HttpRequest(url="https://w/loop"))
        worker.said.wait_for(lambda texts: texts == ["looping"])
        begun = time.monotonic()
        worker.program.stop()
        with pytest.raises(WorkerStopped):
            future.result(WAIT_S)
        assert time.monotonic() - begun < 1
        assert worker.fetch().text() == "fine"


def test_stop_ends_every_pending_request_also_those_that_still_queue() -> None:
    with running(handler("console.log('here'); await scheduler.wait(1e6)")) as worker:
        futures = [worker.program.submit(HttpRequest()) for _ in range(100)]
        worker.said.wait_for(lambda texts: len(texts) >= 10)
        worker.program.stop()
        assert [type(future.exception(WAIT_S)) for future in futures] == [WorkerStopped] * 100


def test_stop_may_come_twice_from_several_threads_and_from_a_log_line() -> None:
    program: JavaScriptProgram | None = None

    def emit(_line: object) -> None:
        assert program is not None
        program.stop()

    environment = Environment({}, DeadFetcher())
    program = start(WorkerSource("js", handler("console.log('x'); await scheduler.wait(1e6)")), environment, emit)
    with pytest.raises(WorkerStopped):
        program.submit(HttpRequest()).result(WAIT_S)
    threads = [threading.Thread(target=program.stop) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_worker_whose_process_was_killed_says_so_and_comes_back() -> None:
    with running(LOOPS) as worker:
        future = worker.program.submit(HttpRequest(url="https://w/loop"))
        worker.said.wait_for(lambda texts: texts == ["looping"])
        assert worker.program.pid is not None
        os.kill(worker.program.pid, signal.SIGKILL)
        with pytest.raises(WorkerThrew, match=r"process ended \(status -9\)"):
            future.result(WAIT_S)
        assert worker.fetch().text() == "fine"


def test_an_idle_connection_that_workerd_closed_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    # As if minutes passed between two requests: every kept connection is too old.
    monkeypatch.setattr("mtls_notebook.worker.javascript.wire._FRESH_S", -1.0)
    with running(LOOPS) as worker:
        assert [worker.fetch().text() for _ in range(5)] == ["fine"] * 5


def test_the_folder_goes_with_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    with tempfile.TemporaryDirectory() as short:
        monkeypatch.setattr(tempfile, "tempdir", short)
        with running(LOOPS) as worker:
            worker.fetch()
            assert len(list(Path(short).iterdir())) == 1
            worker.program.stop()
            assert list(Path(short).iterdir()) == []


def test_a_program_that_is_forgotten_ends_its_process() -> None:
    program = start(WorkerSource("js", LOOPS), Environment({}, DeadFetcher()), lambda _line: None)
    program.submit(HttpRequest()).result(WAIT_S)
    pid = program.pid
    assert pid is not None
    del program
    gc.collect()
    until_gone(pid)


CHILD = """
    import os, sys, threading
    sys.path.insert(0, {root!r})
    spare = [os.dup(0) for _ in range(120)]  # a kernel has many descriptors open: ours get long numbers
    from mtls_notebook.worker.exchange import Environment, HttpRequest, WorkerSource
    from mtls_notebook.worker.javascript.program import start
    from tests.live.plain_http import DeadFetcher
    from tests.live.workers import handler

    program = start(WorkerSource("js", handler({body!r})), Environment({{}}, DeadFetcher()), lambda line: seen.set())
    seen = threading.Event()
    future = program.submit(HttpRequest())
    seen.wait()
    print(program.pid, flush=True)
    {then}
"""


def child(folder: str, then: str) -> subprocess.Popen[str]:
    """Return a process that runs a worker in an endless loop, prints its id, and goes on as `then` says."""
    script = textwrap.dedent(CHILD).format(root=str(ROOT), body="console.log('x'); for (;;);", then=then)
    environment = os.environ | {"TMPDIR": folder}
    return subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment
    )


def until_empty(folder: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while left := list(Path(folder).iterdir()):
        assert time.monotonic() < deadline, left
        time.sleep(0.01)


def test_a_kernel_that_is_killed_leaves_no_workerd_and_no_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with child(folder, "threading.Event().wait()") as kernel:
            assert kernel.stdout is not None
            pid = int(kernel.stdout.readline())
            assert not gone(pid)
            assert list(Path(folder).iterdir())
            kernel.kill()
        until_gone(pid)
        until_empty(folder)


def test_an_interpreter_that_ends_during_an_endless_loop_ends_at_once() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with child(folder, "") as kernel:
            assert kernel.stdout is not None
            pid = int(kernel.stdout.readline())
            assert kernel.wait(WAIT_S) == 0
        until_gone(pid)
        until_empty(folder)


def test_an_interrupt_of_the_kernels_group_does_not_reach_the_worker() -> None:
    with running(LOOPS) as worker:
        worker.fetch()
        assert worker.program.pid is not None
        assert os.getpgid(worker.program.pid) != os.getpgid(0)


def test_a_binary_that_does_not_start_is_an_engine_error(tmp_path: Path) -> None:
    environment = Environment({}, DeadFetcher())
    program = JavaScriptProgram(tmp_path, WorkerSource("js", ""), (), environment, lambda _line: None, Limits())
    with pytest.raises(EngineUnavailable, match="did not start"):
        program.submit(HttpRequest()).result(WAIT_S)
    program.stop()


def test_the_fetched_binary_is_the_pinned_version() -> None:
    answer = subprocess.run([workerd.fetch(), "--version"], capture_output=True, text=True, check=True).stdout
    assert answer.replace("-", "").strip() == f"workerd {workerd.VERSION.split('.')[1]}"
