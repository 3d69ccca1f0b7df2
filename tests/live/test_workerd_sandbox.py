"""What a worker cannot do on this machine: tried on the real workerd, one escape per test."""

from __future__ import annotations

import os
import re
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtls_notebook.errors import WorkerError, WorkerThrew
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


# Each names a way out, what it imports, and what it comes to: the handler answers "refused" and the reason.
REFUSED = {
    "a file, by promise": ("fs", "node:fs/promises", "await fs.readFile('/etc/passwd')", "ENOENT"),
    "a file by a longer way": ("fs", "node:fs", "fs.readFileSync('/bundle/../../etc/passwd')", "ENOENT"),
    "a file by a link": ("fs", "node:fs", "fs.symlinkSync('/etc/passwd', '/tmp/l'); fs.readFileSync('/tmp/l')", "."),
    "a file by fetch": ("", "", "await fetch('file:///etc/passwd')", "cannot load"),
    "a file as a module": ("", "", "await import('file:///etc/passwd')", "No such module"),
    "text as a module": ("", "", "await import('data:text/javascript,export default 1')", "No such module"),
    "a shell": ("child", "node:child_process", "child.execSync('id')", "NOT_IMPLEMENTED"),
    "a fork": ("child", "node:child_process", "child.fork('cell')", "NOT_IMPLEMENTED"),
    "a thread": ("threads", "node:worker_threads", "new threads.Worker('1', { eval: true })", "NOT_IMPLEMENTED"),
    "a signal": ("", "", "process.kill(process.ppid, 9)", "NOT_IMPLEMENTED"),
    "a socket by node": ("net", "node:net", "await opened(net.connect(TO, '127.0.0.1'), 'connect')", "refused|failed"),
    "a TLS socket": (
        "tls",
        "node:tls",
        "await opened(tls.connect(TO, '127.0.0.1'), 'secureConnect')",
        "refused|failed",
    ),
    "a socket of a binding": ("", "", "await env.API.connect(`127.0.0.1:${TO}`).opened", "failed"),
    "a unix socket by node": ("net", "node:net", "net.connect({ path: '/tmp/out0' })", "not supported"),
    "a unix socket by fetch": ("", "", "await fetch('http+unix://%2Ftmp%2Fout0/')", "cannot load"),
    "a unix socket as a URL": ("", "", "await fetch('unix:out0')", "cannot load"),
    "a tunnel": ("", "", "await fetch('http://h/', { method: 'CONNECT' })", "Invalid HTTP method"),
    "a tunnel in small letters": ("", "", "await fetch('http://h/', { method: 'connect' })", "Invalid HTTP method"),
    "a line in a method": (
        "",
        "",
        "await fetch('http://h/', { method: 'GET / HTTP/1.1\\r\\nX: 1' })",
        "Invalid HTTP method",
    ),
    "a line in a header": (
        "",
        "",
        "await fetch('http://h/', { headers: { 'X-A': '1\\r\\nX-B: 2' } })",
        "Invalid header",
    ),
    "half a line in a header": (
        "",
        "",
        "await fetch('http://h/', { headers: { 'X-A': '1\\nX-B: 2' } })",
        "Invalid header",
    ),
    "a nought in a header": ("", "", "await fetch('http://h/', { headers: { 'X-A': '1\\0' } })", "Invalid header"),
    "a line in a header's name": (
        "",
        "",
        "await fetch('http://h/', { headers: { 'X-A: 1\\r\\nX-B': '2' } })",
        "header name",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_way_out_is_refused_and_nobody_outside_hears_of_it(name: str, origin: PlainOrigin) -> None:
    short, module, attempt, reason = REFUSED[name]
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        head = f"import * as {short} from {module!r};\n" if module else ""
        head += f"const TO = {server.getsockname()[1]};\n"
        head += "const opened = (to, event) => new Promise((yes, no) => to.on(event, yes).on('error', no));\n"
        code = head + handler(f"""try {{ {attempt}; return new Response("escaped") }}
          catch (error) {{ return new Response(`refused ${{error.code}} ${{error.message}}`) }}""")
        with running(code, {"API": PlainFetcher(origin)}, fallback=PlainFetcher(origin)) as worker:
            text = worker.fetch().text()
        assert text.startswith("refused ")
        assert re.search(reason, text)
        with pytest.raises(TimeoutError):
            server.accept()
    assert origin.requests == []


def test_what_node_calls_a_datagram_or_a_server_never_reaches_the_network() -> None:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
        running(
            'import dgram from "node:dgram";\nimport net from "node:net";\nimport http from "node:http";\n'
            + handler("""const to = Number(new URL(request.url).searchParams.get("to"));
          const tried = [() => dgram.createSocket("udp4").send("x", to, "127.0.0.1"),
            () => net.createServer().listen(to), () => http.createServer(() => {}).listen(to)];
          for (const attempt of tried) try { attempt() } catch {}
          return new Response("tried")""")
        ) as worker,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(0.1)
        port = receiver.getsockname()[1]
        assert worker.fetch(f"/?to={port}").text() == "tried"
        with pytest.raises(TimeoutError):
            receiver.recv(1)
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_name_is_looked_up_by_fetch_and_not_by_this_machine(origin: PlainOrigin) -> None:
    code = 'import dns from "node:dns/promises";\n' + handler(
        "try { return Response.json(await dns.lookup('localhost')) } catch { return new Response('refused') }"
    )
    with running(code, fallback=PlainFetcher(origin)) as worker:
        assert worker.fetch().text() == "refused"
    assert {asked.partition("?")[0] for asked in origin.requests} == {"GET /dns-query"}


@pytest.mark.parametrize("expression", ["eval('1')", "new Function('return 1')()", "await import('https://h/x.js')"])
def test_a_worker_runs_no_code_but_its_own(expression: str) -> None:
    with running(handler(f"return new Response({expression})")) as worker, pytest.raises(WorkerThrew):
        worker.fetch()


# What a plain fetch may say of itself; none of it makes the bridge take it for the binding's.
FORGED = {
    "headers": """fetch("https://h/", { headers: { "Host": "out1", "X-Binding": "API", "CF-Binding": "API",
        "cf-blob": '{"binding":"API"}', "Forwarded": "host=out1" } })""",
    "what is said of the connection": """fetch("https://h/", { headers: { "Connection": "x-fetcher, host",
        "Proxy-Connection": "keep-alive", "Proxy-Authorization": "API", "Transfer-Encoding": "chunked" } })""",
    "the bridge's own name": "fetch('http://bridge/out1')",
    "a user name": "fetch('https://API:API@h/')",
    "a URL in the path": "fetch('http://h/http://out1/')",
    "a line in the path": "fetch('https://h/a\\r\\nX-Fetcher:certificate')",
    "cf": "fetch('https://h/', { cf: { binding: 'API', resolveOverride: 'out1' } })",
}


@pytest.mark.parametrize("name", FORGED)
def test_a_plain_fetch_never_passes_for_a_bindings(name: str, origin: PlainOrigin) -> None:
    code = handler(f"return Response.json((await (await {FORGED[name]}).json()).headers)")
    fetchers = {"API": PlainFetcher(origin, "certificate")}
    with running(code, fetchers, fallback=PlainFetcher(origin, "plain")) as worker:
        answer = worker.fetch().json()
    assert answer["X-Fetcher"] == "plain"
    assert len(origin.requests) == 1


def test_each_bindings_fetch_is_its_own_and_env_lists_no_more_than_was_bound(origin: PlainOrigin) -> None:
    code = handler("""const who = async (binding, asked) => (await (await binding.fetch("https://h/", asked)).json())
        .headers["X-Fetcher"];
      const forged = { headers: { Host: "out2", "X-Binding": "TWO" } };
      return Response.json({ names: Reflect.ownKeys(env), seen: [await who(env.ONE, forged), await who(env.TWO)],
        borrowed: await who({ fetch: env.TWO.fetch.bind(env.ONE) }) })""")
    fetchers = {"ONE": PlainFetcher(origin, "one"), "TWO": PlainFetcher(origin, "two")}
    with running(code, fetchers, variables={"PLAIN": "text"}) as worker:
        assert worker.fetch().json() == {"names": ["ONE", "TWO", "PLAIN"], "seen": ["one", "two"], "borrowed": "one"}


# A second request hidden in the body of the first, behind headers that lie about its length.
SMUGGLED = {
    "chunks that end early": ("{ 'Transfer-Encoding': 'chunked', 'Content-Length': '4' }", "'0\\r\\n\\r\\n' + hidden"),
    "a length that is too short": ("{ 'Content-Length': '2' }", "'aa' + hidden"),
    "a stream with a length": (
        "{ 'Content-Length': '2', 'Transfer-Encoding': 'identity' }",
        "new Response(hidden).body",
    ),
    "two lengths": ("[['Content-Length', '2'], ['Content-Length', '3']]", "hidden"),
}


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_request_in_a_body_stays_a_body(name: str, origin: PlainOrigin) -> None:
    headers, body = SMUGGLED[name]
    code = handler(f"""const hidden = "GET http://h/smuggled HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n";
      const answer = await fetch("http://h/seen", {{ method: "POST", headers: {headers}, body: {body} }});
      return new Response((await answer.json()).body.endsWith(hidden));""")
    with running(code, fallback=PlainFetcher(origin)) as worker:
        assert worker.fetch().text() == "true"
        assert worker.fetch().text() == "true"  # on the same connection, had the first left something on it
    assert origin.requests == ["POST /seen", "POST /seen"]


def test_an_upgrade_is_refused_before_an_origin_is_asked(origin: PlainOrigin) -> None:
    code = handler("""const headers = { Upgrade: "websocket", Connection: "Upgrade" };
      return new Response((await fetch("http://h/", { headers })).status)""")
    with running(code, fallback=PlainFetcher(origin)) as worker:
        assert worker.fetch().text() == "403"
    assert origin.requests == []


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_folder_of_one_worker_is_closed_to_the_others_and_gone_when_it_stops() -> None:
    with running(handler("return new Response()")) as worker:
        worker.fetch()
        folder = Path(os.readlink(f"/proc/{worker.program.pid}/cwd")).parent
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_worker_holds_no_inet_socket() -> None:
    with running(handler("return new Response()")) as worker:
        worker.fetch()
        held = {os.readlink(link) for link in Path(f"/proc/{worker.program.pid}/fd").iterdir()}
    for table in ("tcp", "tcp6", "udp", "udp6"):
        rows = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        assert not held & {f"socket:[{row.split()[9]}]" for row in rows}
