"""`python -m mtls_notebook demo`: the announcement's three steps in a terminal, against the live lab.

The worker is the announcement's, word for word, in JavaScript and then in Python.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from .api import Session
from .views.handshake import text as handshake_text
from .worker.exchange import Invocation, Language

JAVASCRIPT = """\
export default {
    async fetch(request, environment) {
        return await environment.MY_CERT.fetch("https://example-secure-origin.com")
    }
}
"""
PYTHON = """\
from workers import WorkerEntrypoint

class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.MY_CERT.fetch("https://example-secure-origin.com")
"""
CONFIG = 'mtls_certificates = [ {{ binding = "MY_CERT", certificate_id = "{id}" }} ]'
WORKERS: tuple[tuple[Language, str], ...] = (("js", JAVASCRIPT), ("python", PYTHON))


def run(say: Callable[[str], None]) -> bool:
    """Say what happens at each step; return whether every worker got a 200 over mutual TLS."""
    with tempfile.TemporaryDirectory(prefix="mtls-demo-") as folder, Session() as session:
        lab = session.start_lab(Path(folder) / "mtls-lab")
        say("\n".join(lab.status()))
        stored = session.upload(lab.directory / "cert.pem", lab.directory / "key.pem", name="my-client-cert")
        say(f"\n1. Upload the certificate and its key\nID: {stored.id}\nSubject: {stored.identity.leaf.subject}")
        config = CONFIG.format(id=stored.id)
        session.bind_config(config)
        say(f"\n2. Bind it by a name\n{config}")
        runs = [_run_worker(session, language, code, say) for language, code in WORKERS]
    return all(runs)


def _run_worker(session: Session, language: Language, code: str, say: Callable[[str], None]) -> bool:
    say(f"\n3. Run the worker ({language})\n{code}")
    with session.worker(code, language=language) as worker:
        invocation = worker.fetch("/", timeout_s=60)
    if invocation.error is not None or invocation.response is None:
        say(str(invocation.error))
        return False
    say(f"HTTP {invocation.response.status}\n{invocation.response.text()}")
    say("\n".join(handshake_text(shake) for shake in invocation.handshakes))
    return _is_mutual(invocation)


def _is_mutual(invocation: Invocation) -> bool:
    assert invocation.response is not None
    mutual = any(shake.outcome == "mutual" for shake in invocation.handshakes)
    return invocation.response.status == 200 and mutual
