"""One workerd process: its configuration, its guard, its log lines, and what its end meant.

The process sees no environment, no file and no network: its one way in is a listening socket that it
inherits, its only ways out are the bridge's sockets. All that is POSIX about the JavaScript engine is
here and in `bridge`. What may not live here: HTTP, and what a fault in the user's code is called.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from .exchange import LogLine
from .workerd import COMPATIBILITY_DATE

_MODULES = (("notebook-host", "host.js"), ("console-lines", "console.js"), ("cell", "cell.js"))
_READ_BYTES = 1 << 16
_LONGEST_LINE_BYTES = 1 << 20
_KEPT_SYSTEM_LINES = 32
_KILL_WAIT_S = 5.0  # SIGKILL takes milliseconds; this only keeps a stuck machine from holding us for good

# The guard is a shell that waits on our pipe ($1) and ends the worker when the pipe closes: a kernel that is
# killed cannot clean up, but its end of the pipe closes all the same. `exec` keeps the process id. The guard
# lets go of the listening socket (standard input), so that nobody connects to a worker that is gone.
# ulimit -d bounds ArrayBuffers, which V8's heap limit does not count.
_GUARD = """
(exec </dev/null >/dev/null 2>&1; read -r _ <&"$1"; kill -9 $$) &
ulimit -d "$2" 2>/dev/null
shift 2
exec "$@"
"""

Level = Literal["log", "debug", "info", "warn", "error"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker may use. `log_lines` and `log_chars` count from one submitted request to the next."""

    heap_mb: int = 128
    memory_mb: int = 1024
    log_lines: int = 5_000
    log_chars: int = 4_000_000
    response_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process is to run: addresses of the bridge's sockets by binding name, and the worker's text."""

    code: str
    host: str
    console: str
    typescript: bool
    bindings: Mapping[str, str]
    outbound: str
    variables: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: its status (negative: a signal) and the last things workerd itself said."""

    status: int
    said: tuple[str, ...]


class WorkerdProcess:
    """A running workerd. `ended` is set once it is gone; then `ending` says how."""

    def __init__(
        self, workerd: Path, folder: Path, plan: Plan, emit: Callable[[LogLine], None], limits: Limits
    ) -> None:
        """Start it in `folder` (ours alone); `address` is where it will answer, from now on."""
        self.address = str(folder / "in")
        self.ended = threading.Event()
        self.ending = Ending(0, ())
        self._reaping = threading.Lock()
        _write(folder, plan, limits)
        listener = _listener(self.address)
        try:
            self._process, self._lifeline = _spawn(workerd, folder, plan, listener, limits)
        finally:
            listener.close()  # only workerd holds it now: when it dies, connecting fails at once
        assert self._process.stdout is not None
        self.logs = LogPipe(self._process.stdout.fileno(), emit, limits)
        self._reader = threading.Thread(target=self._follow, name="workerd-logs", daemon=True)
        self._reader.start()

    def alive(self) -> bool:
        """Return whether it still listens: it does not from the moment it dies."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            return probe.connect_ex(self.address) == 0

    @property
    def pid(self) -> int:
        """Return workerd's own process id."""
        return self._process.pid

    def kill(self) -> None:
        """End the process and its guard now, and wait until they are gone."""
        self._signal()
        if threading.current_thread() is not self._reader:  # else we are in a log line's own callback
            self.ended.wait(_KILL_WAIT_S)

    def _signal(self) -> None:
        with self._reaping:  # until it is reaped the leader's id cannot pass to another process
            if not self.ended.is_set():
                _kill_group(self._process.pid)

    def _follow(self) -> None:
        """Emit log lines until the pipe ends, then reap the process (in this thread only)."""
        self.logs.follow()
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._reaping:
            _kill_group(self._process.pid)  # the guard too
            self.ending = Ending(self._process.wait(), tuple(self.logs.said))
            self.ended.set()
        os.close(self._lifeline)
        assert self._process.stdout is not None
        self._process.stdout.close()


