"""From a notebook's worker to a wrangler project: the same code, with its bindings, ready to deploy.

A project never holds a key, and no certificate ID of this session: an account gives its own, and the README
names the command that does. `write` (of `ship_folder`) puts the files into a folder.
What may not live here: running the code, wrangler itself, how files reach a disk.
"""

from __future__ import annotations

import json
import re
import shlex
import uuid
from collections.abc import Mapping, Sequence

from ..errors import ConfigError, MaterialError, UsageError
from .exchange import Language, WorkerSource
from .javascript.workerd import COMPATIBILITY_DATE
from .ship_folder import write

__all__ = ["placeholder", "project", "write"]

Shipped = tuple[str, str, Sequence[str]]  # a binding: its name, its certificate's name or ID, its hosts

MAIN: dict[Language, str] = {"js": "src/index.js", "ts": "src/index.ts", "python": "src/index.py"}
FLAGS: dict[Language, tuple[str, ...]] = {"js": (), "ts": (), "python": ("python_workers",)}
DEPLOY: dict[Language, str] = {
    "js": "npx wrangler deploy",
    "ts": "npx wrangler deploy",
    # Since the compatibility date 2026-04-21 the module `workers` is no part of the runtime; this brings it along.
    "python": "uv run pywrangler deploy",
}
CHECK = "npx wrangler deploy --dry-run"

GITIGNORE = """\
# never committed: keys and certificates, secrets, and what tools make
*.key
*.pem
*.p12
*.pfx
.dev.vars*
.env*
.wrangler/
node_modules/
python_modules/
.venv/
.venv-workers/
"""

PYPROJECT = """\
[project]
name = {name}
version = "0.1.0"
requires-python = ">=3.13"
dependencies = []

[dependency-groups]
dev = ["workers-py", "workers-runtime-sdk"]
"""

# What is not the same there, whatever the language; then what the language adds.
DIFFERENCES = (
    "A local `npx wrangler dev` does not present client certificates: try the worker in the notebook, or deploy it.",
    "There, only publicly trusted servers are trusted. A CA that the session trusts (`%mtls_lab`, `--ca-cert`) "
    "counts in the notebook alone.",
    "There, a server whose certificate is not trusted answers as status 526, and another failed handshake as 525. "
    "In the notebook the fetch throws, and the cell names the cause.",
    "There, a host that is itself proxied by Cloudflare answers a bound fetch with status 520.",
    "A host that the session leads elsewhere (`example-secure-origin.com` of `%mtls_lab`) is a public name there.",
)
LANGUAGE_DIFFERENCES: dict[Language, tuple[str, ...]] = {
    "js": (),
    "ts": (),
    "python": (
        "There, Python is compiled to WebAssembly: no threads, no sockets, and packages come from `pyproject.toml`.",
        "Variables of the notebook that the cell reads do not exist there: pass them as `vars`.",
    ),
}

# A PEM header with base64 near it, also when it is spread over quoted lines; a header alone is only a text.
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\\\"'`+,:;A-Za-z0-9-]{0,200}?[A-Za-z0-9+/]{40}")
_NOT_IN_A_NAME = re.compile(r"[^a-z0-9]+")
_LONGEST_NAME = 63  # RFC 1035 §2.3.4: it becomes a label of the worker's address


def project(
    source: WorkerSource, bindings: Sequence[Shipped], variables: Mapping[str, object], *, name: str
) -> dict[str, str]:
    """Return the files of a wrangler project that runs `source`: relative path → text.

    Shape: `name` becomes the worker's, in lower case with hyphens.
    Raises: UsageError for a name without letters, ConfigError for a variable that JSON cannot hold,
    MaterialError for a private key in the code or in a variable.
    """
    _refuse_keys({"The code": source.code, **{f"The variable {n}": str(v) for n, v in variables.items()}})
    called = _worker_name(name)
    files = {
        "wrangler.jsonc": _configuration(source, bindings, variables, called),
        MAIN[source.language]: source.code,
        "README.md": _readme(source, bindings, called),
        "package.json": _package(source.language, called),
        ".gitignore": GITIGNORE,
    }
    if source.language == "python":
        files["pyproject.toml"] = PYPROJECT.format(name=json.dumps(called))
    return files


def placeholder(binding: str, certificate: str) -> str:
    """Return what stands for the ID that an account gives to the certificate; a local ID is not repeated."""
    return f"<CERTIFICATE_ID of {_title(binding, certificate)}>"


def _title(binding: str, certificate: str) -> str:
    """Return what to call the certificate: its name; the binding's where it has only this session's ID."""
    try:
        uuid.UUID(certificate)
    except ValueError:
        shown = "".join(sign if sign.isprintable() and sign not in "<>" else " " for sign in certificate)
        return " ".join(shown.split()) or binding
    return binding


def _worker_name(name: str) -> str:
    called = _NOT_IN_A_NAME.sub("-", name.lower()).strip("-")[:_LONGEST_NAME].rstrip("-")
    if not called:
        raise UsageError(f"{name!r} cannot be a worker's name.", "Use letters, digits and hyphens: my-api")
    return called


