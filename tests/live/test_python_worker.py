"""Python workers against the lab's live origins: the announcement's worker, several bindings, every failure, stops."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from textwrap import dedent

import pytest

from mtls_notebook.api import Session
from mtls_notebook.errors import WorkerStopped, WorkerThrew, WorkerTimeout
from mtls_notebook.worker.exchange import Invocation, LogLine
from mtls_notebook.worker.journal import Entry

HOST = "example-secure-origin.com"
ORIGINS = (
    "required",
    "tls12",
    "optional",
    "http-required",
    "expired",
    "wrong-host",
    "untrusted",
    "other-ca",
    "silent",
    "reset",
)

ANNOUNCED = {
    "class": """
        from workers import WorkerEntrypoint
        class Default(WorkerEntrypoint):
            async def fetch(self, request):
                return await self.env.MY_CERT.fetch("https://example-secure-origin.com")
        """,
    "function": """
        async def on_fetch(request, env):
            return await env.MY_CERT.fetch("https://example-secure-origin.com")
        """,
}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("lab") / "lab"
    with Session() as made:
        made.start_lab(folder, origins=ORIGINS)
        for kind in ("expired", "other-ca", "self-signed"):
            made.upload(folder / f"{kind}-cert.pem", folder / f"{kind}-key.pem", name=kind)
        made.upload(folder / "cert.pem", folder / "key.pem", name="good")
        made.bind(MY_CERT="good", OTHER="good", EXPIRED="expired", STRANGER="other-ca", SELF="self-signed")
        yield made


def run(
    session: Session, code: str, *, timeout_s: float = 15, show: Callable[[Entry], None] | None = None
) -> Invocation:
    with session.worker(dedent(code), language="python") as worker:
        return worker.fetch("/", timeout_s=timeout_s, show=show)


def fetching(url: str, binding: str = "MY_CERT") -> str:
    return f"async def on_fetch(request, env):\n    return await env.{binding}.fetch('{url}')\n"


def answered(invocation: Invocation) -> bytes:
    assert invocation.error is None, invocation.error
    assert invocation.response is not None
    return invocation.response.body


def threw(invocation: Invocation) -> WorkerThrew:
    assert isinstance(invocation.error, WorkerThrew), invocation
    return invocation.error


def until(condition: Callable[[], bool], within_s: float = 5) -> bool:
    deadline = time.monotonic() + within_s
    while not condition() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return condition()


def ours() -> list[threading.Thread]:
    names = ("worker-", "blocking", "goodbye", "evictor")
    return [thread for thread in threading.enumerate() if thread.name.startswith(names)]


# -- it works ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ANNOUNCED.values(), ids=ANNOUNCED.keys())
def test_the_announcements_worker_presents_its_certificate(session: Session, code: str) -> None:
    invocation = run(session, code)
    said = json.loads(answered(invocation))
    assert (said["host"], said["tls"]["serverName"]) == (HOST, HOST)
    assert said["tlsClientAuth"]["certVerified"] == "SUCCESS"
    assert [(one.binding, one.status, one.diagnosis) for one in invocation.trace] == [("MY_CERT", 200, None)]
    assert len(invocation.handshakes) == 1
    assert invocation.handshakes[0].client_chain


def test_two_bindings_present_two_certificates_to_two_hosts_in_one_worker(session: Session) -> None:
    invocation = run(
        session,
        """
        import asyncio
        from workers import Response
        async def on_fetch(request, env):
            one, other = await asyncio.gather(
                env.MY_CERT.fetch("https://example-secure-origin.com/one"),
                env.STRANGER.fetch("https://other-ca.example-secure-origin.com/other"),
            )
            return Response.json([await one.json(), await other.json()])
        """,
    )
    one, other = json.loads(answered(invocation))
    assert one["tlsClientAuth"]["certFingerprintSHA256"] != other["tlsClientAuth"]["certFingerprintSHA256"]
    assert (one["path"], other["path"]) == ("/one", "/other")
    assert sorted(one.binding for one in invocation.trace) == ["MY_CERT", "STRANGER"]
    assert len(invocation.handshakes) == 2


def test_method_headers_and_body_arrive_and_several_values_come_back(session: Session) -> None:
    invocation = run(
        session,
        """
        from workers import Response, FormData
        async def on_fetch(request, env):
            origin = "https://example-secure-origin.com"
            put = await env.MY_CERT.fetch(origin + "/echo", method="PUT", body="grün", headers={"X-A": "1"})
            form = FormData({"a": b"\\x00\\r\\n", "b": "2"})
            fields = await (await env.MY_CERT.fetch(origin + "/echo", method="POST", body=form)).form_data()
            kind = put.headers["content-type"]
            return Response.json([await put.text(), kind, list(fields), list(fields["a"].content)])
        """,
    )
    assert json.loads(answered(invocation)) == ["grün", "text/plain;charset=UTF-8", ["a", "b"], [0, 13, 10]]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("HEAD", "/", 200), ("GET", "/status/204", 204), ("GET", "/status/304", 304)]
)
def test_answers_without_a_body_leave_the_connection_usable(
    session: Session, method: str, path: str, status: int
) -> None:
    invocation = run(
        session,
        f"""
        from workers import Response
        async def on_fetch(request, env):
            first = await env.MY_CERT.fetch("https://{HOST}{path}", method="{method}")
            again = await env.MY_CERT.fetch("https://{HOST}/")
            return Response.json([first.status, await first.text(), again.status])
        """,
    )
    assert json.loads(answered(invocation)) == [status, "", 200]
    assert [one.reused for one in invocation.trace] == [False, True]


def test_a_redirect_presents_the_certificate_again(session: Session) -> None:
    invocation = run(
        session,
        f"""
        from workers import Response
        async def on_fetch(request, env):
            answer = await env.MY_CERT.fetch("https://{HOST}/redirect/3")
            said = await answer.json()
            return Response.json([answer.url, answer.redirected, said["tlsClientAuth"]["certVerified"]])
        """,
    )
    assert json.loads(answered(invocation)) == [f"https://{HOST}/", True, "SUCCESS"]
    assert [one.status for one in invocation.trace] == [302, 302, 302, 200]


def test_many_fetches_at_once_and_a_large_body_come_through(session: Session) -> None:
    invocation = run(
        session,
        f"""
        import asyncio
        from workers import Response
        async def on_fetch(request, env):
            many = await asyncio.gather(*(env.MY_CERT.fetch("https://{HOST}/stream/2?pause=0") for _ in range(80)))
            texts = {{await answer.text() for answer in many}}
            large = await env.MY_CERT.fetch("https://{HOST}/bytes/3000000")
            return Response.json([len(many), len(texts), sum([len(chunk) async for chunk in large.body])])
        """,
    )
    assert json.loads(answered(invocation)) == [80, 1, 3_000_000]


def test_a_printed_line_is_shown_while_the_worker_still_waits(session: Session) -> None:
    seen: list[str] = []
    go_on = threading.Event()

    def show(entry: Entry) -> None:
        if isinstance(entry, LogLine):
            seen.append(entry.text)
            go_on.set()

    with session.worker(
        "import asyncio\nfrom workers import Response\n"
        "async def on_fetch(request):\n    print('now')\n"
        "    await asyncio.to_thread(go_on.wait, 5)\n    print('then')\n"
        "    return Response(str(go_on.is_set()))",
        notebook={"go_on": go_on},
    ) as worker:
        invocation = worker.fetch("/", timeout_s=10, show=show)
    assert answered(invocation) == b"True"
    assert seen == ["now", "then"] == [line.text for line in invocation.logs]


# -- it fails, and says why in two lines ---------------------------------------------------------------

FAILURES = {
    "no certificate": (
        f"async def on_fetch(r):\n    from workers import fetch\n    return await fetch('https://{HOST}/')",
        "certificate",
    ),
    "expired certificate": (fetching(f"https://{HOST}/", "EXPIRED"), "expired"),
    "another CA's certificate": (fetching(f"https://{HOST}/", "STRANGER"), "CA"),
    "a self-signed certificate": (fetching(f"https://{HOST}/", "SELF"), ""),
    "TLS 1.2, expired": (fetching(f"https://tls12.{HOST}/", "EXPIRED"), "expired"),
    "server expired": (fetching(f"https://expired.{HOST}/"), "expired"),
    "server of another name": (fetching(f"https://wrong-host.{HOST}/"), "wrong-host"),
    "server untrusted": (fetching(f"https://untrusted.{HOST}/"), "CA"),
    "reset": (fetching(f"https://reset.{HOST}/"), "reset"),
    "no such host": (fetching("https://no-such-host.invalid/"), "no-such-host.invalid"),
    "refused": (fetching("https://127.0.0.1:1/"), "127.0.0.1"),
}


@pytest.mark.parametrize(("code", "word"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_fetch_is_told_by_its_cause_and_its_fix(session: Session, code: str, word: str) -> None:
    invocation = run(session, code)
    error = threw(invocation)
    lines = error._render_traceback_()
    assert len(lines) == 2
    assert all(lines)
    assert word.lower() in error.message.lower()
    assert "Network connection lost" not in error.message
    assert (error.name, error.line > 0) == ("FetchError", True)
    assert [one.status for one in invocation.trace] == [None]
    assert invocation.trace[0].diagnosis is not None


def test_a_worker_may_catch_a_failed_fetch_and_answer(session: Session) -> None:
    invocation = run(
        session,
        f"""
        from workers import Response, FetchError
        async def on_fetch(request, env):
            try:
                await env.EXPIRED.fetch("https://{HOST}/")
            except FetchError as error:
                return Response(str(error), 502)
        """,
    )
    assert invocation.response is not None
    assert (invocation.response.status, invocation.response.text()) == (502, "Network connection lost.")


def test_a_403_is_an_answer_not_an_error(session: Session) -> None:
    code = f"async def on_fetch(r):\n    from workers import fetch\n    return await fetch('https://http-required.{HOST}/')"
    invocation = run(session, code)
    assert invocation.response is not None
    assert invocation.response.status == 403


def test_a_name_that_is_not_bound_is_told_with_those_that_are(session: Session) -> None:
    error = threw(run(session, fetching(f"https://{HOST}/", "MY_CRET")))
    assert "MY_CRET" in error.message
    assert "MY_CERT" in f"{error.message} {error.hint}"


def test_a_silent_origin_ends_with_the_deadline_and_the_session_goes_on(session: Session) -> None:
    began = time.monotonic()
    invocation = run(session, fetching(f"https://silent.{HOST}/"), timeout_s=0.3)
    assert isinstance(invocation.error, WorkerTimeout)
    assert time.monotonic() - began < 1.5
    assert run(session, ANNOUNCED["class"]).error is None


# -- plain servers, for what the lab does not do -------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[[bytes], str]]:
    """Return `serve(bytes)`: the URL of a server that answers every connection with these bytes, then closes."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def answering(listener: socket.socket, raw: bytes) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer, contextlib.suppress(ConnectionError):  # who has seen enough hangs up
                peer.recv(65536)
                peer.sendall(raw)

    def start(raw: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threads.append(threading.Thread(target=answering, args=(listener, raw)))
        threads[-1].start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    yield start
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join(5)


def plain(url: str) -> str:
    return f"from workers import fetch\nasync def on_fetch(r):\n    return await fetch('{url}')"


def test_a_compressed_body_is_decoded(session: Session, serve: Callable[[bytes], str]) -> None:
    packed = gzip.compress(b"packed " * 100)
    cookies = "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n{cookies}\r\n"
    invocation = run(session, plain(serve(head.encode() + packed)))
    assert answered(invocation) == b"packed " * 100
    assert invocation.response is not None
    assert [value for name, value in invocation.response.headers if name.lower() == "set-cookie"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nX-Huge: " + b"x" * 2_000_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["nothing", "nonsense", "short", "huge header", "broken chunk"],
)
def test_an_answer_that_is_none_is_a_failed_fetch(session: Session, serve: Callable[[bytes], str], raw: bytes) -> None:
    error = threw(run(session, plain(serve(raw))))
    assert error.name == "FetchError"
    assert error.hint


# -- stops ---------------------------------------------------------------------------------------------

ENDLESS = {
    "a loop": "while True: pass",
    "a loop that yields": "while True: await asyncio.sleep(0)",
    "a loop that catches everything": (
        "while True:\n        try:\n            while True: pass\n        except BaseException: pass"
    ),
    "a fetch from a silent origin": f"await env.MY_CERT.fetch('https://silent.{HOST}/')",
}


def endless(body: str) -> str:
    return f"import asyncio\nasync def on_fetch(request, env):\n    print('under way')\n    {body}\n"


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_endless_worker_ends_within_a_second_of_its_deadline(session: Session, body: str) -> None:
    began = time.monotonic()
    invocation = run(session, endless(body), timeout_s=0.3)
    assert isinstance(invocation.error, WorkerTimeout)
    assert time.monotonic() - began < 1.5
    assert [line.text for line in invocation.logs] == ["under way"]
    assert answered(run(session, ANNOUNCED["function"]))


@pytest.mark.parametrize("body", ENDLESS.values(), ids=ENDLESS.keys())
def test_an_interrupt_ends_a_runaway_worker_within_a_second_and_leaves_the_session_usable(
    session: Session, body: str
) -> None:
    pressed_at: list[float] = []

    def press(entry: Entry) -> None:
        if isinstance(entry, LogLine):
            pressed_at.append(time.monotonic())
            threading.Timer(0.05, os.kill, [os.getpid(), signal.SIGINT]).start()

    invocation = run(session, endless(body), timeout_s=20, show=press)
    assert isinstance(invocation.error, WorkerStopped)
    assert time.monotonic() - pressed_at[0] < 1.2
    assert answered(run(session, ANNOUNCED["function"]))


def test_a_stopped_worker_answers_again_and_leaves_no_thread(session: Session) -> None:
    code = (
        "from workers import Response\nasync def on_fetch(request):\n"
        "    while request.url.endswith('/forever'): pass\n    return Response('fine')"
    )
    with session.worker(code, name="again") as worker:
        assert isinstance(worker.fetch("/forever", timeout_s=0.2).error, WorkerTimeout)
        assert answered(worker.fetch("/")) == b"fine"
    assert until(lambda: not [thread for thread in ours() if thread.name == "worker-again"])


def test_a_body_whose_worker_loses_patience_is_ended_before_its_end(session: Session) -> None:
    invocation = run(
        session,
        f"""
        import asyncio
        from workers import Response
        async def on_fetch(request, env):
            answer = await env.MY_CERT.fetch("https://{HOST}/stream/100?pause=0.2")
            try:
                async with asyncio.timeout(0.3):
                    await answer.text()
            except TimeoutError:
                return Response("lost patience")
        """,
    )
    assert answered(invocation) == b"lost patience"
    assert invocation.elapsed_ns < 3e9
    assert until(lambda: not ours())


def test_a_fetch_whose_worker_loses_patience_before_any_answer_is_ended_and_leaves_no_thread(session: Session) -> None:
    invocation = run(
        session,
        f"""
        import asyncio
        from workers import Response
        async def on_fetch(request, env):
            try:
                async with asyncio.timeout(0.2):
                    await env.MY_CERT.fetch("https://silent.{HOST}/")
            except TimeoutError:
                return Response("lost patience")
        """,
    )
    assert answered(invocation) == b"lost patience"
    assert until(lambda: not ours(), 2), ours()
