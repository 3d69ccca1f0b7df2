"""wrangler.toml and wrangler.jsonc, read for their mTLS bindings and variables.

The rules are wrangler's; beyond them we catch what wrangler lets pass and users stumble over: a
placeholder left in place, and `mtls_certificates` that TOML made part of another table.
What may not live here: the certificates themselves; whoever has a store resolves the ids.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from ..errors import ConfigError
from . import jsonc

KEY = "mtls_certificates"
Format = Literal["toml", "jsonc"]
Table = Mapping[str, object]

# Where other bindings of a worker get their names: the path of the array (or table) and the field.
# An empty field: the keys of the table are the names.
BINDING_NAMES: tuple[tuple[tuple[str, ...], str], ...] = (
    ((KEY,), "binding"),
    (("vars",), ""),
    (("kv_namespaces",), "binding"),
    (("r2_buckets",), "binding"),
    (("d1_databases",), "binding"),
    (("services",), "binding"),
    (("durable_objects", "bindings"), "name"),
    (("queues", "producers"), "binding"),
    (("analytics_engine_datasets",), "binding"),
    (("vectorize",), "binding"),
    (("hyperdrive",), "binding"),
    (("workflows",), "binding"),
    (("dispatch_namespaces",), "binding"),
    (("pipelines",), "binding"),
    (("secrets_store_secrets",), "binding"),
    (("vpc_services",), "binding"),
    (("worker_loaders",), "binding"),
    (("send_email",), "name"),
    (("ratelimits",), "name"),
    (("logfwdr", "bindings"), "name"),
    (("unsafe", "bindings"), "name"),
    (("ai",), "binding"),
    (("browser",), "binding"),
    (("images",), "binding"),
    (("media",), "binding"),
    (("assets",), "binding"),
    (("version_metadata",), "binding"),
    (("wasm_modules",), ""),
    (("text_blobs",), ""),
    (("data_blobs",), ""),
)

# Keys of an element: the type it must have, and whether it must be there.
ELEMENT_KEYS: dict[str, tuple[type, bool]] = {
    "binding": (str, True),
    "certificate_id": (str, True),
    "remote": (bool, False),
}

TYPE_WORDS: dict[type, str] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
    type(None): "null",
}

ELEMENT_HINT = 'Each element looks like { binding = "MY_CERT", certificate_id = "NAME OR ID" }'
IDENTIFIER_HINT = "Use letters, digits, _ and $, no digit first: the worker reads it as env.NAME"
PLACEHOLDER_HINT = "Put the name or ID of an uploaded certificate there: %mtls_certificates lists them."

_PLACEHOLDER = re.compile(r"\A\s*<[^<>]*>\s*\Z")


@dataclass(frozen=True, slots=True)
class Config:
    """What a configuration says: (name, certificate reference) pairs, `variables`, `warnings`."""

    bindings: tuple[tuple[str, str], ...]
    variables: dict[str, object]
    warnings: tuple[str, ...] = ()
    label: str = "The configuration"


def parse_config(
    text: str,
    *,
    format: Format | None = None,
    environment: str | None = None,
    label: str = "The configuration",
) -> Config:
    """Return the bindings and variables of a wrangler configuration, or of a part of one.

    Shape: `format` is found from the text when None; `environment` picks `env.<name>`, else the top level.
    Raises: ConfigError naming the path of what is wrong; nothing is half-read.
    """
    tree = _tree(text, format or sniff(text), label)
    _refuse_misplaced(tree, label)
    section, prefix = _section(tree, environment, label)
    elements, problems = _elements(section, prefix)
    problems += _duplicates(section, prefix)
    if problems:
        raise ConfigError(f"{label}: {' '.join(problems)}", ELEMENT_HINT)
    _check_names(elements, label, prefix)
    bindings = tuple((str(e["binding"]), str(e["certificate_id"])) for e in elements)
    warnings = (*_environment_warnings(tree, section, environment), *_extra_keys(elements, prefix))
    return Config(bindings, _vars(section, prefix, label), warnings, label)


def parse_pairs(words: Iterable[str], label: str = "The command line") -> Config:
    """Return the bindings in words like `MY_CERT=my-client-cert`.

    Raises: ConfigError for a word of another shape, a bad name, or one name given twice.
    """
    bindings = [_pair(word) for word in words]
    for name, ref in bindings:
        _check_name(name, f"{name}={ref}", label)
        _check_placeholder(ref, f"{name}={ref}", label)
    twice = [name for name, count in Counter(name for name, _ in bindings).items() if count > 1]
    if twice:
        raise ConfigError(f"The name {twice[0]} is given twice.", "Give each binding one certificate.")
    return Config(tuple(bindings), {}, (), label)


def sniff(text: str) -> Format:
    """Return the format `text` is written in: JSON begins with a brace or a // comment."""
    return "jsonc" if text.lstrip("\ufeff \t\r\n").startswith(("{", "//", "/*")) else "toml"


