"""The magics in a real IPython shell: what each line does, and what it refuses: in two lines, as an exception."""

from __future__ import annotations

import atexit
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from mtls_notebook import Session
from mtls_notebook.errors import (
    CertificateInUse,
    ConfigError,
    KeyMismatch,
    LabError,
    MtlsNotebookError,
    NoPrivateKey,
    NotACertificate,
    NotALeaf,
    PasswordRequired,
    UnknownCertificate,
    UnreadableFile,
    UsageError,
    WorkerSyntaxError,
    WorkerThrew,
    WorkerTimeout,
    WrongPassword,
)
from mtls_notebook.lab.lab import Lab
from mtls_notebook.magics import MtlsMagics
from mtls_notebook.worker.exchange import Invocation

ANNOUNCED = """
from workers import WorkerEntrypoint
class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.MY_CERT.fetch("https://example-secure-origin.com")
"""
PASSPHRASE = "correct horse battery staple"
KINDS = ("line", "cell")


class Notebook:
    """A shell with the extension loaded; `run` raises what the cell raised."""

    def __init__(self, shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._capsys = capsys

    def run(self, cell: str) -> str:
        self._capsys.readouterr()
        result = self.shell.run_cell(cell)
        out, self.err = self._capsys.readouterr()
        result.raise_error()
        return out

    def refused(self, cell: str, kind: type[BaseException]) -> MtlsNotebookError:
        with pytest.raises(kind) as caught:
            self.run(cell)
        assert isinstance(caught.value, MtlsNotebookError)
        lines = caught.value._render_traceback_()
        assert len(lines) == 2, lines
        assert all(line and "\n" not in line for line in lines), lines
        return caught.value

    @property
    def session(self) -> Session:
        magics = self.shell.magics_manager.registry["MtlsMagics"]
        assert isinstance(magics, MtlsMagics)
        return magics.session

    def __getitem__(self, name: str) -> Any:
        return self.shell.user_ns[name]

    def __setitem__(self, name: str, value: object) -> None:
        self.shell.user_ns[name] = value


def write_refused_files(folder: Path) -> None:
    """Write a locked key, a CA with its key, and files that hold no certificate."""
    lab = folder / "mtls-lab"
    key = serialization.load_pem_private_key((lab / "key.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    (folder / "locked.pem").write_bytes(_pem(key, serialization.BestAvailableEncryption(PASSPHRASE.encode())))
    (folder / "authority.pem").write_bytes(_authority(key) + _pem(key, serialization.NoEncryption()))
    (folder / "text.pem").write_text("no certificate at all")
    (folder / "empty.pem").write_bytes(b"")
    (folder / "large.pem").write_bytes(b"x" * ((1 << 20) + 1))


def _pem(key: ec.EllipticCurvePrivateKey, encryption: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _authority(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def whole_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[InteractiveShell]:
    config = Config()
    config.HistoryManager.enabled = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IPYTHONDIR", str(tmp_path_factory.mktemp("ipython")))
        InteractiveShell.clear_instance()
        made = InteractiveShell.instance(config=config)
        yield made
        atexit.unregister(made.atexit_operations)
        made.atexit_operations()
        InteractiveShell.clear_instance()


@pytest.fixture
def shell(whole_shell: InteractiveShell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """Return the shell as if it had just started, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    before = dict(whole_shell.user_ns)
    yield whole_shell
    whole_shell.run_line_magic("unload_ext", "mtls_notebook")
    whole_shell.user_ns.clear()
    whole_shell.user_ns.update(before)


@pytest.fixture
def notebook(shell: InteractiveShell, capsys: pytest.CaptureFixture[str]) -> Notebook:
    made = Notebook(shell, capsys)
    assert made.run("%load_ext mtls_notebook") == ""
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder as `%mtls_lab` writes it, and beside it what no upload takes."""
    made = tmp_path_factory.mktemp("material")
    with Lab.start(made / "mtls-lab"):
        write_refused_files(made)
    return made


@pytest.fixture
def stocked(notebook: Notebook, folder: Path, tmp_path: Path) -> Notebook:
    """Return a notebook with the lab's files beside it, and no lab running."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    return notebook


@pytest.fixture
def bound(stocked: Notebook) -> Notebook:
    stocked.run("%mtls_upload --cert mtls-lab/cert.pem --key mtls-lab/key.pem --name my-client-cert")
    stocked.run("%mtls_bindings MY_CERT=my-client-cert")
    return stocked


@pytest.fixture
def live(notebook: Notebook) -> Notebook:
    """Return a notebook whose lab runs and whose certificate is bound."""
    notebook.run("%mtls_lab")
    notebook.run("%mtls_upload --cert mtls-lab/cert.pem --key mtls-lab/key.pem --name my-client-cert")
    notebook.run("%mtls_bindings MY_CERT=my-client-cert")
    return notebook


def ours(shell: InteractiveShell) -> list[str]:
    """Return everything of ours that the shell knows."""
    magics = [
        name for kind in KINDS for name in shell.magics_manager.magics[kind] if "mtls" in name or name == "worker"
    ]
    formatters = (shell.display_formatter.mimebundle_formatter, *shell.display_formatter.formatters.values())
    rows = [str(key) for each in formatters for key in (*each.type_printers, *each.deferred_printers)]
    registered = [name for name in shell.magics_manager.registry if "Mtls" in name]
    return [*magics, *registered, *(row for row in rows if "mtls_notebook" in row)]


# -- loading -------------------------------------------------------------------------------------------


def test_loading_prints_nothing_and_unloading_leaves_nothing(
    shell: InteractiveShell, capsys: pytest.CaptureFixture[str]
) -> None:
    notebook = Notebook(shell, capsys)
    assert ours(shell) == []
    threads = set(threading.enumerate())
    assert notebook.run("%load_ext mtls_notebook") == ""
    assert ours(shell)
    notebook.run("%mtls_lab --dir lab")
    notebook.run("%mtls_upload --cert lab/cert.pem --key lab/key.pem --name c")
    notebook.run("%mtls_bindings MY_CERT=c")
    notebook.run("%%worker --name api\n" + ANNOUNCED)
    session = notebook.session
    assert notebook.run("%unload_ext mtls_notebook") == ""
    assert ours(shell) == []
    for thread in set(threading.enumerate()) - threads:
        thread.join(5)
    assert set(threading.enumerate()) <= threads
    assert len(session.store) == 0
    assert session.lab is None


def test_reloading_starts_with_an_empty_session_and_working_magics(bound: Notebook) -> None:
    bound.run("%reload_ext mtls_notebook")
    assert len(bound.session.store) == 0
    assert "No bindings yet" in bound.run("%mtls_bindings")
    bound.run("%mtls_lab")
    bound.run("%mtls_upload --cert mtls-lab/cert.pem --key mtls-lab/key.pem --name my-client-cert")
    assert len(bound.session.store) == 1


def test_every_magic_explains_its_options(notebook: Notebook) -> None:
    for kind in KINDS:
        for name in MtlsMagics.magics[kind]:
            magic = notebook.shell.find_magic(name, kind)
            assert magic is not None
            assert f"%{name}" in magic.__doc__ or "::" in magic.__doc__


# -- %mtls_lab -----------------------------------------------------------------------------------------


def test_the_lab_starts_tells_where_it_is_and_stops(notebook: Notebook) -> None:
    said = notebook.run("%mtls_lab")
    assert "https://example-secure-origin.com" in said
    assert "no public host is reached" in said
    assert Path("mtls-lab/cert.pem").exists()
    assert "127.0.0.1:" in notebook.run("%mtls_lab status")
    assert "stopped" in notebook.run("%mtls_lab stop")
    assert "stopped" in notebook.run("%mtls_lab status")


def test_the_lab_takes_a_folder_more_origins_and_another_name(notebook: Notebook) -> None:
    said = notebook.run("%mtls_lab --dir 'a folder' --origin required tls12 --as api.corp.example")
    assert "https://api.corp.example" in said
    assert "https://tls12.api.corp.example" in said
    assert Path("a folder/ca.pem").exists()


@pytest.mark.parametrize(
    ("line", "kind", "word"),
    [
        ("%mtls_lab --origin requred", LabError, "required"),
        ("%mtls_lab begin", UsageError, "start"),
        ("%mtls_lab --as 'not a host'", LabError, "--as"),
        ("%mtls_lab start again", UsageError, "More words"),
        ("%mtls_lab --dir {nowhere}", UsageError, "{nowhere}"),
        ("%mtls_lab --dir $nowhere", UsageError, "$nowhere"),
    ],
)
def test_the_lab_refuses_what_it_cannot_do(notebook: Notebook, line: str, kind: type[BaseException], word: str) -> None:
    error = notebook.refused(line, kind)
    assert word in f"{error.message} {error.hint}"
    assert notebook.session.lab is None


# -- %mtls_upload --------------------------------------------------------------------------------------


def test_an_upload_stores_shows_and_keeps(stocked: Notebook) -> None:
    said = stocked.run("%mtls_upload --cert mtls-lab/cert.pem --key 'mtls-lab/key.pem' --name my-client-cert -o stored")
    assert "my-client-cert" in said
    assert stocked["stored"].id in said
    assert stocked.session.store.resolve("my-client-cert").id == stocked["stored"].id


def test_a_combined_file_a_variable_and_a_der_file_are_taken(stocked: Notebook) -> None:
    folder = Path("mtls-lab")
    Path("both.pem").write_bytes((folder / "cert.pem").read_bytes() + (folder / "key.pem").read_bytes())
    stocked["where"] = "both.pem"
    stocked.run("%mtls_upload --cert {where} --name combined")
    stocked.run("%mtls_upload --cert $where --name again")
    assert [stored.name for stored in stocked.session.store] == ["combined", "again"]


def test_the_same_name_again_is_a_rotation_and_the_binding_moves_on(bound: Notebook) -> None:
    before = bound.session.identity("MY_CERT").leaf.fingerprint_sha256
    bound.run("%mtls_upload --cert mtls-lab/expired-cert.pem --key mtls-lab/expired-key.pem --name my-client-cert")
    assert bound.session.identity("MY_CERT").leaf.fingerprint_sha256 != before
    assert len(bound.session.store) == 1


def test_an_authority_is_trusted_not_stored(stocked: Notebook) -> None:
    assert "Trusted for this session" in stocked.run("%mtls_upload --ca-cert mtls-lab/ca.pem")
    assert len(stocked.session.store) == 0


REFUSED = [
    ("--key mtls-lab/key.pem", UsageError, ""),
    ("--cert missing.pem --key mtls-lab/key.pem", UnreadableFile, "missing.pem"),
    ("--cert mtls-lab --key mtls-lab/key.pem", UnreadableFile, "mtls-lab"),
    ("--cert large.pem", UnreadableFile, "1 MiB"),
    ("--cert text.pem --key mtls-lab/key.pem", NotACertificate, "text.pem"),
    ("--cert empty.pem --key mtls-lab/key.pem", UnreadableFile, "empty.pem"),
    ("--cert mtls-lab/key.pem --key mtls-lab/key.pem", NotACertificate, "key.pem"),
    ("--cert mtls-lab/cert.pem", NoPrivateKey, "key"),
    ("--cert mtls-lab/cert.pem --key mtls-lab/cert.pem", NoPrivateKey, "cert.pem"),
    ("--cert mtls-lab/cert.pem --key mtls-lab/expired-key.pem", KeyMismatch, ""),
    ("--cert authority.pem", NotALeaf, "CA"),
    ("--cert mtls-lab/ca.pem --key mtls-lab/key.pem", KeyMismatch, "ca.pem"),
    ("--cert mtls-lab/cert.pem --key locked.pem --password-env WRONG", WrongPassword, ""),
    ("--cert mtls-lab/cert.pem --key locked.pem --password-env EMPTY", (PasswordRequired, WrongPassword), ""),
    ("--cert mtls-lab/cert.pem --key locked.pem --password-env UNSET", UsageError, "--password-env"),
    ("--cert {missing} --key mtls-lab/key.pem", UsageError, "{missing}"),
    ("--crt mtls-lab/cert.pem --key mtls-lab/key.pem", UsageError, "--crt"),
    ("--cert mtls-lab/cert.pem --key mtls-lab/key.pem --name", UsageError, "--name"),
    ("--cert mtls-lab/cert.pem --pkcs12 mtls-lab/cert.pem", UsageError, ""),
    ("--pkcs12 text.pem --password-env WRONG", MtlsNotebookError, "text.pem"),
    ("--ca-cert text.pem", NotACertificate, "text.pem"),
]


@pytest.mark.parametrize(("options", "kind", "word"), REFUSED, ids=[options or "nothing" for options, _, _ in REFUSED])
def test_a_refused_upload_says_why_in_two_lines_and_stores_nothing(
    stocked: Notebook, monkeypatch: pytest.MonkeyPatch, options: str, kind: type[BaseException], word: str
) -> None:
    monkeypatch.setenv("WRONG", PASSPHRASE[::-1])
    monkeypatch.setenv("EMPTY", "")
    error = stocked.refused(f"%mtls_upload {options}", kind)
    assert word in f"{error.message} {error.hint}"
    assert len(stocked.session.store) == 0
    assert PASSPHRASE[::-1] not in f"{error!r} {error}"
    assert "PRIVATE KEY" not in f"{error!r} {error}"


def test_a_passphrase_comes_from_the_environment_or_a_masked_prompt(
    stocked: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PHRASE", PASSPHRASE)
    stocked.run("%mtls_upload --cert mtls-lab/cert.pem --key locked.pem --name one --password-env PHRASE")
    asked: list[str] = []
    monkeypatch.setattr("getpass.getpass", lambda prompt: asked.append(prompt) or PASSPHRASE)
    stocked.run("%mtls_upload --cert mtls-lab/cert.pem --key locked.pem --name two")
    assert len(asked) == 1
    assert len(stocked.session.store) == 2


@pytest.mark.parametrize(
    "option",
    [
        "--password {0}",
        "--password={0}",
        "--password '{0}'",
        "--passwd {0}",
        "--passphrase {0}",
        "--pass {0}",
        "-password {0}",
    ],
)
def test_a_typed_passphrase_is_refused_and_repeated_nowhere(stocked: Notebook, option: str) -> None:
    typed = option.format("hunter2-hunter2")
    error = stocked.refused(f"%mtls_upload --cert mtls-lab/cert.pem --key mtls-lab/key.pem {typed}", UsageError)
    assert "--password-env" in error.hint
    assert "hunter2" not in f"{error!r} {error} {stocked.err} {error._render_traceback_()}"
    assert len(stocked.session.store) == 0


# -- %mtls_certificates --------------------------------------------------------------------------------


def test_certificates_are_listed_and_deleted_unless_they_are_bound(bound: Notebook) -> None:
    said = bound.run("%mtls_certificates")
    assert "my-client-cert" in said
    assert "MY_CERT" in said
    error = bound.refused("%mtls_certificates --delete my-client-cert", CertificateInUse)
    assert "MY_CERT" in error.message
    assert len(bound.session.store) == 1
    assert "No certificates yet" in bound.run("%mtls_certificates --delete my-client-cert --force")
    assert "No bindings yet" in bound.run("%mtls_bindings")


def test_deleting_what_is_not_there_names_what_is(bound: Notebook) -> None:
    error = bound.refused("%mtls_certificates --delete my-client-crt", UnknownCertificate)
    assert "my-client-cert" in f"{error.message} {error.hint}"


# -- %mtls_bindings ------------------------------------------------------------------------------------


def names(notebook: Notebook) -> list[str]:
    return sorted(binding.name for binding in notebook.session.bindings)


def test_pairs_bind_and_show_and_go(bound: Notebook) -> None:
    identifier = bound.session.store.resolve("my-client-cert").id
    said = bound.run(f"%mtls_bindings OTHER={identifier} 'THIRD=my-client-cert'")
    assert names(bound) == ["MY_CERT", "OTHER", "THIRD"]
    assert "env.OTHER" in said
    assert "env.MY_CERT" in bound.run("%mtls_bindings")
    bound.run("%mtls_bindings --remove OTHER")
    assert names(bound) == ["MY_CERT", "THIRD"]


TOML = 'name = "w"\nmtls_certificates = [ {{ binding = "API", certificate_id = "{0}" }} ]\n[vars]\nMODE = "toml"\n'
JSONC = """// a comment
{{
    "mtls_certificates": [ {{ "binding": "API", "certificate_id": "{0}", }}, ],
    "vars": {{ "MODE": "jsonc" }}
}}"""


@pytest.mark.parametrize(("text", "mode"), [(TOML, "toml"), (JSONC, "jsonc")])
def test_a_cell_may_hold_toml_or_jsonc_and_its_variables_reach_the_worker(
    bound: Notebook, text: str, mode: str
) -> None:
    bound["cert"] = bound.session.store.resolve("my-client-cert")
    bound.run("%%mtls_bindings\n" + text.format("{cert.id}"))
    assert names(bound) == ["API", "MY_CERT"]
    assert bound.session.bindings.get("API").certificate_id == bound["cert"].id
    bound.run("%%worker -o r\nfrom workers import Response\ndef on_fetch(request, env): return Response(env.MODE)")
    assert bound["r"].response.text() == mode


def test_a_file_is_read_and_of_its_environments_the_one_that_is_named(bound: Notebook) -> None:
    identifier = bound.session.store.resolve("my-client-cert").id
    staging = TOML.format(identifier).replace("[vars]", "[env.staging]").replace("MODE", "# MODE")
    Path("wrangler.toml").write_text(
        staging + f'mtls_certificates = [ {{ binding = "STAGED", certificate_id = "{identifier}" }} ]\n'
    )
    bound.run("%mtls_bindings --config wrangler.toml --env staging")
    assert "STAGED" in names(bound)
    error = bound.refused("%mtls_bindings --config wrangler.toml --env production", ConfigError)
    assert "staging" in f"{error.message} {error.hint}"


def test_hosts_limit_where_a_certificate_is_presented(live: Notebook) -> None:
    said = live.run("%mtls_bindings --hosts 'MY_CERT=example-secure-origin.com,*.corp.example'")
    assert "*.corp.example" in said
    assert live.session.bindings.get("MY_CERT").hosts == ("example-secure-origin.com", "*.corp.example")
    live.run("%%worker -o fine\n" + ANNOUNCED)
    error = live.refused("%%worker\n" + ANNOUNCED.replace("example-secure-origin.com", "evil.example"), WorkerThrew)
    assert "evil.example" in error.message
    assert "--hosts" in error.hint


@pytest.mark.parametrize(
    ("cell", "kind", "word"),
    [
        ("%mtls_bindings API=my-client-crt", UnknownCertificate, "my-client-cert"),
        ("%mtls_bindings API", ConfigError, "API"),
        ("%mtls_bindings API=", ConfigError, ""),
        ("%mtls_bindings 1API=my-client-cert", ConfigError, "1API"),
        ("%mtls_bindings API={nothing}", UsageError, "{nothing}"),
        ("%mtls_bindings --remove OTHER", ConfigError, "MY_CERT"),
        ("%mtls_bindings --hosts OTHER=a.example", ConfigError, "MY_CERT"),
        ("%mtls_bindings --config missing.toml", UnreadableFile, "missing.toml"),
        ("%%mtls_bindings\n" + TOML.format("<CERTIFICATE_ID>"), ConfigError, "<CERTIFICATE_ID>"),
        ("%%mtls_bindings\n" + TOML.format("{nothing.id}"), UsageError, "nothing"),
        ("%%mtls_bindings\nmtls_certificates = 3", ConfigError, "mtls_certificates"),
        ("%%mtls_bindings\nmtls_certificates = [", ConfigError, ""),
        ('%%mtls_bindings\n{ "mtls_certificates": [ {} ] }', ConfigError, "mtls_certificates[0]"),
    ],
)
def test_a_refused_binding_says_why_and_binds_nothing(
    bound: Notebook, cell: str, kind: type[BaseException], word: str
) -> None:
    error = bound.refused(cell, kind)
    assert word in f"{error.message} {error.hint}"
    assert names(bound) == ["MY_CERT"]


# -- %%worker ------------------------------------------------------------------------------------------

ECHO = """
from workers import Response
async def on_fetch(request):
    print("log line")
    return Response.json([str(request.method), request.url, request.headers["x-a"], await request.text()])
"""


def test_the_announced_worker_runs_from_a_cell(live: Notebook) -> None:
    said = live.run("%%worker -o r\n" + ANNOUNCED)
    assert isinstance(live["r"], Invocation)
    assert live["r"].response.json()["tlsClientAuth"]["certVerified"] == "SUCCESS"
    assert "200" in said
    assert live.session.last is live["r"]
    assert len(live["r"].handshakes) == 1


def test_request_header_and_data_reach_the_worker(notebook: Notebook) -> None:
    notebook["payload"] = {"n": 1}
    notebook.run("%%worker --request 'PUT /p?q=1' --header 'X-A: one' --data @payload -o r\n" + ECHO)
    assert notebook["r"].response.json() == ["PUT", "https://worker.local/p?q=1", "one", '{"n": 1}']
    notebook.run("%%worker --data 'two words' --header 'X-A: 1' --header 'X-B: 2' -o r --no-trace\n" + ECHO)
    assert notebook["r"].response.json() == ["POST", "https://worker.local/", "1", "two words"]
    assert "log line" in notebook.run("%%worker --language python --header 'X-A: 1'\n" + ECHO)


def test_a_printed_line_goes_to_the_cells_output_and_an_error_line_to_its_errors(notebook: Notebook) -> None:
    out = notebook.run(
        "%%worker\nimport sys\nfrom workers import Response\ndef on_fetch(request):\n"
        "    print('to out')\n    print('to err', file=sys.stderr)\n    return Response('x')"
    )
    assert "to out" in out
    assert "to err" in notebook.err


def test_a_named_worker_is_called_later_and_reads_the_notebooks_variables(notebook: Notebook) -> None:
    notebook["GREETING"] = "hello"
    notebook.run(
        "%%worker --name api\nfrom workers import Response\n"
        "def on_fetch(request): return Response(f'{GREETING} {request.url}')"
    )
    notebook.run("later = (await api.fetch('/orders')).text()")
    assert notebook["later"] == "hello https://worker.local/orders"
    notebook.run("%%worker --name api\nfrom workers import Response\ndef on_fetch(request): return Response('new')")
    notebook.run("later = (await api.fetch('/')).text()")
    assert notebook["later"] == "new"


@pytest.mark.parametrize(
    ("cell", "kind", "word"),
    [
        ("%%worker\n  \n", UsageError, "cell"),
        ("%%worker --language ruby\n" + ECHO, UsageError, "python"),
        ("%%worker --request 'GET nowhere'\n" + ECHO, UsageError, "--request"),
        ("%%worker --header nothing\n" + ECHO, UsageError, "--header"),
        ("%%worker --data @nothing\n" + ECHO, UsageError, "nothing"),
        ("%%worker --timeout soon\n" + ECHO, UsageError, "--timeout"),
        ("%%worker --header 'X-A: {nothing}'\n" + ECHO, UsageError, "{nothing}"),
        ("%%worker --nmae api\n" + ECHO, UsageError, "--nmae"),
        ("%%worker --language python\ndef on_fetch(request)\n", WorkerSyntaxError, "line 1"),
        ("%%worker --language python\nraise ValueError('top')", WorkerThrew, "ValueError: top"),
        ("%%worker\ndef on_fetch(request): return 1 / 0", WorkerThrew, "line 1"),
        ("%%worker --timeout 0.2\ndef on_fetch(request):\n    while True: pass", WorkerTimeout, "0.2 s"),
        (
            "%%worker\nasync def on_fetch(request, env):\n    await env.MY_CERT.fetch('https://a.example/')",
            WorkerThrew,
            "MY_CERT",
        ),
    ],
)
def test_a_refused_worker_says_why_in_two_lines(
    notebook: Notebook, cell: str, kind: type[BaseException], word: str
) -> None:
    error = notebook.refused(cell, kind)
    assert word in f"{error.message} {error.hint}"


def test_a_failed_worker_still_leaves_its_invocation(notebook: Notebook) -> None:
    notebook.refused("%%worker -o r\ndef on_fetch(request):\n    print('so far')\n    return 1 / 0", WorkerThrew)
    assert [line.text for line in notebook["r"].logs] == ["so far"]
    assert isinstance(notebook["r"].error, WorkerThrew)


# -- %mtls_handshake -----------------------------------------------------------------------------------


def test_a_handshake_is_shown_again_from_the_last_run_or_a_variable(live: Notebook) -> None:
    live.run("%%worker -o r\n" + ANNOUNCED)
    assert live.run("%mtls_handshake").strip()
    assert live.run("%mtls_handshake r").strip()


def test_without_a_handshake_there_is_nothing_to_show(notebook: Notebook) -> None:
    notebook.refused("%mtls_handshake", UsageError)
    error = notebook.refused("%mtls_handshake nothing", UsageError)
    assert "nothing" in error.message


PLAIN = """
from workers import fetch
async def on_fetch(request, env):
    return await fetch("https://example-secure-origin.com")
"""


def shown(notebook: Notebook, monkeypatch: pytest.MonkeyPatch, line: str) -> list[Any]:
    """Return the values that `line` displays."""
    found: list[Any] = []
    monkeypatch.setattr("mtls_notebook.magics.display", lambda *values: found.extend(values))
    notebook.run(line)
    return found


def test_compare_alone_sets_the_last_run_beside_tls_where_it_is_mtls(
    live: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.run("%mtls_lab --origin optional --dir other")
    live.run("%mtls_upload --cert other/cert.pem --key other/key.pem --name my-client-cert")
    live.run("%%worker -o mutual\n" + ANNOUNCED)
    error = live.refused("%mtls_handshake --compare", UsageError)
    assert 'fetch("https://example-secure-origin.com")' in error.hint
    live.run("%%worker -o plain\n" + PLAIN)
    for line in ("%mtls_handshake --compare", "%mtls_handshake mutual --compare"):
        (both,) = shown(live, monkeypatch, line)
        assert (both.left.outcome, both.right.outcome) == ("server-only", "mutual")
        assert both.left.events == live["plain"].handshakes[0].events
    assert {pair.only for pair in both.servers.pairs} == {"", "right"}
    assert both.servers.right.peer_verified is not None
    error = live.refused("%mtls_handshake plain --compare plain", UsageError)
    assert "--both-ends" in error.hint


def test_what_a_refused_run_lacks_is_told_beside_the_run_that_passed(
    live: Notebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.run("%%worker -o mutual\n" + ANNOUNCED)
    live.refused("%%worker -o plain\n" + PLAIN, WorkerThrew)
    (both,) = shown(live, monkeypatch, "%mtls_handshake plain --compare")
    assert (both.left.outcome, both.right.outcome) == ("refused-by-server", "mutual")


def test_a_comparison_is_written_as_one_page(live: Notebook, tmp_path: Path) -> None:
    live.run("%%worker -o mutual\n" + ANNOUNCED)
    said = live.run("%mtls_handshake mutual --both-ends --export ends.html")
    assert "ends.html" in said
    assert "recorded at both ends" in (tmp_path / "ends.html").read_text("utf-8")
    assert live.session.both_ends(live["mutual"]).same_connection


def test_without_a_recording_of_the_server_both_ends_says_so(live: Notebook) -> None:
    live.run("%%worker -o mutual\n" + ANNOUNCED)
    live.run("%mtls_lab stop")
    live.refused("%mtls_handshake mutual --both-ends", LabError)
