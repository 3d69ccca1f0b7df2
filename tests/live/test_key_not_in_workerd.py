"""A JavaScript worker uses a certificate; its private key is in no page of workerd's memory that can be read.

The controls are processes that do hold the same key: workerd itself, configured to make TLS, where the search finds
the key's text, and one whose OpenSSL has loaded it, where the search finds its numbers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from mtls_notebook import Session
from mtls_notebook.worker.exchange import HttpRequest
from mtls_notebook.worker.javascript.program import JavaScriptProgram
from mtls_notebook.worker.runtime import Worker
from tests.live import servers
from tests.live.bare_workerd import Program, bare_workerd
from tests.live.material import GOOD, Pki
from tests.live.process_memory import Memory, key_forms
from tests.live.servers import Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")

VARIABLE = "variable-5b2f0c1e77a94f0d"
HEADER = "header-0d9a6e4c3b1f4e62"
PASSPHRASE = "a passphrase of 2026: ß7-Kd0Qe".encode()
WORKER = """
const kept = [];
export default { async fetch(request, env) {
  const answer = await env.MY_CERT.fetch(env.URL);
  kept.push(env.MARK, request.headers.get("x-mark"), await answer.text());
  return new Response(kept.at(-1));
} }
"""
REQUEST = HttpRequest(headers=(("X-Mark", HEADER),))


def searched(pid: int, needles: dict[str, bytes]) -> set[str]:
    """Return which needles the process holds; where nobody may look, the test is left out (with CI=true: fails)."""
    try:
        return Memory.of(pid).holds(needles)
    except PermissionError:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip("this machine lets nobody read another process's memory")  # with CI=true: raised, above


def answered(worker: Worker) -> tuple[int, dict[str, bytes]]:
    """Run the worker once; return workerd's process id, and what the process has seen and must hold."""
    invocation = worker.fetch(REQUEST, timeout_s=20)
    assert invocation.response is not None, invocation.error
    assert "verify: SUCCESS" in invocation.response.text()  # the key was used
    program = worker.program
    assert isinstance(program, JavaScriptProgram)
    assert program.pid is not None
    fingerprint = next(one for one in invocation.response.text().splitlines() if one.startswith("fingerprint: "))
    return program.pid, {"variable": VARIABLE.encode(), "header": HEADER.encode(), "answer": fingerprint.encode()}


def folder_of(pid: int) -> list[Path]:
    """Return the files that workerd was started with: its configuration and its modules."""
    files = [file for file in Path(os.readlink(f"/proc/{pid}/cwd")).parent.iterdir() if file.is_file()]
    assert "workerd.capnp" in [file.name for file in files]
    return files


def locked(key_pem: bytes) -> bytes:
    """Return the key encrypted under PASSPHRASE."""
    key = load_pem_private_key(key_pem, None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE))


@pytest.mark.parametrize("kind", GOOD)
def test_no_page_of_workerd_holds_the_key_or_its_passphrase_and_none_does_after_a_restart(
    kind: str, pki: Pki, serve: Callable[..., Server], tmp_path: Path
) -> None:
    pair = pki.clients[kind]
    (tmp_path / "locked.key").write_bytes(locked(pair.key.read_bytes()))
    secret = key_forms(pair.key.read_bytes()) | {"passphrase": PASSPHRASE}
    with Session() as session:
        session.trust_authority(pki.ca)
        session.upload(pair.cert, tmp_path / "locked.key", name=kind, password=PASSPHRASE)
        session.bind(MY_CERT=kind)
        session.variables.update(URL=f"https://localhost:{serve(servers.nginx).port}/", MARK=VARIABLE)
        with session.worker(WORKER, name="keyless") as worker:
            for _life in range(2):
                pid, seen = answered(worker)
                assert searched(pid, secret | seen) == seen.keys()
                assert [
                    file.name for file in folder_of(pid) if any(one in file.read_bytes() for one in secret.values())
                ] == []
                worker.program.stop()


@pytest.mark.parametrize("kind", GOOD)
def test_a_workerd_that_makes_tls_itself_holds_the_key_and_the_search_finds_it(
    kind: str, pki: Pki, serve: Callable[..., Server], tmp_path: Path
) -> None:
    variables = {"URL": f"https://localhost:{serve(servers.nginx).port}/", "MARK": VARIABLE}
    forms = key_forms(pki.clients[kind].key.read_bytes())
    with bare_workerd(tmp_path, pki, {"MY_CERT": kind}, variables, [Program("keyed", WORKER)]) as judge:
        assert b"verify: SUCCESS" in judge.ask("keyed", REQUEST).body
        found = searched(judge.pid, forms | {"header": HEADER.encode()})
    assert "header" in found
    assert any("base64" in name for name in found)


HOLDER = """
import ssl, sys
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
context.load_cert_chain(sys.argv[1], sys.argv[2])
print("loaded", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", GOOD)
def test_a_process_that_has_loaded_the_key_is_caught_by_its_numbers(kind: str, pki: Pki) -> None:
    pair = pki.clients[kind]
    argv = [sys.executable, "-c", HOLDER, str(pair.cert), str(pair.key)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"loaded\n"
        found = searched(holder.pid, key_forms(pair.key.read_bytes()))
    assert any("endian" in name for name in found)
