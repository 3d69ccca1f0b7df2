"""A worker's project for wrangler, and its folder: nothing secret goes in, nothing of the user's is lost."""

from __future__ import annotations

import json
import re
import shlex
import string
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.errors import ConfigError, MaterialError, UnreadableFile, UsageError
from mtls_notebook.pki.authority import Authority
from mtls_notebook.session import jsonc
from mtls_notebook.session.config import parse_config
from mtls_notebook.worker.exchange import Language, WorkerSource
from mtls_notebook.worker.javascript.workerd import COMPATIBILITY_DATE
from mtls_notebook.worker.ship import MAIN, placeholder, project
from mtls_notebook.worker.ship_folder import MARKER, Written, write

CODE = 'export default { fetch: () => new Response("hi") };'
LOCAL_ID = "0b3a7bd6-2f0f-4f1e-9d0c-1a2b3c4d5e6f"
BINDINGS = (("MY_CERT", "my-client-cert", ("api.example.com", "*.corp.example")), ("OTHER", LOCAL_ID, ()))
VARIABLES = {"A": "1", "B": {"deep": [1, None, True]}}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


def files_of(
    code: str = CODE,
    language: Language = "js",
    bindings: Any = BINDINGS,
    variables: Any = VARIABLES,
    name: str = "my-api",
) -> dict[str, str]:
    return project(WorkerSource(language, code), bindings, variables, name=name)


def configuration(files: dict[str, str]) -> dict[str, Any]:
    parsed = jsonc.parse(files["wrangler.jsonc"], "wrangler.jsonc")
    assert isinstance(parsed, dict)
    return parsed


# -- the files -----------------------------------------------------------------------------------------


@given(
    st.lists(
        st.tuples(st.text(string.ascii_uppercase, min_size=1), st.text(), st.just(())),
        unique_by=lambda binding: binding[0],
        max_size=4,
    ),
    st.dictionaries(st.text(), json_values, max_size=4),
)
def test_whatever_the_names_and_values_are_the_configuration_says_them_back(
    bindings: list[tuple[str, str, tuple[()]]], variables: dict[str, object]
) -> None:
    said = configuration(files_of(bindings=bindings, variables=variables))
    assert [element["binding"] for element in said.get("mtls_certificates", [])] == [name for name, _, _ in bindings]
    assert said.get("vars", {}) == variables


@given(st.lists(st.text(min_size=1), min_size=1, max_size=3))
def test_the_shell_takes_every_certificate_name_in_the_readme_as_one_word(certificates: list[str]) -> None:
    bindings = [(f"B{at}", certificate, ()) for at, certificate in enumerate(certificates)]
    lines = files_of(bindings=bindings)["README.md"].split("\n")
    for line in (line for line in lines if line.startswith("npx wrangler mtls-certificate")):
        words = shlex.split(line)
        assert words[:4] == ["npx", "wrangler", "mtls-certificate", "upload"]
        assert (words[4::2][:3], len(words)) == (["--cert", "--key", "--name"], 10)


@given(st.text())
def test_a_placeholder_is_one_printable_line_in_one_pair_of_brackets(certificate: str) -> None:
    text = placeholder("MY_CERT", certificate)
    assert re.fullmatch(r"<CERTIFICATE_ID of [^<>]+>", text)
    assert text.isprintable()


@pytest.mark.parametrize("language", MAIN)
def test_the_code_is_shipped_as_it_was_written(language: Language) -> None:
    code = "\ufeff# ünïcode \u2028 \r\n\ttabs, and no newline at the end"
    files = files_of(code, language)
    assert files[MAIN[language]] == code
    assert configuration(files)["main"] == MAIN[language]


def test_our_own_reader_knows_the_placeholders_and_binds_once_they_are_replaced() -> None:
    text = files_of()["wrangler.jsonc"]
    with pytest.raises(ConfigError, match=re.escape("still the placeholder <CERTIFICATE_ID of my-client-cert>")):
        parse_config(text)
    read = parse_config(re.sub(r"<CERTIFICATE_ID of [^>]*>", LOCAL_ID, text))
    assert read.bindings == (("MY_CERT", LOCAL_ID), ("OTHER", LOCAL_ID))
    assert read.variables == VARIABLES
    assert read.warnings == ()


