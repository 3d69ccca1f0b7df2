"""The worker's console on the real workerd: every method, in order, live, and bounded."""

from __future__ import annotations

import threading

import pytest

from mtls_notebook.worker.exchange import HttpRequest
from mtls_notebook.worker.javascript.workerd_config import Limits
from tests.live.plain_http import DeadFetcher
from tests.live.workers import WAIT_S, handler, running


def printed(body: str) -> list[tuple[str, str]]:
    """Return (level, text) of what a handler with `body` prints."""
    with running(handler(body + "\n; return new Response()")) as worker:
        worker.fetch()
        return [(line.level, line.text) for line in worker.said.lines]


def test_every_level_arrives_as_itself_and_in_order() -> None:
    levels = ("log", "debug", "info", "warn", "error")
    assert printed("".join(f"console.{level}('{level}');" for level in levels)) == [(it, it) for it in levels]


VALUES = {
    "console.log('%s is %d %i %f %j %o %O %% %c|', 'a', 1.5, 2.9, '3.5', {q: 1}, [1], {b: 2}, 'css')": (
        'a is 1.5 2 3.5 {"q":1} [ 1, [length]: 1 ] { b: 2 } % |'
    ),
    "console.log('100%', 'rest', 7)": "100% rest 7",
    "console.log('%d literal')": "%d literal",
    "console.log({a: {b: {c: {d: 1}}}})": "{ a: { b: { c: [Object] } } }",
    "console.log(new Map([['k', new Set([1])]]), undefined, null, -0, 1n, Symbol('s'))": (
        "Map(1) { 'k' => Set(1) { 1 } } undefined null -0 1n Symbol(s)"
    ),
    "const loop = {}; loop.me = loop; console.log(loop)": "<ref *1> { me: [Circular *1] }",
    "console.log(env.API)": "Fetcher {}",
    "console.log()": "",
    "console.dir({a: {b: {c: {}}}}, {depth: 0})": "{ a: [Object] }",
    "console.table(5)": "5",
    "console.count(); console.count('x'); console.count()": "default: 1\nx: 1\ndefault: 2",
    "console.count(); console.countReset(); console.count()": "default: 1\ndefault: 1",
    "console.countReset('no')": "Count for 'no' does not exist",
    "console.timeEnd('no')": "Timer 'no' does not exist",
    "console.assert(true, 'no'); console.assert(0, 'is %d', 1); console.assert(0)": (
        "Assertion failed: is 1\nAssertion failed"
    ),
    "console.assert(false, {a: 1})": "Assertion failed { a: 1 }",
    "console.log('one\\ntwo')": "one\ntwo",
}


@pytest.mark.parametrize("statement", VALUES)
def test_values_are_shown_as_node_shows_them(statement: str) -> None:
    with running(handler(statement + "\n; return new Response()"), {"API": DeadFetcher()}) as worker:
        worker.fetch()
        assert "\n".join(worker.said.texts) == VALUES[statement]


def test_groups_indent_every_line_and_end() -> None:
    lines = printed("""console.group('G%d', 1); console.warn('a\\nb'); console.groupCollapsed(); console.log('c');
      console.groupEnd(); console.groupEnd(); console.groupEnd(); console.log('d')""")
    assert [text for _, text in lines] == ["G1", "  a\n  b", "    c", "d"]


def test_a_table_shows_rows_columns_and_plain_values() -> None:
    [(_, text)] = printed("console.table([{a: 1, b: 'x'}, {a: 2}, 3])")
    assert text.splitlines() == [
        "┌─────────┬───┬─────┬────────┐",
        "│ (index) │ a │ b   │ Values │",
        "├─────────┼───┼─────┼────────┤",
        "│ 0       │ 1 │ 'x' │        │",
        "│ 1       │ 2 │     │        │",
        "│ 2       │   │     │ 3      │",
        "└─────────┴───┴─────┴────────┘",
    ]


def test_a_table_can_be_narrowed_to_columns_and_takes_maps() -> None:
    [(_, narrow), (_, mapped)] = printed("console.table([{a: 1, b: 2}], ['b']); console.table(new Map([['k', 1]]))")
    assert narrow.splitlines()[1] == "│ (index) │ b │"
    assert mapped.splitlines()[3] == "│ 0       │ 'k' │ 1      │"


def test_timers_measure_the_time_that_passed() -> None:
    [(_, running_text), (_, end)] = printed(
        "console.time('t'); await scheduler.wait(30); console.timeLog('t', {a: 1}); console.timeEnd('t')"
    )
    assert running_text.endswith("ms { a: 1 }")
    assert int(end.removeprefix("t: ").removesuffix("ms")) >= 25


