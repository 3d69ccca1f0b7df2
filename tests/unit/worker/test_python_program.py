"""A Python worker from cell to response, with functions where the origins would be. The live tests use real ones."""

from __future__ import annotations

import gzip
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from textwrap import dedent
from typing import Any

import pytest

from mtls_notebook.diagnosis.doctor import Diagnosis
from mtls_notebook.errors import (
    ConnectError,
    NotAResponse,
    WorkerError,
    WorkerStopped,
    WorkerSyntaxError,
    WorkerThrew,
)
from mtls_notebook.worker.exchange import (
    Environment,
    Headers,
    HttpRequest,
    HttpResponse,
    LogLine,
    Outgoing,
    WorkerSource,
)
from mtls_notebook.worker.python.program import PythonProgram


class Answer:
    """What an origin function answers (see exchange.Incoming)."""

    def __init__(self, status: int = 200, headers: Headers = (), body: Iterable[bytes] = ()) -> None:
        self.status, self.reason, self.headers = status, "OK", headers
        self.body = body
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[bytes]:
        yield from self.body
        self.close()

    def close(self) -> None:
        self.closed.set()


class Origin:
    """A fetcher whose origin is a function; remembers what it was sent."""

    def __init__(self, answer: Callable[[Outgoing], Answer]) -> None:
        self.answer = answer
        self.asked: list[Outgoing] = []

    def send(self, request: Outgoing) -> Answer:
        self.asked.append(request)
        return self.answer(request)


DIAGNOSIS = Diagnosis("the cause", (), "the fix")


def failing(diagnosis: Diagnosis | None = DIAGNOSIS) -> Origin:
    def refuse(request: Outgoing) -> Answer:
        error = ConnectError("the cause", "the fix")
        error.diagnosis = diagnosis
        raise error

    return Origin(refuse)


class Bench:
    """A program under test: its bindings, and the lines that it logged."""

    def __init__(self) -> None:
        self.logs: list[LogLine] = []
        self.bindings: dict[str, Origin] = {}
        self.plain = Origin(lambda request: Answer(200, (), [b"plain"]))
        self.variables: dict[str, object] = {}
        self.notebook: dict[str, object] = {}
        self.programs: list[PythonProgram] = []

    def program(self, code: str, name: str = "cell") -> PythonProgram:
        environment = Environment(self.bindings, self.plain, self.variables)
        source = WorkerSource("python", "from workers import *\n" + dedent(code).lstrip("\n"), name)
        made = PythonProgram(source, environment, self.logs.append, self.notebook)
        self.programs.append(made)
        return made

    def run(self, code: str, request: HttpRequest = HttpRequest()) -> HttpResponse:  # noqa: B008 - frozen
        return self.program(code).submit(request).result(10)

    def threw(self, code: str) -> WorkerThrew:
        with pytest.raises(WorkerThrew) as caught:
            self.run(code)
        return caught.value

    def said(self, level: str = "log") -> list[str]:
        return [line.text for line in self.logs if line.level == level]


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    for program in made.programs:
        program.stop()
    assert until(lambda: not ours()), ours()


def ours() -> list[threading.Thread]:
    names = ("worker-", "blocking", "goodbye", "evictor")
    return [thread for thread in threading.enumerate() if thread.name.startswith(names)]


def until(condition: Callable[[], bool], within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.005)
    return condition()


# -- the handler ---------------------------------------------------------------------------------------

HANDLERS = {
    "class with async fetch": """
        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                return Response(f"{request.method} {self.env.WHO} {callable(self.ctx.waitUntil)}")
        """,
    "class with plain fetch": """
        class Default(WorkerEntrypoint):
            def fetch(self, request):
                return Response(f"{request.method} {self.env.WHO} {callable(self.ctx.waitUntil)}")
        """,
    "class with a constructor of its own": """
        class Default(WorkerEntrypoint):
            def __init__(self, ctx, env):
                super().__init__(ctx, env)
                self.who = env.WHO
            def fetch(self, request):
                return Response(f"{request.method} {self.who} {callable(self.ctx.waitUntil)}")
        """,
    "on_fetch of three": """
        async def on_fetch(request, env, ctx):
            return Response(f"{request.method} {env.WHO} {callable(ctx.waitUntil)}")
        """,
    "plain on_fetch of two": """
        def on_fetch(request, env):
            return Response(f"{request.method} {env.WHO} True")
        """,
    "decorated on_fetch of one": """
        from workers import env
        @handler
        async def on_fetch(request):
            return Response(f"{request.method} {env.WHO} True")
        """,
    "on_fetch of none": """
        import workers
        def on_fetch():
            return Response(f"GET {workers.env.WHO} True")
        """,
    "on_fetch of any": """
        async def on_fetch(*given):
            request, env, ctx = given
            return Response(f"{request.method} {env.WHO} {callable(ctx.waitUntil)}")
        """,
}