def test_the_worker_runs_there_as_of_the_day_it_ran_here() -> None:
    assert configuration(files_of())["compatibility_date"] == COMPATIBILITY_DATE


def test_only_a_python_worker_has_the_flag_and_the_means_to_bring_its_sdk() -> None:
    python, javascript = files_of("def on_fetch(request): ...", "python"), files_of()
    assert configuration(python)["compatibility_flags"] == ["python_workers"]
    assert "compatibility_flags" not in configuration(javascript)
    assert "workers-runtime-sdk" in tomllib.loads(python["pyproject.toml"])["dependency-groups"]["dev"]
    assert "pyproject.toml" not in javascript
    assert json.loads(python["package.json"])["scripts"]["deploy"] == "uv run pywrangler deploy"
    assert json.loads(javascript["package.json"])["scripts"]["deploy"] == "wrangler deploy"


def test_no_file_holds_an_id_of_this_session() -> None:
    files = files_of()
    assert placeholder("OTHER", LOCAL_ID) == "<CERTIFICATE_ID of OTHER>"
    assert not [name for name, text in files.items() if LOCAL_ID in text]


def test_the_readme_says_which_hosts_were_allowed_and_that_nobody_enforces_it_there() -> None:
    readme = files_of()["README.md"]
    assert "`env.MY_CERT`: `api.example.com`, `*.corp.example`" in readme
    assert "present" in readme
    assert "## Hosts" not in files_of(bindings=(("OTHER", "x", ()),))["README.md"]


def test_a_worker_without_bindings_is_told_to_upload_nothing() -> None:
    files = files_of(bindings=(), variables={})
    assert "upload" not in files["README.md"]
    assert set(configuration(files)) == {"name", "main", "compatibility_date"}


@pytest.mark.parametrize(
    ("name", "called"),
    [("My API", "my-api"), ("orders_v2", "orders-v2"), ("--x--", "x"), ("Ünï", "n"), ("a" * 80, "a" * 63)],
)
def test_a_name_becomes_one_that_a_worker_can_have(name: str, called: str) -> None:
    files = files_of(name=name)
    assert configuration(files)["name"] == called
    assert json.loads(files["package.json"])["name"] == called


def test_a_name_without_letters_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be a worker's name"):
        files_of(name="***")


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), {"x": b"bytes"}])
def test_a_variable_that_json_cannot_hold_is_named(value: object) -> None:
    with pytest.raises(ConfigError, match="The variable BAD cannot be written as JSON"):
        files_of(variables={"BAD": value})


def key_in(style: str) -> str:
    pem = bytes(Authority.create("CA").issue("client").key_pem).decode()
    return {
        "verbatim": f"const key = `{pem}`;",
        "quoted lines": "\n".join(f'"{line}\\n" +' for line in pem.splitlines()),
        "one line": json.dumps(pem),
    }[style]


@pytest.mark.parametrize("style", ["verbatim", "quoted lines", "one line"])
def test_a_private_key_is_never_shipped_and_never_repeated(style: str) -> None:
    text = key_in(style)
    for call in (lambda: files_of(text), lambda: files_of(variables={"KEY": text})):
        with pytest.raises(MaterialError, match="holds a private key") as caught:
            call()
        assert "MI" not in str(caught.value)


def test_code_that_only_speaks_of_keys_is_shipped() -> None:
    code = 'const header = "-----BEGIN PRIVATE KEY-----", footer = "-----END PRIVATE KEY-----"; // look for them'
    assert files_of(code)["src/index.js"] == code


# -- the folder ----------------------------------------------------------------------------------------


def on_disk(folder: Path) -> dict[str, str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != MARKER)
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in paths}


def test_what_is_written_is_on_disk_to_the_byte_and_nothing_else(tmp_path: Path) -> None:
    files = files_of("// \r\n mixed\nlines\r")
    outcome = write(tmp_path / "deep" / "project", files)
    assert outcome == Written(tmp_path / "deep" / "project", tuple(files), (), ())
    assert on_disk(outcome.directory) == files


def test_writing_the_same_again_changes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "p", files_of())
    before = {path: path.stat().st_ino for path in (tmp_path / "p").rglob("*.js*")}
    assert write(tmp_path / "p", files_of()) == Written(tmp_path / "p", (), (), ())
    assert {path: path.stat().st_ino for path in (tmp_path / "p").rglob("*.js*")} == before