def test_a_trace_names_the_cells_frames_only() -> None:
    [(level, text)] = printed("function inner() { console.trace('at %s', 'x') }\ninner()")
    assert level == "error"
    assert text.splitlines() == ["Trace: at x", "    at inner (cell:2:28)", "    at Object.fetch (cell:3:1)"]


def test_errors_show_their_stack_cause_and_fields_without_our_frames() -> None:
    [(_, text)] = printed("console.log(Object.assign(new TypeError('x', {cause: new Error('y')}), {code: 7}))")
    assert text.startswith("TypeError: x\n    at Object.fetch (cell:2:27) {\n")
    assert "code: 7" in text
    assert "[cause]: Error: y" in text
    assert "notebook-host" not in text


def test_the_console_is_whole_at_the_top_level_too() -> None:
    code = "console.table([1]); console.group('g')\n" + handler("console.log('in'); return new Response()")
    with running(code) as worker:
        worker.fetch()
        assert [text.splitlines()[-1] for text in worker.said.texts] == ["└─────────┴────────┘", "g", "  in"]


LATE = {
    "Promise.reject(new TypeError('x'))": "Uncaught (in promise) TypeError: x\n    at Object.fetch (cell:2:16)",
    "setTimeout(() => { throw new Error('x') }, 1)": "Uncaught (in setTimeout) Error: x\n    at cell:2:26",
    "queueMicrotask(() => { throw 'x' })": "Uncaught (in queueMicrotask) 'x'",
    "ctx.waitUntil(scheduler.wait(1).then(() => { throw new Error('x') }))": (
        "Uncaught (in waitUntil) Error: x\n    at cell:2:52"
    ),
}


@pytest.mark.parametrize("statement", LATE)
def test_errors_that_nobody_catches_become_error_lines_with_their_place(statement: str) -> None:
    with running(handler(statement + "\n; await scheduler.wait(20); return new Response('ok')")) as worker:
        assert worker.fetch().text() == "ok"
        assert [(line.level, line.text) for line in worker.said.lines] == [("error", LATE[statement])]


def test_lines_arrive_while_the_handler_still_runs() -> None:
    code = handler("console.log('begun'); await env.GATE.fetch('https://h/').catch(() => 0); return new Response()")
    seen = threading.Event()

    class Gate(DeadFetcher):
        def send(self, request: object) -> object:  # type: ignore[override]
            assert seen.wait(WAIT_S)
            return super().send(request)  # type: ignore[arg-type]

    with running(code, {"GATE": Gate()}) as worker:  # type: ignore[dict-item]
        future = worker.program.submit(HttpRequest())
        worker.said.wait_for(lambda texts: texts == ["begun"])
        assert not future.done()
        seen.set()
        future.result(WAIT_S)


def test_all_lines_before_the_answer_come_before_the_result() -> None:
    with running(handler("for (let n = 0; n < 300; n++) console.log(n); return new Response()")) as worker:
        for round_ in range(1, 6):
            worker.fetch()
            assert len(worker.said.lines) == 300 * round_
    assert worker.said.texts[:300] == [str(n) for n in range(300)]


def test_lines_of_waituntil_work_follow_the_answer() -> None:
    code = handler("ctx.waitUntil(scheduler.wait(30).then(() => console.log('late'))); return new Response('first')")
    with running(code) as worker:
        assert worker.fetch().text() == "first"
        assert worker.said.texts == []
        assert worker.said.wait_for(lambda texts: len(texts) == 1) == ["late"]


def test_a_flood_is_cut_and_said_and_the_next_request_prints_again() -> None:
    code = handler("""const lines = request.url.endsWith("/flood") ? 1000 : 1;
      for (let n = 0; n < lines; n++) console.log(n); return new Response()""")
    with running(code, limits=Limits(log_lines=10)) as worker:
        worker.fetch("/flood")
        assert worker.said.texts[:10] == [str(n) for n in range(10)]
        [cut] = worker.said.texts[10:]
        assert cut == "… too much output: 10 lines shown, the rest is dropped until the next request"
        worker.fetch("/one")
        assert worker.said.texts[11:] == ["0"]


def test_a_long_line_is_cut_and_said() -> None:
    [(_, text)] = printed("console.log('x'.repeat(1e6))")
    assert text == "x" * 16_384 + "… (983616 more characters)"


def test_an_endless_flood_ends_with_stop() -> None:
    with running(handler("for (;;) console.log('again')")) as worker:
        future = worker.program.submit(HttpRequest())
        worker.said.wait_for(lambda texts: len(texts) > 5000)
        worker.program.stop()
        assert future.exception(WAIT_S) is not None
        assert len(worker.said.lines) == 5001
