"""What the tests of the JavaScript engine share: a running worker and what it said.

    worker = Running(code, bindings)
    worker.fetch("/path").text()

What may not live here: tests, and the origin (`plain_http`).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from mtls_notebook.worker.exchange import (
    Environment,
    Fetcher,
    HttpRequest,
    HttpResponse,
    Language,
    LogLine,
    WorkerSource,
)
from mtls_notebook.worker.javascript.program import JavaScriptProgram, start
from mtls_notebook.worker.javascript.workerd_config import Limits
from tests.live.plain_http import DeadFetcher

WAIT_S = 20.0


class Said:
    """The log lines of a worker, as they came."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self._news = threading.Condition()

    def __call__(self, line: LogLine) -> None:
        with self._news:
            self.lines.append(line)
            self._news.notify_all()

    @property
    def texts(self) -> list[str]:
        """Return the lines' texts."""
        return [line.text for line in self.lines]

    def wait_for(self, wanted: Callable[[list[str]], bool]) -> list[str]:
        """Return the texts once `wanted` is true of them."""
        with self._news:
            assert self._news.wait_for(lambda: wanted(self.texts), WAIT_S), self.texts
            return self.texts


class Running:
    """A worker under test."""

    def __init__(self, program: JavaScriptProgram, said: Said) -> None:
        self.program = program
        self.said = said

    def fetch(self, url: str = "/", **request: object) -> HttpResponse:
        """Return the worker's answer to a request for `url` (a path of worker.local, or absolute)."""
        whole = url if "://" in url else f"https://worker.local{url}"
        return self.program.submit(HttpRequest(url=whole, **request)).result(WAIT_S)  # type: ignore[arg-type]


@contextmanager
def running(
    code: str,
    fetchers: Mapping[str, Fetcher] | None = None,
    *,
    language: Language = "js",
    fallback: Fetcher | None = None,
    variables: Mapping[str, object] | None = None,
    limits: Limits | None = None,
    name: str = "cell",
) -> Iterator[Running]:
    """Yield a worker that runs `code`; it is stopped afterwards."""
    said = Said()
    environment = Environment(fetchers or {}, fallback or DeadFetcher(), variables or {})
    program = start(WorkerSource(language, code, name), environment, said, limits=limits)
    try:
        yield Running(program, said)
    finally:
        program.stop()


def handler(body: str) -> str:
    """Return a worker whose fetch handler has `body` on line 2."""
    return f"export default {{ async fetch(request, env, ctx) {{\n{body}\n}} }}"
