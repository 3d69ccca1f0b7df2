"""What a real kernel leaves behind: no key in any output, history or file, and no process of its own.

The main job runs once; then the outputs, the history and every file below the kernel's folders are
searched for the very key that was uploaded.
"""

from __future__ import annotations

import base64
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.kernel import Kernel, await_gone, is_alive, kernel

LAB = "%load_ext mtls_notebook\n%mtls_lab"
UPLOAD = "%mtls_upload --cert mtls-lab/cert.pem --key mtls-lab/key.pem --name my-client-cert -o cert"
BIND = '%%mtls_bindings\nmtls_certificates = [ { binding = "MY_CERT", certificate_id = "{cert.id}" } ]'
VERBATIM = """%%worker -o run
export default {
    async fetch(request, environment) {
        return await environment.MY_CERT.fetch("https://example-secure-origin.com")
    }
}"""
ENDLESS = """%%worker --timeout {timeout}
export default {{
    async fetch() {{
        console.log("spinning");
        await fetch("https://nowhere.invalid").catch(() => 0);
        while (true) {{}}
    }}
}}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("kernel")


@pytest.fixture(scope="module")
def used(folder: Path) -> Iterator[tuple[Kernel, str]]:
    """Return a kernel that has done the main job, and all it put out, as JSON text."""
    with kernel(folder) as running:
        outputs = [running.run(cell) for cell in (LAB, UPLOAD, BIND, VERBATIM)]
        outputs.append(running.run("cert, cert.identity, [cert.identity._key]"))
        outputs.append(running.run("%xmode Verbose\ncert.identity.load_into(None)"))
        yield running, json.dumps(outputs)


def secrets_of(folder: Path) -> list[bytes]:
    """Return the uploaded key in the forms in which it could leak: PEM lines, DER, its last bytes in hex."""
    pem = (folder / "work/mtls-lab/key.pem").read_bytes()
    lines = [line for line in pem.splitlines() if b"-----" not in line]
    der = base64.b64decode(b"".join(lines))
    # PKCS#8 of a P-256 key: the private number follows its header (RFC 5915 §3).
    number = der[36:68]
    forms = [*lines[:2], der, number, number.hex().encode(), base64.b64encode(number), repr(number).encode()[2:-1]]
    return [form for form in forms if len(form) > 20]


def test_the_announcements_worker_answers_and_the_origin_names_the_client(used: tuple[Kernel, str]) -> None:
    running, _ = used
    assert running.value("run.response.status") == "200"
    assert running.value("run.response.json()['tlsClientAuth']['certSubjectDN']") == "CN=my-client"
    assert running.value("run.handshakes[0].outcome") == "mutual"


def test_the_key_is_in_no_output_not_even_in_a_verbose_traceback(used: tuple[Kernel, str], folder: Path) -> None:
    _, outputs = used
    assert "PRIVATE KEY" not in outputs
    assert [form for form in secrets_of(folder) if form.decode("latin-1") in outputs] == []


def test_the_search_would_find_a_key(used: tuple[Kernel, str], folder: Path) -> None:
    running, _ = used
    shown = json.dumps(running.run("print(open('mtls-lab/key.pem').read())"))
    assert any(form.decode("latin-1") in shown for form in secrets_of(folder))


def test_the_key_is_in_no_file_outside_the_lab(used: tuple[Kernel, str], folder: Path) -> None:
    assert leaks(folder) == []


def leaks(folder: Path) -> list[str]:
    """Return the files below `folder`, the lab's own left out, that hold the uploaded key in any form."""
    files = [file for file in folder.rglob("*") if file.is_file() and "mtls-lab" not in file.parts]
    wanted = secrets_of(folder)
    return [str(file) for file in files if any(form in file.read_bytes() for form in wanted)]


def test_an_interrupt_stops_an_endless_worker_and_the_session_goes_on(used: tuple[Kernel, str]) -> None:
    running, _ = used
    running.client.execute(ENDLESS.format(timeout=60), store_history=False, stop_on_error=False)
    await_spinning(running)
    running.manager.interrupt_kernel()
    while (reply := running.client.get_shell_msg(timeout=10)["content"])["status"] != "error":
        pass
    assert reply["ename"] == "WorkerStopped"
    assert running.value("len(list(cert.identity.chain))")
    assert running.run(VERBATIM)[-1].get("ename") is None


def test_a_timeout_stops_an_endless_worker_in_two_lines(used: tuple[Kernel, str]) -> None:
    running, _ = used
    error = running.run(ENDLESS.format(timeout=0.5))[-1]
    assert error["ename"] == "WorkerTimeout"
    assert len(error["traceback"]) == 2


def test_killing_the_kernel_leaves_no_workerd_and_no_key(tmp_path: Path) -> None:
    with kernel(tmp_path) as running:
        for cell in (LAB, UPLOAD, BIND):
            running.run(cell)
        running.client.execute(ENDLESS.format(timeout=60))
        workerds = await_spinning(running)
        os.kill(running.pid, signal.SIGKILL)
        for pid in workerds:
            await_gone(pid)
        assert leaks(tmp_path) == []


def await_spinning(running: Kernel) -> list[int]:
    """Return the kernel's workerd processes once the worker has said that it is in its loop."""
    while running.client.get_iopub_msg(timeout=30)["content"].get("text") != "spinning\n":
        pass
    return [pid for pid in children(running.pid) if "workerd" in command(pid) and is_alive(pid)]


def children(pid: int) -> list[int]:
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(word) for file in files for word in read(file).split()]


def command(pid: int) -> str:
    return read(Path(f"/proc/{pid}/cmdline"))


def read(file: Path) -> str:
    """Return what a file of /proc says, "" when its process or thread has just ended."""
    try:
        return file.read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return ""
