"""The lab's folder on disk: private, replaceable, and never somebody else's.

A marker file names every file the lab wrote, with its digest. Only a folder with that marker is
written to again, and only files that are still as the lab left them are replaced. What the files
contain is not known here.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import LabError

MARKER = ".mtls-lab.json"
FORMAT = "mtls-notebook lab folder"
FOLDER_MODE = 0o700
SECRET_MODE = 0o600
PUBLIC_MODE = 0o644


@dataclass(frozen=True, slots=True)
class LabFile:
    """One file to write; a secret one is readable by its owner only and has no content in its repr."""

    content: bytes
    secret: bool = False

    def __repr__(self) -> str:
        return f"<LabFile {len(self.content)} bytes{', secret' if self.secret else ''}>"


def write(directory: Path, files: Mapping[str, LabFile]) -> None:
    """Write `files` into `directory`, a new folder, an empty one, or one the lab wrote before.

    A new folder appears whole or not at all; in an old one each file is replaced atomically.
    Raises: LabError when the folder or one of the files is not the lab's, or cannot be written.
    """
    try:
        if directory.is_symlink() or (directory.exists() and not directory.is_dir()):
            raise LabError(f"{directory} is not a folder of its own.", _elsewhere(directory))
        if directory.exists():
            _check_ours(directory, files)
            _fill(directory, files)
        else:
            _create(directory, files)
    except OSError as error:
        raise LabError(
            f"The lab's files cannot be written to {directory}: {error.strerror}.", _elsewhere(directory)
        ) from error


def _check_ours(directory: Path, files: Mapping[str, LabFile]) -> None:
    known = _known(directory)
    if known is None and any(directory.iterdir()):
        raise LabError(f"{directory} holds files that the lab did not write.", _elsewhere(directory))
    for name in files:
        if _is_foreign(directory / name, (known or {}).get(name, ())):
            raise LabError(
                f"{directory / name} is not as the lab wrote it; it would be lost.",
                f"Move {name} out of {directory}, then start again; or {_elsewhere(directory)}",
            )


def _known(directory: Path) -> dict[str, list[str]] | None:
    """Return the marker's digests by file name, None if there is no marker of ours."""
    try:
        marker = json.loads((directory / MARKER).read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(marker, dict) or marker.get("format") != FORMAT:
        return None
    files = marker.get("files")
    return {str(k): [str(v) for v in vs] for k, vs in files.items()} if isinstance(files, dict) else {}


def _is_foreign(path: Path, digests: Sequence[str]) -> bool:
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(status.st_mode) or _digest(path.read_bytes()) not in digests


def _create(directory: Path, files: Mapping[str, LabFile]) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    draft.mkdir(FOLDER_MODE)
    try:
        _fill(draft, files)
        # Should somebody have made the folder meanwhile: rename replaces only an empty one.
        draft.rename(directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def _fill(directory: Path, files: Mapping[str, LabFile]) -> None:
    directory.chmod(FOLDER_MODE)
    new = {name: [_digest(file.content)] for name, file in files.items()}
    # While files are replaced one by one the marker vouches for the old and the new ones:
    # a crash in between must not turn the lab's own files into foreign ones.
    old = _known(directory) or {}
    _mark(directory, {name: old.get(name, []) + digests for name, digests in new.items()})
    for name, file in files.items():
        _replace(directory / name, file)
    _mark(directory, new)


def _mark(directory: Path, digests: Mapping[str, Sequence[str]]) -> None:
    marker = json.dumps({"format": FORMAT, "files": digests}, indent=2) + "\n"
    _replace(directory / MARKER, LabFile(marker.encode()))


def _replace(path: Path, file: LabFile) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    mode = SECRET_MODE if file.secret else PUBLIC_MODE
    try:
        with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as stream:
            stream.write(file.content)
        os.replace(draft, path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _elsewhere(directory: Path) -> str:
    return f"choose another folder: %mtls_lab --dir {directory.name}-2"
