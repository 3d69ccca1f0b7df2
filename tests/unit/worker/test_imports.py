"""What a JavaScript cell imports from npm: which specifiers, and which names of each."""

from __future__ import annotations

import pytest

from mtls_notebook.worker.exchange import Language, WorkerSource
from mtls_notebook.worker.javascript import npm
from mtls_notebook.worker.javascript.imports import Import, imports


def found(code: str, language: Language = "js") -> dict[str, tuple[str, ...]]:
    return {one.specifier: one.names for one in imports(WorkerSource(language, code))}


CLAUSES = {
    "import { a } from 'x'": ("a",),
    "import { a as b, c } from 'x'": ("a", "c"),
    "import x from 'x'": ("default",),
    "import x, { a } from 'x'": ("a", "default"),
    "import x, * as all from 'x'": ("*", "default"),
    "import * as all from 'x'": ("*",),
    "import { default as x } from 'x'": ("default",),
    "import {\n  a, // { b }\n  c,\n} from 'x'": ("a", "c"),
    "import 'x'": (),
    "import { a } from 'x'; import { b } from 'x'": ("a", "b"),
    "export { a } from 'x'": ("a",),
    "export * from 'x'": ("*",),
    "const x = () => import('x')": ("*", "default"),
}


@pytest.mark.parametrize("code", CLAUSES)
def test_every_form_of_an_import_tells_its_names(code: str) -> None:
    assert found(code) == {"x": CLAUSES[code]}


@pytest.mark.parametrize(
    "code",
    [
        "import { env } from 'cloudflare:workers'",
        "import { inspect } from 'node:util'",
        "import x from './beside.js'",
        "import x from '/absolute.js'",
        "import x from 'https://host.example/x.js'",
        "import x from 'cell'",
        "// import x from 'x'",
        "const page = `import x from 'x'`",
        "import { x from 'x'",
        "export default { fetch() { return new Response('from \"x\"') } }",
    ],
)
def test_what_is_no_import_of_a_package_is_left_alone(code: str) -> None:
    assert found(code) == {}


@pytest.mark.parametrize(
    "specifier", ["x", "x/deep/er.js", "@scope/x", "@scope/x/deep", "npm:x@1.2.3", "npm:@scope/x@^1/deep"]
)
def test_packages_may_have_scopes_paths_and_after_npm_a_version(specifier: str) -> None:
    assert found(f'import {{ a }} from "{specifier}"') == {specifier: ("a",)}


def test_types_are_erased_and_not_fetched() -> None:
    code = (
        "import type { A } from 'only-types'; import { a, type B } from 'x'; import { type C } from 'y'; const b: B = a"
    )
    assert found(code, "ts") == {"x": ("a",), "y": ()}


def test_a_cell_without_a_foreign_specifier_never_starts_deno(monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(*_: object) -> None:
        raise AssertionError("deno was started")

    monkeypatch.setattr(npm, "run", unexpected)
    assert imports(WorkerSource("js", "import { env } from 'cloudflare:workers'; export default {}")) == ()


def test_without_deno_an_import_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise npm.NoDeno

    monkeypatch.setattr(npm, "deno", missing)
    with pytest.raises(npm.NoDeno):
        imports(WorkerSource("js", "import { only_here } from 'x'"))


def test_an_import_is_a_value() -> None:
    assert imports(WorkerSource("js", "import { a } from 'x'")) == (Import("x", ("a",)),)
