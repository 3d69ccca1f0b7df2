"""A live HTTPS origin on loopback, in threads of its own, so that a blocking cell cannot starve it.

One thread accepts, one thread serves each connection. What the origin demands is in `context`,
what it answers in `routes`, unless whoever starts it answers (`respond`); here is only the life of
the listener and of its connections.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import NoReturn

from OpenSSL import SSL

from ..errors import LabError
from ..pki.certificate import Certificate
from ..recorder.events import Kind
from . import context as tls_context
from .catalogue import OriginKind
from .channel import Channel, TlsRefused
from .client import client_of
from .context import Demands, Observed
from .conversation import Respond, converse
from .recording import Bounds, Recording
from .routes import answer
from .wire import ConnectionOver, Wire

LOOPBACK = "127.0.0.1"
BACKLOG = 512
HANDSHAKE_RECORD = b"\x16"  # RFC 8446 §5.1: the first byte of a TLS connection

PLAIN_HTTP_ANSWER = (
    b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\n"
    b"This port speaks TLS only. Ask again with https://\n"
)
# An alert record: fatal, unexpected_message (RFC 8446 §6.2).
UNEXPECTED_MESSAGE = bytes.fromhex("15 03 03 00 02 02 0a")


@dataclass(frozen=True, slots=True)
class Limits:
    """What one origin will bear. Times in seconds; further connections wait in the kernel's queue."""

    connections: int = 256
    handshake_s: float = 10.0
    idle_s: float = 60.0
    linger_s: float = 2.0
    recordings: int = 100
    recording: Bounds = field(default_factory=Bounds)