def test_new_code_is_written_and_the_ids_that_the_user_put_in_stay(tmp_path: Path) -> None:
    write(tmp_path, files_of())
    edited = files_of()["wrangler.jsonc"].replace("<CERTIFICATE_ID of OTHER>", "from-the-account")
    (tmp_path / "wrangler.jsonc").write_text(edited)
    outcome = write(tmp_path, files_of("// new code"))
    assert (outcome.written, outcome.kept) == (("src/index.js",), ("wrangler.jsonc",))
    assert on_disk(tmp_path) == files_of("// new code") | {"wrangler.jsonc": edited}
    # And it stays theirs: once more, with the same code.
    assert write(tmp_path, files_of("// new code")).kept == ("wrangler.jsonc",)


def test_where_both_sides_changed_a_file_nothing_is_written_and_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, files_of())
    (tmp_path / "wrangler.jsonc").write_text("mine")
    before = on_disk(tmp_path)
    with pytest.raises(UsageError, match=r"edited since they were written.*: wrangler\.jsonc\.") as caught:
        write(tmp_path, files_of("// new code", bindings=()))
    assert "%mtls_export" in caught.value.hint
    assert on_disk(tmp_path) == before


def test_a_deleted_file_comes_back(tmp_path: Path) -> None:
    write(tmp_path, files_of())
    (tmp_path / "README.md").unlink()
    assert write(tmp_path, files_of()).written == ("README.md",)


def test_another_language_takes_the_former_ones_file_away_unless_it_was_edited(tmp_path: Path) -> None:
    write(tmp_path / "a", files_of())
    assert write(tmp_path / "a", files_of("x = 1", "python")).removed == ("src/index.js",)
    write(tmp_path / "b", files_of())
    (tmp_path / "b" / "src" / "index.js").write_text("mine")
    assert write(tmp_path / "b", files_of("x = 1", "python")).removed == ()
    assert (tmp_path / "b" / "src" / "index.js").read_text() == "mine"


def test_a_folder_with_other_files_is_refused_and_they_are_named(tmp_path: Path) -> None:
    for name in "abcdefg":
        (tmp_path / name).touch()
    with pytest.raises(UsageError, match="holds other files: a, b, c, d, e and 2 more"):
        write(tmp_path, files_of())
    assert set(on_disk(tmp_path)) == set("abcdefg")


@pytest.mark.parametrize("marker", ["{", "[]", '{"format": "another tool\'s"}', '{"format": "mtls-notebook"}'])
def test_a_marker_that_is_not_ours_makes_no_folder_ours(tmp_path: Path, marker: str) -> None:
    (tmp_path / MARKER).write_text(marker)
    (tmp_path / "wrangler.jsonc").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        write(tmp_path, files_of())


def test_a_forged_marker_deletes_nothing_outside_the_folder(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside.txt", tmp_path / "p"
    outside.write_text("precious")
    write(folder, files_of())
    marker = json.loads((folder / MARKER).read_text())
    precious = marker["files"]["README.md"]
    outside.write_text(files_of()["README.md"])  # what it says is known, so that only its place protects it
    marker["files"] |= {"../outside.txt": precious, str(outside): precious}
    (folder / MARKER).write_text(json.dumps(marker))
    assert write(folder, files_of()).removed == ()
    assert outside.exists()


def test_links_are_not_followed_out_of_the_folder(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "link").symlink_to(elsewhere)
    with pytest.raises(UsageError, match="is not a folder of its own"):
        write(tmp_path / "link", files_of())
    write(tmp_path / "p", {"README.md": "x"})
    (tmp_path / "p" / "src").symlink_to(elsewhere)
    with pytest.raises(UsageError, match=r"src is in the way"):
        write(tmp_path / "p", files_of())
    assert list(elsewhere.iterdir()) == []


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("mine")
    with pytest.raises(UsageError, match="is not a folder of its own"):
        write(tmp_path / "p", files_of())


def test_a_disk_that_says_no_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnreadableFile, match="Not a directory") as caught:
        write(tmp_path / "file" / "p", files_of())
    assert caught.value.hint
