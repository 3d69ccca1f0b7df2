"""What the trace needs to see of a request on its way out: a connection being opened for it, and its body leaving.

Every fetch passes here, so a reused connection costs no more than it must. What may not live here: connections,
HTTP, and the phases that are made of all this (`recorder.phases`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

from ...recorder.phases import Setup
from ...recorder.recording import Recording
from ...recorder.tap import Endable, Exchange, TappedStream


class WatchedExchange(Exchange):
    """An exchange that tells when a connection is opened for it: whoever watches sees it before there is an answer.

    `opened` is called where the tap fills in `opening`, with `connection` known.
    """

    __slots__ = ("_opened", "_opening")

    def __init__(self, method: str, target: str, opened: Callable[[], None]) -> None:
        self._opened = opened
        super().__init__(method, target)

    @property
    def opening(self) -> Endable | None:
        """What the request waits for."""
        return self._opening

    @opening.setter
    def opening(self, opening: Endable | None) -> None:
        self._opening = opening
        if opening is not None and self.connection is not None:
            self._opened()

    def setup(self, recording: Recording) -> Setup | None:
        """Return when the phases of this request's own new connection began, None on a reused one."""
        opening = self._opening
        if not isinstance(opening, TappedStream) or opening.connection != self.connection or self.reused:
            return None
        return Setup.of(recording.events(opening.connection))


class Departure:
    """A request on its way: when it could leave, when its last byte had (None: not yet), how many of its body have."""

    __slots__ = ("begun_ns", "bytes", "ended_ns")

    def __init__(self) -> None:
        self.bytes = 0
        self.begun_ns: int | None = None
        self.ended_ns: int | None = None

    def begin(self) -> None:
        """Note that there is a connection."""
        self.begun_ns = time.monotonic_ns()

    def whole(self, body: bytes) -> None:
        """Note that all of `body` has left."""
        self.bytes = len(body)
        self.ended_ns = time.monotonic_ns()

    def counted(self, body: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the chunks of a streamed body and note them."""
        for chunk in body:
            self.bytes += len(chunk)
            yield chunk
        self.ended_ns = time.monotonic_ns()
