"""Which engine runs which language: adding a language is one function and one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..errors import UsageError
from .exchange import Environment, Language, LogLine, Program, WorkerSource

Start = Callable[[WorkerSource, Environment, Callable[[LogLine], None], Mapping[str, object]], Program]


def _python(
    source: WorkerSource,
    environment: Environment,
    emit: Callable[[LogLine], None],
    notebook: Mapping[str, object],
) -> Program:
    from .python import PythonProgram  # noqa: PLC0415 - each engine is loaded when first used

    return PythonProgram(source, environment, emit, notebook)


def _javascript(
    source: WorkerSource,
    environment: Environment,
    emit: Callable[[LogLine], None],
    _notebook: Mapping[str, object],
) -> Program:
    from . import javascript  # noqa: PLC0415

    return javascript.start(source, environment, emit)


def _typescript(*_: object) -> Program:
    raise UsageError("TypeScript workers do not run yet.", "Drop the types, or write the worker in Python.")


ENGINES: dict[Language, Start] = {"python": _python, "js": _javascript, "ts": _typescript}
