"""One accepted socket: reads, writes, waits, and a close that loses nothing.

Non-blocking underneath, one caller's thread on top. Every byte that crosses is told to the
recording here and nowhere else. What the bytes mean is not known in this file.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import struct
import threading
import time

from .recording import Recording

CHUNK_BYTES = 65_536


class ConnectionOver(Exception):
    """The connection cannot go on; the text says why and ends up in the CLOSED event."""


class Wire:
    """A socket, the bytes still to be written to it, and the origin's stop signal.

    `stop` is a socket that becomes readable when the origin stops: any wait then ends at once.
    """

    def __init__(self, sock: socket.socket, stop: socket.socket, recording: Recording) -> None:
        sock.setblocking(False)
        # Small writes in a row (a stream's chunks) would each wait for the client's delayed ACK.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._sock = sock
        self._stop = stop
        self._recording = recording
        self._selector = selectors.DefaultSelector()
        self._selector.register(stop, selectors.EVENT_READ)
        self._watched = 0
        self._writing = threading.Lock()
        self.outgoing = bytearray()
        self.at_end = False

    def push(self, data: bytes) -> None:
        """Add to what is pending. Any thread may call."""
        with self._writing:
            self.outgoing += data

    def write(self, idle_s: float) -> bool:
        """Write some of what is pending, while another thread may be waiting to read.

        False: the peer took nothing for `idle_s`. Raises: ConnectionOver on a reset, and when the origin stops.
        """
        if self._move(selectors.EVENT_WRITE) is not None and not self.outgoing:
            return True
        with selectors.DefaultSelector() as selector:  # the other one is the reader's
            selector.register(self._stop, selectors.EVENT_READ)
            selector.register(self._sock, selectors.EVENT_WRITE)
            ready = {key.fileobj: mask for key, mask in selector.select(idle_s)}
        if self._stop in ready:
            raise ConnectionOver("the origin was stopped")
        return self._move(ready.get(self._sock, 0)) is not None

    def wait(self, idle_s: float, *, read: bool = True) -> bytes:
        """Write what is pending and return what arrived; b"" after a write or at the end of the stream.

        Raises: ConnectionOver when nothing moved for `idle_s`, on a reset, and when the origin stops.
        """
        moved = self._turn(idle_s, read)
        if moved is None:
            raise ConnectionOver(f"idle for {idle_s:g} s")
        return moved

    def flush(self, idle_s: float) -> None:
        """Write all that is pending without reading."""
        while self.outgoing:
            self.wait(idle_s, read=False)

    def rest(self, seconds: float, *, read: bool = True) -> bytes:
        """Let up to `seconds` pass; return what arrived meanwhile, at once when something did."""
        return self._turn(seconds, read) or b""

    def linger(self, linger_s: float) -> None:
        """Write what is pending, say that nothing follows, and read until the peer has left.

        Closing a socket that still holds unread bytes makes the kernel send RST, and an RST
        makes the peer's kernel throw away what it had not read yet: the alert would be lost.
        """
        deadline = time.monotonic() + linger_s
        with contextlib.suppress(ConnectionOver, OSError):
            self.flush(linger_s)
            self._sock.shutdown(socket.SHUT_WR)
            while not self.at_end and (left := deadline - time.monotonic()) > 0:
                self._turn(left, read=True)

    def reset(self) -> None:
        """Close the connection with RST instead of FIN."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close()

    def close(self) -> None:
        """Give the descriptors back. Safe to call twice."""
        self._selector.close()
        self._sock.close()

    def _turn(self, timeout_s: float, read: bool) -> bytes | None:
        """Wait once. Returns None on timeout, else what was read (b"" if only written, or at the end)."""
        self._watch(
            (selectors.EVENT_READ if read and not self.at_end else 0) | (selectors.EVENT_WRITE if self.outgoing else 0)
        )
        ready = {key.fileobj: mask for key, mask in self._selector.select(timeout_s)}
        moved = self._move(ready.get(self._sock, 0))
        if self._stop in ready:
            raise ConnectionOver("the origin was stopped")
        return moved

    def _move(self, mask: int) -> bytes | None:
        try:
            if mask & selectors.EVENT_WRITE:
                self._write()
            if mask & selectors.EVENT_READ:
                return self._read()
        except BlockingIOError:
            return b""
        except OSError as error:
            raise ConnectionOver(f"the client broke off ({error.strerror})") from error
        return b"" if mask else None

    def _watch(self, mask: int) -> None:
        if mask == self._watched:
            return
        if not self._watched:
            self._selector.register(self._sock, mask)
        elif mask:
            self._selector.modify(self._sock, mask)
        else:
            self._selector.unregister(self._sock)
        self._watched = mask

    def _read(self) -> bytes:
        data = self._sock.recv(CHUNK_BYTES)
        self.at_end = not data
        if data:
            self._recording.wire("client", data)
        return data

    def _write(self) -> None:
        with self._writing:
            if not self.outgoing:
                return  # another thread was quicker
            with memoryview(self.outgoing) as view:
                count = self._sock.send(view[: 4 * CHUNK_BYTES])
            self._recording.wire("server", bytes(self.outgoing[:count]))
            del self.outgoing[:count]
