"""Which shape a JavaScript cell has: exports make a module, a fetch listener a service worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.worker.javascript.syntax import shape

LISTENER = "addEventListener('fetch', (event) => event.respondWith(new Response('x')))"

SHAPES = {
    "a default export": ("export default { fetch() {} }", "module"),
    "a list of exports": ("const worker = {}; export { worker as default }", "module"),
    "an export after code on its line": ("const a = 1; export default { a }", "module"),
    "exports and a listener": (f"export default {{}}\n{LISTENER}", "module"),
    "neither": ("const answer = 42", "module"),
    "a listener": (LISTENER, "service-worker"),
    "a listener in double quotes": ('self.addEventListener("fetch", go)', "service-worker"),
    "a listener for something else": ("addEventListener('scheduled', go)", "module"),
    "a listener in a comment": (f"// {LISTENER}", "module"),
    "a listener in a string": ("const text = \"addEventListener('fetch', go)\"", "module"),
    "an export in a comment": (f"/* \nexport default {{}} */\n{LISTENER}", "service-worker"),
    "an export in a template": (f"const page = `\nexport default {{}}`;\n{LISTENER}", "service-worker"),
    "a name that begins like export": (f"exported = {{}};\n{LISTENER}", "service-worker"),
    "a comment mark in a string": (f"const url = 'https://h/'; {LISTENER}", "service-worker"),
    "a listener with imports": (f"import {{ Hono }} from 'hono';\n{LISTENER}", "service-worker-with-imports"),
    "a listener with a bare import": (f"import 'x';\n{LISTENER}", "service-worker-with-imports"),
    "a listener with import()": (f"const x = () => import('x');\n{LISTENER}", "service-worker"),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_cell_has_the_shape_that_its_keywords_outside_strings_and_comments_say(name: str) -> None:
    code, expected = SHAPES[name]
    assert shape(code) == expected


@given(st.text())
def test_whatever_the_text_an_export_after_it_on_a_line_of_its_own_makes_it_a_module(text: str) -> None:
    quoted = "".join(f"\\u{{{ord(sign):x}}}" for sign in text)
    assert shape(f'const text = "{quoted}";\nexport default {{}}\n{LISTENER}') == "module"


@given(st.text())
def test_any_text_has_a_shape(text: str) -> None:
    assert shape(text) in ("module", "service-worker", "service-worker-with-imports")
