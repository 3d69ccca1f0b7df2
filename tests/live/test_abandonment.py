"""Fetches that are given up at any moment: no socket stays open, no room is lost, and the next fetch is answered.

The moments are random, from a seed that the test names: connecting, the handshake, waiting, reading, coming back.
"""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from mtls_notebook.recorder.events import Kind
from mtls_notebook.worker.exchange import Closer, Outgoing
from mtls_notebook.worker.fetch.connections import MOST_OPEN
from mtls_notebook.worker.fetch.fetcher import BoundFetcher

HOST = "https://example-secure-origin.com"
PATHS = ("/status/200", "/bytes/100", "/bytes/3000000", "/slow/0.01", "/echo")
LIMIT_S = 10.0
AT_ONCE = 8
FETCHES = 160  # more than there is room for: room that is lost would be missed
LONGEST_S = 0.012  # until a fetch is given up; most take less

CODE = """
import asyncio, contextlib, random
from workers import Response

async def on_fetch(request, env):
    chance = random.Random(int(request.headers["seed"]))
    async def read(path):
        answer = await env.MY_CERT.fetch(env.ORIGIN + path)
        if chance.random() < 0.2:
            return  # and nobody reads its body
        async for _ in answer.body:
            pass
    async def given_up():
        task = asyncio.ensure_future(read(chance.choice(PATHS)))
        await asyncio.sleep(chance.random() * LONGEST_S)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await task
    for _ in range(FETCHES // AT_ONCE):
        await asyncio.gather(*(given_up() for _ in range(AT_ONCE)))
    answer = await env.MY_CERT.fetch(env.ORIGIN + "/status/200")
    return Response(str(answer.status))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session() as made:
        folder = tmp_path_factory.mktemp("lab") / "mtls-lab"
        made.start_lab(folder)
        made.upload(folder / "cert.pem", folder / "key.pem", name="good")
        made.bind(MY_CERT="good")
        made.variables["ORIGIN"] = HOST
        yield made


def await_true(is_so: Callable[[], bool]) -> None:
    """Wait until it is so: an abandoned connection says goodbye in a thread of its own."""
    limit = time.monotonic() + LIMIT_S
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.01)


def left_open(session: Session) -> list[int]:
    """Return the connections that have not been closed; another thread may tell of its own end after that."""
    told = {one: {event.kind for event in session.recording.events(one)} for one in session.recording.connections()}
    return [one for one, kinds in told.items() if Kind.CLOSED not in kinds]


def give_up(fetcher: BoundFetcher, path: str, after_s: float) -> None:
    """Fetch, and read the answer; another thread gives it up on the way."""
    closers: list[Closer] = []
    over = threading.Event()

    def end() -> None:
        over.wait(after_s)
        for close in closers:
            close()

    ender = threading.Thread(target=end)
    ender.start()
    body = bytes(200_000) if path == "/echo" else b""
    request = Outgoing("POST" if body else "GET", HOST + path, (), body, closers.append)
    with contextlib.suppress(ConnectError):
        answer = fetcher.send(request)
        try:
            for _ in answer:
                pass
        finally:
            answer.close()
    ender.join()


@pytest.mark.parametrize("seed", [1, 2])
def test_fetches_that_are_given_up_at_random_leave_no_socket_and_no_room_behind(lab: Session, seed: int) -> None:
    chance = random.Random(seed)
    fetcher = lab.fetcher("MY_CERT")
    moments = [(chance.choice(PATHS), chance.random() * LONGEST_S) for _ in range(FETCHES)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(lambda moment: give_up(fetcher, *moment), moments))
        answers = list(pool.map(lambda _: fetcher.send(Outgoing("GET", HOST + "/status/200", ())), range(AT_ONCE)))
        assert [answer.status for answer in answers if b"".join(answer) is not None] == [200] * AT_ONCE
    assert fetcher._connections._lent == 0
    fetcher.close()
    await_true(lambda: not left_open(lab))


@pytest.mark.parametrize("seed", [1, 2])
def test_tasks_of_a_python_worker_that_are_cancelled_at_random_leave_nothing_behind(lab: Session, seed: int) -> None:
    words = {"PATHS": repr(PATHS[:4]), "LONGEST_S": LONGEST_S, "FETCHES": FETCHES, "AT_ONCE": AT_ONCE}
    code = "".join(f"{name} = {value}\n" for name, value in words.items()) + CODE
    with lab.worker(code, language="python") as worker:
        seen = worker.fetch("/", headers={"seed": str(seed)}, timeout_s=30)
        assert seen.response is not None, seen.error
        assert seen.response.text() == "200"
    await_true(lambda: not left_open(lab))


def test_whoever_waits_for_room_can_be_given_up_and_the_room_goes_to_another(lab: Session) -> None:
    fetcher = lab.fetcher("MY_CERT")
    held = [fetcher.send(Outgoing("GET", HOST + "/bytes/3000000", ())) for _ in range(MOST_OPEN)]
    closers: list[Closer] = []
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(fetcher.send, Outgoing("GET", HOST + "/status/200", (), b"", closers.append))
        patient = pool.submit(fetcher.send, Outgoing("GET", HOST + "/status/200", ()))
        await_true(lambda: bool(closers) and fetcher._connections._lent == MOST_OPEN)
        closers[0]()
        with pytest.raises(ConnectError):
            waiting.result(LIMIT_S)
        assert not patient.done()
        held.pop().close()
        assert patient.result(LIMIT_S).status == 200
        patient.result().close()
    for answer in held:
        answer.close()
    assert fetcher._connections._lent == 0
    fetcher.close()
    await_true(lambda: not left_open(lab))
