"""Which engine runs which language: adding a language is one function and one row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from .exchange import Environment, Language, LogLine, Program, WorkerSource


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an engine needs besides the source: `env`, where log lines and progress go, the notebook's variables."""

    environment: Environment
    emit: Callable[[LogLine], None]
    say: Callable[[str], None] = lambda _progress: None
    notebook: Mapping[str, object] = field(default_factory=dict)


Start = Callable[[WorkerSource, Surroundings], Program]


def _python(source: WorkerSource, given: Surroundings) -> Program:
    from .python.program import PythonProgram  # noqa: PLC0415 - each engine is loaded when first used

    return PythonProgram(source, given.environment, given.emit, given.notebook)


def _javascript(source: WorkerSource, given: Surroundings) -> Program:
    from .javascript import program  # noqa: PLC0415

    return program.start(source, given.environment, given.emit, say=given.say)


ENGINES: dict[Language, Start] = {"python": _python, "js": _javascript, "ts": _javascript}
