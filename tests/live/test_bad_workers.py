"""What a worker can do wrong, in both languages: two lines with a hint, a real error, and a session that goes on."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import (
    MtlsNotebookError,
    NotAResponse,
    WorkerError,
    WorkerSyntaxError,
    WorkerThrew,
    WorkerTimeout,
)
from mtls_notebook.worker.exchange import Language


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    with Session() as made:
        folder = tmp_path_factory.mktemp("lab") / "mtls-lab"
        made.start_lab(folder, origins=("required", "silent", "reset"))
        made.upload(folder / "cert.pem", folder / "key.pem", name="good")
        made.bind(MY_CERT="good")
        yield made


def js(body: str) -> str:
    return f"export default {{\n  async fetch(request, env) {{\n    {body}\n  }}\n}}"


def py(body: str) -> str:
    return f"from workers import Response, fetch\n\nasync def on_fetch(request, env):\n    {body}\n"


def run(session: Session, language: Language, code: str, timeout_s: float = 10) -> MtlsNotebookError:
    """Return the error that a run ends with; afterwards the session still answers."""
    try:
        invocation = session.worker(code, language=language).fetch("/", timeout_s=timeout_s)
        error: MtlsNotebookError | None = invocation.error
        assert invocation.response is None
    except MtlsNotebookError as refused:
        error = refused
    assert error is not None
    shown = error._render_traceback_()
    assert len(shown) == 2
    assert "\n" not in shown[0] + shown[1]
    return error


BOTH = [("js", js), ("python", py)]


@pytest.mark.parametrize(
    ("language", "code", "place"),
    [("js", js("return new Response("), (4, None)), ("python", py("return Response("), (4, None))],
)
def test_a_syntax_error_is_told_with_its_place_in_the_cell(
    session: Session, language: Language, code: str, place: tuple[int, None]
) -> None:
    error = run(session, language, code)
    assert isinstance(error, WorkerSyntaxError)
    assert f"line {place[0]}" in error.message


@pytest.mark.parametrize(("language", "code"), [("js", "export const answer = 42"), ("python", "answer = 42")])
def test_a_worker_without_a_handler_names_what_there_is(session: Session, language: Language, code: str) -> None:
    error = run(session, language, code)
    assert isinstance(error, WorkerError)
    assert "answer" in error.message


@pytest.mark.parametrize(("language", "code"), [("js", js("return 42")), ("python", py("return 42"))])
def test_an_answer_that_is_no_response_is_named(session: Session, language: Language, code: str) -> None:
    assert isinstance(run(session, language, code), NotAResponse)


@pytest.mark.parametrize(
    ("language", "code", "line"),
    [("js", js("throw new RangeError('too far')"), 3), ("python", py("raise IndexError('too far')"), 4)],
)
def test_a_throw_is_told_with_its_name_message_and_line(
    session: Session, language: Language, code: str, line: int
) -> None:
    error = run(session, language, code)
    assert isinstance(error, WorkerThrew)
    assert error.name in ("RangeError", "IndexError")
    assert "too far" in error.message
    assert error.line == line


@pytest.mark.parametrize(("language", "code"), [("js", js("while (true) {}")), ("python", py("while True: pass"))])
def test_an_endless_loop_ends_with_its_time(session: Session, language: Language, code: str) -> None:
    assert isinstance(run(session, language, code, timeout_s=0.5), WorkerTimeout)


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("js", js("return await env.MY_CRET.fetch('https://example-secure-origin.com')")),
        ("python", py("return await env.MY_CRET.fetch('https://example-secure-origin.com')")),
    ],
)
def test_a_binding_that_is_not_there_is_told_with_those_that_are(
    session: Session, language: Language, code: str
) -> None:
    error = run(session, language, code)
    assert "MY_CERT" in error.message + error.hint
    assert "MY_CRET" in error.message + error.hint


FETCHES = {"js": "return await fetch('{url}')", "python": "return await fetch('{url}')"}


@pytest.mark.parametrize(("language", "wrap"), BOTH)
@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("https://nowhere.invalid/", "does not resolve"),
        ("https://reset.example-secure-origin.com/", "reset|closed"),
        ("https://127.0.0.1:{free}/", "refused the TCP connection"),
    ],
)
def test_a_connection_that_fails_is_told_by_its_cause(
    session: Session, language: Language, wrap: object, url: str, words: str
) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        target = url.format(free=bound.getsockname()[1])
        error = run(session, language, wrap(FETCHES[language].format(url=target)))  # type: ignore[operator]
    assert any(word in error.message for word in words.split("|"))


@pytest.mark.parametrize(("language", "wrap"), BOTH)
def test_a_silent_origin_is_left_when_the_time_is_up(session: Session, language: Language, wrap: object) -> None:
    code = wrap(FETCHES[language].format(url="https://silent.example-secure-origin.com/"))  # type: ignore[operator]
    assert isinstance(run(session, language, code, timeout_s=1), WorkerTimeout)


@pytest.mark.parametrize(("language", "wrap"), BOTH)
def test_after_all_that_the_session_still_works(session: Session, language: Language, wrap: object) -> None:
    code = wrap("return await env.MY_CERT.fetch('https://example-secure-origin.com')")  # type: ignore[operator]
    invocation = session.worker(code, language=language).fetch("/", timeout_s=10)
    assert invocation.response is not None
    assert invocation.response.status == 200
