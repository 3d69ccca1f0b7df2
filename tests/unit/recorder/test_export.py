"""Files are written whole, for their owner only where they hold secrets, and refused with a way on."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from mtls_notebook.errors import UsageError
from mtls_notebook.recorder.events import Event, Kind
from mtls_notebook.recorder.export import FORMATS, Format, epoch_of_clock, keylog, write
from tests.unit.recorder.recorded import recorded

LINE = "SERVER_HANDSHAKE_TRAFFIC_SECRET " + "ab" * 32 + " " + "cd" * 48
SECRET_SUFFIXES = {".keylog", ".pcapng"}


def connection(*, secrets: bool = True) -> tuple[Event, ...]:
    events = recorded("tls13-mtls", version="TLSv1.3")
    return (*events, Event(10**9, 1, Kind.SECRET, LINE)) if secrets else events


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_formats_with_secrets_are_marked() -> None:
    assert {suffix for suffix, form in FORMATS.items() if form.secret} == SECRET_SUFFIXES


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_file_with_secrets_is_for_its_owner_only_even_where_an_open_one_stood(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.touch(mode=0o644)
    path.chmod(0o644)
    before = os.umask(0o022)
    try:
        said = write(path, [connection()])
    finally:
        os.umask(before)
    assert mode(path) == (0o600 if suffix in SECRET_SUFFIXES else 0o644)
    assert ("secrets that decrypt" in said) == (suffix in SECRET_SUFFIXES)
    assert said.startswith(f"Wrote 1 {'request' if suffix == '.har' else 'connection'} to {path}.")


@pytest.mark.parametrize("suffix", FORMATS)
def test_secrets_are_in_the_formats_that_say_so_and_in_no_other(tmp_path: Path, suffix: str) -> None:
    write(tmp_path / f"out{suffix}", [connection()])
    assert (LINE.split()[2].encode() in (tmp_path / f"out{suffix}").read_bytes()) == (suffix in SECRET_SUFFIXES)


@pytest.mark.parametrize("name", ["out.pcap", "out.HTML", "out", ".keylog"])
def test_an_unknown_suffix_is_refused_and_the_known_ones_are_listed(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        write(tmp_path / name, [connection()])
    assert all(suffix in caught.value.hint for suffix in FORMATS)
    assert list(tmp_path.iterdir()) == []


def test_the_case_of_a_suffix_does_not_matter(tmp_path: Path) -> None:
    write(tmp_path / "OUT.JSON", [connection()])
    assert json.loads((tmp_path / "OUT.JSON").read_text("utf-8"))["version"] == 1


def test_a_further_format_is_a_further_row(tmp_path: Path) -> None:
    page = Format(lambda recorded_: f"{len(recorded_.connections)} here".encode())
    write(tmp_path / "out.html", [connection()], formats={**FORMATS, ".html": page})
    assert (tmp_path / "out.html").read_bytes() == b"1 here"


def test_a_key_log_holds_each_line_once() -> None:
    assert keylog([connection(), connection()]) == f"{LINE}\n"


def test_without_secrets_a_key_log_is_refused_and_a_capture_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no recorded secrets"):
        write(tmp_path / "out.keylog", [connection(secrets=False)])
    assert "stays unreadable" in write(tmp_path / "out.pcapng", [connection(secrets=False)])


@pytest.mark.parametrize("connections", [[], [()]])
def test_nothing_recorded_is_an_error_that_says_what_to_run(
    tmp_path: Path, connections: list[tuple[Event, ...]]
) -> None:
    with pytest.raises(UsageError, match="no recorded connection") as caught:
        write(tmp_path / "out.json", connections)
    assert "%%worker" in caught.value.hint


def test_a_har_without_a_request_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No request"):
        write(tmp_path / "out.har", [recorded("tls13-refused")])


def test_what_stood_there_stays_when_the_new_file_cannot_be_made(tmp_path: Path) -> None:
    def fails(_: object) -> bytes:
        raise UsageError("no")

    path = tmp_path / "out.json"
    path.write_text("before", "utf-8")
    with pytest.raises(UsageError):
        write(path, [connection()], formats={".json": Format(fails)})
    assert [(p.name, p.read_text("utf-8")) for p in tmp_path.iterdir()] == [("out.json", "before")]


@pytest.mark.parametrize("place", ["missing/out.json", "folder.json"])
def test_a_place_that_cannot_be_written_is_named_and_no_draft_is_left(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(UsageError, match="cannot be written") as caught:
        write(tmp_path / place, [connection()])
    assert caught.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["folder.json"]


def test_the_clock_s_epoch_turns_monotonic_times_into_dates(tmp_path: Path) -> None:
    assert abs(epoch_of_clock() - epoch_of_clock()) < 10**9
    write(tmp_path / "out.json", [connection()], epoch_ns=1_700_000_000_000_000_000)
    told = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert told["connections"][0]["started"].startswith("2023-11-14T22:13:20")