@pytest.mark.parametrize("code", HANDLERS.values(), ids=HANDLERS.keys())
def test_every_way_to_write_a_handler_answers(bench: Bench, code: str) -> None:
    bench.variables["WHO"] = "me"
    assert bench.run(code).body == b"GET me True"


def test_each_request_gets_an_entrypoint_of_its_own_and_the_module_is_run_once(bench: Bench) -> None:
    program = bench.program("""
        runs = []
        class Default(WorkerEntrypoint):
            seen = 0
            def fetch(self, request):
                self.seen += 1
                runs.append(request.url)
                return Response(f"{self.seen} {len(runs)}")
        """)
    assert [program.submit(HttpRequest()).result(5).body for _ in range(2)] == [b"1 1", b"1 2"]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("class Default(WorkerEntrypoint):\n    def fetch(self, r): ...\ndef on_fetch(r): ...", "both a Default class"),
        ("def fetch(request): ...", "no fetch handler. It defines"),
        ("class Default(WorkerEntrypoint): ...", "no fetch handler"),
        ("class Default:\n    def fetch(self, r): ...", "no WorkerEntrypoint"),
        ("on_fetch = 3", "no fetch handler"),
    ],
)
def test_a_module_without_one_clear_handler_says_so(bench: Bench, code: str, words: str) -> None:
    with pytest.raises(WorkerError, match=words) as caught:
        bench.run(code)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("value", "kind"), [("None", "NoneType"), ("'text'", "str"), ("{}", "dict"), ("Response", "type")]
)
def test_an_answer_that_is_no_response_is_named(bench: Bench, value: str, kind: str) -> None:
    with pytest.raises(NotAResponse, match=f"returned {kind}, not a Response"):
        bench.run(f"def on_fetch(request): return {value}")


def test_a_response_that_was_read_already_is_no_answer(bench: Bench) -> None:
    with pytest.raises(NotAResponse, match="already read"):
        bench.run("async def on_fetch(r):\n    answer = Response('x')\n    await answer.text()\n    return answer")


# -- the request and the response ----------------------------------------------------------------------


def test_the_request_comes_in_whole(bench: Bench) -> None:
    request = HttpRequest("POST", "https://worker.local/p?q=1", (("X-A", "1"), ("Cookie", "a=b")), b'{"n": 1}')
    answer = bench.run(
        """
        from http import HTTPMethod
        async def on_fetch(request):
            assert request.method is HTTPMethod.POST
            return Response.json([request.url, request.headers["x-a"], (await request.json())["n"], request.body_used])
        """,
        request,
    )
    assert answer.json() == ["https://worker.local/p?q=1", "1", 1, True]


def test_a_request_comes_in_with_its_length_and_any_method_and_leaves_redirects_to_who_asked(bench: Bench) -> None:
    answer = bench.run(
        """
        def on_fetch(request):
            return Response.json([request.method, request.headers["content-length"], request.redirect])
        """,
        HttpRequest("LINK", body=b"12345"),
    )
    assert answer.json() == ["LINK", "5", "manual"]


def test_a_get_may_come_in_with_a_body(bench: Bench) -> None:
    code = "async def on_fetch(request): return Response(await request.bytes())"
    assert bench.run(code, HttpRequest(body=b"odd")).body == b"odd"


def test_the_response_keeps_its_headers_and_drops_what_is_not_true_of_it(bench: Bench) -> None:
    answer = bench.run("""
        def on_fetch(request):
            pairs = [("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "99"), ("Connection", "close")]
            return Response("body", 201, "Made", pairs)
        """)
    assert (answer.status, answer.reason, answer.body) == (201, "Made", b"body")
    assert answer.headers == (
        ("Set-Cookie", "a=1"),
        ("Set-Cookie", "b=2"),
        ("content-type", "text/plain;charset=UTF-8"),
    )


