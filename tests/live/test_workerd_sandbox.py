"""What a worker cannot do on this machine: tried on the real workerd, one escape per test."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtls_notebook.errors import WorkerError, WorkerThrew
from mtls_notebook.worker.workerd_config import Limits
from tests.live.plain_http import PlainFetcher, PlainOrigin
from tests.live.workers import handler, running


@pytest.fixture
def origin() -> Iterator[PlainOrigin]:
    started = PlainOrigin()
    yield started
    started.close()


def outcome(code: str) -> str:
    """Return the worker's text, or the message of its error."""
    with running(code) as worker:
        try:
            return worker.fetch().text()
        except WorkerError as error:
            return error.message


def test_a_worker_reads_no_file_of_this_machine(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    code = 'import fs from "node:fs";\n' + handler(
        f"""try {{ return new Response(fs.readFileSync({str(secret)!r}, "utf8")) }}
          catch (error) {{ return new Response(error.code) }}"""
    )
    assert outcome(code) == "ENOENT"


def test_a_worker_writes_no_file_of_this_machine(tmp_path: Path) -> None:
    target = tmp_path / "written.txt"
    outcome('import fs from "node:fs";\n' + handler(f"fs.writeFileSync({str(target)!r}, 'x'); return new Response()"))
    assert not target.exists()


def test_a_worker_sees_no_environment_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_FOR_TEST", "secret")
    assert outcome(handler("return Response.json(Object.keys(process.env))")) == "[]"


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_process_itself_has_an_empty_environment_and_its_own_folder() -> None:
    with running(handler("return new Response()")) as worker:
        worker.fetch()
        process = Path(f"/proc/{worker.program.pid}")
        # The shell that sets the limits adds the folder's own name; nothing of ours is passed on.
        names = {entry.partition(b"=")[0] for entry in (process / "environ").read_bytes().split(b"\0") if entry}
        assert names <= {b"PWD", b"OLDPWD", b"_", b"SHLVL"}
        assert list((process / "cwd").iterdir()) == []
        assert os.readlink(process / "cwd") != str(Path.cwd())
        assert Path(os.readlink(process / "cwd")).parent.stat().st_mode & 0o777 == 0o700


def test_a_worker_opens_no_tcp_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        port = server.getsockname()[1]
        code = 'import { connect } from "cloudflare:sockets";\n' + handler(f"""const to = connect("127.0.0.1:{port}");
          try {{ await to.opened; return new Response("opened") }}
          catch (error) {{ return new Response("refused") }}""")
        assert outcome(code) == "refused"
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_worker_starts_no_process() -> None:
    code = 'import { spawn } from "node:child_process";\n' + handler(
        "try { spawn('/bin/true'); return new Response('spawned') } catch (error) { return new Response(error.code) }"
    )
    assert outcome(code) == "ERR_METHOD_NOT_IMPLEMENTED"


@pytest.mark.parametrize("expression", ["eval('1')", "new Function('return 1')()", "await import('https://h/x.js')"])
def test_a_worker_runs_no_code_but_its_own(expression: str) -> None:
    with running(handler(f"return new Response({expression})")) as worker, pytest.raises(WorkerThrew):
        worker.fetch()


def test_forged_headers_do_not_lend_a_certificate(origin: PlainOrigin) -> None:
    code = handler("""const headers = {"Host": "out1", "X-Binding": "API", "CF-Binding": "API"};
      return Response.json((await (await fetch("https://h/", {headers})).json()).headers)""")
    bindings = {"API": PlainFetcher(origin, "certificate")}
    with running(code, bindings, fallback=PlainFetcher(origin, "plain")) as worker:
        seen = worker.fetch().json()
    assert seen["X-Fetcher"] == "plain"


def test_the_heap_is_bounded_and_the_next_request_gets_a_fresh_worker() -> None:
    code = handler("""if (request.url.endsWith('/fine')) return new Response('fine');
      const kept = []; for (;;) kept.push(new Array(1000).fill(1.5))""")
    with running(code, limits=Limits(heap_mb=64)) as worker:
        with pytest.raises(WorkerThrew, match=r"^The worker ran out of memory \(64 MB\)"):
            worker.fetch()
        assert worker.fetch("/fine").text() == "fine"


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not enforce ulimit -d")
def test_array_buffers_are_bounded_too() -> None:
    code = handler("""let got = 0; const kept = [];
      try { for (; got < 4096; got += 64) kept.push(new Uint8Array(64 << 20).fill(1)) }
      catch { return new Response(got) }
      return new Response("all")""")
    assert 64 <= int(outcome(code)) < 1100


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_holds_no_inet_socket() -> None:
    with running(handler("return new Response()")) as worker:
        worker.fetch()
        held = {os.readlink(link) for link in Path(f"/proc/{worker.program.pid}/fd").iterdir()}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        rows = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        assert not held & {f"socket:[{row.split()[9]}]" for row in rows}