def described(value: object) -> str:
    """Return what `value` is, in words and, when short, as itself: `a number (5)`."""
    words = TYPE_WORDS.get(type(value), f"a {type(value).__name__}")
    shown = isinstance(value, bool | int | float) or (isinstance(value, str) and len(value) <= 40)
    return f"{words} ({value!r})" if shown else words


def _tree(text: str, format: Format, label: str) -> Table:
    try:
        value = jsonc.parse(text.removeprefix("\ufeff"), label) if format == "jsonc" else _toml(text, label)
    except RecursionError as error:
        raise ConfigError(f"{label} is nested too deeply.", "A wrangler file needs few levels.") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{label} should be an object, found {described(value)}.", "Wrap it: { … }")
    return value


def _toml(text: str, label: str) -> Table:
    try:
        return tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{label} is not valid TOML: {error}.", "Look at that line and the one before.") from error


def _refuse_misplaced(tree: Table, label: str) -> None:
    for path in _misplaced(tree):
        table = ".".join(path)
        right = f"env.{path[1]}.{KEY}" if path[0] == "env" and len(path) > 1 else KEY
        raise ConfigError(
            f"{label}: {KEY} is inside the table {table}, where it binds nothing: in TOML a key belongs to "
            "the table header above it.",
            f"Move it above the first [table] header, or write each element under a header [[{right}]]",
        )


def _misplaced(tree: Table) -> Iterator[tuple[str, ...]]:
    """Yield the path of every table that has `mtls_certificates` and should not."""
    # A queue, not recursion: a file may be nested deeper than Python's stack.
    waiting: deque[tuple[tuple[str, ...], object]] = deque([((), tree)])
    while waiting:
        path, value = waiting.popleft()
        at_home = not path or (len(path) == 2 and path[0] == "env")
        if isinstance(value, dict):
            if isinstance(value.get(KEY), list) and not at_home:
                yield path
            waiting += (((*path, name), inner) for name, inner in value.items())
        elif isinstance(value, list):
            waiting += (((*path[:-1], f"{path[-1]}[{i}]"), inner) for i, inner in enumerate(value))


def _section(tree: Table, environment: str | None, label: str) -> tuple[Table, str]:
    """Return the table that counts, and what stands before its keys in a path."""
    if environment is None:
        return tree, ""
    known = _environments(tree)
    if environment not in known:
        close = difflib.get_close_matches(environment, known, n=1)
        listed = f"It has: {', '.join(known)}." if known else "It has none: leave --env out."
        meant = f"Did you mean {close[0]}? " if close else ""
        raise ConfigError(f"{label} has no environment {environment!r}.", meant + listed)
    section = known[environment]
    if not isinstance(section, dict):
        raise ConfigError(
            f"{label}: env.{environment} should be an object, found {described(section)}.",
            f"Write it as [env.{environment}]",
        )
    return section, f"env.{environment}."


def _environments(tree: Table) -> dict[str, object]:
    environments = tree.get("env")
    return environments if isinstance(environments, dict) else {}


