"""The lab's folder is private, and what the lab did not write survives."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtls_notebook.errors import LabError
from mtls_notebook.lab.folder import MARKER, LabFile, write

FILES = {"cert.pem": LabFile(b"certificate 1"), "key.pem": LabFile(b"key 1", secret=True)}
LATER = {"cert.pem": LabFile(b"certificate 2"), "key.pem": LabFile(b"key 2", secret=True)}


@pytest.fixture(autouse=True)
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != MARKER}


def test_a_new_folder_is_private_even_under_an_open_umask(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "mtls-lab"
    write(folder, FILES)
    assert mode(folder) == 0o700
    assert mode(folder / "key.pem") == 0o600
    assert contents(folder) == {"cert.pem": b"certificate 1", "key.pem": b"key 1"}
    assert [path.name for path in folder.parent.iterdir()] == ["mtls-lab"]


def test_an_empty_folder_is_used_and_made_private(tmp_path: Path) -> None:
    write(tmp_path, FILES)
    assert mode(tmp_path) == 0o700
    assert contents(tmp_path)["key.pem"] == b"key 1"


def test_the_labs_own_files_are_replaced_and_others_beside_them_are_kept(tmp_path: Path) -> None:
    folder = tmp_path / "mtls-lab"
    write(folder, FILES)
    (folder / "notes.txt").write_bytes(b"mine")
    write(folder, LATER)
    assert contents(folder) == {"cert.pem": b"certificate 2", "key.pem": b"key 2", "notes.txt": b"mine"}
    assert mode(folder / "key.pem") == 0o600


def test_a_file_the_lab_wrote_may_be_missing_when_it_starts_again(tmp_path: Path) -> None:
    folder = tmp_path / "mtls-lab"
    write(folder, FILES)
    (folder / "key.pem").unlink()
    write(folder, LATER)
    assert contents(folder)["key.pem"] == b"key 2"


def test_a_folder_with_foreign_files_is_refused_and_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"precious")
    with pytest.raises(LabError, match="holds files that the lab did not write") as caught:
        write(tmp_path, FILES)
    assert "--dir" in caught.value.hint
    assert contents(tmp_path) == {"key.pem": b"precious"}


@pytest.mark.parametrize("marker", [b"", b"[]", b"no json", b'{"format": "another"}', b"\xff\xfe"])
def test_a_marker_that_is_not_the_labs_opens_nothing(tmp_path: Path, marker: bytes) -> None:
    (tmp_path / MARKER).write_bytes(marker)
    (tmp_path / "key.pem").write_bytes(b"precious")
    with pytest.raises(LabError):
        write(tmp_path, FILES)
    assert contents(tmp_path) == {"key.pem": b"precious"}


def test_a_file_changed_since_the_lab_wrote_it_is_refused_and_nothing_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "mtls-lab"
    write(folder, FILES)
    (folder / "key.pem").write_bytes(b"precious")
    with pytest.raises(LabError, match=r"key\.pem is not as the lab wrote it"):
        write(folder, LATER)
    assert contents(folder) == {"cert.pem": b"certificate 1", "key.pem": b"precious"}


def test_a_symbolic_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    folder, precious = tmp_path / "mtls-lab", tmp_path / "precious"
    write(folder, FILES)
    precious.write_bytes(b"key 1")
    (folder / "key.pem").unlink()
    (folder / "key.pem").symlink_to(precious)
    with pytest.raises(LabError):
        write(folder, LATER)
    assert precious.read_bytes() == b"key 1"


def test_a_symbolic_link_or_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file").write_bytes(b"mine")
    for name in ("link", "file"):
        with pytest.raises(LabError, match="not a folder of its own"):
            write(tmp_path / name, FILES)
    assert list((tmp_path / "real").iterdir()) == []


def test_an_unwritable_place_is_a_lab_error_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LabError, match="cannot be written to"):
        write(tmp_path / "file" / "mtls-lab", FILES)


def test_a_crash_between_two_files_leaves_a_folder_that_still_is_the_labs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, replace = tmp_path / "mtls-lab", os.replace
    write(folder, FILES)

    def crash_at_the_key(source: Path, target: Path) -> None:
        if target.name == "key.pem":
            raise RuntimeError("power cut")
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash_at_the_key)
        with pytest.raises(RuntimeError, match="power cut"):
            write(folder, LATER)
    assert contents(folder) == {"cert.pem": b"certificate 2", "key.pem": b"key 1"}
    write(folder, LATER)
    assert contents(folder) == {"cert.pem": b"certificate 2", "key.pem": b"key 2"}


def test_a_secret_file_does_not_show_its_content() -> None:
    assert repr(FILES["key.pem"]) == "<LabFile 5 bytes, secret>"
