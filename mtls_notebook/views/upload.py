"""The drop zone: certificate and key files, dropped together or picked, become stored certificates.

File contents and passphrases arrive as buffers of custom messages, which no notebook file ever holds;
what is synchronised, and may be saved with the notebook, says only what anyone may read. What may not
live here: which file belongs to which (`pairing`), reading keys (`pki`).
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets

from ..errors import MtlsNotebookError, StoreError, UnreadableFile, UsageError
from ..pki.sensitive import Sensitive
from . import assets, certificate, static
from .pairing import File, Sorting, Unfinished, pair
from .text import counted, visible

if TYPE_CHECKING:
    from ..api import Session
    from ..pki.identity import Identity
    from ..session.store import Stored

LABEL = "Upload a client certificate"
CARDS = 8  # certificates of one drop that are shown in full
FILES = 2_100  # as many as a full store of pairs, and then some
BYTES = 32 << 20

Outcome = dict[str, Any]


class UploadZone(anywidget.AnyWidget):
    """Takes certificates and keys by drop, file dialog or keyboard, and stores what they make.

    `name` is what to call the certificate, when there is one; the same name again replaces it.
    """

    _esm = assets.module("dom.js", "keys.js", "bytes.js", "certificate.js", "upload.js", render="renderUpload")
    _css = assets.stylesheet("theme.css", "bytes.css", "certificate.css", "controls.css", "upload.css")
    state = traitlets.Dict().tag(sync=True)

    def __init__(self, session: Session, name: str | None = None) -> None:
        super().__init__(state=_state(name or ""))
        self._session = session
        self._name = name or ""
        self._lock = threading.RLock()
        self._arriving: list[File] = []
        self._too_much = False
        self._answers = 0
        self._waiting: tuple[File, ...] = ()
        self._passphrases: list[Sensitive] = []
        self._uploaded: list[Stored] = []
        self._waiters: list[Callable[[], None]] = []
        self.on_msg(self._receive)

    async def uploaded(self) -> tuple[Stored, ...]:
        """Return what was stored since this was last asked for; waits for a drop when that is nothing.

        Raises UsageError in a kernel that hands a drop over only when no cell runs.
        """
        loop, arrived = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            loop.call_soon_threadsafe(arrived.set)

        try:
            while not (taken := self._take(wake)):
                _require_concurrent_comms(version("ipykernel"))
                await arrived.wait()
                arrived.clear()
            return taken
        finally:
            with self._lock:
                self._waiters = [each for each in self._waiters if each is not wake]

    def forget(self) -> None:
        """Forget the files that wait for a passphrase or for their other half."""
        with self._lock:
            self._waiting, self._arriving = (), []
            self._passphrases.clear()
            self.state = _state(self._name)

    def close(self) -> None:
        """Take the zone off the page and forget what waits in it."""
        self.forget()
        super().close()

    def _take(self, wake: Callable[[], None]) -> tuple[Stored, ...]:
        """Return what was stored meanwhile; nothing: `wake` is called once when something is."""
        with self._lock:
            taken = tuple(self._uploaded)
            self._uploaded.clear()
            if not taken:
                self._waiters.append(wake)
            return taken

    def _receive(self, _: object, content: Mapping[str, Any], buffers: Sequence[memoryview]) -> None:
        """Handle a message of the page; messages may come in another thread, and in the middle of a cell."""
        handle = _MESSAGES.get(str(content.get("kind")))
        if handle is not None:
            with self._lock:
                handle(self, content, [Sensitive(buffer) for buffer in buffers])

    def _on_files(self, content: Mapping[str, Any], data: Sequence[Sensitive]) -> None:
        names = [str(name) for name in content.get("names", ())]
        if not self._too_much:
            self._arriving += (File(name, each) for name, each in zip(names, data, strict=False))
            self._too_much = sum(len(file.data) for file in self._arriving) > BYTES or len(self._arriving) > FILES
        if self._too_much:
            self._arriving = []
        if content.get("last"):
            self._name = str(content.get("name", self._name)).strip()
            outcomes = [_fault(_unreadable(str(name))) for name in content.get("unreadable", ())]
            outcomes += [_fault(_TOO_MUCH)] if self._too_much else []
            files, self._arriving, self._too_much = (*self._waiting, *self._arriving), [], False
            self._sort(files, outcomes)

    def _on_passphrase(self, _: Mapping[str, Any], data: Sequence[Sensitive]) -> None:
        self._passphrases += data
        self._sort(self._waiting, [])

    def _on_forget(self, *_: object) -> None:
        self.forget()

    def _sort(self, files: Sequence[File], outcomes: list[Outcome]) -> None:
        sorting = pair(files, self._passphrases)
        self._waiting = sorting.waiting
        if not sorting.locked:
            self._passphrases.clear()
        only = self._name if len(sorting.found) == 1 else ""
        stored = [self._store(identity, only) for identity in sorting.found]
        outcomes += (_fault(each.error) for each in sorting.refused)
        self._show(sorting, [*_outcomes(stored), *outcomes])

    def _store(self, identity: Identity, name: str) -> Stored | MtlsNotebookError:
        try:
            stored = self._session.add(identity, name or self._own_name(identity))
        except StoreError as error:
            return error
        self._uploaded.append(stored)
        return stored

    def _own_name(self, identity: Identity) -> str | None:
        """Return the certificate's common name unless one of that name is stored: only a typed name replaces."""
        common = identity.leaf.common_name
        return common if common and common not in self._session.store else None

    def _show(self, sorting: Sorting, outcomes: Sequence[Outcome]) -> None:
        self._answers += 1  # the same answer twice is still news
        shown = _state(self._name, sorting, outcomes, asked=bool(self._passphrases))
        self.state = {**shown, "count": self._answers}
        if self._uploaded:
            wake, self._waiters = self._waiters, []
            for each in wake:
                each()

    def _repr_mimebundle_(self, **_: object) -> static.Bundle:
        return static.bundle(self.model_id, html(self), text(self))


