"""What Tab offers on the lines of the magics, in a real IPython shell: asked as a notebook asks."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell

from mtls_notebook import completion
from mtls_notebook.api import Session
from mtls_notebook.lab.catalogue import ORIGINS
from mtls_notebook.magics import MtlsMagics
from mtls_notebook.pki.authority import Authority


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    authority = Authority.create("completion root")
    with Session() as made:
        made.add(authority.issue("one").identity(), "my-client-cert")
        made.add(authority.issue("two").identity(), "with blank")
        made.add(authority.issue("three").identity())
        made.bind(MY_CERT="my-client-cert", OTHER="with blank")
        made.variables["GREETING"] = "hello"
        yield made


@pytest.fixture(scope="module")
def shell(session: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    patch = pytest.MonkeyPatch()
    patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
    made = InteractiveShell()
    made.Completer.use_jedi = False
    made.register_magics(MtlsMagics(made))
    made.user_ns.update({"order": 1, "overview": 2})
    completion.register(made, lambda: session)
    yield made
    completion.unregister(made)
    made.history_manager.end_session()
    patch.undo()


def offered(shell: InteractiveShell, text: str) -> list[str]:
    """Return what the text becomes by each completion at its end, from the word under the cursor on."""
    with provisionalcompleter():
        found = list(shell.Completer.completions(text, len(text)))
    return [each.text for each in found]


def applied(shell: InteractiveShell, text: str) -> list[str]:
    """Return the whole text after each completion at its end."""
    with provisionalcompleter():
        return [text[: each.start] + each.text for each in shell.Completer.completions(text, len(text))]


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    return {option for option in parser._option_string_actions if option not in ("-h", "--help")}


MAGICS = [(kind, name) for kind in ("line", "cell") for name in sorted(MtlsMagics.magics[kind])]


@pytest.mark.parametrize(("kind", "name"), MAGICS)
def test_every_option_of_every_magic_is_offered_and_its_prefix_finds_it(
    shell: InteractiveShell, kind: str, name: str
) -> None:
    start = f"{'%%' if kind == 'cell' else '%'}{name} "
    parser = shell.magics_manager.magics[kind][name].parser
    assert options_of(parser) <= set(offered(shell, f"{start}-")) | set(offered(shell, f"{start}--"))
    for option in options_of(parser):
        assert f"{start}{option}" in applied(shell, f"{start}{option[:-1]}"), option


def test_every_table_row_names_something_that_a_magic_or_the_interface_has() -> None:
    known = {
        action.dest
        for kind, name in MAGICS
        for action in getattr(MtlsMagics, MtlsMagics.magics[kind][name]).parser._actions
    }
    rows = {row if isinstance(row, str) else row[1] for row in completion.VALUES}
    assert rows - known <= {"from", "binding", "export"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("%mtls_certificates --delete my", ["my-client-cert"]),
        ("%mtls_certificates --delete wi", ["'with blank'"]),
        ("%mtls_certificates --delete 'wi", ["'with blank'"]),
        ("%mtls_certificates --delete=my", ["my-client-cert"]),
        ("%mtls_bindings --remove M", ["MY_CERT"]),
        ("%mtls_bindings MY", ["MY_CERT="]),
        ("%mtls_bindings NEW=my", ["NEW=my-client-cert"]),
        ("%mtls_bindings A=b --hosts O", ["OTHER="]),
        ("%mtls_upload --name my", ["my-client-cert"]),
        ("%mtls_lab st", ["start", "status", "stop"]),
        ("%mtls_lab --origin tls", ["tls12", "tls13"]),
        ("%mtls_lab --origin required tls12 exp", ["expired"]),
        ("%%worker --language ", ["js", "python", "ts"]),
        ("%%worker -o o", ["order", "overview"]),
        ("%%worker --data @ov", ["@overview"]),
        ("%mtls_handshake ov", ["overview"]),
        ("%mtls_handshake x --compare ov", ["overview"]),
        ("%%worker --name x --no", ["--no-trace"]),
        ("1 + 1\n%mtls_bindings --remove M", ["MY_CERT"]),
        ("%%worker\nexport default { fetch: (r, env) => env.", ["GREETING", "MY_CERT", "OTHER"]),
        ("%%worker\nreturn await self.env.M", ["MY_CERT"]),
        ('%%mtls_bindings\nmtls_certificates = [{ binding = "A", certificate_id = "my', ["my-client-cert"]),
        ('%%mtls_bindings --env x\n{ "certificate_id": "my', ["my-client-cert"]),
    ],
)
def test_values_are_offered_where_they_belong(shell: InteractiveShell, text: str, expected: list[str]) -> None:
    assert sorted(offered(shell, text)) == expected
    stem = text.replace("'", "")
    assert all(whole.replace("'", "").startswith(stem) for whole in applied(shell, text))


def test_every_origin_is_offered(shell: InteractiveShell) -> None:
    assert set(offered(shell, "%mtls_lab --origin ")) == set(ORIGINS)


def test_a_certificate_without_a_name_is_offered_by_its_id(shell: InteractiveShell, session: Session) -> None:
    (nameless,) = (stored for stored in session.store if stored.name is None)
    assert nameless.id in offered(shell, "%mtls_certificates --delete ")
    named = session.store.resolve("my-client-cert")
    assert offered(shell, f"%mtls_certificates --delete {named.id[:8]}") == [named.id]


def test_an_option_is_offered_once_unless_it_may_be_repeated(shell: InteractiveShell) -> None:
    assert "--name" not in offered(shell, "%%worker --name x -")
    assert "--header" in offered(shell, "%%worker --header 'A: b' -")


def test_files_are_offered_by_what_the_option_takes(
    shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cert.pem", "key file.pem", "client.p12", "wrangler.toml", "notes.txt", ".hidden.pem"):
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "inner.pem").touch()
    assert sorted(offered(shell, "%mtls_upload --cert ")) == ["'key file.pem'", "cert.pem", "sub/"]
    assert offered(shell, "%mtls_upload --cert sub/") == ["sub/inner.pem"]
    assert offered(shell, "%mtls_upload --pkcs12 c") == ["client.p12"]
    assert offered(shell, "%mtls_bindings --config w") == ["wrangler.toml"]
    assert offered(shell, f"%mtls_upload --key {tmp_path}/sub/i") == [f"{tmp_path}/sub/inner.pem"]
    assert offered(shell, "%mtls_upload --cert nowhere/") == []


@pytest.mark.parametrize("text", ["order", "%time ord", "%%time\nenv.", "x = '%mtls_upload --", "env.", "%nothing --"])
def test_other_lines_are_left_to_others(shell: InteractiveShell, text: str) -> None:
    (matcher,) = [
        each for each in shell.Completer.custom_matchers if each.matcher_identifier == "mtls_notebook.completion"
    ]
    lines = text.split("\n")
    context = completion.CompletionContext("", text, len(lines[-1]), len(lines) - 1, None)
    assert matcher(context) == {"completions": [], "matched_fragment": "", "suppress": False}


def test_without_a_session_options_and_origins_are_offered_and_none_is_made(shell: InteractiveShell) -> None:
    matcher = completion.Matcher(shell, lambda: None)

    def words(line: str) -> list[str]:
        found = matcher.complete(completion.CompletionContext("", line, len(line), 0, None))
        return [each.text for each in found["completions"]]

    assert words("%mtls_lab --origin tls13") == ["tls13"]
    assert words("%mtls_certificates --fo") == ["--force"]
    assert words("%mtls_certificates --delete my") == []


def test_registering_twice_completes_once_and_unregistering_leaves_nothing(shell: InteractiveShell) -> None:
    before = list(shell.Completer.custom_matchers)
    other = InteractiveShell()
    try:
        completion.unregister(other)
        completion.register(other, lambda: None)
        completion.register(other, lambda: None)
        assert len(other.Completer.custom_matchers) == 1
        completion.unregister(other)
        assert other.Completer.custom_matchers == []
    finally:
        other.history_manager.end_session()
    assert shell.Completer.custom_matchers == before


@pytest.mark.parametrize(
    ("magic", "word", "meant"),
    [
        ("mtls_upload", "--crt", "--cert"),
        ("mtls_upload", "--ca-crt=x.pem", "--ca-cert"),
        ("worker", "--lang", "--language"),
        ("worker", "--headers", "--header"),
        ("mtls_lab", "--zzzzzz", ""),
    ],
)
def test_a_close_option_is_found(magic: str, word: str, meant: str) -> None:
    assert completion.close_option(getattr(MtlsMagics, magic), word) == meant


def test_tab_answers_within_ten_milliseconds_in_a_full_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    identity = Authority.create("full").issue("client").identity()
    shell = InteractiveShell()
    shell.register_magics(MtlsMagics(shell))
    monkeypatch.chdir(tmp_path)
    for number in range(1000):
        (tmp_path / f"{number}.pem").touch()
    try:
        with Session() as session:
            for number in range(1000):
                session.add(identity, f"client {number}")
            matcher = completion.Matcher(shell, lambda: session)
            for line in ("%mtls_certificates --delete ", "%mtls_upload --cert ", "%mtls_bindings A=", "%%worker --"):
                context = completion.CompletionContext("", line, len(line), 0, None)
                matcher.complete(context)
                took = min(timed(matcher, context) for _ in range(5))
                assert took < 0.010, (line, took)
    finally:
        shell.history_manager.end_session()


def timed(matcher: completion.Matcher, context: completion.CompletionContext) -> float:
    start = time.perf_counter()
    matcher.complete(context)
    return time.perf_counter() - start
