"""A shipped project's folder on disk: written again as often as the cell changes, and never over other work.

A marker file holds the digest of every file as it was written. A file that the user has edited since (the IDs in
`wrangler.jsonc`) is left alone while there is nothing new to write to it; where both sides changed, nothing at
all is written and the files are named. What may not live here: what the files say.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UnreadableFile, UsageError

MARKER = ".mtls-export.json"
FORMAT = "mtls-notebook exported worker"
_MOST_NAMED = 5

Digests = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a project's files: `written` anew, `kept` as the user edited them, `removed` as outdated."""

    directory: Path
    written: tuple[str, ...]
    kept: tuple[str, ...]
    removed: tuple[str, ...]


def write(directory: str | os.PathLike[str], files: Mapping[str, str]) -> Written:
    """Write `files` into a new or empty folder, or into one that this function wrote before.

    Each file is replaced atomically. Raises: UsageError naming what is in the way (then nothing is written),
    UnreadableFile where the disk says no.
    """
    folder = Path(directory).expanduser()
    contents = {name: text.encode("utf-8") for name, text in files.items()}
    try:
        return _written(folder, contents)
    except OSError as error:
        raise UnreadableFile(f"{folder} cannot be written: {error.strerror}.", "Choose another folder.") from error


def _written(folder: Path, contents: Mapping[str, bytes]) -> Written:
    before = _known(folder)
    _refuse_strangers(folder, contents, before)
    new = {name: _digest(content) for name, content in contents.items()}
    found = {name: _on_disk(folder, name) for name in {*new, *before}}
    kept = tuple(n for n in new if found[n] not in (None, new[n]) and _is_edited(found[n], before.get(n, ())))
    _refuse_conflicts(folder, [n for n in kept if new[n] not in before.get(n, ())])
    outdated = tuple(n for n in before if n not in new and found[n] in before[n])
    changed = tuple(n for n in new if n not in kept and found[n] != new[n])
    if not changed and not outdated and before == {name: (digest,) for name, digest in new.items()}:
        return Written(folder, changed, kept, outdated)
    folder.mkdir(parents=True, exist_ok=True)
    # Until all are written the marker vouches for the old and the new: a crash must not make them strangers.
    _mark(folder, {name: (*before.get(name, ()), digest) for name, digest in new.items()} | _of(before, outdated))
    for name in changed:
        _replace(folder / name, contents[name])
    for name in outdated:
        (folder / name).unlink()
    _mark(folder, {name: (digest,) for name, digest in new.items()})
    return Written(folder, changed, kept, outdated)


def _known(folder: Path) -> Digests:
    """Return the digests that the marker holds; nothing where there is no marker of ours."""
    try:
        marker = json.loads((folder / MARKER).read_bytes())
        if marker["format"] != FORMAT:
            return {}
        return {str(name): tuple(map(str, digests)) for name, digests in marker["files"].items() if _is_inside(name)}
    except (FileNotFoundError, NotADirectoryError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _is_inside(name: str) -> bool:
    """Return whether a name from the marker, which anybody may have edited, stays in the folder."""
    path = Path(name)
    return not path.is_absolute() and ".." not in path.parts


def _refuse_strangers(folder: Path, contents: Mapping[str, bytes], before: Digests) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise UsageError(f"{folder} is not a folder of its own.", _elsewhere(folder))
    if not before and folder.exists() and (there := sorted(p.name for p in folder.iterdir() if p.name != MARKER)):
        raise UsageError(f"{folder} holds other files: {_named(there)}.", _elsewhere(folder))
    parents = {parent for name in contents for parent in Path(name).parents} - {Path()}
    for inner in sorted(folder / parent for parent in parents):
        if inner.is_symlink() or (inner.exists() and not inner.is_dir()):
            raise UsageError(f"{inner} is in the way: it is not a folder.", f"Move it, or {_elsewhere(folder)}")


def _refuse_conflicts(folder: Path, names: list[str]) -> None:
    if names:
        raise UsageError(
            f"In {folder} these were edited since they were written, and would be lost: {_named(names)}.",
            f"Move them, write again and merge; or {_elsewhere(folder)}",
        )


def _is_edited(digest: str | None, known: tuple[str, ...]) -> bool:
    return digest is not None and digest not in known


def _on_disk(folder: Path, name: str) -> str | None:
    """Return the digest of what stands under `name`, None for nothing, "" for what is no plain file."""
    path = folder / name
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return _digest(path.read_bytes()) if stat.S_ISREG(status.st_mode) else ""


def _mark(folder: Path, digests: Digests) -> None:
    marker = {"format": FORMAT, "files": {name: list(known) for name, known in digests.items()}}
    _replace(folder / MARKER, (json.dumps(marker, indent=2) + "\n").encode())


def _of(digests: Digests, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {name: digests[name] for name in names}


def _replace(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        draft.write_bytes(content)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more


def _elsewhere(folder: Path) -> str:
    return f"choose another folder: %mtls_export {folder.name}-2"