def _elements(section: Table, prefix: str) -> tuple[list[Table], list[str]]:
    """Return the elements of `mtls_certificates` and a sentence for each thing wrong with them."""
    value = section.get(KEY, [])
    if not isinstance(value, list):
        return [], [f"{prefix}{KEY} should be an array, found {described(value)}."]
    problems = []
    for index, element in enumerate(value):
        path = f"{prefix}{KEY}[{index}]"
        if isinstance(element, dict):
            problems += [text for key in ELEMENT_KEYS if (text := _key_problem(element, key, path))]
        else:
            problems.append(f"{path} should be an object, found {described(element)}.")
    return [element for element in value if isinstance(element, dict)], problems


def _key_problem(element: Table, key: str, path: str) -> str:
    kind, required = ELEMENT_KEYS[key]
    if key not in element:
        return f"{path}.{key} is missing." if required else ""
    value = element[key]
    if not isinstance(value, kind):
        return f"{path}.{key} should be {TYPE_WORDS[kind]}, found {described(value)}."
    return f"{path}.{key} is empty." if value == "" else ""


def _check_names(elements: list[Table], label: str, prefix: str) -> None:
    for index, element in enumerate(elements):
        path = f"{prefix}{KEY}[{index}]"
        _check_name(str(element["binding"]), f"{path}.binding", label)
        _check_placeholder(str(element["certificate_id"]), f"{path}.certificate_id", label)


def _check_name(name: str, path: str, label: str) -> None:
    if not name.replace("$", "_").isidentifier():
        raise ConfigError(f"{label}: {path}: {name!r} cannot be the name of a binding.", IDENTIFIER_HINT)


def _check_placeholder(ref: str, path: str, label: str) -> None:
    if _PLACEHOLDER.match(ref):
        raise ConfigError(f"{label}: {path} is still the placeholder {ref.strip()}.", PLACEHOLDER_HINT)


def _pair(word: str) -> tuple[str, str]:
    name, equals, ref = (part.strip() for part in word.partition("="))
    if not (name and equals and ref):
        raise ConfigError(f"{word!r} is not of the form NAME=CERTIFICATE.", "For example: MY_CERT=my-client-cert")
    return name, ref


def _duplicates(section: Table, prefix: str) -> list[str]:
    found: dict[str, list[str]] = {}
    for path, field in BINDING_NAMES:
        for name in _names(section, path, field):
            found.setdefault(name, []).append(prefix + ".".join(path))
    return [
        f"The name {name} is given to {len(places)} bindings ({', '.join(dict.fromkeys(places))})."
        for name, places in found.items()
        if len(places) > 1
    ]


def _names(section: Table, path: tuple[str, ...], field: str) -> list[str]:
    value: object = section
    for part in path:
        value = value.get(part) if isinstance(value, dict) else None
    if not field:
        return [str(name) for name in value] if isinstance(value, dict) else []
    items = value if isinstance(value, list) else [value]
    names = [item.get(field) for item in items if isinstance(item, dict)]
    return [name for name in names if isinstance(name, str)]


def _vars(section: Table, prefix: str, label: str) -> dict[str, object]:
    value = section.get("vars", {})
    if not isinstance(value, dict):
        raise ConfigError(
            f"{label}: {prefix}vars should be an object, found {described(value)}.", f"Write it as [{prefix}vars]"
        )
    return dict(value)


def _extra_keys(elements: list[Table], prefix: str) -> list[str]:
    return [
        f"{prefix}{KEY}[{index}] has a key that means nothing here: {key}."
        for index, element in enumerate(elements)
        for key in element
        if key not in ELEMENT_KEYS
    ]


def _environment_warnings(tree: Table, section: Table, environment: str | None) -> list[str]:
    if environment is None:
        names = ", ".join(_environments(tree))
        return [f"It has environments ({names}) and none was chosen: the top level counts."] if names else []
    return [
        text
        for path, field in BINDING_NAMES
        if path in ((KEY,), ("vars",))
        for text in _not_inherited(tree, section, environment, path, field)
    ]


def _not_inherited(tree: Table, section: Table, environment: str, path: tuple[str, ...], field: str) -> list[str]:
    key = path[0]
    above, here = _names(tree, path, field), _names(section, path, field)
    if above and key not in section:
        return [f"{key} is at the top level and not in env.{environment}: environments do not inherit it."]
    return [
        f"{key}: {name} is at the top level and not in env.{environment}: environments do not inherit it."
        for name in above
        if name not in here
    ]
