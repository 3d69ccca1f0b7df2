"""HTTP/1.1 on an established channel: h11's state machine between `Channel` and `routes`.

It parses requests, hands them to a `Respond`, frames what that yields, and keeps the connection
alive as long as both sides may. What the answers say is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http import HTTPStatus

import h11

from ..recorder.events import Kind, Request
from .channel import Channel
from .recording import Recording
from .routes import Answer, Asked, Client
from .wire import ConnectionOver

Respond = Callable[[Asked], Answer]

SERVER = ("server", "mtls-lab")  # an answer that names its own server keeps that
BODILESS = frozenset({204, 304})
REASONS = {status.value: status.phrase for status in HTTPStatus}


def converse(channel: Channel, client: Client, respond: Respond, recording: Recording) -> None:
    """Answer requests on `channel` with what `respond` says, until one side ends the connection.

    Raises: ConnectionOver when it breaks off.
    """
    talk = _Conversation(channel, recording)
    while (request := talk.next_request()) is not None:
        asked = _asked(request, talk.body(), client, channel.pause)
        talk.reply(request, respond(asked))
        if not talk.next_cycle():
            return


def _asked(request: h11.Request, body: Iterator[bytes], client: Client, pause: Callable[[float], None]) -> Asked:
    return Asked(
        request.method.decode("ascii"),
        request.target.decode("ascii", "replace"),
        tuple((name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers),
        body,
        client,
        pause,
    )


class _Conversation:
    def __init__(self, channel: Channel, recording: Recording) -> None:
        self._channel = channel
        self._recording = recording
        self._http = h11.Connection(h11.SERVER)
        self._ordinal = 0

    def next_request(self) -> h11.Request | None:
        """Return the next request's head, None when the client has no more or made no sense."""
        try:
            event = self._next_event()
        except h11.RemoteProtocolError as error:
            self._complain(error)
            return None
        if not isinstance(event, h11.Request):
            return None
        self._ordinal += 1
        method, target = event.method.decode("ascii"), event.target.decode("ascii", "replace")
        self._recording.add(Kind.REQUEST, Request(method, target, self._ordinal))
        if self._http.they_are_waiting_for_100_continue:
            go_on = h11.InformationalResponse(status_code=100, reason=REASONS[100], headers=[])
            self._channel.send(self._http.send(go_on) or b"")
        return event

    def body(self) -> Iterator[bytes]:
        """Yield the request's body as it arrives. Raises: ConnectionOver when it breaks off."""
        while self._http.their_state is h11.SEND_BODY:
            try:
                event = self._next_event()
            except h11.RemoteProtocolError as error:
                raise ConnectionOver(f"the request's body broke off ({error})") from error
            if isinstance(event, h11.Data):
                yield bytes(event.data)

    def reply(self, request: h11.Request, given: Answer) -> None:
        """Send `given`: at once where its body is at hand, else chunk by chunk."""
        bodiless = request.method == b"HEAD" or given.status in BODILESS
        chunks = () if bodiless else given.body
        head = self._http.send(_response(given.status, *given.headers)) or b""
        self._recording.add(Kind.RESPONSE, given.status)
        if isinstance(chunks, tuple):
            self._channel.send(head + b"".join(map(self._framed, chunks)) + self._end())
            return
        self._channel.send(head)
        for chunk in chunks:
            self._channel.send(self._framed(chunk))
        self._channel.send(self._end())

    def next_cycle(self) -> bool:
        """Read what the route left of the body; return whether another request may follow."""
        for _ in self.body():
            pass
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def _next_event(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(self._channel.receive())

    def _framed(self, chunk: bytes) -> bytes:
        return self._http.send(h11.Data(data=chunk)) or b""

    def _end(self) -> bytes:
        return self._http.send(h11.EndOfMessage()) or b""

    def _complain(self, error: h11.RemoteProtocolError) -> None:
        if self._http.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            return
        text = f"This is no HTTP/1.1 request: {error}\n".encode()
        headers = (("content-type", "text/plain"), ("content-length", str(len(text))), ("connection", "close"))
        status = error.error_status_hint
        head = self._http.send(_response(status, *headers)) or b""
        self._recording.add(Kind.RESPONSE, status)
        self._channel.send(head + self._framed(text) + self._end())


def _response(status: int, *headers: tuple[str, str]) -> h11.Response:
    named = any(name.lower() == "server" for name, _ in headers)
    listed = headers if named else (SERVER, *headers)
    encoded = [(name.encode("ascii"), value.encode("latin-1")) for name, value in listed]
    return h11.Response(status_code=status, reason=REASONS.get(status, "Unknown"), headers=encoded)
