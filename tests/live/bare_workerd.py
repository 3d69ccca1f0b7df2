"""The judge of the corpus: workerd alone, with mTLS bindings as its own configuration makes them.

One process runs every program: a `network` service for each certificate (`tlsOptions.keypair`), one worker and one
unix socket for each program. Nothing of ours is inside: no host module, no bridge, no console.
What may not live here: tests, and any module of the package but those that say which binary and which date.
"""

from __future__ import annotations

import gzip
import http.client
import json
import re
import select
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mtls_notebook.worker.exchange import HttpRequest
from mtls_notebook.worker.javascript import workerd
from tests.live.material import Pki

START_LIMIT_S = 20.0
ANSWER_LIMIT_S = 20.0
_UNCAUGHT = re.compile(r"jsg\.(?P<name>[\w.]+): ?(?P<message>.*?)(?:\nstack:|; |$)", re.DOTALL)
_SCRIPT_LINE = re.compile(r"console\.(?P<level>\w+)\(\); message\(\) = (?P<values>\[.*\])$", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Program:
    """One worker to run: `script` is service-worker syntax, `types` TypeScript."""

    name: str
    code: str
    script: bool = False
    types: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to: the answer, or the name of the error thrown, and the console's (level, text) lines."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    error: str
    lines: tuple[tuple[str, str], ...]


class BareWorkerd:
    """A running workerd that answers each program's requests."""

    def __init__(self, process: subprocess.Popen[bytes], folder: Path, programs: Sequence[Program]) -> None:
        self._process = process
        self._folder = folder
        self._places = {program.name: at for at, program in enumerate(programs)}
        self._rest = b""

    @property
    def pid(self) -> int:
        """Return workerd's process id."""
        return self._process.pid

    def ask(self, name: str, request: HttpRequest) -> Outcome:
        """Return what the program `name` makes of `request`."""
        self._lines()
        status, headers, body = self._exchange(f"in{self._places[name]}", request)
        self._exchange("marker", HttpRequest())
        console, said = [], ""
        for line in self._lines(until="corpus-marker"):
            if "source" not in line:
                console.append((str(line["level"]), str(line["message"])))
            elif script := _SCRIPT_LINE.search(str(line["message"])):
                console.append((script["level"], " ".join(map(str, json.loads(script["values"])))))
            elif uncaught := _UNCAUGHT.search(str(line["message"])):
                said = uncaught["name"]
        failed = status == 0 or (status == 500 and body == b"Internal Server Error")
        return Outcome(status, headers, body, (said or "Error") if failed else "", tuple(console))

    def _exchange(self, place: str, request: HttpRequest) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
        connection = _Unix(str(self._folder / place))
        try:
            connection.putrequest(request.method, request.url, skip_host=True, skip_accept_encoding=True)
            headers = [("Host", "worker.local"), *request.headers]
            headers += [("cf-blob", json.dumps(request.cf))] if request.cf else []
            if request.body or request.method in ("POST", "PUT", "PATCH"):
                headers.append(("Content-Length", str(len(request.body))))
            for pair in headers:
                connection.putheader(*pair)
            connection.endheaders(request.body or None)
            return _read(connection)
        finally:
            connection.close()

    def _lines(self, until: str = "") -> list[dict[str, object]]:
        """Return the lines of the log that are there; with `until`, all up to that line, which is awaited."""
        found: list[dict[str, object]] = []
        limit = time.monotonic() + ANSWER_LIMIT_S
        assert self._process.stdout is not None
        while select.select([self._process.stdout], [], [], limit - time.monotonic() if until else 0)[0]:
            data = self._process.stdout.raw.read(1 << 16)  # type: ignore[attr-defined]
            assert data, "workerd ended"
            *lines, self._rest = (self._rest + data).split(b"\n")
            found += map(_parsed, filter(None, lines))
            if until and any(line["message"] == until for line in found):
                return [line for line in found if line["message"] != until]
        assert not until, f"workerd never said {until}"
        return found


def _parsed(line: bytes) -> dict[str, object]:
    """Return the line's object; what workerd prints beside its structured log is its own word, not the worker's."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {"source": "", "message": line.decode("utf-8", "replace")}


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("worker.local", timeout=ANSWER_LIMIT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(ANSWER_LIMIT_S)
        self.sock.connect(self._path)


def _read(connection: http.client.HTTPConnection) -> tuple[int, tuple[tuple[str, str], ...], bytes]:
    try:
        response = connection.getresponse()
    except (OSError, http.client.HTTPException):
        return 0, (), b""
    headers = tuple(response.getheaders())
    try:
        body = response.read()
    except (OSError, http.client.IncompleteRead):
        return 0, headers, b""
    packed = response.getheader("content-encoding") == "gzip"
    return response.status, headers, gzip.decompress(body) if packed and body else body


@contextmanager
def bare_workerd(
    folder: Path, pki: Pki, bindings: Mapping[str, str], variables: Mapping[str, object], programs: Sequence[Program]
) -> Iterator[BareWorkerd]:
    """Yield a workerd that runs `programs`; `bindings` are the names of the PKI's client certificates by binding."""
    for at, program in enumerate(programs):
        (folder / f"program{at}.js").write_text(program.code, "utf-8")
    configuration = folder / "bare.capnp"
    configuration.write_text(_configuration(folder, pki, bindings, variables, programs), "utf-8")
    argv = [str(workerd.find()), "serve", "--experimental", "--verbose", str(configuration)]
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={})
    try:
        _await(folder / "marker", process)
        yield BareWorkerd(process, folder, programs)
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _await(path: Path, process: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + START_LIMIT_S
    while time.monotonic() < limit and process.poll() is None:
        with socket.socket(socket.AF_UNIX) as probe:
            if path.exists() and probe.connect_ex(str(path)) == 0:
                return
        time.sleep(0.01)
    assert process.stdout is not None
    raise AssertionError(f"bare workerd does not answer: {process.stdout.read(4000) if process.poll() else ''!r}")


# ---- the configuration


def _configuration(
    folder: Path, pki: Pki, bindings: Mapping[str, str], variables: Mapping[str, object], programs: Sequence[Program]
) -> str:
    services = [_network("outbound", pki, None)]
    services += [_network(f"binding-{name}", pki, certificate) for name, certificate in bindings.items()]
    inside = [f'(name = "{name}", service = "binding-{name}")' for name in bindings]
    inside += [f'(name = "{name}", {_value(value)})' for name, value in variables.items()]
    services += [_worker(at, program, inside) for at, program in enumerate(programs)]
    marker = "export default { fetch() { console.log('corpus-marker'); return new Response() } }"
    services.append(_service("marker", f'modules = [(name = "marker", esModule = {_text(marker)})]', ()))
    sockets = [_socket(folder, f"in{at}", f"program-{at}") for at in range(len(programs))]
    sockets.append(_socket(folder, "marker", "marker"))
    return f"""using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [{", ".join(services)}],
  sockets = [{", ".join(sockets)}],
  logging = (structuredLogging = true));
"""


def _network(name: str, pki: Pki, certificate: str | None) -> str:
    keypair = ""
    if certificate is not None:
        pair = pki.clients[certificate]
        chain, key = _text(pair.cert.read_text("ascii")), _text(pair.key.read_text("ascii"))
        keypair = f", keypair = (privateKey = {key}, certificateChain = {chain})"
    trusted = f"trustBrowserCas = false, trustedCertificates = [{_text(pki.ca.read_text('ascii'))}]"
    return f'(name = "{name}", network = (allow = ["public", "private"], tlsOptions = ({trusted}{keypair})))'


def _worker(at: int, program: Program, inside: Sequence[str]) -> str:
    embedded = f'embed "program{at}.js"'
    what = (
        f"serviceWorkerScript = {embedded}" if program.script else f'modules = [(name = "cell", esModule = {embedded})]'
    )
    return _service(f"program-{at}", what, inside, '"typescript_strip_types"' if program.types else "")


def _service(name: str, what: str, inside: Sequence[str], flags: str = "") -> str:
    return (
        f'(name = "{name}", worker = ({what}, compatibilityDate = "{workerd.COMPATIBILITY_DATE}", '
        f'compatibilityFlags = [{flags}], globalOutbound = "outbound", bindings = [{", ".join(inside)}]))'
    )


def _socket(folder: Path, name: str, service: str) -> str:
    http_options = 'http = (style = proxy, cfBlobHeader = "cf-blob")'
    return f'(name = "{name}", address = "unix:{folder / name}", {http_options}, service = "{service}")'


def _value(value: object) -> str:
    return f"text = {_text(value)}" if isinstance(value, str) else f"json = {_text(json.dumps(value))}"


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)
