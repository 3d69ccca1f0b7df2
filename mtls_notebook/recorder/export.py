"""Recorded connections as a file for other tools; the suffix picks the format.

`.keylog` and `.pcapng` hold the secrets that decrypt what crossed: they are written readable for
their owner only, and the sentence that comes back says so. Formats that need more than a
recording (a page from the views) are passed in as further rows. What may not live here: what a format
looks like inside, beyond the key log's lines.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import UsageError
from .documents import document
from .events import Event, Kind
from .har import RequestFacts, har, recorded_requests
from .packets import frames
from .pcapng import pcapng

Connection = Sequence[Event]


@dataclass(frozen=True, slots=True)
class Recorded:
    """What is exported: connections (the events of each), the requests they carried if the caller knows them.

    Units: `epoch_ns` is the Unix time, in nanoseconds, at which the recording's clock stood at 0.
    """

    connections: Sequence[Connection]
    requests: Sequence[RequestFacts]
    epoch_ns: int


def _connections(recorded: Recorded) -> str:
    return _counted(len(recorded.connections), "connection")


@dataclass(frozen=True, slots=True)
class Format:
    """`render` makes the file's bytes, `contents` names what is in it ("3 connections").

    `secret` says whether the bytes can decrypt a connection.
    """

    render: Callable[[Recorded], bytes]
    secret: bool = False
    contents: Callable[[Recorded], str] = _connections


def write(
    path: str | os.PathLike[str],
    connections: Sequence[Connection],
    requests: Sequence[RequestFacts] = (),
    *,
    formats: Mapping[str, Format] | None = None,
    epoch_ns: int | None = None,
) -> str:
    """Write the connections to `path`, whole or not at all; return a sentence that says what was written.

    `requests` name the bindings in a .pcapng and the entries of a .har; without them the recording's own
    requests stand in. Raises UsageError: the suffix is unknown, there is nothing to write, or no place for it.
    """
    file = Path(path).expanduser()
    form = _format(file, FORMATS if formats is None else formats)
    kept = [events for events in connections if events]
    if not kept:
        raise UsageError(f"There is no recorded connection to write to {path}.", "Run a %%worker cell first.")
    recorded = Recorded(kept, requests, epoch_of_clock() if epoch_ns is None else epoch_ns)
    _replace(file, form.render(recorded), mode=0o600 if form.secret else 0o666)
    return f"Wrote {form.contents(recorded)} to {path}.{_warning(form, kept)}"


def epoch_of_clock() -> int:
    """Return the Unix time, in nanoseconds, at which the recording's clock (monotonic) stood at 0."""
    return time.time_ns() - time.monotonic_ns()


def keylog(connections: Sequence[Connection]) -> str:
    """Return the secrets as SSLKEYLOGFILE lines, "" when none was recorded.

    Source: RFC 9850 §2.
    """
    lines = (str(e.data) for events in connections for e in events if e.kind is Kind.SECRET)
    return "".join(f"{line}\n" for line in dict.fromkeys(lines))


# -- the formats -------------------------------------------------------------------------------


def _keylog_file(recorded: Recorded) -> bytes:
    text = keylog(recorded.connections)
    if not text:
        raise UsageError(
            "These connections have no recorded secrets, so a key log would be empty.",
            "Secrets are recorded on Linux, for TLS connections that got as far as a key exchange; try .json.",
        )
    return text.encode("ascii", "replace")


def _pcapng_file(recorded: Recorded) -> bytes:
    bindings = {r.connection: r.binding for r in recorded.requests if r.binding}
    packets = [
        frame
        for ordinal, events in enumerate(recorded.connections)
        for frame in frames(events, ordinal, _presented(bindings.get(events[0].connection, "")))
    ]
    packets.sort(key=lambda frame: frame.at_ns)  # stable: the order within a connection stays
    return pcapng(packets, keylog(recorded.connections), recorded.epoch_ns)


def _presented(binding: str) -> str:
    return f"Binding {binding}" if binding else ""


def _json_file(recorded: Recorded) -> bytes:
    return _json(document(recorded.connections, recorded.epoch_ns))


def _har_file(recorded: Recorded) -> bytes:
    requests = _requests(recorded)
    if not requests:
        raise UsageError(
            "No request crossed these connections, and a HAR is a list of requests.",
            "Export a worker's result (%mtls_handshake VAR --export …), or use .json.",
        )
    return _json(har(requests, recorded.connections, recorded.epoch_ns, _own_version()))


def _requests(recorded: Recorded) -> Sequence[RequestFacts]:
    return recorded.requests or [r for events in recorded.connections for r in recorded_requests(events)]


def _own_version() -> str:
    try:
        return version("mtls-notebook")
    except PackageNotFoundError:  # run from a source tree that is not installed
        return ""


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


FORMATS: dict[str, Format] = {
    ".keylog": Format(_keylog_file, secret=True),
    ".pcapng": Format(_pcapng_file, secret=True),
    ".json": Format(_json_file),
    ".har": Format(_har_file, contents=lambda recorded: _counted(len(_requests(recorded)), "request")),
}
"""Suffix → format; adding one is adding a row."""


def _format(file: Path, formats: Mapping[str, Format]) -> Format:
    form = formats.get(file.suffix.lower())
    if form is None:
        named = f"no format has the suffix {file.suffix}" if file.suffix else "its suffix must name the format"
        raise UsageError(f"{file.name} cannot be exported: {named}.", f"Use one of: {', '.join(formats)}.")
    return form


# -- the sentence ------------------------------------------------------------------------------


def _counted(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count} {noun}s"


def _warning(form: Format, connections: Sequence[Connection]) -> str:
    if not form.secret:
        return ""
    if not keylog(connections):
        return " No secrets were recorded: what is encrypted stays unreadable."
    return " It holds the secrets that decrypt them: whoever has this file can read all that crossed."


# -- the file ----------------------------------------------------------------------------------


def _replace(file: Path, data: bytes, mode: int) -> None:
    """Put `data` at `file` in one step; its permissions are `mode` less the umask, whatever stood there."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with open(descriptor, "wb") as opened:
                opened.write(data)
            os.replace(draft, file)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(
            f"{file} cannot be written: {error.strerror}.", "Choose a folder that exists and that you may write to."
        ) from None
