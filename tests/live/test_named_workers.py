"""A named worker asked a thousand times, cancelled, interrupted, and heard after its answer, in both languages."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import WorkerStopped
from mtls_notebook.worker.calls.batch import Tally
from mtls_notebook.worker.calls.named import Handle
from mtls_notebook.worker.runtime import Worker
from tests.live.kernel import Kernel, kernel

HOST = "https://example-secure-origin.com"
CODE = {
    "js": """
export default { async fetch(request, env, ctx) {
    const path = new URL(request.url).pathname;
    if (path === "/throw") throw new TypeError("no");
    if (path === "/spin") { console.log("spinning"); while (true) {} }
    if (path === "/hang") { console.log("hanging"); await scheduler.wait(3600000); }
    if (path === "/late") ctx.waitUntil(scheduler.wait(100).then(() => console.log("late")));
    if (path === "/late") return new Response("soon");
    console.log("at", path);
    return env.MY_CERT.fetch("https://example-secure-origin.com" + path);
} }""",
    "python": """
import asyncio
from urllib.parse import urlparse
from workers import Response, WorkerEntrypoint

async def later():
    await asyncio.sleep(0.1)
    print("late")

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        path = urlparse(request.url).path
        if path == "/throw":
            raise TypeError("no")
        if path == "/spin":
            print("spinning")
            while True:
                pass
        if path == "/hang":
            print("hanging")
            await asyncio.sleep(3600)
        if path == "/late":
            self.ctx.waitUntil(later())
            return Response("soon")
        print("at", path)
        return await self.env.MY_CERT.fetch("https://example-secure-origin.com" + path)
""",
}
LANGUAGES = list(CODE)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("named") / "lab"
    with Session() as made:
        made.start_lab(folder)
        made.upload(folder / "cert.pem", folder / "key.pem", name="client")
        made.bind(MY_CERT="client")
        yield made


@pytest.fixture(params=LANGUAGES)
def worker(request: pytest.FixtureRequest, session: Session) -> Worker:
    return session.worker(CODE[request.param], name="api")


@pytest.fixture
def api(worker: Worker) -> Handle:
    return worker.handle()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)


def said(worker: Worker, text: str) -> Callable[[], bool]:
    """Return whether the worker has logged `text` since now."""
    start = worker._journal.mark()
    worker._journal.leave(start)
    return lambda: any(line.text == text for _, line in worker._journal._logs._from(start.logs))


def test_a_thousand_requests_end_in_as_many_rows_each_with_its_own_answer(api: Handle) -> None:
    paths = [f"/orders/{n}" for n in range(1000)]
    paths[500] = "/throw"
    results = asyncio.run(api.fetch_all(paths, at_once=16))
    assert [row["request"] for row in results] == [f"GET {path}" for path in paths]
    assert [row.json().get("path") for row in results if row.ok] == [path for path in paths if path != "/throw"]
    assert results.outcomes() == {"200": 999, "TypeError": 1}
    assert results[500]["cause"].startswith("TypeError: no")
    assert api.results == results


def test_a_python_workers_runs_at_the_same_time_keep_their_lines_and_subrequests_apart(session: Session) -> None:
    api = session.worker(CODE["python"], name="apart").handle()
    for number, row in enumerate(asyncio.run(api.fetch_all([f"/{n}" for n in range(60)], at_once=12))):
        assert row.invocation is not None
        assert [line.text for line in row.invocation.logs] == [f"at /{number}"]
        assert [sub.url for sub in row.invocation.trace] == [f"{HOST}/{number}"]
        assert row["connection"] is not None


def test_rows_come_as_their_requests_end(api: Handle) -> None:
    async def numbers() -> list[int]:
        return [row.number async for row in api.fetch_each(["/a", "/throw", "/b"])]

    assert sorted(asyncio.run(numbers())) == [0, 1, 2]


def test_the_synchronous_twin_tells_progress_in_the_calling_thread(worker: Worker) -> None:
    told: list[tuple[Tally, str]] = []
    results = worker.fetch_all(
        ["/a", {"path": "/b", "method": "POST", "json": {"n": 1}}],
        show=lambda tally: told.append((tally, threading.current_thread().name)),
    )
    assert [row["request"] for row in results] == ["GET /a", "POST /b"]
    assert all(row.ok for row in results)
    assert [tally.done for tally, _ in told] == [0, 1, 2, 2]
    assert {name for _, name in told} == {threading.current_thread().name}


def test_cancelling_ends_one_request_and_the_others_go_on(worker: Worker, api: Handle) -> None:
    async def one_of_two() -> None:
        await api.fetch("/warm")
        hanging = said(worker, "hanging")
        first = asyncio.create_task(api.fetch("/hang"))
        await until(hanging)
        began = time.monotonic()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        assert (await api.fetch("/after")).status == 200
        assert time.monotonic() - began < 1

    asyncio.run(one_of_two())
    assert worker._journal.under_way == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cancelled_request_ends_what_it_fetches(session: Session, language: str) -> None:
    slow = """
from workers import Response
import asyncio
async def on_fetch(request):
    await asyncio.sleep(3600)
    return Response("never")