def test_the_answer_to_a_head_request_has_no_body(bench: Bench) -> None:
    answer = bench.run(
        "def on_fetch(request): return Response('body', headers={'Content-Length': '4'})", HttpRequest("HEAD")
    )
    assert (answer.body, answer.header("content-length")) == (b"", "4")


# -- what the cell's code sees -------------------------------------------------------------------------


def test_the_notebooks_variables_can_be_read_and_not_overwritten(bench: Bench) -> None:
    bench.notebook = {"TOKEN": "t", "_hidden": 1, "In": [], "get_ipython": print, "print": "shadowed"}
    answer = bench.run("""
        def on_fetch(request):
            seen = TOKEN
            globals()["TOKEN"] = "changed"
            missing = [name for name in ("_hidden", "In", "get_ipython") if name not in __builtins__]
            print("printed")
            return Response.json([seen, TOKEN, missing])
        """)
    assert answer.json() == ["t", "changed", ["_hidden", "In", "get_ipython"]]
    assert bench.notebook["TOKEN"] == "t"
    assert bench.said() == ["printed"]


def test_the_module_is_nowhere_in_the_interpreter_after_the_stop(bench: Bench) -> None:
    before = set(sys.modules)
    program = bench.program("""
        import dataclasses
        @dataclasses.dataclass
        class Point:  # dataclasses looks into the module that the class names
            x: "dataclasses.InitVar[int]"
            y: int = 2
        def on_fetch(request):
            return Response.json(Point(1).y)
        """)
    assert program.submit(HttpRequest()).result(5).body == b"2"
    assert "workers" not in sys.modules
    program.stop()
    assert not [name for name in set(sys.modules) - before if name.startswith("worker")]


def test_two_programs_of_one_name_do_not_share_anything(bench: Bench) -> None:
    one, other = (
        bench.program("x = 1\ndef on_fetch(r): return Response(str(x))"),
        bench.program("def on_fetch(r): return Response('x' in globals() and 'shared' or 'apart')"),
    )
    assert one.submit(HttpRequest()).result(5).body == b"1"
    assert other.submit(HttpRequest()).result(5).body == b"apart"


def test_env_names_what_it_has_when_a_name_is_missing(bench: Bench) -> None:
    bench.bindings, bench.variables = {"MY_CERT": bench.plain}, {"MODE": "x"}
    error = bench.threw("async def on_fetch(request, env): return await env.MY_CRET.fetch('https://a.example/')")
    assert "env has no MY_CRET. It has: MODE, MY_CERT. Did you mean MY_CERT?" in error.message
    assert (
        bench.run("def on_fetch(r, env): return Response(f'{env.MY_CERT} {env}')").body
        == b"[object Fetcher] env(MODE, MY_CERT)"
    )


def test_print_goes_to_the_log_call_by_call_and_line_by_line(bench: Bench) -> None:
    bench.run("""
        import sys, io
        def on_fetch(request):
            print("one", 2, sep="-")
            print("th", end=""); print("ree")
            print("to stderr", file=sys.stderr)
            print("a\\nb")
            print("elsewhere", file=io.StringIO())
            print("no end", end="")
            return Response("x")
        """)
    assert bench.said() == ["one-2", "three", "a\nb", "no end"]
    assert bench.said("error") == ["to stderr"]


def test_a_flood_of_output_is_cut_and_said_so_and_the_next_request_may_print_again(bench: Bench) -> None:
    program = bench.program("""
        def on_fetch(request):
            for number in range(6_000):
                print(number)
            return Response("x")
        """)
    program.submit(HttpRequest()).result(10)
    assert len(bench.said()) == 4_999
    assert [text.split(":")[0] for text in bench.said("warn")] == ["… too much output"]
    program.submit(HttpRequest()).result(10)
    assert len(bench.said()) == 2 * 4_999


# -- what goes wrong -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "place"),
    [
        ("def on_fetch(request)\n    pass", "(line 2, column 22 of the cell)"),
        ("x = 'ü' +* 2", "(line 2, column 10 of the cell)"),
        ("await fetch('x')", "(line 2, column 1 of the cell)"),
        ("if True:\nx = 1", "(line 3, column 1 of the cell)"),
    ],
)
def test_code_that_is_no_python_is_told_with_its_place_before_anything_runs(
    bench: Bench, code: str, place: str
) -> None:
    with pytest.raises(WorkerSyntaxError) as caught:
        bench.program(code)
    assert caught.value.message.endswith(place)
    assert "Error: " in caught.value.message


