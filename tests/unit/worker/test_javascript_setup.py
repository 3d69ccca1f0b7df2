"""Where workerd is found, and how it is fetched: with stand-ins for the binary and for deno, and no network."""

from __future__ import annotations

import json
import platform
import sys
import threading
from importlib import resources
from pathlib import Path

import pytest

from mtls_notebook import __main__ as command_line
from mtls_notebook.errors import EngineUnavailable
from mtls_notebook.worker.javascript import npm, workerd

# Stands where deno would: notes that it ran, and lays out what deno's cache lays out.
DENO = """#!/bin/sh
echo ran >> "{log}"
mkdir -p "$DENO_DIR/npm/registry/{package}/{version}/bin"
cp "{binary}" "$DENO_DIR/npm/registry/{package}/{version}/bin/workerd"
"""


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def binary(folder: Path, dated: str = workerd.COMPATIBILITY_DATE) -> Path:
    return script(folder / "workerd", f"#!/bin/sh\necho workerd {dated}\n")


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, nothing on PATH but the system, no variable, and no deno."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv(workerd.VARIABLE, raising=False)
    monkeypatch.setattr(npm, "deno", lambda: "/bin/false")
    return tmp_path


@pytest.fixture
def deno(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for deno that works; return its log."""
    (tmp_path / "made").mkdir()
    log = tmp_path / "log"
    text = DENO.format(
        log=log, package=workerd.this_platform().package, version=workerd.VERSION, binary=binary(tmp_path / "made")
    )
    path = script(tmp_path / "deno", text)
    monkeypatch.setattr(npm, "deno", lambda: str(path))
    return log


def test_the_variable_wins_over_everything(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deno: Path) -> None:
    named = binary(tmp_path)
    monkeypatch.setenv(workerd.VARIABLE, str(named))
    assert workerd.find() == named
    assert not deno.exists()


@pytest.mark.parametrize("text", [None, "#!/bin/sh\nexit 1\n", "#!/bin/sh\necho workerd 2020-01-01\n"])
def test_a_variable_that_names_no_usable_workerd_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str | None
) -> None:
    named = tmp_path / "bad"
    if text is not None:
        script(named, text)
    monkeypatch.setenv(workerd.VARIABLE, str(named))
    with pytest.raises(EngineUnavailable) as caught:
        workerd.find()
    assert str(named) in caught.value.message
    assert workerd.VARIABLE in caught.value.hint


def test_a_workerd_on_path_is_used_and_one_that_is_too_old_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deno: Path
) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    named = binary(folder)
    assert workerd.find() == named
    binary(folder, "2025-01-01")
    said: list[str] = []
    assert workerd.find(said.append) == workerd.cached_path()
    assert said[0] == f"Passing over {named}: it is of 2025-01-01, before {workerd.COMPATIBILITY_DATE}."


def test_the_first_find_fetches_and_the_second_does_not(deno: Path) -> None:
    said: list[str] = []
    first = workerd.find(said.append)
    assert workerd.find(said.append) == first == workerd.cached_path()
    assert deno.read_text() == "ran\n"
    assert len(said) == 2
    assert workerd.VERSION in said[0]
    assert sorted(path.name for path in first.parent.iterdir()) == ["workerd", "workerd.lock"]


def test_several_at_once_fetch_once(deno: Path) -> None:
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(workerd.find())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [workerd.cached_path()] * 8
    assert deno.read_text() == "ran\n"


def test_a_fetched_binary_that_does_not_run_here_is_not_kept(tmp_path: Path, deno: Path) -> None:
    script(tmp_path / "made" / "workerd", "#!/bin/sh\nexit 127\n")
    with pytest.raises(EngineUnavailable, match="was fetched, but"):
        workerd.find()
    assert not workerd.cached_path().exists()


def test_without_a_network_the_error_names_both_ways_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = "error: Failed loading it\n    0: error sending: Connection refused\n\nStack backtrace:\n   0: <unknown>"
    offline = script(tmp_path / "deno", f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
    monkeypatch.setattr(npm, "deno", lambda: str(offline))
    with pytest.raises(EngineUnavailable) as caught:
        workerd.find()
    assert caught.value.message.endswith("could not be fetched: error sending: Connection refused")
    assert workerd.SETUP in caught.value.hint
    assert workerd.VARIABLE in caught.value.hint
    assert [path.name for path in workerd.cached_path().parent.iterdir()] == ["workerd.lock"]


def test_an_unknown_platform_is_told_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    with pytest.raises(EngineUnavailable, match=r"no build for \w+ riscv64 \(only linux x86_64, ") as caught:
        workerd.find()
    assert "--language python" in caught.value.hint


def test_the_lock_file_pins_all_platforms_and_is_narrowed_to_one() -> None:
    name = f"workerd-{workerd.VERSION}.lock"
    shipped = json.loads(resources.files("mtls_notebook.worker.javascript").joinpath(name).read_text("utf-8"))
    packages = {f"{build.package}@{workerd.VERSION}" for build in workerd.PLATFORMS.values()}
    assert set(shipped["npm"]) == packages
    assert all(entry["integrity"].startswith("sha512-") for entry in shipped["npm"].values())
    for build in workerd.PLATFORMS.values():
        wanted = f"{build.package}@{workerd.VERSION}"
        narrowed = json.loads(workerd.locked(build.package))
        assert narrowed["npm"] == {wanted: shipped["npm"][wanted]}
        assert narrowed["specifiers"] == {f"npm:{wanted}": workerd.VERSION}


@pytest.mark.skipif(sys.platform != "darwin" and sys.platform != "linux", reason="XDG folders are POSIX")
def test_the_cache_folder_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert workerd.cache_folder() == tmp_path / "cache" / "mtls-notebook"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert workerd.cache_folder().relative_to(tmp_path)


def test_setup_says_where_the_binary_is(deno: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["setup"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"workerd: {workerd.cached_path()}"


def test_setup_fails_with_the_two_lines_of_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["setup"]) == 1
    assert len(capsys.readouterr().err.splitlines()) == 2
