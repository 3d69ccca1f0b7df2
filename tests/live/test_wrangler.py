"""What `worker.ship` writes, read by npm's own wrangler: every project is one that it would deploy.

Leave these out with `-k "not wrangler"`: the first run fetches wrangler.
"""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from mtls_notebook.session import jsonc
from mtls_notebook.worker.exchange import Language, WorkerSource
from mtls_notebook.worker.ship import placeholder, project, write
from tests.live import wrangler
from tests.live.servers import NotInstalled

WORKERS: dict[Language, str] = {
    "js": """\
export default {
  async fetch(request, env) {
    return env.MY_CERT.fetch("https://example-secure-origin.com/shipped-marker");
  },
};
""",
    "ts": """\
interface Env { MY_CERT: Fetcher }
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    return env.MY_CERT.fetch("https://example-secure-origin.com/shipped-marker");
  },
} satisfies ExportedHandler<Env>;
""",
    "python": """\
from workers import Response, WorkerEntrypoint


class Default(WorkerEntrypoint):
    async def fetch(self, request):
        return await self.env.MY_CERT.fetch("https://example-secure-origin.com/shipped-marker")
""",
}
BINDINGS = (("MY_CERT", "my client's cert", ("api.example.com",)), ("OTHER", "other-cert", ()))
VARIABLES = {"GREETING": 'say "hi" // no comment', "LEVELS": {"low": [1, 2.5], "on": True}}


@pytest.fixture(scope="module", autouse=True)
def _installed() -> None:
    try:
        wrangler.installed()
    except NotInstalled as error:
        pytest.skip(f"{error}: nobody judges the projects")


def shipped(directory: Path, language: Language) -> Path:
    """Write the project of that language's worker and return its folder."""
    folder = directory / "project"
    write(folder, project(WorkerSource(language, WORKERS[language]), BINDINGS, VARIABLES, name="My API"))
    return folder


def dry_run(folder: Path, home: Path) -> wrangler.Outcome:
    return wrangler.run(folder, home, "deploy", "--dry-run", "--outdir", "bundle")


def resources(text: str) -> dict[str, str]:
    """Return what wrangler lists of a worker's bindings: `env.NAME (…)` → its kind."""
    found = re.findall(r"^(env\..+?)\s{2,}(\S.*?)\s*$", text, re.M)
    return dict(found)


@pytest.mark.parametrize("language", WORKERS)
def test_wrangler_would_deploy_a_shipped_project(tmp_path: Path, language: Language) -> None:
    folder = shipped(tmp_path, language)
    outcome = dry_run(folder, tmp_path)
    assert outcome.status == 0, outcome.text
    listed = resources(outcome.text)
    for name, certificate, _ in BINDINGS:
        assert listed[f"env.{name} ({placeholder(name, certificate)})"] == "mTLS Certificate", outcome.text
    variables = {key.split(" ")[0] for key, kind in listed.items() if kind == "Environment Variable"}
    assert variables == {f"env.{name}" for name in VARIABLES}
    assert outcome.warnings == []
    bundled = "".join(path.read_text("utf-8") for path in (folder / "bundle").rglob("index.[jp]*"))
    assert "shipped-marker" in bundled


def test_wrangler_would_deploy_with_the_ids_of_an_account_put_in(tmp_path: Path) -> None:
    folder = shipped(tmp_path, "js")
    configuration = folder / "wrangler.jsonc"
    identifier = "0b3a7bd6-2f0f-4f1e-9d0c-1a2b3c4d5e6f"
    configuration.write_text(re.sub(r"<CERTIFICATE_ID of [^>]*>", identifier, configuration.read_text("utf-8")))
    outcome = dry_run(folder, tmp_path)
    assert outcome.status == 0, outcome.text
    assert resources(outcome.text)[f"env.MY_CERT ({identifier})"] == "mTLS Certificate"


def test_wrangler_reads_the_same_values_that_our_own_reader_reads(tmp_path: Path) -> None:
    folder = shipped(tmp_path, "js")
    ours = jsonc.parse((folder / "wrangler.jsonc").read_text("utf-8"), "wrangler.jsonc")
    assert isinstance(ours, dict)
    assert ours["vars"] == VARIABLES
    text = dry_run(folder, tmp_path).text
    assert f"env.LEVELS ({json.dumps(VARIABLES['LEVELS'], separators=(',', ':'))})" in text


def test_wrangler_refuses_a_project_that_was_spoilt(tmp_path: Path) -> None:
    folder = shipped(tmp_path, "js")
    configuration = folder / "wrangler.jsonc"
    configuration.write_text(configuration.read_text("utf-8").replace('"binding": "MY_CERT", ', ""), "utf-8")
    outcome = dry_run(folder, tmp_path)
    assert outcome.status != 0
    assert "mtls_certificates[0]" in outcome.text


def test_wrangler_knows_every_option_of_the_upload_commands_in_the_readme(tmp_path: Path) -> None:
    folder = shipped(tmp_path, "js")
    lines = (folder / "README.md").read_text("utf-8").splitlines()
    uploads = [shlex.split(line) for line in lines if line.startswith("npx wrangler mtls-certificate upload")]
    assert [words[-1] for words in uploads] == [certificate for _, certificate, _ in BINDINGS]
    known = wrangler.run(folder, tmp_path, "mtls-certificate", "upload", "--help").text
    used = {word for words in uploads for word in words if word.startswith("--")}
    assert used == {"--cert", "--key", "--name"}
    assert all(re.search(rf"{option}\b", known) for option in used), known
