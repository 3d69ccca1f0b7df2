"""Bytes between a loop and a thread: in order, whole, and never many of them in between."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from mtls_notebook.worker.python.bodies import TooLong
from mtls_notebook.worker.python.hops import FetchError
from mtls_notebook.worker.python.pipe import Inflow, Pipe

BLOCK = bytes(1 << 16)


def test_what_is_put_is_taken_in_order_and_ends() -> None:
    async def all_of_it() -> list[bytes]:
        pipe = Pipe()
        for chunk in (b"a", b"", b"b"):
            await pipe.put(chunk)
        pipe.end()
        return list(pipe)

    assert asyncio.run(all_of_it()) == [b"a", b"b"]


def test_a_slow_taker_makes_the_putter_wait_and_a_quick_one_lets_it_go_on() -> None:
    async def put_and_take() -> tuple[int, int]:
        pipe, count = Pipe(), 0

        async def fill() -> None:
            nonlocal count
            for _ in range(64):
                await pipe.put(BLOCK)
                count += 1
            pipe.end()

        filling = asyncio.ensure_future(fill())
        while not pipe._held_bytes >= 4 * len(BLOCK):
            await asyncio.sleep(0)
        for _ in range(10):
            await asyncio.sleep(0)
        waiting_at = count
        taken = await asyncio.to_thread(lambda: sum(map(len, pipe)))
        await filling
        return waiting_at, taken

    waiting_at, taken = asyncio.run(put_and_take())
    assert (waiting_at < 5, taken) == (True, 64 * len(BLOCK))


def test_what_goes_wrong_for_the_putter_goes_wrong_for_the_taker_after_what_came_before() -> None:
    async def broken() -> Pipe:
        pipe = Pipe()
        await pipe.put(b"a")
        pipe.end(ValueError("broke"))
        pipe.end()
        return pipe

    pipe = asyncio.run(broken())
    assert pipe.take() == b"a"
    with pytest.raises(ValueError, match="broke"):
        pipe.take()


def test_a_taker_in_a_hurry_gets_nothing_and_may_come_again() -> None:
    async def late() -> tuple[bytes | None, bytes | None]:
        pipe = Pipe()
        first = pipe.take(0)
        await pipe.put(b"a")
        return first, pipe.take(0)

    assert asyncio.run(late()) == (None, b"a")


def test_a_body_from_a_thread_arrives_chunk_by_chunk_and_its_failure_is_a_lost_connection() -> None:
    seen: list[str] = []

    def chunks() -> Iterator[bytes]:
        seen.append(threading.current_thread().name)
        yield b"a"
        raise RuntimeError("the client left")

    async def read() -> list[bytes]:
        got = []
        with pytest.raises(FetchError, match="Network connection lost"):
            async for chunk in Inflow(chunks(), None).chunks():
                got.append(chunk)
        return got

    assert asyncio.run(read()) == [b"a"]
    assert seen != [threading.current_thread().name]


def test_a_body_that_is_read_whole_stops_at_its_limit() -> None:
    assert asyncio.run(Inflow([b"ab", b"c"], 3).read(3)) == b"abc"
    with pytest.raises(TooLong):
        asyncio.run(Inflow(iter([BLOCK] * 1000), None).read(1 << 20))
