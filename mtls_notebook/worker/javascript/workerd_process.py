"""One workerd process: its guard, its log lines, and what its end meant.

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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ..exchange import LogLine
from .workerd_config import Limits, Plan, write

_READ_BYTES = 1 << 16
_LONGEST_LINE_BYTES = 1 << 20
_KEPT_SYSTEM_LINES = 32
_KILL_WAIT_S = 5.0  # SIGKILL takes milliseconds; this only keeps a stuck machine from holding us for good

# The guard is a shell that waits on our pipe and ends the worker when the pipe closes: a kernel that is killed
# cannot clean up, but its end of the pipe closes all the same; then the folder ($2), which holds the worker's
# code and variables, goes too. `exec` keeps the process id. The pipe comes in as standard error and becomes 3,
# since dash knows one-digit descriptors only. The guard lets go of the listening socket (standard input), so
# that nobody connects to a worker that is gone. ulimit -d bounds ArrayBuffers, which V8's heap limit does not.
_GUARD = """
exec 3<&2 2>&1
(exec </dev/null >/dev/null 2>&1; read -r _ <&3; kill -9 $$; /bin/rm -rf "$2") &
exec 3<&-
ulimit -d "$1" 2>/dev/null
shift 2
exec "$@"
"""

Level = Literal["log", "debug", "info", "warn", "error"]


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
        configuration = write(folder, plan, limits)
        (folder / "empty").mkdir()
        listener = _listener(self.address)
        try:
            self._process, self._lifeline = _spawn(workerd, configuration, plan.typescript, listener, limits)
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
        with self._reaping:
            _kill_group(self._process.pid)  # the guard; workerd is dying: only its end closes the pipe
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


def _listener(address: str) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(address)
    listener.listen(256)
    return listener


def _spawn(
    workerd: Path, configuration: Path, typescript: bool, listener: socket.socket, limits: Limits
) -> tuple[subprocess.Popen[bytes], int]:
    """Return the process, and the pipe that keeps it alive while it is open."""
    folder = configuration.parent
    command = [str(workerd), "serve", str(configuration), "--socket-fd", "in=0"]
    if typescript:
        command.append("--experimental")  # workerd counts type stripping among its experiments
    watched, lifeline = os.pipe()
    try:
        process = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "sh", str(limits.memory_mb * 1024), str(folder), *command],
            env={},
            cwd=folder / "empty",
            stdin=listener.fileno(),
            stdout=subprocess.PIPE,
            stderr=watched,  # the guard makes it the lifeline's end, and standard error what standard output is
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
