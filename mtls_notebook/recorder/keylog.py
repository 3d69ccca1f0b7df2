"""The secrets of recorded connections, in memory: what SSLKEYLOGFILE would write, without the file.

OpenSSL hands secrets out only through a file name, so the "file" is an anonymous memory file
(Linux). Elsewhere there is none, and a recording holds no secrets: better than a file on a disk.
"""

from __future__ import annotations

import os
import ssl
import threading
import weakref
from collections import OrderedDict

_UNCLAIMED = 512  # connections whose lines are kept until somebody asks; the oldest go first
_TRUNCATE_BYTES = 1 << 20


class Keylog:
    """The lines that one context's connections log, by client random."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("mtls-notebook-keylog", os.MFD_CLOEXEC)
        self._offset = 0
        self._rest = b""
        self._lines: OrderedDict[str, list[str]] = OrderedDict()
        self._lock = threading.Lock()
        weakref.finalize(self, os.close, self._fd)

    @property
    def path(self) -> str:
        """Return the name by which OpenSSL can open the memory file."""
        return f"/proc/self/fd/{self._fd}"

    def take(self, client_random: bytes) -> list[str]:
        """Return the lines logged for a connection since it was last asked for, and forget them."""
        with self._lock:
            self._read()
            return self._lines.pop(client_random.hex(), [])

    def _read(self) -> None:
        data = self._rest + os.pread(self._fd, _TRUNCATE_BYTES * 2, self._offset)
        self._offset += len(data) - len(self._rest)
        whole, _, self._rest = data.rpartition(b"\n")
        for line in whole.decode("ascii", "replace").splitlines():
            words = line.split(" ")
            if len(words) == 3:
                self._lines.setdefault(words[1], []).append(line)
        while len(self._lines) > _UNCLAIMED:
            self._lines.popitem(last=False)
        if self._offset > _TRUNCATE_BYTES and not self._rest:
            self._forget_what_was_read()

    def _forget_what_was_read(self) -> None:
        # OpenSSL appends: after truncating, its next line lands at 0. A line written between the read and
        # the truncation would be lost, so only do it when nothing came meanwhile.
        if os.fstat(self._fd).st_size == self._offset:
            os.ftruncate(self._fd, 0)
            self._offset = 0


_keylogs: weakref.WeakKeyDictionary[ssl.SSLContext, Keylog] = weakref.WeakKeyDictionary()


def collect(context: ssl.SSLContext) -> None:
    """Make `context` log its connections' secrets to memory, where the platform can."""
    if hasattr(os, "memfd_create") and context not in _keylogs:
        _keylogs[context] = keylog = Keylog()
        # Set once and never cleared: clearing it while connections live can deadlock the process.
        context.keylog_filename = keylog.path


def taken(context: ssl.SSLContext, client_random: bytes) -> list[str]:
    """Return and forget the lines that a connection of `context` has logged so far."""
    keylog = _keylogs.get(context)
    return keylog.take(client_random) if keylog is not None else []