"""
    asking = {
        "js": 'export default { fetch: (request, env) => env.MY_CERT.fetch("https://slow.example.com/") }',
        "python": 'async def on_fetch(request, env):\n    return await env.MY_CERT.fetch("https://slow.example.com/")',
    }
    session.serve(slow, name="slow", hosts=["slow.example.com"])
    worker = session.worker(asking[language], name="asking")
    api = worker.handle()

    def subrequests() -> list[Any]:
        return [sub() if callable(sub) else sub for _, sub in worker._journal._trace._from(0)]

    async def cancelled() -> None:
        task = asyncio.create_task(api.fetch())
        await until(lambda: any(sub.sent_ns or sub.connection for sub in subrequests()))
        task.cancel()
        await until(lambda: all(sub.ended_ns for sub in subrequests()))

    try:
        asyncio.run(cancelled())
    finally:
        session.stop_serving("slow")


def test_a_runaway_that_is_cancelled_is_stopped_and_the_next_request_finds_a_fresh_worker(
    worker: Worker, api: Handle
) -> None:
    async def run_away() -> None:
        await api.fetch("/warm")
        spinning = said(worker, "spinning")
        task = asyncio.create_task(api.fetch("/spin"))
        await until(spinning)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await api.fetch("/after")).status == 200

    asyncio.run(run_away())


def test_an_interrupt_ends_the_synchronous_twin_within_a_second_and_keeps_the_rows(worker: Worker) -> None:
    worker.fetch("/warm")
    hanging, began = said(worker, "hanging"), []

    def press() -> None:
        asyncio.run(until(hanging))
        began.append(time.monotonic())
        signal.raise_signal(signal.SIGINT)

    presser = threading.Thread(target=press)
    presser.start()
    with pytest.raises(WorkerStopped, match="1 of 3 requests"):
        worker.fetch_all(["/a", "/hang", "/b"], at_once=1)
    assert time.monotonic() - began[0] < 1
    presser.join()
    assert [row["request"] for row in worker.results] == ["GET /a"]
    assert worker.fetch("/after").error is None


def test_lines_after_the_response_are_in_late_logs(worker: Worker) -> None:
    run = worker.fetch("/late")
    assert run.response is not None
    assert run.response.text() == "soon"
    asyncio.run(until(lambda: bool(run.late_logs)))
    assert [line.text for line in run.late_logs] == ["late"]
    assert run.logs == ()


# -- in a real kernel --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with kernel(tmp_path_factory.mktemp("kernel")) as running:
        running.run("%load_ext mtls_notebook\n%mtls_lab")
        running.run("%mtls_upload --cert mtls-lab/cert.pem --key mtls-lab/key.pem --name client")
        running.run("%mtls_bindings MY_CERT=client")
        yield running


def messages(running: Kernel, wanted: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
    """Return what the kernel says up to the first message that is wanted."""
    found: list[dict[str, Any]] = []
    while not found or not wanted(found[-1]):
        found.append(running.client.get_iopub_msg(timeout=20))
    return found


def plain(message: dict[str, Any]) -> str:
    return str(message["content"].get("data", {}).get("text/plain", ""))


@pytest.mark.parametrize("language", LANGUAGES)
def test_late_lines_are_told_as_outputs_of_the_cell_that_ran_the_worker(notebook: Kernel, language: str) -> None:
    cell = notebook.client.execute(f"%%worker --name api --request /late\n{CODE[language]}")
    other = notebook.client.execute("import time\nfor _ in range(20): time.sleep(0.02)")
    found = messages(notebook, lambda message: "Log after the response" in plain(message))
    assert found[-1]["parent_header"]["msg_id"] == cell
    assert found[-1]["msg_type"] == "display_data"
    assert plain(found[-1]) == "Log after the response\n  log: late"
    if not any(is_idle(message, other) for message in found):
        messages(notebook, lambda message: is_idle(message, other))


def is_idle(message: dict[str, Any], cell: str) -> bool:
    return message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") == cell


def test_a_notebook_sees_one_line_of_progress_and_then_the_results(notebook: Kernel) -> None:
    notebook.run(f"%%worker --name api --request /first\n{CODE['js']}")
    outputs: list[dict[str, Any]] = []
    notebook.client.execute_interactive(
        "results = await api.fetch_all([f'/o/{n}' for n in range(300)] + ['/throw'])\nresults",
        timeout=60,
        output_hook=outputs.append,
        allow_stdin=False,
    )
    kinds = [message["msg_type"] for message in outputs if message["msg_type"] not in ("status", "execute_input")]
    assert kinds.count("display_data") == 1
    lines = [plain(message) for message in outputs if "display_data" in message["msg_type"]]
    assert lines[0].startswith("0 of 301 requests")
    assert lines[-1] == "301 requests done, 1 failed."
    (shown,) = [message["content"]["data"] for message in outputs if message["msg_type"] == "execute_result"]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/plain"].startswith("301 requests, 1 failed")


def test_the_stop_button_ends_a_batch_within_a_second_and_the_rows_stay(notebook: Kernel) -> None:
    notebook.run(f"%%worker --name api --request /first\n{CODE['python']}")
    cell = notebook.client.execute("await api.fetch_all(['/a', '/b', '/hang'], at_once=1)")
    messages(notebook, lambda message: plain(message).startswith("2 of 3") or message["msg_type"] == "error")
    began = time.monotonic()
    notebook.manager.interrupt_kernel()
    messages(notebook, lambda message: "Stopped after 2 of 3 requests" in plain(message))
    assert time.monotonic() - began < 1
    messages(notebook, lambda message: is_idle(message, cell))
    assert json.loads(notebook.value("__import__('json').dumps([r['status'] for r in api.results])")) == [200, 200]
    assert notebook.value("(await api.fetch('/after')).status") == "200"