def test_javascript_in_a_python_cell_gets_a_hint(bench: Bench) -> None:
    with pytest.raises(WorkerSyntaxError) as caught:
        bench.program("export default { async fetch() { return new Response('x') } }")
    assert "--language js" in caught.value.hint
    with pytest.raises(WorkerSyntaxError):
        bench.program("x = '\0'")


def test_an_error_points_at_the_line_and_column_in_the_cell(bench: Bench) -> None:
    error = bench.threw("""
        def deeper(value):
            return "ü" + value["missing"]

        async def on_fetch(request):
            return Response(deeper({}))
        """)
    assert error.message == "KeyError: 'missing' (line 3, column 18 of the cell)"
    assert (error.name, error.line, error.column) == ("KeyError", 3, 18)
    assert error.stack.count("<worker cell>") == 2
    assert "mtls_notebook" not in error.stack


def test_an_error_in_a_library_points_at_the_cells_line_that_called_it(bench: Bench) -> None:
    error = bench.threw("import json\ndef on_fetch(request):\n    return json.loads('{')")
    assert (error.name, error.line) == ("JSONDecodeError", 4)


def test_an_error_at_top_level_is_told_and_the_next_request_tries_again(bench: Bench) -> None:
    bench.notebook["attempts"] = []
    program = bench.program("""
        attempts.append(1)
        if len(attempts) == 1:
            raise RuntimeError("first time")
        def on_fetch(request): return Response("second time")
        """)
    with pytest.raises(WorkerThrew, match="first time") as caught:
        program.submit(HttpRequest()).result(5)
    assert caught.value.line == 4
    assert program.submit(HttpRequest()).result(5).body == b"second time"