_MESSAGES: dict[str, Callable[[UploadZone, Mapping[str, Any], Sequence[Sensitive]], None]] = {
    "files": UploadZone._on_files,
    "passphrase": UploadZone._on_passphrase,
    "forget": UploadZone._on_forget,
}

_TOO_MUCH = UnreadableFile(
    f"That is more than {FILES:,} files or {BYTES >> 20} MiB.", "Drop the certificates and their keys alone."
)


def text(zone: UploadZone) -> str:
    """Return what a reader without the widget can do, and what the zone has stored so far."""
    typed = "%mtls_upload --cert cert.pem --key key.pem --name NAME"
    said = zone.state["said"]
    return "\n".join([f"{LABEL}: drop the files here, or type {typed}", *([said] if said else [])])


def html(zone: UploadZone) -> str:
    """Return the same as HTML that survives sanitising."""
    return "".join(f"<p>{static.escape(line)}</p>" for line in text(zone).split("\n"))


def _state(
    name: str, sorting: Sorting | None = None, outcomes: Sequence[Outcome] = (), *, asked: bool = False
) -> dict[str, Any]:
    """Return all that `upload.js` draws, as plain JSON: names, verdicts and certificates, nothing secret."""
    sorting = sorting or Sorting()
    return {
        "label": LABEL,
        "name": name,
        "locked": [_locked(each, asked=asked) for each in sorting.locked],
        "alone": [_fault(each.error) for each in sorting.alone],
        "outcomes": list(outcomes),
        "said": _said(sorting, outcomes),
    }


def _locked(each: Unfinished, *, asked: bool) -> dict[str, Any]:
    wrong = "The passphrase does not open it." if asked else ""
    return {"file": visible(each.file.name), "wrong": wrong}


def _outcomes(stored: Sequence[Stored | MtlsNotebookError]) -> list[Outcome]:
    """Return an outcome for each; only the first few certificates bring their card with them."""
    shown: list[Outcome] = []
    for each in stored:
        if isinstance(each, MtlsNotebookError):
            shown.append(_fault(each))
        else:
            shown.append(_success(each, with_card=len(shown) < CARDS))
    return shown


def _success(stored: Stored, *, with_card: bool) -> Outcome:
    leaf = stored.identity.leaf
    return {
        "kind": "stored",
        "title": visible(stored.name or stored.id),
        "detail": " · ".join(_details(stored)),
        "notes": [visible(note) for note in stored.identity.notes],
        "card": certificate.state(stored.identity.chain, stored) if with_card else None,
        "leaf": certificate.name(leaf),
    }


def _details(stored: Stored) -> list[str]:
    expires = f"expires on {stored.identity.leaf.not_after:%Y-%m-%d}"
    if stored.replaces is not None:
        return ["replaces the certificate of that name", expires]
    if stored.name is None:
        return ["has no name: its common name is empty or taken", expires]
    return [expires]


def _fault(error: MtlsNotebookError) -> Outcome:
    return {"kind": "fault", "cause": visible(error.message), "fix": visible(error.hint)}


def _unreadable(name: str) -> UnreadableFile:
    return UnreadableFile(f"{name} could not be read by the browser.", "Drop the files themselves, not their folder.")


def _said(sorting: Sorting, outcomes: Sequence[Outcome]) -> str:
    """Return one line for screen readers and for plain text: how many files became what."""
    stored = sum(each["kind"] == "stored" for each in outcomes)
    counts = (
        (stored, "certificate", "stored"),
        (len(outcomes) - stored, "file", "refused"),
        (len(sorting.locked), "file", "waiting for a passphrase"),
        (len(sorting.alone), "file", "waiting for the other half"),
    )
    return ", ".join(f"{counted(count, noun)} {verb}" for count, noun, verb in counts if count)


def _require_concurrent_comms(kernel: str) -> None:
    """Old kernels deliver a widget's messages when the cell is over: waiting for one would never end."""
    if int(kernel.partition(".")[0]) < 7:
        raise UsageError(
            f"ipykernel {kernel} hands a drop over only after the cell has ended.",
            "Drop the files first and run this cell afterwards, or install ipykernel 7.",
        )
