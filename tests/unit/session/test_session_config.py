"""Configurations are read as wrangler reads them, and what it lets pass and users stumble over is said."""

from __future__ import annotations

import json
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtls_notebook.errors import ConfigError
from mtls_notebook.session import jsonc
from mtls_notebook.session.bindings import parse_config, parse_pairs
from mtls_notebook.session.config import BINDING_NAMES, sniff

ONE = 'mtls_certificates = [{ binding = "MY_CERT", certificate_id = "my-client-cert" }]\n'

SAME = {
    "inline TOML": ONE + '[vars]\nA = "1"',
    "TOML tables": '[vars]\nA = "1"\n[[mtls_certificates]]\nbinding = "MY_CERT"\ncertificate_id = "my-client-cert"',
    "TOML in dots": 'vars.A = "1"\n' + ONE,
    "whole file": 'name = "w"\nmain = "index.js"\ncompatibility_date = "2026-01-01"\n' + ONE + '[vars]\nA = "1"',
    "byte order mark": "\ufeff" + ONE + '[vars]\nA = "1"',
    "JSON": '{"mtls_certificates":[{"binding":"MY_CERT","certificate_id":"my-client-cert"}],"vars":{"A":"1"}}',
    "JSONC": """// the worker
    {
      "vars": { "A": "1", }, /* a comment
      over two lines */
      "mtls_certificates": [
        { "binding": "MY_CERT", "certificate_id": "my-client-cert", }, // one
      ],
    }""",
}


@pytest.mark.parametrize("form", SAME)
def test_every_form_of_the_same_configuration_reads_the_same(form: str) -> None:
    config = parse_config(SAME[form])
    assert config.bindings == (("MY_CERT", "my-client-cert"),)
    assert config.variables == {"A": "1"}
    assert config.warnings == ()


def test_the_format_is_found_from_the_text() -> None:
    assert [sniff(text) for text in (" {", "// x\n{}", "/* */{}", "\ufeff{", "# x", "[[m]]", "a = {}")] == (
        ["jsonc"] * 4 + ["toml"] * 3
    )


