"""Bodies of the `workers` module: where their bytes come from, and that they are read once.

A `Source` may be shared by clones; what is still on its way from an origin is then read once and held.
What may not live here: requests and responses as such, and how bytes reach us (a `Stream` is handed in).
"""

from __future__ import annotations

import asyncio
import json as json_module
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator
from contextlib import aclosing
from http.client import HTTPMessage
from typing import Any, Protocol, cast

from .forms import Blob, FormData, encode_multipart, parse_form

Raw = bytes  # a class below has a method of that name


class BodyUsedError(OSError):
    """The body was read already."""


class TooLong(Exception):
    """A body is longer than `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"longer than {most_bytes >> 20} MB")


class Stream(Protocol):
    """Bytes on their way, to be taken once: whole (TooLong, past `most_bytes`), or in chunks. Raises OSError."""

    length: int | None  # as far as it is known before

    async def read(self, most_bytes: int | None = None) -> bytes: ...
    def chunks(self) -> AsyncIterator[bytes]: ...


class Source:
    """Where a body's bytes come from: held here, or a stream."""

    def __init__(self, data: bytes = b"", stream: Stream | None = None) -> None:
        self._data = data
        self._stream = stream
        self._shared = False
        self._error: BaseException | None = None
        self._lock = asyncio.Lock()

    @property
    def is_held(self) -> bool:
        """Return whether all bytes are here, or will be for another reader's sake."""
        return self._stream is None or self._shared

    @property
    def length(self) -> int | None:
        """Return how long the body is, None when nobody knows yet."""
        return len(self._data) if self._stream is None else self._stream.length

    def share(self) -> Source:
        """Return this source, for a second reader: from now on it holds what it reads."""
        self._shared = True
        return self

    async def whole(self, most_bytes: int | None = None) -> bytes:
        """Return all bytes (what is left of them when chunks were taken). Raises TooLong past `most_bytes`."""
        async with self._lock:
            if self._error is not None:
                raise self._error
            if self._stream is not None:
                return await self._drained(self._stream, most_bytes)
            if most_bytes is not None and len(self._data) > most_bytes:
                raise TooLong(most_bytes)
            return self._data

    async def _drained(self, stream: Stream, most_bytes: int | None) -> bytes:
        try:
            data = await stream.read(most_bytes)
        except OSError as error:
            self._error = error  # the other reader is not to take what came until then for the whole
            raise
        if self._shared:
            self._data, self._stream = data, None
        return data

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the bytes as they come."""
        if self._stream is None or self._shared:
            if data := await self.whole():
                yield data
            return
        async with _closing(self._stream.chunks()) as chunks:
            async for chunk in chunks:
                yield chunk


class Made:
    """A body that the worker itself makes, as an asynchronous iterator of bytes or text (see Stream)."""

    length: int | None = None

    def __init__(self, made: AsyncIterable[Any]) -> None:
        self._made = made

    async def read(self, most_bytes: int | None = None) -> Raw:
        """Return all of it. Raises TooLong, and what the worker's code raises."""
        whole = bytearray()
        async with _closing(self.chunks()) as chunks:
            async for chunk in chunks:
                whole += chunk
                if most_bytes is not None and len(whole) > most_bytes:
                    raise TooLong(most_bytes)
        return bytes(whole)

    async def chunks(self) -> AsyncIterator[Raw]:
        """Yield it as it is made; when nobody listens any more, the worker's generator is closed."""
        made = aiter(self._made)
        try:
            async for chunk in made:
                yield _as_bytes(chunk)
        finally:
            if isinstance(made, AsyncGenerator):
                await made.aclose()


def _as_bytes(chunk: Any) -> Raw:
    if isinstance(chunk, str):
        return chunk.encode()
    if isinstance(chunk, bytes | bytearray | memoryview):
        return bytes(chunk)
    raise TypeError(f"A body's chunks are bytes or str, not {type(chunk).__name__}.")


def _closing(chunks: AsyncIterator[Raw]) -> aclosing[AsyncGenerator[Raw, None]]:
    return aclosing(cast(AsyncGenerator[Raw, None], chunks))


class BodyStream:
    """`request.body`, `response.body`: an asynchronous iterator of chunks, which may become another body."""

    def __init__(self, owner: Body) -> None:
        self._owner = owner

    def take(self) -> Source:
        """Return the source and mark the body it belongs to as used. Raises BodyUsedError."""
        source = self._owner._take()
        assert source is not None  # there is no stream of no body
        return source

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.take().chunks()

    def __repr__(self) -> str:
        return "[object ReadableStream]"


class Body:
    """What Request and Response share: headers, and a body that can be read once (None: there is none)."""

    headers: HTTPMessage

    def __init__(self, source: Source | None, headers: HTTPMessage) -> None:
        self._source = source
        self.headers = headers
        self.body_used = False

    @property
    def body(self) -> BodyStream | None:
        """Return the body as an asynchronous iterator of chunks, None when there is none."""
        return None if self._source is None else BodyStream(self)

    async def bytes(self) -> Raw:
        """Return the whole body. Raises BodyUsedError the second time."""
        source = self._take()
        return b"" if source is None else await source.whole()

    async def buffer(self) -> Raw:
        """Return the whole body (the platform's ArrayBuffer is bytes here)."""
        return await self.bytes()

    async def text(self) -> str:
        """Return the body as UTF-8 text, whatever charset the headers name; a byte order mark is dropped."""
        return (await self.bytes()).decode("utf-8-sig", "replace")

    async def blob(self) -> Blob:
        """Return the body with its media type."""
        return Blob(await self.bytes(), self.headers.get("content-type", ""))

    async def form_data(self) -> FormData:
        """Return a multipart or urlencoded body's fields. Raises TypeError for another media type."""
        return parse_form(await self.bytes(), self.headers.get("content-type", ""))

    async def _parsed_json(self, **options: Any) -> Any:
        """Return the body parsed as JSON. Raises json.JSONDecodeError."""
        return json_module.loads(await self.text(), **options)

    def _take(self) -> Source | None:
        self._check_unused()
        self.body_used = self._source is not None
        return self._source

    def _shared(self) -> Source | None:
        """Return the source for a clone: both can be read."""
        self._check_unused()
        return None if self._source is None else self._source.share()

    def _check_unused(self) -> None:
        if self.body_used:
            raise BodyUsedError("Body has already been used: read it once, or a clone() made before.")


def to_source(body: Any, what: str) -> tuple[Source | None, str]:
    """Return a body's source and the media type that it implies. Raises TypeError for what cannot be a body."""
    match body:
        case None:
            return None, ""
        case str():
            return Source(body.encode()), "text/plain;charset=UTF-8"
        case bytes() | bytearray() | memoryview():
            return Source(bytes(body)), ""
        case FormData():
            data, media_type = encode_multipart(body)
            return Source(data), media_type
        case Blob():
            return Source(body.content), body.content_type
        case BodyStream():
            return body.take(), ""
        case AsyncIterable():
            return Source(stream=Made(body)), ""
    raise TypeError(f"Unsupported type in {what}: {type(body).__name__}")