@pytest.mark.parametrize(
    ("raising", "name"),
    [
        ("raise SystemExit(1)", "SystemExit"),
        ("exit()", "SystemExit"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("raise GeneratorExit", "GeneratorExit"),
        ("raise asyncio.CancelledError", "CancelledError"),
        ("raise ExceptionGroup('several', [ValueError('one'), KeyError('two')])", "ExceptionGroup"),
        ("await asyncio.gather(leaving(), leaving())", "SystemExit"),
        ("raise Unspeakable", "Unspeakable"),
        ("return 1 / 0", "ZeroDivisionError"),
    ],
)
def test_whatever_a_worker_raises_is_a_worker_error_and_the_program_lives_on(
    bench: Bench, raising: str, name: str
) -> None:
    program = bench.program(f"""
        import asyncio
        class Unspeakable(Exception):
            def __str__(self): raise ValueError
        async def leaving(): raise SystemExit(2)
        async def on_fetch(request):
            if request.url.endswith("/fine"):
                return Response("fine")
            {raising}
        """)
    with pytest.raises(WorkerThrew) as caught:
        program.submit(HttpRequest()).result(5)
    assert caught.value.name == name
    assert caught.value.message.startswith(name)
    assert caught.value.line > 0
    assert program.submit(HttpRequest(url="https://worker.local/fine")).result(5).body == b"fine"


def test_an_exception_group_names_what_is_in_it_and_the_line_where_the_first_arose(bench: Bench) -> None:
    error = bench.threw("""
        import asyncio
        async def failing():
            raise ValueError("inner")
        async def on_fetch(request):
            async with asyncio.TaskGroup() as group:
                group.create_task(failing())
        """)
    assert "ValueError: inner" in error.message
    assert error.line == 4


# -- fetch ---------------------------------------------------------------------------------------------


def test_two_bindings_reach_two_origins_and_the_global_fetch_neither(bench: Bench) -> None:
    bench.bindings = {name: Origin(lambda request, name=name: Answer(200, (), [name.encode()])) for name in "AB"}  # type: ignore[misc]
    answer = bench.run("""
        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                a, b = self.env.A.fetch, self.env.B.fetch
                answers = [await a("https://a.example/"), await b("https://b.example/"),
                           await fetch("https://c.example/"), await fetch("https://d.example/", fetcher=a)]
                return Response(" ".join([await each.text() for each in answers]))
        """)
    assert answer.body == b"A B plain A"
    assert [request.url for request in bench.bindings["A"].asked] == ["https://a.example/", "https://d.example/"]


def test_an_answer_returned_as_it_is_passes_through(bench: Bench) -> None:
    headers = (("Set-Cookie", "a=1"), ("Set-Cookie", "b=2"), ("Content-Length", "4"), ("X-A", "ü"))
    bench.bindings = {"A": Origin(lambda request: Answer(418, headers, [b"te", b"a!"]))}
    answer = bench.run("async def on_fetch(request, env): return await env.A.fetch('https://a.example/')")
    assert (answer.status, answer.headers, answer.body) == (418, headers, b"tea!")


def test_a_compressed_answer_arrives_decoded_and_its_headers_say_so(bench: Bench) -> None:
    packed = gzip.compress(b"long " * 1000)
    headers = (("Content-Encoding", "gzip"), ("Content-Length", str(len(packed))), ("X-A", "1"))
    bench.bindings = {"A": Origin(lambda request: Answer(200, headers, [packed[:50], packed[50:]]))}
    answer = bench.run("async def on_fetch(request, env): return await env.A.fetch('https://a.example/')")
    assert answer.body == b"long " * 1000
    assert answer.headers == (("X-A", "1"),)
    assert ("Accept-Encoding", "gzip, deflate") in bench.bindings["A"].asked[0].headers


@pytest.mark.parametrize(
    ("asked", "sent"),
    [("identity", "identity"), ("gzip;q=1, deflate", "gzip;q=1, deflate"), ("br, gzip", "gzip, deflate")],
)
def test_only_encodings_that_can_be_undone_are_asked_for(bench: Bench, asked: str, sent: str) -> None:
    bench.run(
        f"async def on_fetch(r): return await fetch('https://a.example/', headers={{'Accept-Encoding': {asked!r}}})"
    )
    assert [value for name, value in bench.plain.asked[0].headers if name.lower() == "accept-encoding"] == [sent]


def test_an_encoding_that_cannot_be_undone_stays_with_its_header(bench: Bench) -> None:
    bench.plain = Origin(lambda request: Answer(200, (("Content-Encoding", "br"),), [b"\x0b"]))
    answer = bench.run("async def on_fetch(r): return await fetch('https://a.example/')")
    assert (answer.header("content-encoding"), answer.body) == ("br", b"\x0b")


def test_a_failed_fetch_is_an_os_error_in_the_worker_that_tells_no_more_than_in_production(bench: Bench) -> None:
    bench.bindings = {"A": failing()}
    answer = bench.run("""
        async def on_fetch(request, env):
            try:
                await env.A.fetch("https://a.example/")
            except OSError as error:
                return Response(f"{type(error).__name__}: {error}")
        """)
    assert answer.body == b"FetchError: Network connection lost."


def test_a_failed_fetch_that_the_worker_lets_pass_is_told_by_its_cause_and_another_error_by_its_own(
    bench: Bench,
) -> None:
    bench.plain = failing()
    error = bench.threw("""
        import asyncio
        async def on_fetch(request):
            async with asyncio.TaskGroup() as group:
                group.create_task(fetch("https://a.example/"))
        """)
    assert (error.message, error.hint, error.name, error.line) == ("the cause", "the fix", "ExceptionGroup", 4)
    error = bench.threw("""
        async def on_fetch(request):
            try:
                await fetch("https://a.example/")
            except FetchError:
                pass
            raise KeyError("mine")
        """)
    assert (error.message, error.line) == ("KeyError: 'mine' (line 7, column 5 of the cell)", 7)


def test_a_fetch_refused_before_anything_was_sent_is_a_type_error(bench: Bench) -> None:
    bench.plain = failing(None)
    assert bench.threw("async def on_fetch(r): return await fetch('https://a.example/')").name == "TypeError"


def test_a_body_that_breaks_off_fails_where_it_is_read(bench: Bench) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x"
        error = ConnectError("it broke off")
        error.diagnosis = Diagnosis("it broke off", (), "")
        raise error

    for headers in ((), (("Content-Length", "9"),)):
        bench.plain = Origin(lambda request, headers=headers: Answer(200, headers, broken()))  # type: ignore[misc]
        answer = bench.run("""
            async def on_fetch(request):
                answer = await fetch("https://a.example/")
                try:
                    await answer.text()
                except FetchError:
                    return Response(f"{answer.status}, then lost")
            """)
        assert answer.body == b"200, then lost"


def test_a_hundred_fetches_at_once_are_answered_though_their_bodies_wait_to_be_read(bench: Bench) -> None:
    bench.plain = Origin(lambda request: Answer(200, (), [request.url.encode()]))
    answer = bench.run("""
        import asyncio
        async def on_fetch(request):
            answers = await asyncio.gather(*(fetch(f"https://a.example/{n}") for n in range(100)))
            return Response.json([await answer.text() for answer in answers])
        """)
    assert answer.json() == [f"https://a.example/{number}" for number in range(100)]


def test_a_body_streams_as_it_comes(bench: Bench) -> None:
    read = threading.Event()

    def slowly() -> Iterator[bytes]:
        yield b"first"
        assert read.wait(5)
        yield b"second"

    bench.plain = Origin(lambda request: Answer(200, (), slowly()))
    bench.notebook["read"] = read
    answer = bench.run("""
        async def on_fetch(request):
            chunks = []
            async for chunk in (await fetch("https://a.example/")).body:
                chunks.append(chunk.decode())
                read.set()
            return Response.json(chunks)
        """)
    assert answer.json() == ["first", "second"]


def test_a_body_that_nobody_reads_is_closed_when_the_worker_has_answered(bench: Bench) -> None:
    answers: list[Answer] = []

    def endless(request: Outgoing) -> Answer:
        answers.append(Answer(200, (), iter(lambda: b"again", b"")))
        return answers[-1]

    bench.plain = Origin(endless)
    assert (
        bench.run("async def on_fetch(r): return Response(str((await fetch('https://a.example/')).status))").body
        == b"200"
    )
    assert answers[0].closed.wait(5)


def test_a_body_read_by_work_after_the_response_stays_open_until_then(bench: Bench) -> None:
    gate, told = threading.Event(), threading.Event()

    def gated() -> Iterator[bytes]:
        assert gate.wait(5)
        yield b"late"

    bench.plain = Origin(lambda request: Answer(200, (), gated()))
    bench.notebook["told"] = told
    answer = bench.run("""
        async def later(answer):
            print(await answer.text())
            told.set()
        async def on_fetch(request, env, ctx):
            ctx.waitUntil(later(await fetch("https://a.example/")))
            return Response("at once")
        """)
    assert answer.body == b"at once"
    gate.set()
    assert told.wait(5)
    assert bench.said() == ["late"]


def test_work_after_the_response_may_fetch_and_its_failure_is_logged(bench: Bench) -> None:
    bench.run("""
        from workers import waitUntil
        async def later():
            print((await fetch("https://a.example/later")).status)
            raise ValueError("too late")
        async def on_fetch(request):
            waitUntil(later())
            return Response("x")
        """)
    assert until(lambda: bool(bench.said("error")))
    assert bench.said() == ["200"]
    assert bench.said("error") == ["waitUntil: ValueError: too late"]


def test_a_task_that_fails_while_nobody_awaits_it_is_logged(bench: Bench) -> None:
    bench.run("""
        import asyncio
        async def failing(): raise ValueError("unheard")
        async def on_fetch(request):
            await asyncio.wait([asyncio.create_task(failing())])
            return Response("x")
        """)
    assert until(lambda: any("ValueError: unheard" in text for text in bench.said("error")))


class Hanging:
    """An origin that answers when its connection is ended, as a blocked read does."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.ended = threading.Event()

    def send(self, request: Any) -> Answer:
        request.on_abandon(self.ended.set)
        self.entered.set()
        assert self.ended.wait(10)
        error = ConnectError("ended")
        error.diagnosis = Diagnosis("ended", (), "")
        raise error


def test_a_timeout_of_the_workers_own_ends_the_connection_and_the_worker_goes_on(bench: Bench) -> None:
    hanging = Hanging()
    bench.plain = hanging  # type: ignore[assignment]
    answer = bench.run("""
        import asyncio
        async def on_fetch(request):
            try:
                async with asyncio.timeout(0.05):
                    await fetch("https://a.example/")
            except TimeoutError:
                return Response("too slow")
        """)
    assert answer.body == b"too slow"
    assert hanging.ended.is_set()


def test_cancelling_a_read_ends_its_connection(bench: Bench) -> None:
    answers: list[Answer] = []

    def stuck(request: Outgoing) -> Answer:
        def body() -> Iterator[bytes]:
            answers[0].closed.wait(10)
            yield b""

        answers.append(Answer(200, (), body()))
        return answers[0]

    bench.plain = Origin(stuck)
    answer = bench.run("""
        import asyncio
        async def on_fetch(request):
            answer = await fetch("https://a.example/")
            reading = asyncio.create_task(answer.text())
            await asyncio.sleep(0.02)
            reading.cancel()
            await asyncio.wait([reading])
            return Response(str(reading.cancelled()))
        """)
    assert answer.body == b"True"
    assert answers[0].closed.wait(5)


# -- stop ----------------------------------------------------------------------------------------------


def test_stop_ends_a_hanging_fetch_and_the_future_says_stopped(bench: Bench) -> None:
    hanging = Hanging()
    bench.plain = hanging  # type: ignore[assignment]
    program = bench.program("async def on_fetch(r): return await fetch('https://a.example/')")
    future = program.submit(HttpRequest())
    assert hanging.entered.wait(5)
    program.stop()
    with pytest.raises(WorkerStopped):
        future.result(0)
    assert hanging.ended.is_set()
    assert until(lambda: not ours())


@pytest.mark.parametrize(
    "loop",
    [
        "while True: pass",
        "while True: await asyncio.sleep(0)",
        "while True:\n        try:\n            await asyncio.sleep(0)\n        except BaseException: pass",
        "while True:\n        try:\n            while True: pass\n        except BaseException as e: caught.append(e)",
    ],
)
def test_an_endless_worker_is_stopped_within_a_second_and_answers_afterwards(bench: Bench, loop: str) -> None:
    started = threading.Event()
    bench.notebook["started"] = started
    program = bench.program(f"""
import asyncio
caught = []
async def on_fetch(request):
    if request.url.endswith("/fine"): return Response("fine")
    started.set()
    {loop}
""")
    future = program.submit(HttpRequest())
    assert started.wait(5)
    began = time.monotonic()
    program.stop()
    assert time.monotonic() - began < 1
    with pytest.raises(WorkerStopped):
        future.result(0)
    assert program.submit(HttpRequest(url="https://worker.local/fine")).result(5).body == b"fine"


def test_what_a_worker_had_open_is_closed_when_it_is_thrown_out(bench: Bench) -> None:
    answers: list[Answer] = []
    hanging = Hanging()

    def endless(request: Outgoing) -> Answer:
        answers.append(Answer(200, (), iter(lambda: b"again", b"")))
        return answers[-1]

    started = threading.Event()
    bench.notebook["started"] = started
    bench.bindings, bench.plain = {"A": Origin(endless)}, hanging  # type: ignore[assignment]
    program = bench.program("""
        import asyncio
        async def on_fetch(request, env):
            kept = await env.A.fetch("https://a.example/")
            waiting = asyncio.create_task(fetch("https://b.example/"))
            await asyncio.sleep(0)
            started.set()
            while True:
                try:
                    while True: pass
                except BaseException: continue
        """)
    program.submit(HttpRequest())
    assert started.wait(5)
    program.stop()
    assert answers[0].closed.wait(5)
    assert hanging.ended.wait(5) or not hanging.entered.is_set()


def test_an_endless_loop_at_top_level_is_stopped_too(bench: Bench) -> None:
    started = threading.Event()
    bench.notebook["started"] = started
    future = (program := bench.program("started.set()\nwhile True: pass")).submit(HttpRequest())
    assert started.wait(5)
    program.stop()
    with pytest.raises(WorkerStopped):
        future.result(0)


def test_a_large_body_is_held_once_while_it_is_gathered(bench: Bench) -> None:
    import tracemalloc  # noqa: PLC0415 - slows everything down while it traces

    size = 24 << 20
    bench.plain = Origin(lambda request: Answer(200, (), (bytes(1 << 16) for _ in range(size >> 16))))
    program = bench.program("async def on_fetch(r): return await fetch('https://a.example/')")
    tracemalloc.start()
    try:
        assert len(program.submit(HttpRequest()).result(20).body) == size
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.6 * size


def test_what_a_worker_sets_on_env_changes_nothing_outside(bench: Bench) -> None:
    variables: Mapping[str, object] = bench.variables | {"N": 3}
    environment = Environment({}, bench.plain, variables)
    source = WorkerSource(
        "python", "from workers import *\ndef on_fetch(r, env):\n    env.N = 4\n    return Response(str(env.N))"
    )
    program = PythonProgram(source, environment, bench.logs.append)
    bench.programs.append(program)
    assert program.submit(HttpRequest()).result(5).body == b"4"
    assert variables["N"] == 3