# What is wrong → the text, and what the error must name.
WRONG = {
    "no array": ('mtls_certificates = "x"', "mtls_certificates should be an array, found a string ('x')."),
    "an object": ("[mtls_certificates]\nbinding='A'", "mtls_certificates should be an array, found an object."),
    "no objects": ('{"mtls_certificates": [3]}', "mtls_certificates[0] should be an object, found a number (3)."),
    "missing keys": (
        '{"mtls_certificates": [{"binding": "A", "certificate_id": "x"}, {}]}',
        "mtls_certificates[1].binding is missing. mtls_certificates[1].certificate_id is missing.",
    ),
    "null": (
        '{"mtls_certificates": [{"binding": null, "certificate_id": "x"}]}',
        "mtls_certificates[0].binding should be a string, found null.",
    ),
    "a number": (
        'mtls_certificates = [{ binding = "A", certificate_id = 5 }]',
        "mtls_certificates[0].certificate_id should be a string, found a number (5).",
    ),
    "a boolean": (
        'mtls_certificates = [{ binding = true, certificate_id = "x" }]',
        "mtls_certificates[0].binding should be a string, found a boolean (True).",
    ),
    "a date": (
        'mtls_certificates = [{ binding = "A", certificate_id = 2026-01-01 }]',
        "certificate_id should be a string, found a date.",
    ),
    "empty id": (
        'mtls_certificates = [{ binding = "A", certificate_id = "" }]',
        "mtls_certificates[0].certificate_id is empty.",
    ),
    "remote": (
        'mtls_certificates = [{ binding = "A", certificate_id = "x", remote = "yes" }]',
        "mtls_certificates[0].remote should be a boolean, found a string ('yes').",
    ),
    "identifier": (
        'mtls_certificates = [{ binding = "my-cert", certificate_id = "x" }]',
        "mtls_certificates[0].binding: 'my-cert' cannot be the name of a binding.",
    ),
    "placeholder": (
        'mtls_certificates = [{ binding = "A", certificate_id = "<CERTIFICATE_ID>" }]',
        "mtls_certificates[0].certificate_id is still the placeholder <CERTIFICATE_ID>.",
    ),
    "vars": (ONE + 'vars = "x"', "vars should be an object, found a string ('x')."),
    "JSON list": ("// list\n[1]", "should be an object, found an array."),
    "TOML syntax": ("a = 1\nmtls_certificates = [{ binding = }]", "is not valid TOML: "),
    "TOML place": ("a = 1\nmtls_certificates = [{ binding = }]", "line 2, column 34"),
    "JSON syntax": ('{\n  "a": 1,\n  "b" 2\n}', "(line 3, column 7)"),
    "JSON place after comments": ('{ /* 1\n 2 */ "a": 1, // "\n  "b": tru\n}', "(line 3, column 8)"),
    "open comment": ('{\n  "a": 1 /* "b"\n}', "a comment opens and does not end (line 2, column 10)."),
    "tiny comment": ("{ /*/ }", "a comment opens and does not end (line 1, column 3)."),
    "deep TOML": ("a = " + "[" * 100_000, "nested too deeply"),
    "deep JSON": ('{"a":' + "[" * 100_000, "nested too deeply"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_named_with_its_place_and_what_was_found(case: str) -> None:
    text, says = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        parse_config(text, label="wrangler.toml")
    assert says in caught.value.message
    assert "wrangler.toml" in caught.value.message and caught.value.hint


@pytest.mark.parametrize("case", ["no array", "missing keys", "identifier", "placeholder", "vars"])
def test_inside_an_environment_the_place_begins_with_it(case: str) -> None:
    text, says = WRONG[case]
    tree = {"env": {"prod": json.loads(text) if text.startswith("{") else tomllib.loads(text)}}
    with pytest.raises(ConfigError) as caught:
        parse_config(json.dumps(tree), environment="prod")
    assert f"env.prod.{says.split('.')[0]}" in caught.value.message


def test_an_extra_key_only_warns_and_remote_may_be_a_boolean() -> None:
    config = parse_config('mtls_certificates = [{ binding = "A", certificate_id = "x", remote = true, zone = 1 }]')
    assert config.bindings == (("A", "x"),)
    assert config.warnings == ("mtls_certificates[0] has a key that means nothing here: zone.",)


@pytest.mark.parametrize(("path", "field"), BINDING_NAMES)
def test_a_name_is_unique_among_bindings_of_every_kind(path: tuple[str, ...], field: str) -> None:
    tree: dict[str, object] = {"mtls_certificates": [{"binding": "TWICE", "certificate_id": "x"}]}
    other: object = [{field: "TWICE", "certificate_id": "y"}] if field else {"TWICE": "1"}
    if path == ("mtls_certificates",):
        tree["mtls_certificates"] += other  # type: ignore[operator]
    else:
        for key in reversed(path[1:]):
            other = {key: other}
        tree[path[0]] = other
    with pytest.raises(ConfigError, match=r"The name TWICE is given to 2 bindings") as caught:
        parse_config(json.dumps(tree))
    assert ".".join(path) in caught.value.message


def test_a_binding_that_is_one_table_counts_too() -> None:
    with pytest.raises(ConfigError, match=r"MY_CERT is given to 2 bindings \(mtls_certificates, ai\)"):
        parse_config(ONE + '[ai]\nbinding = "MY_CERT"')


ENVIRONMENTS = """mtls_certificates = [
  { binding = "A", certificate_id = "a" },
  { binding = "B", certificate_id = "b" },
]
[vars]
X = 1
[env.staging]
mtls_certificates = [ { binding = "A", certificate_id = "staged" } ]
[env.staging.vars]
Y = 2
[env.production]
"""


def test_without_a_choice_the_top_level_counts_and_a_warning_names_the_environments() -> None:
    config = parse_config(ENVIRONMENTS)
    assert config.bindings == (("A", "a"), ("B", "b"))
    assert config.warnings == ("It has environments (staging, production) and none was chosen: the top level counts.",)


def test_environments_inherit_nothing_and_each_loss_is_said() -> None:
    staging = parse_config(ENVIRONMENTS, environment="staging")
    assert (staging.bindings, staging.variables) == ((("A", "staged"),), {"Y": 2})
    assert staging.warnings == (
        "mtls_certificates: B is at the top level and not in env.staging: environments do not inherit it.",
        "vars: X is at the top level and not in env.staging: environments do not inherit it.",
    )
    production = parse_config(ENVIRONMENTS, environment="production")
    assert (production.bindings, production.variables) == ((), {})
    assert production.warnings == (
        "mtls_certificates is at the top level and not in env.production: environments do not inherit it.",
        "vars is at the top level and not in env.production: environments do not inherit it.",
    )


def test_an_unknown_environment_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no environment 'prodution'") as caught:
        parse_config(ENVIRONMENTS, environment="prodution")
    assert caught.value.hint == "Did you mean production? It has: staging, production."
    with pytest.raises(ConfigError) as caught:
        parse_config(ONE, environment="x")
    assert caught.value.hint == "It has none: leave --env out."


@pytest.mark.parametrize(
    ("header", "table", "fix"),
    [
        ("[vars]", "vars", "[[mtls_certificates]]"),
        ("[build.upload]", "build.upload", "[[mtls_certificates]]"),
        ("[[kv_namespaces]]", "kv_namespaces[0]", "[[mtls_certificates]]"),
        ("[env.prod.vars]", "env.prod.vars", "[[env.prod.mtls_certificates]]"),
        ("[env]", "env", "[[mtls_certificates]]"),
    ],
)
def test_mtls_certificates_swallowed_by_a_table_is_found_and_the_fix_works(header: str, table: str, fix: str) -> None:
    with pytest.raises(ConfigError, match="where it binds nothing") as caught:
        parse_config(f"{header}\n{ONE}")
    assert f"inside the table {table}," in caught.value.message
    assert caught.value.hint.endswith(fix)
    environment = "prod" if "env.prod" in fix else None
    fixed = f'{header}\n{fix}\nbinding = "MY_CERT"\ncertificate_id = "my-client-cert"'
    assert parse_config(fixed, environment=environment).bindings == (("MY_CERT", "my-client-cert"),)


def test_a_variable_that_is_only_called_like_the_key_is_left_alone() -> None:
    assert parse_config('[vars]\nmtls_certificates = "a text"').variables == {"mtls_certificates": "a text"}


def test_pairs_on_the_command_line_are_bindings() -> None:
    config = parse_pairs(["MY_CERT=my-client-cert", "$OTHER = 0b1c=d"])
    assert config.bindings == (("MY_CERT", "my-client-cert"), ("$OTHER", "0b1c=d"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["MY_CERT"], "'MY_CERT' is not of the form"),
        (["=x"], "'=x' is not of the form"),
        (["A="], "'A=' is not of the form"),
        (["my-cert=x"], "cannot be the name of a binding"),
        (["A=<id>"], "placeholder <id>"),
        (["A=x", "A=y"], "A is given twice"),
    ],
)
def test_a_pair_of_another_shape_is_refused(words: list[str], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_pairs(words)
    assert says in caught.value.message and caught.value.hint


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('ab"\\/*, ]}\n', max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('ab"/*,]', max_size=5), inner, max_size=4),
    max_leaves=12,
)
BLANKS = st.sampled_from(["", " ", "\n", "// x, ] } \" '\n", '/* , ] " \n // */', "/**/", "\t\r\n"])


@given(value=JSON, data=st.data())
def test_comments_and_trailing_commas_change_no_value(value: object, data: st.DataObject) -> None:
    def written(value: object) -> str:
        blank = data.draw(BLANKS)
        if isinstance(value, list):
            inner = [written(item) for item in value]
            return f"[{blank}{joined(inner)}]{blank}"
        if isinstance(value, dict):
            inner = [f"{json.dumps(name)}{blank}:{written(item)}" for name, item in value.items()]
            return f"{{{blank}{joined(inner)}}}"
        return blank + json.dumps(value) + blank

    def joined(inner: list[str]) -> str:
        return ",".join(inner) + ("," + data.draw(BLANKS) if inner and data.draw(st.booleans()) else "")

    text = written(value)
    assert jsonc.parse(text, "it") == value
    bare = jsonc.without_comments(text, "it")
    assert len(bare) == len(text)
    assert [i for i, c in enumerate(bare) if c == "\n"] == [i for i, c in enumerate(text) if c == "\n"]


@given(st.text('{}[]",:/*\\\n ab1=', max_size=60))
def test_any_text_gives_a_configuration_or_a_config_error(text: str) -> None:
    for format_ in ("toml", "jsonc", None):
        try:
            config = parse_config(text, format=format_)  # type: ignore[arg-type]
        except ConfigError as error:
            assert error.message and error.hint
        else:
            assert isinstance(config.bindings, tuple)