class LogPipe:
    """workerd's output as LogLines: in order, live, and bounded; what workerd itself says is set aside."""

    def __init__(self, fd: int, emit: Callable[[LogLine], None], limits: Limits) -> None:
        self.lock = threading.RLock()
        self.said: deque[str] = deque(maxlen=_KEPT_SYSTEM_LINES)
        self._fd = fd
        self._emit = emit
        self._limits = limits
        self._rest = b""
        self._open = True
        os.set_blocking(fd, False)
        self.refill()

    def refill(self) -> None:
        """Allow a full measure of lines again: a new request is on its way."""
        self._lines_left = self._limits.log_lines
        self._chars_left = self._limits.log_chars
        self._cut_said = False

    def last_said(self) -> str:
        """Return (and forget) the last thing that workerd itself said; "" if nothing."""
        with self.lock:
            return self.said.pop() if self.said else ""

    def follow(self) -> None:
        """Emit lines as they come, until the writer is gone."""
        while self._open:
            select.select([self._fd], [], [])
            with self.lock:
                self._read_once()

    def drain(self) -> None:
        """Emit what was written so far, so that a response never overtakes the lines before it."""
        with self.lock:
            if self._open:
                # One read holds a whole pipe; an endless writer cannot keep us here.
                self._read_once()

    def _read_once(self) -> None:
        try:
            data = os.read(self._fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._open = False
        *lines, self._rest = (self._rest + data).split(b"\n")
        self._rest = self._rest[:_LONGEST_LINE_BYTES]
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        if not line:
            return
        if line.startswith(b'{"timestamp"') and self._cut_said and b'"source"' not in line:
            return  # a flood: not even parsed
        said = _parsed(line)
        text = str(said.get("message", ""))
        if "source" in said:  # workerd's own words; a worker's lines have none
            self.said.append(text)
        else:
            self._offer(_level(said.get("level")), text)

    def _offer(self, level: Level, text: str) -> None:
        if self._lines_left <= 0 or self._chars_left < len(text):
            self._say_cut()
            return
        self._lines_left -= 1
        self._chars_left -= len(text)
        self._emit(LogLine(level, text, time.monotonic_ns()))

    def _say_cut(self) -> None:
        if not self._cut_said:
            self._cut_said = True
            shown = self._limits.log_lines - self._lines_left
            text = f"… too much output: {shown} lines shown, the rest is dropped until the next request"
            self._emit(LogLine("warn", text, time.monotonic_ns()))


def capnp_text(value: str) -> str:
    """Return `value` as a Cap'n Proto string literal."""
    plain = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02x}" for b in value.encode("utf-8"))
    return f'"{plain}"'


def configuration(plan: Plan, limits: Limits) -> str:
    """Return workerd's configuration for `plan`, as Cap'n Proto text."""
    services = [_external("outbound", plan.outbound)]
    services += [_external(f"binding-{at}", address) for at, address in enumerate(plan.bindings.values())]
    bindings = [
        f"(name = {capnp_text(name)}, service = {capnp_text(f'binding-{at}')})" for at, name in enumerate(plan.bindings)
    ]
    bindings += [_variable(name, value) for name, value in plan.variables.items()]
    modules = ", ".join(f"(name = {capnp_text(name)}, esModule = embed {capnp_text(file)})" for name, file in _MODULES)
    flags = '"typescript_strip_types"' if plan.typescript else ""
    return f"""using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [{modules}],
      compatibilityDate = "{COMPATIBILITY_DATE}",
      compatibilityFlags = [{flags}],
      globalOutbound = "outbound",
      bindings = [{", ".join(bindings)}])),
    {", ".join(services)}],
  sockets = [(name = "in", address = "unix:in", http = (style = proxy, cfBlobHeader = "cf-blob"), service = "main")],
  v8Flags = ["--max-old-space-size={limits.heap_mb}"],
  logging = (structuredLogging = true));
"""


def _external(name: str, address: str) -> str:
    # A proxy-style request line holds the whole URL; HTTP/1.1 wants a Host all the same (RFC 9112 §3.2).
    http = '(style = proxy, injectRequestHeaders = [(name = "host", value = "bridge")])'
    return f"(name = {capnp_text(name)}, external = (address = {capnp_text('unix:' + address)}, http = {http}))"


def _variable(name: str, value: object) -> str:
    kind, text = ("text", value) if isinstance(value, str) else ("json", json.dumps(value))
    return f"(name = {capnp_text(name)}, {kind} = {capnp_text(text)})"


def _write(folder: Path, plan: Plan, limits: Limits) -> None:
    (folder / "empty").mkdir()
    (folder / "host.js").write_text(plan.host, "utf-8")
    (folder / "console.js").write_text(plan.console, "utf-8")
    (folder / "cell.js").write_text(plan.code, "utf-8")
    (folder / "workerd.capnp").write_text(configuration(plan, limits), "utf-8")


def _listener(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(256)
    return listener


def _spawn(
    workerd: Path, folder: Path, plan: Plan, listener: socket.socket, limits: Limits
) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process, and the pipe that keeps it alive while it is open."""
    command = [str(workerd), "serve", str(folder / "workerd.capnp"), "--socket-fd", "in=0"]
    if plan.typescript:
        command.append("--experimental")  # workerd counts type stripping among its experiments
    watched, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(watched), str(limits.memory_mb * 1024), *command],
            env={},
            cwd=folder / "empty",
            stdin=listener.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(watched,),
            start_new_session=True,  # an interrupt of the kernel's group is ours to handle, not workerd's
        )
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(watched)
    return process, lifeline


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    except PermissionError:
        return  # macOS says this of a group that has only zombies left


def _parsed(line: bytes) -> dict[str, Any]:
    """Return the line's JSON object; a line that is none (V8's last words) as something workerd said."""
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    return value if isinstance(value, dict) else {"source": "", "message": line.decode("utf-8", "replace")}


def _level(name: object) -> Level:
    levels: tuple[Level, ...] = get_args(Level)
    return next((level for level in levels if level == name), "log")
