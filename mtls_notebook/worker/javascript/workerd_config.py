"""What one workerd process is told to run, as Cap'n Proto text.

workerd reads everything from one configuration file: the modules, what `env` holds, where each way out
leads. What may not live here: processes and sockets.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from .workerd import COMPATIBILITY_DATE


@dataclass(frozen=True, slots=True)
class Limits:
    """What one worker may use. `log_lines` and `log_chars` count from one submitted request to the next."""

    heap_mb: int = 128
    memory_mb: int = 1024
    log_lines: int = 5_000
    log_chars: int = 4_000_000
    response_bytes: int = 64 << 20


@dataclass(frozen=True, slots=True)
class Module:
    """One module: what an import calls it, its text, and how workerd reads it."""

    name: str
    text: str
    kind: Literal["esModule", "commonJsModule"] = "esModule"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a process is to run: its modules (the main one first), and the bridge's addresses by binding name."""

    modules: Sequence[Module]
    typescript: bool
    bindings: Mapping[str, str]
    outbound: str
    variables: Mapping[str, object]


def write(folder: Path, plan: Plan, limits: Limits) -> Path:
    """Write the configuration and its modules into `folder`; return the configuration's path."""
    for at, module in enumerate(plan.modules):
        (folder / _file(at)).write_text(module.text, "utf-8")
    path = folder / "workerd.capnp"
    path.write_text(configuration(plan, limits), "utf-8")
    return path


def capnp_text(value: str) -> str:
    """Return `value` as a Cap'n Proto string literal."""
    plain = "".join(chr(b) if 0x20 <= b < 0x7F and b not in b'"\\' else f"\\x{b:02x}" for b in value.encode("utf-8"))
    return f'"{plain}"'


def configuration(plan: Plan, limits: Limits) -> str:
    """Return workerd's configuration for `plan`, as Cap'n Proto text."""
    services = [_external("outbound", plan.outbound)]
    services += [_external(f"binding-{at}", address) for at, address in enumerate(plan.bindings.values())]
    bindings = [
        f"(name = {capnp_text(name)}, service = {capnp_text(f'binding-{at}')})" for at, name in enumerate(plan.bindings)
    ]
    bindings += [_variable(name, value) for name, value in plan.variables.items()]
    modules = [
        f"(name = {capnp_text(module.name)}, {module.kind} = embed {capnp_text(_file(at))})"
        for at, module in enumerate(plan.modules)
    ]
    flags = '"typescript_strip_types"' if plan.typescript else ""
    return f"""using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = (
      modules = [{", ".join(modules)}],
      compatibilityDate = "{COMPATIBILITY_DATE}",
      compatibilityFlags = [{flags}],
      globalOutbound = "outbound",
      bindings = [{", ".join(bindings)}])),
    {", ".join(services)}],
  sockets = [(name = "in", address = "unix:in", http = (style = proxy, cfBlobHeader = "cf-blob"), service = "main")],
  v8Flags = ["--max-old-space-size={limits.heap_mb}"],
  logging = (structuredLogging = true));
"""


def _file(at: int) -> str:
    return f"module-{at}.js"


def _external(name: str, address: str) -> str:
    # A proxy-style request line holds the whole URL; HTTP/1.1 wants a Host all the same (RFC 9112 §3.2).
    http = '(style = proxy, injectRequestHeaders = [(name = "host", value = "bridge")])'
    return f"(name = {capnp_text(name)}, external = (address = {capnp_text('unix:' + address)}, http = {http}))"


def _variable(name: str, value: object) -> str:
    kind, text = ("text", value) if isinstance(value, str) else ("json", json.dumps(value))
    return f"(name = {capnp_text(name)}, {kind} = {capnp_text(text)})"