class Origin:
    """A running origin. `port` is its TCP port on 127.0.0.1; stop it with `stop()` or a with block."""

    def __init__(
        self, name: str, kind: OriginKind, context: SSL.Context, limits: Limits, respond: Respond | None = None
    ) -> None:
        self.name = name
        self.kind = kind
        self._context = context
        self._limits = limits
        self._respond = respond or partial(answer, client_auth=kind.client_auth)
        self._recordings: deque[Recording] = deque(maxlen=limits.recordings)
        self._listener = socket.create_server((LOOPBACK, 0), backlog=BACKLOG)
        self._listener.setblocking(False)
        self.port: int = self._listener.getsockname()[1]
        self._stop_sender, self._stop_signal = socket.socketpair()
        self._room = threading.Condition()
        self._stopping = False
        self._active = 0
        self._threads: list[threading.Thread] = []
        self._acceptor = self._thread(self._accept, "accept")

    @classmethod
    def start(
        cls,
        name: str,
        kind: OriginKind,
        *,
        certificate_pem: bytes,
        key_pem: bytes,
        accepts: tuple[Certificate, ...],
        limits: Limits | None = None,
        respond: Respond | None = None,
    ) -> Origin:
        """Return an origin that already listens.

        Shape: `certificate_pem` is leaf first, `key_pem` its plaintext key; `accepts` are the CAs whose
        clients are let in; `respond` answers requests (None: the lab's routes), in any of the connections'
        threads. Raises: LabError when no port can be had.
        """
        demands = Demands(kind.client_auth, kind.versions, accepts)
        context = tls_context.build(demands, certificate_pem, key_pem)
        try:
            origin = cls(name, kind, context, limits or Limits(), respond)
        except OSError as error:
            raise LabError(
                f"The origin {name!r} cannot listen on {LOOPBACK}: {error.strerror}.",
                "Stop what you no longer need (%mtls_lab stop) and start again.",
            ) from error
        origin._acceptor.start()
        return origin

    @property
    def url(self) -> str:
        """Return where the origin really listens."""
        return f"https://{LOOPBACK}:{self.port}"

    @property
    def connections(self) -> tuple[Recording, ...]:
        """Return the recordings of the latest connections, oldest first."""
        return tuple(self._recordings)

    def recording_of(self, peer_port: int) -> Recording | None:
        """Return the latest connection that came from the client's port `peer_port`."""
        return next((r for r in reversed(self.connections) if r.peer_port == peer_port), None)

    def stop(self) -> None:
        """End every connection, join every thread, give every descriptor back. Safe to call twice."""
        with self._room:
            first, self._stopping = not self._stopping, True
            self._room.notify_all()
        if not first:
            return
        self._stop_sender.close()
        self._acceptor.join()
        for thread in self._threads:
            thread.join()
        self._stop_signal.close()

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"<Origin {self.name!r} at {self.url}: {self.kind.title}>"

    def _thread(self, target: Callable[[], None], what: str) -> threading.Thread:
        # Daemons: a kernel that shuts down must not wait for a client that keeps its connection.
        return threading.Thread(target=target, name=f"mtls-lab {self.name} {what}", daemon=True)

    def _accept(self) -> None:
        with self._listener, selectors.DefaultSelector() as selector:
            selector.register(self._listener, selectors.EVENT_READ)
            selector.register(self._stop_signal, selectors.EVENT_READ)
            number = 0
            while self._wait_for_room():
                selector.select()
                # The client may have left between the two calls; out of descriptors is no reason to end.
                with contextlib.suppress(OSError):
                    sock, (_, peer_port) = self._listener.accept()
                    number += 1
                    self._welcome(sock, number, peer_port)

    def _wait_for_room(self) -> bool:
        with self._room:
            self._room.wait_for(lambda: self._stopping or self._active < self._limits.connections)
            return not self._stopping

    def _welcome(self, sock: socket.socket, number: int, peer_port: int) -> None:
        recording = Recording(self.name, number, peer_port, self._limits.recording)
        recording.add(Kind.CONNECTED, f"{LOOPBACK}:{peer_port}")
        self._recordings.append(recording)
        thread = self._thread(lambda: self._serve(sock, recording), f"connection {number}")
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        with self._room:
            self._active += 1
        thread.start()

    def _serve(self, sock: socket.socket, recording: Recording) -> None:
        why = ""
        try:
            with sock, contextlib.closing(Wire(sock, self._stop_signal, recording)) as wire:
                BEHAVIOURS[self.kind.behaviour](self, wire, recording)
        except ConnectionOver as over:
            why = str(over)
        except OSError as error:
            why = f"the origin gave up ({error.strerror})"
        finally:
            recording.close(why)
            with self._room:
                self._active -= 1
                self._room.notify_all()

    def _speak_tls(self, wire: Wire, recording: Recording) -> None:
        hello = wire.wait(self._limits.handshake_s)
        if hello[:1] != HANDSHAKE_RECORD:
            self._turn_away(wire, hello)
        observed = Observed(recording)
        channel = Channel(wire, self._context, observed, self._limits.idle_s)
        channel.feed(hello)
        try:
            agreed = channel.handshake(self._limits.handshake_s)
        except TlsRefused as refused:
            _note_verdict(observed)
            recording.add(Kind.TLS_FAILED, refused.failure)
            if not observed.client_gave_up:  # our alert is on its way
                wire.linger(self._limits.linger_s)
            return
        _note_verdict(observed)
        recording.add(Kind.TLS_DONE, agreed)
        try:
            client = client_of(channel.tls, observed, agreed)
            converse(channel, client, self._respond, recording)
        finally:
            channel.finish()
            wire.linger(self._limits.linger_s)

    def _turn_away(self, wire: Wire, hello: bytes) -> NoReturn:
        if wire.at_end:
            raise ConnectionOver("the client left without a word")
        wire.outgoing += PLAIN_HTTP_ANSWER if b" HTTP/" in hello else UNEXPECTED_MESSAGE
        wire.linger(self._limits.linger_s)
        raise ConnectionOver("the client did not speak TLS")

    def _stay_silent(self, wire: Wire, recording: Recording) -> None:
        while not wire.at_end:
            wire.wait(self._limits.idle_s)

    def _reset(self, wire: Wire, recording: Recording) -> None:
        wire.wait(self._limits.handshake_s)
        wire.reset()
        raise ConnectionOver("the origin reset the connection, as it was told to")


BEHAVIOURS: dict[str, Callable[[Origin, Wire, Recording], None]] = {
    "serve": Origin._speak_tls,
    "silent": Origin._stay_silent,
    "reset": Origin._reset,
}


def _note_verdict(observed: Observed) -> None:
    if observed.verdict is not None:
        observed.recording.add(Kind.PEER_VERIFIED, observed.verdict)
