"""HTTP/1.1 on an established channel: h11's state machine between `Channel` and `routes`.

It parses requests, hands them to a `Respond`, frames what that yields, and keeps the connection
alive as long as both sides may. What the answers say is not decided here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
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
        body = Body(talk)
        given = respond(_asked(request, iter(body), client, channel.pause))
        talk.reply(request, given)
        body.finish()
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


class Body:
    """A request's body: whoever answers may take it in another thread, while the answer goes out."""

    def __init__(self, talk: _Conversation) -> None:
        self._chunks = talk.body()
        self._turn = threading.Lock()

    def __iter__(self) -> Iterator[bytes]:
        while (chunk := self._next()) is not None:
            yield chunk

    def finish(self) -> None:
        """Read what nobody took; a reader that comes later finds nothing: the next bytes are another request's."""
        while self._next() is not None:
            pass

    def _next(self) -> bytes | None:
        with self._turn:
            return next(self._chunks, None)


class _Conversation:
    def __init__(self, channel: Channel, recording: Recording) -> None:
        self._channel = channel
        self._recording = recording
        self._http = h11.Connection(h11.SERVER)
        self._turn = threading.Lock()  # h11 keeps both directions' state in one place
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
        """Send `given`: at once where its body is at hand, else chunk by chunk.

        An empty chunk says that there is none yet: whether the client still waits is looked up then.
        """
        try:
            self._reply(request, given)
        finally:
            close = getattr(given.body, "close", None)
            if close is not None:
                close()

    def _reply(self, request: h11.Request, given: Answer) -> None:
        bodiless = request.method == b"HEAD" or given.status in BODILESS
        chunks: Iterable[bytes] = () if bodiless else given.body
        head = self._sent(_response(given.status, *given.headers))
        self._recording.add(Kind.RESPONSE, given.status)
        if isinstance(chunks, tuple):
            self._channel.send(head + b"".join(map(self._framed, chunks)) + self._end())
            return
        self._channel.send(head)
        for chunk in chunks:
            if chunk:
                self._channel.send(self._framed(chunk))
            else:
                self._channel.pause(0)
        self._channel.send(self._end())

    def next_cycle(self) -> bool:
        """Return whether another request may follow."""
        if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
            return False
        self._http.start_next_cycle()
        return True

    def _next_event(self) -> object:
        while True:
            with self._turn:
                event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            data = self._channel.receive()
            with self._turn:
                self._http.receive_data(data)

    def _framed(self, chunk: bytes) -> bytes:
        return self._sent(h11.Data(data=chunk))

    def _end(self) -> bytes:
        return self._sent(h11.EndOfMessage())

    def _sent(self, event: h11.Response | h11.Data | h11.EndOfMessage) -> bytes:
        with self._turn:
            try:
                return self._http.send(event) or b""
            except h11.LocalProtocolError as error:  # the answer's length is not what its head said
                raise ConnectionOver(f"the answer cannot be sent ({error})") from error

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
