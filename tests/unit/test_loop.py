"""The private loop: results come through, and everything that runs on it can be ended within a second."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

from mtls_notebook.loop import Interrupted, LoopThread, Stopped, in_thread, wait, wait_here

NAME = "loop-under-test"


@pytest.fixture
def loop() -> Iterator[LoopThread]:
    thread = LoopThread(NAME)
    yield thread
    thread.stop()


def alive(prefix: str = NAME) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith(prefix)]


def until(condition: Callable[[], bool], within_s: float = 5) -> bool:
    """Wait for a state that another thread brings about."""
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    return condition()


# -- code that does not want to end; each takes `started` and sets it once it is under way -------------


async def endless_pass(started: threading.Event) -> None:
    started.set()
    while True:
        pass


async def endless_yield(started: threading.Event) -> None:
    started.set()
    while True:
        await asyncio.sleep(0)


async def swallowing_everything_at_each_turn(started: threading.Event) -> None:
    started.set()
    while True:
        try:
            await asyncio.sleep(0)
        except BaseException:
            continue


async def swallowing_everything_while_asleep(started: threading.Event) -> None:
    while True:
        try:
            started.set()
            await asyncio.sleep(3600)
        except BaseException:
            continue


async def computing_under_a_handler(started: threading.Event) -> None:
    started.set()
    while True:
        try:
            sum(range(50))
        except BaseException:
            continue


async def an_endless_loop_within_handlers_within_handlers(started: threading.Event) -> None:
    while True:
        try:
            while True:
                try:
                    started.set()
                    while True:
                        pass
                except BaseException:
                    pass
        except BaseException:
            pass


async def an_endless_loop_whose_clean_up_is_endless(started: threading.Event) -> None:
    try:
        started.set()
        while True:
            pass
    finally:
        while True:
            pass


async def suppressing_everything(started: threading.Event) -> None:
    while True:
        with contextlib.suppress(BaseException):
            started.set()
            while True:
                pass


async def an_endless_loop_that_collects_what_it_catches(started: threading.Event) -> None:
    def forever() -> None:
        started.set()
        while True:
            pass

    kept: list[BaseException] = []
    while True:
        try:
            forever()
        except BaseException as error:
            kept.append(error)


async def spawning_without_end(started: threading.Event) -> None:
    async def again() -> None:
        try:
            started.set()
            await asyncio.sleep(3600)
        finally:
            spawned.add(asyncio.create_task(again()))

    spawned = {asyncio.create_task(again())}
    await asyncio.sleep(3600)


async def an_endless_task_beside_this_one(started: threading.Event) -> None:
    await asyncio.gather(*(endless_pass(started) for _ in range(3)), return_exceptions=True)


async def an_endless_loop_in_a_thread(started: threading.Event) -> None:
    def forever() -> None:
        started.set()
        while True:
            pass

    await asyncio.to_thread(forever)


STUBBORN = [
    endless_pass,
    endless_yield,
    swallowing_everything_at_each_turn,
    swallowing_everything_while_asleep,
    computing_under_a_handler,
    an_endless_loop_within_handlers_within_handlers,
    an_endless_loop_whose_clean_up_is_endless,
    suppressing_everything,
    an_endless_loop_that_collects_what_it_catches,
    spawning_without_end,
    an_endless_task_beside_this_one,
    an_endless_loop_in_a_thread,
]
Endless = Callable[[threading.Event], Coroutine[Any, Any, None]]


@pytest.mark.parametrize("endless", STUBBORN, ids=lambda each: each.__name__)
def test_stop_ends_within_a_second(loop: LoopThread, endless: Endless) -> None:
    started = threading.Event()
    future = loop.submit(endless(started))
    assert started.wait(5)
    began = time.monotonic()
    loop.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(Stopped):
        future.result(0)
    assert until(lambda: not alive()), alive()
    assert loop.submit(asyncio.sleep(0, "afresh")).result(5) == "afresh"


def test_a_thread_in_a_blocking_call_is_left_behind_in_time_and_ends_when_the_call_does(loop: LoopThread) -> None:
    entered, gate = threading.Event(), threading.Lock()

    async def blocking() -> str:
        entered.set()
        with gate:  # asyncio code must not do this; worker code may
            return "never told"

    gate.acquire()
    future = loop.submit(blocking())
    assert entered.wait(5)
    began = time.monotonic()
    loop.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(Stopped):
        future.result(0)
    gate.release()
    assert until(lambda: not alive())


def test_clean_up_runs_when_the_loop_is_stopped(loop: LoopThread) -> None:
    told: list[str] = []
    started = threading.Event()

    async def tidy() -> None:
        try:
            started.set()
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0)
            told.append("tidy")

    future = loop.submit(tidy())
    assert started.wait(5)
    loop.stop()
    assert told == ["tidy"]
    with pytest.raises(Stopped):
        future.result(0)


def test_an_open_asynchronous_generator_is_closed_by_the_stop(loop: LoopThread) -> None:
    told: list[str] = []
    kept: list[Any] = []

    async def numbers() -> Any:
        try:
            yield 1
        finally:
            told.append("closed")

    async def first() -> Any:
        kept.append(numbers())
        return await anext(kept[0])

    assert loop.submit(first()).result(5) == 1
    loop.stop()
    assert told == ["closed"]


def test_many_coroutines_submitted_from_many_threads_each_get_their_own_result(loop: LoopThread) -> None:
    async def own(number: int) -> int:
        await asyncio.sleep(0)
        return number

    results: dict[int, int] = {}

    def ask(number: int) -> None:
        results[number] = loop.submit(own(number)).result(10)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: number for number in range(20)}
    assert len(alive()) == 1


@pytest.mark.parametrize("error", [ValueError("x"), SystemExit(3), KeyboardInterrupt(), asyncio.CancelledError()])
def test_whatever_a_coroutine_raises_its_future_ends_and_the_loop_lives_on(
    loop: LoopThread, error: BaseException
) -> None:
    async def raising() -> None:
        raise error

    with pytest.raises(Stopped if isinstance(error, asyncio.CancelledError) else type(error)):
        loop.submit(raising()).result(5)
    assert loop.submit(asyncio.sleep(0, "alive")).result(5) == "alive"


def test_a_system_exit_in_a_task_that_nobody_awaits_does_not_end_the_loop(loop: LoopThread) -> None:
    async def leaving() -> None:
        raise SystemExit(1)

    async def spawning() -> None:
        task = asyncio.create_task(leaving())
        await asyncio.wait([task])

    loop.submit(spawning()).result(5)
    assert loop.submit(asyncio.sleep(0, "alive")).result(5) == "alive"


def test_what_asyncio_would_log_is_told_to_the_owner() -> None:
    heard: list[dict[str, Any]] = []
    loop = LoopThread(NAME, complain=heard.append)

    async def forgetting() -> None:
        async def failing() -> None:
            raise ValueError("nobody asked")

        task = asyncio.create_task(failing())
        await asyncio.wait([task])

    try:
        loop.submit(forgetting()).result(5)
        loop.submit(asyncio.sleep(0)).result(5)
        assert until(lambda: bool(heard))
        assert str(heard[0]["exception"]) == "nobody asked"
    finally:
        loop.stop()


def test_cancelling_the_future_cancels_the_coroutine(loop: LoopThread) -> None:
    started, cancelled = threading.Event(), threading.Event()

    async def waiting() -> None:
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    future = loop.submit(waiting())
    assert started.wait(5)
    assert future.cancel()
    assert cancelled.wait(5)


def test_stop_is_harmless_before_any_start_twice_and_from_the_loop_itself(loop: LoopThread) -> None:
    async def stopping() -> None:
        loop.stop()
        await asyncio.sleep(3600)

    loop.stop()
    with pytest.raises(Stopped):
        loop.submit(stopping()).result(5)
    loop.stop()
    assert until(lambda: not alive())


# -- in_thread -----------------------------------------------------------------------------------------


def test_blocking_work_in_a_thread_answers_raises_and_leaves_no_thread(loop: LoopThread) -> None:
    async def working() -> tuple[str, str]:
        with pytest.raises(ValueError, match="no"):
            await in_thread(lambda: int("no"))
        return await in_thread(lambda: threading.current_thread().name), threading.current_thread().name

    assert loop.submit(working()).result(5) == ("blocking", NAME)
    assert until(lambda: not alive("blocking"))


def test_cancelling_the_waiting_task_abandons_the_work(loop: LoopThread) -> None:
    entered, abandoned = threading.Event(), threading.Event()

    def work() -> bool:
        entered.set()
        return abandoned.wait(5)

    async def impatient() -> str:
        task = asyncio.create_task(in_thread(work, abandoned.set))
        while not entered.is_set():
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return "went on"

    assert loop.submit(impatient()).result(5) == "went on"
    assert abandoned.is_set()
    assert until(lambda: not alive("blocking"))


# -- wait ----------------------------------------------------------------------------------------------


def test_what_arrives_meanwhile_is_shown_in_order_in_the_waiting_thread(loop: LoopThread) -> None:
    inbox: queue.SimpleQueue[int] = queue.SimpleQueue()
    shown: list[tuple[int, str]] = []

    async def telling() -> str:
        for number in range(100):
            inbox.put(number)
            await asyncio.sleep(0)
        return "done"

    result = wait(
        lambda: loop.submit(telling()),
        loop.stop,
        inbox=inbox,
        show=lambda item: shown.append((item, threading.current_thread().name)),
    )
    assert result == "done"
    assert shown == [(number, threading.current_thread().name) for number in range(100)]


def test_an_item_is_shown_while_the_work_goes_on(loop: LoopThread) -> None:
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
    seen = threading.Event()

    async def telling() -> bool:
        inbox.put("now")
        return await asyncio.to_thread(seen.wait, 5)

    assert wait(lambda: loop.submit(telling()), loop.stop, inbox=inbox, show=lambda item: seen.set())


def test_a_deadline_stops_the_work_and_shows_what_it_said_before(loop: LoopThread) -> None:
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
    shown: list[str] = []

    async def telling() -> None:
        inbox.put("first")
        while True:
            pass

    began = time.monotonic()
    with pytest.raises(Interrupted) as caught:
        wait(lambda: loop.submit(telling()), loop.stop, timeout_s=0.2, inbox=inbox, show=shown.append)
    assert caught.value.by == "deadline"
    assert time.monotonic() - began < 1.2
    assert shown == ["first"]
    assert until(lambda: not alive())


def test_an_endless_stream_of_items_does_not_hide_the_deadline(loop: LoopThread) -> None:
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()

    async def chattering() -> None:
        while True:
            inbox.put("again")
            await asyncio.sleep(0)

    with pytest.raises(Interrupted):
        wait(lambda: loop.submit(chattering()), loop.stop, timeout_s=0.2, inbox=inbox)


def test_an_interrupt_stops_the_work_and_a_second_one_does_not_stop_the_stopping(loop: LoopThread) -> None:
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()
    stops: list[str] = []
    presser = threading.Thread(target=os.kill, args=(os.getpid(), signal.SIGINT))

    async def endless() -> None:
        inbox.put("under way")
        while True:
            pass

    def stop() -> None:
        stops.append("begun")
        signal.raise_signal(signal.SIGINT)  # pressed again while we stop
        loop.stop()
        stops.append("ended")

    with pytest.raises(Interrupted) as caught:
        wait(lambda: loop.submit(endless()), stop, inbox=inbox, show=lambda item: presser.start())
    presser.join()
    assert caught.value.by == "interrupt"
    assert stops == ["begun", "ended"]
    assert until(lambda: not alive())


def test_an_error_of_the_display_stops_the_work_too(loop: LoopThread) -> None:
    inbox: queue.SimpleQueue[str] = queue.SimpleQueue()

    def broken(item: str) -> None:
        raise TimeoutError("the display's own")

    async def telling() -> None:
        inbox.put("x")
        await asyncio.sleep(3600)

    with pytest.raises(TimeoutError, match="the display's own"):
        wait(lambda: loop.submit(telling()), loop.stop, inbox=inbox, show=broken)
    assert until(lambda: not alive())


def test_what_the_coroutine_raises_comes_out_of_wait(loop: LoopThread) -> None:
    async def raising() -> None:
        raise LookupError("x")

    with pytest.raises(LookupError):
        wait(lambda: loop.submit(raising()), loop.stop, timeout_s=5)


@pytest.mark.parametrize("where", ["before it begins", "after it has begun"])
def test_an_interrupt_while_the_work_is_begun_waits_until_it_is_and_then_stops_it(loop: LoopThread, where: str) -> None:
    begun: list[Future[None]] = []

    def begin() -> Future[None]:
        if where == "before it begins":
            signal.raise_signal(signal.SIGINT)
        begun.append(loop.submit(asyncio.sleep(3600)))
        if where == "after it has begun":
            signal.raise_signal(signal.SIGINT)
        return begun[0]

    with pytest.raises(Interrupted):
        wait(begin, loop.stop)
    assert begun[0].done()
    assert until(lambda: not alive())


def test_wherever_in_the_wait_an_interrupt_comes_nothing_is_left_running() -> None:
    """Press at the first traced line of `waiting.py`, then at the second, and so on to the last."""
    handler = signal.getsignal(signal.SIGINT)
    step, outcomes = 0, []
    while not outcomes or outcomes[-1] != "not pressed":
        step += 1
        work: Future[str] = Future()
        begun: list[Future[str]] = []
        presses = press_at_line(step, work)
        sys.settrace(presses)
        try:
            wait(partial(lambda work, begun: begun.append(work) or work, work, begun), partial(end, work))
            outcomes.append("pressed too late" if presses.pressed else "not pressed")
        except Interrupted:
            outcomes.append("stopped")
        except KeyboardInterrupt:
            outcomes.append("before or after")
        finally:
            sys.settrace(None)
        assert not begun or work.done(), f"interrupted at line {step} of the wait, the work went on"
        assert signal.getsignal(signal.SIGINT) is handler
    assert {"stopped", "before or after"} <= set(outcomes)


def end(work: Future[str]) -> None:
    if not work.done():
        work.set_result("stopped")


class press_at_line:
    """Trace `waiting.py`: interrupt at its line number `step`, and end the work once it is waited for."""

    def __init__(self, step: int, work: Future[str]) -> None:
        self.pressed = False
        self._left = step
        self._work = work

    def __call__(self, frame: Any, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.endswith("waiting.py"):
            return None
        if event == "line":
            self._left -= 1
            if self._left == 0:
                self.pressed = True
                signal.raise_signal(signal.SIGINT)
            if frame.f_code.co_name == "_relay_until_done":
                end(self._work)
        return self


def test_who_waits_here_is_interrupted_once_the_work_has_begun_and_not_before() -> None:
    said: list[str] = []

    def begin() -> Callable[[], str]:
        signal.raise_signal(signal.SIGINT)
        said.append("begun")
        return lambda: "went on"

    def stop() -> None:
        signal.raise_signal(signal.SIGINT)  # pressed again while we stop
        said.append("stopped")

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted):
        wait_here(begin, stop)
    assert said == ["begun", "stopped"]
    assert wait_here(lambda: lambda: "done", stop) == "done"
    with pytest.raises(LookupError):
        wait_here(lambda: _raising, stop)
    assert said == ["begun", "stopped"]
    assert signal.getsignal(signal.SIGINT) is handler


def _raising() -> str:
    raise LookupError("x")


def test_an_ignored_interrupt_stays_ignored(loop: LoopThread) -> None:
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        inbox: queue.SimpleQueue[str] = queue.SimpleQueue()

        async def telling() -> str:
            inbox.put("now")
            return "done"

        press = lambda item: signal.raise_signal(signal.SIGINT)  # noqa: E731
        assert wait(lambda: loop.submit(telling()), loop.stop, inbox=inbox, show=press) == "done"
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)
