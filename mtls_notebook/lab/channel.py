"""TLS between the wire and HTTP: an SSL.Connection on memory BIOs, driven by hand.

Driving it by hand is what makes alerts dependable: after a refusal the alert is taken out of
the BIO, written, and waited for. No policy here (`context`), no HTTP (`conversation`).
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from OpenSSL import SSL

from ..recorder.events import Agreed, Failure
from .context import Observed
from .wire import CHUNK_BYTES, ConnectionOver, Wire

# Ciphertext read ahead while a write is stuck: a client may send a whole body before it reads
# the first byte of the answer (most HTTP libraries do), and both sides would wait for ever.
READ_AHEAD_BYTES = 32 * 1024 * 1024
STUCK_S = 0.25  # a client that takes nothing for so long is one of those


class TlsRefused(Exception):
    """The handshake failed, on either side's decision; `failure` says how."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


class Channel:
    """One TLS connection over a `Wire`: handshake, receive, send, finish.

    One thread may receive while another sends; whoever reads the socket holds `_reading`.
    """

    def __init__(self, wire: Wire, context: SSL.Context, observed: Observed, idle_s: float) -> None:
        self.tls = SSL.Connection(context, None)
        self.tls.set_app_data(observed)
        self.tls.set_accept_state()
        self._wire = wire
        self._observed = observed
        self._idle_s = idle_s
        self._ahead_bytes = 0
        self._turn = threading.Lock()  # OpenSSL keeps both directions' state in one place
        self._reading = threading.Lock()

    def feed(self, data: bytes) -> None:
        """Hand over ciphertext that was read before the channel existed."""
        self.tls.bio_write(data)

    def handshake(self, idle_s: float) -> Agreed:
        """Return what both sides agreed on.

        Raises: TlsRefused (the alert, if any, has been written), ConnectionOver.
        """
        while True:
            try:
                self.tls.do_handshake()
            except SSL.WantReadError:
                self._collect()
                self._pull(idle_s)
            except SSL.Error as error:
                self._collect()
                self._wire.flush(idle_s)
                raise TlsRefused(self._failure(error)) from error
            else:
                self._collect()
                self._wire.flush(idle_s)
                return self._agreed()

    def receive(self) -> bytes:
        """Return decrypted bytes, b"" once the client has finished sending.

        Raises: ConnectionOver when the client is silent for too long or breaks off.
        """
        while True:
            with self._reading:  # before looking: nobody else is to take in what we would wait for in vain
                data = self._received()
                if data is not None:
                    return data
                self._pull(self._idle_s)

    def _received(self) -> bytes | None:
        """Return what is there, None when nothing is."""
        with self._turn:
            try:
                return self.tls.recv(CHUNK_BYTES)
            except SSL.WantReadError:
                self._ahead_bytes = 0
                self._collect()
                return None
            except (SSL.ZeroReturnError, SSL.SysCallError):
                return b""
            except SSL.Error as error:
                if reason_of(error) == "UNEXPECTED_EOF_WHILE_READING":
                    return b""
                raise ConnectionOver(f"TLS broke off: {reason_of(error)}") from error

    def send(self, data: bytes) -> None:
        """Encrypt `data` and write it, reading ahead so that a client busy sending is not blocked."""
        with self._turn:
            try:
                self.tls.sendall(data)
            except SSL.Error as error:
                raise ConnectionOver(f"TLS broke off: {reason_of(error)}") from error
            self._collect()
        is_stuck = False
        while self._wire.outgoing:
            if not is_stuck:
                is_stuck = not self._wire.write(STUCK_S)
                continue
            with self._read_ahead() as may_read:
                if may_read:
                    self._take(self._wire.wait(self._idle_s))
                elif not self._wire.write(self._idle_s):
                    raise ConnectionOver(f"idle for {self._idle_s:g} s")

    def pause(self, seconds: float) -> None:
        """Do nothing for `seconds`. Raises: ConnectionOver when the client leaves or the origin stops."""
        deadline = time.monotonic() + seconds
        while True:
            left = max(0.0, deadline - time.monotonic())
            with self._read_ahead() as may_read:
                if may_read or left:
                    self._take(self._wire.rest(left, read=may_read))
            if self._wire.at_end:
                raise ConnectionOver("the client left while it was kept waiting")
            if not left:
                return

    @contextlib.contextmanager
    def _read_ahead(self) -> Iterator[bool]:
        """Yield whether the socket may be read now: there is room, and nobody else waits for it."""
        may_read = self._ahead_bytes < READ_AHEAD_BYTES and self._reading.acquire(blocking=False)
        try:
            yield may_read
        finally:
            if may_read:
                self._reading.release()

    def finish(self) -> None:
        """Put close_notify on its way; `Wire.linger` sends it."""
        with contextlib.suppress(SSL.Error):
            self.tls.shutdown()
        self._collect()

    def _pull(self, idle_s: float) -> None:
        if not self._wire.at_end:  # a sender may have read to the end
            self._take(self._wire.wait(idle_s))
        if self._wire.at_end:
            self.tls.bio_shutdown()

    def _take(self, data: bytes) -> None:
        if data:
            with self._turn:
                self._ahead_bytes += len(data)
                self.tls.bio_write(data)

    def _collect(self) -> None:
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self._wire.push(self.tls.bio_read(CHUNK_BYTES))

    def _agreed(self) -> Agreed:
        return Agreed(
            version=self.tls.get_protocol_version_name(),
            cipher=self.tls.get_cipher_name() or "",
            alpn=self.tls.get_alpn_proto_negotiated().decode("ascii", "replace"),
            resumed=not self._observed.certificate_sent,
        )

    def _failure(self, error: SSL.Error) -> Failure:
        verdict = self._observed.verdict
        if verdict is None or not verdict.code:
            return Failure(reason_of(error))
        return Failure(reason_of(error), verdict.code, verdict.message)


def reason_of(error: SSL.Error) -> str:
    """Return OpenSSL's reason name as Python's ssl spells it, "" if it gave none."""
    if isinstance(error, SSL.SysCallError):
        return "UNEXPECTED_EOF_WHILE_READING"
    queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reason = str(queue[-1][2]) if queue else ""
    return reason.upper().replace(" ", "_").replace("-", "_")
