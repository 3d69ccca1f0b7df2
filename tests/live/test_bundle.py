"""npm packages in a cell, fetched and bundled for real into a cache folder of the test's own.

Without a way to npm the tests are skipped by name (with CI=true they fail).
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from mtls_notebook.errors import EngineUnavailable, WorkerSyntaxError, WorkerThrew
from mtls_notebook.worker.exchange import WorkerSource
from mtls_notebook.worker.javascript import npm, workerd
from mtls_notebook.worker.javascript.bundle import bundled
from tests.live.servers import free_port
from tests.live.workers import running

HONO = """import { Hono } from "hono";
import { cors } from "hono/cors"; // import { nope } from "hono"
const app = new Hono();
app.use("*", cors());
app.get("/hello/:name", (c) => c.json({ hello: c.req.param("name"), variable: c.env.GREETING }));
app.get("/throw", () => {
  throw new RangeError("in a route");
});
app.onError((error) => { throw error });
export default app;
"""
SERVICE_WORKER = """import { Hono } from "hono";
const app = new Hono().get("*", (c) => c.text(GREETING));
addEventListener("fetch", (event) => event.respondWith(app.fetch(event.request)));
"""
TYPESCRIPT = """import { Hono, type Context } from "hono";
const app = new Hono<{ Bindings: { GREETING: string } }>();
app.get("*", (c: Context) => c.text(c.env.GREETING));
export default app;
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache folder that starts empty, with the workerd that is here anyway."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(workerd.VARIABLE, str(workerd.find()))
        patch.setenv("XDG_CACHE_HOME", str(folder))
        try:
            bundled(WorkerSource("js", HONO))
        except EngineUnavailable as error:
            pytest.skip(f"no way to npm from here: {error.message}")  # a failure with CI=true
        yield folder


def test_a_router_from_npm_answers_and_the_cells_lines_keep_their_numbers(cache: Path) -> None:
    with running(HONO, variables={"GREETING": "hi"}) as worker:
        answer = worker.fetch("/hello/world")
        assert answer.json() == {"hello": "world", "variable": "hi"}
        assert answer.header("access-control-allow-origin") == "*"
        with pytest.raises(WorkerThrew, match=r"^RangeError: in a route \(line 7, column 9 of the cell\)"):
            worker.fetch("/throw")


@pytest.mark.parametrize(("code", "language"), [(SERVICE_WORKER, "js"), (TYPESCRIPT, "ts")])
def test_service_workers_and_typescript_import_packages_too(cache: Path, code: str, language: str) -> None:
    with running(code, variables={"GREETING": "hi"}, language=language) as worker:  # type: ignore[arg-type]
        assert worker.fetch().text() == "hi"


def test_two_specifiers_of_one_package_share_its_state(cache: Path) -> None:
    code = """import { HTTPException } from "hono/http-exception";
import { Hono } from "hono";
import { bearerAuth } from "hono/bearer-auth";
const app = new Hono().use("*", bearerAuth({ token: "right" }));
app.onError((error) => new Response(`${error instanceof HTTPException} ${error.status}`));
export default app;"""
    with running(code) as worker:
        assert worker.fetch().text() == "true 401"


def test_a_commonjs_package_gives_default_and_named_exports_and_may_require_nodes_modules(cache: Path) -> None:
    code = """import jwt, { decode } from "jsonwebtoken";
import { Buffer } from "buffer";
const token = jwt.sign({ a: 1 }, "secret", { noTimestamp: true });
export default { fetch: () => Response.json([decode(token), Buffer.from("data").toString("hex")]) };"""
    with running(code) as worker:
        assert worker.fetch().json() == [{"a": 1}, "64617461"]


def test_a_package_that_is_kept_needs_neither_network_nor_bundler(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{free_port()}")
    run, asked = npm.run, []

    def noted(arguments: Sequence[str], folder: Path, store: Path) -> subprocess.CompletedProcess[str]:
        asked.append(arguments[0])
        return run(arguments, folder, store)

    monkeypatch.setattr(npm, "run", noted)
    said: list[str] = []
    modules = bundled(WorkerSource("js", HONO + "// another text, the same imports"), said.append)
    assert {"hono", "hono/cors"} < {module.name for module in modules}
    assert (asked, said) == (["info"], [])


def test_progress_names_what_is_fetched_and_which_version_came(cache: Path) -> None:
    said: list[str] = []
    bundled(WorkerSource("js", 'import { Hono } from "npm:hono@4.6.1"'), said.append)
    assert said == ["Fetching npm:hono@4.6.1 from npm (once) …", "hono 4.6.1: ready."]


def test_offline_and_not_kept_is_told_with_the_way_out(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NPM_CONFIG_REGISTRY", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(EngineUnavailable, match="imports left-pad, which could not be fetched from npm") as caught:
        bundled(WorkerSource("js", 'import pad from "left-pad"'))
    assert "with a network, run the cell once" in caught.value.hint


def test_a_name_that_the_package_does_not_export_is_a_fault_of_the_cell(cache: Path) -> None:
    with pytest.raises(WorkerSyntaxError, match='No matching export in "hono/') as caught:
        bundled(WorkerSource("js", 'import { Nope } from "hono"'))
    assert str(cache) not in str(caught.value)
    folder = cache / "mtls-notebook" / "npm-bundles"
    assert not [left for left in folder.iterdir() if left.name.startswith("bundle-") or left.suffix == ".new"]