def _refuse_keys(texts: Mapping[str, str]) -> None:
    for what, text in texts.items():
        if _PRIVATE_KEY.search(text):
            raise MaterialError(
                f"{what} holds a private key, and a project is a thing that people commit.",
                "Take it out. In production it is a secret: npx wrangler secret put NAME",
            )


# -- wrangler.jsonc ------------------------------------------------------------------------------------


def _configuration(
    source: WorkerSource, bindings: Sequence[Shipped], variables: Mapping[str, object], name: str
) -> str:
    parts = [
        _member("name", name),
        _member("main", MAIN[source.language]),
        "// The runtime's behaviour on this day, the one that the notebook ran the worker with.\n"
        + _member("compatibility_date", COMPATIBILITY_DATE),
    ]
    if flags := FLAGS[source.language]:
        parts.append(_member("compatibility_flags", list(flags)))
    if bindings:
        parts.append(_certificates(bindings))
    if variables:
        parts.append(_variables(variables))
    return "{\n" + _indented(",\n".join(parts)) + "\n}\n"


def _certificates(bindings: Sequence[Shipped]) -> str:
    elements = [
        json.dumps({"binding": name, "certificate_id": placeholder(name, certificate)}, ensure_ascii=False)
        for name, certificate, _ in bindings
    ]
    return (
        "// Replace each <…> by the ID that the upload prints (README.md has the commands).\n"
        '"mtls_certificates": [\n' + _indented(",\n".join(elements)) + "\n]"
    )


def _variables(variables: Mapping[str, object]) -> str:
    for name, value in variables.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ConfigError(
                f"The variable {name} cannot be written as JSON: it is a {type(value).__name__}.",
                "Give it as text, or as numbers, lists and tables of these.",
            ) from error
    return (
        "// Readable by everybody who sees this file; what is secret goes to: npx wrangler secret put NAME\n"
        + _member("vars", dict(variables))
    )


def _member(key: str, value: object) -> str:
    return f"{json.dumps(key)}: {json.dumps(value, indent=2, ensure_ascii=False)}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))


# -- the other files -----------------------------------------------------------------------------------


def _package(language: Language, name: str) -> str:
    scripts = {"check": CHECK.removeprefix("npx "), "deploy": DEPLOY[language].removeprefix("npx ")}
    package = {"name": name, "private": True, "scripts": scripts, "devDependencies": {"wrangler": "^4.86.0"}}
    return json.dumps(package, indent=2) + "\n"


def _readme(source: WorkerSource, bindings: Sequence[Shipped], name: str) -> str:
    parts = [
        f"# {name}",
        f"A worker that was written in a notebook (mtls-notebook). Its code is `{MAIN[source.language]}`, unchanged.",
        *_upload_part(bindings),
        _deploy_part(source.language, bool(bindings)),
        *_hosts_part(bindings),
        _differences_part(source.language),
    ]
    return "\n\n".join(parts) + "\n"


def _upload_part(bindings: Sequence[Shipped]) -> tuple[str, ...]:
    if not bindings:
        return ()
    titles = dict.fromkeys(_title(name, certificate) for name, certificate, _ in bindings)
    return (
        "## 1. Upload the client certificates",
        "The files stay where they are: keys are no part of this project. Each command prints an ID; put it into "
        "`wrangler.jsonc`, in the place of its `<CERTIFICATE_ID of …>`.",
        "```sh\nnpm install\n" + "\n".join(map(_upload, titles)) + "\n```",
    )


def _upload(title: str) -> str:
    stem = _NOT_IN_A_NAME.sub("-", title.lower()).strip("-").removesuffix("-cert") or "client"
    files = f"--cert path/to/{stem}-cert.pem --key path/to/{stem}-key.pem"
    return f"npx wrangler mtls-certificate upload {files} --name {shlex.quote(title)}"


def _deploy_part(language: Language, after_upload: bool) -> str:
    heading = "## 2. Deploy" if after_upload else "## Deploy"
    first = [] if after_upload else ["npm install"]
    note = "\n\n`uv` and Node 22 or later are needed." if language == "python" else "\n\nNode 22 or later is needed."
    return "\n".join((heading, "", "```sh", *first, CHECK, DEPLOY[language], "```")) + note


def _hosts_part(bindings: Sequence[Shipped]) -> tuple[str, ...]:
    rows = [f"- `env.{name}`: {', '.join(f'`{host}`' for host in hosts)}" for name, _, hosts in bindings if hosts]
    if not rows:
        return ()
    return (
        "## Hosts",
        "In the notebook these bindings present their certificate to these hosts only. A deployed worker has no such "
        "rule: a binding presents its certificate to every host that the code fetches through it.",
        "\n".join(rows),
    )


def _differences_part(language: Language) -> str:
    listed = (*DIFFERENCES, *LANGUAGE_DIFFERENCES[language])
    return "## What differs from the notebook\n\n" + "\n".join(f"- {text}" for text in listed)
