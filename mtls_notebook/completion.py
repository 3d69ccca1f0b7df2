"""Tab completion on the lines of our magics, and of `env.` in a worker's code.

Which options there are is asked of the magics' own parsers; the tables here say only what may stand behind
an option. A press of Tab must not take longer than a few milliseconds, make a session, or raise. What may
not live here: parsing a line to run it, and any list of options.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from IPython.core.completer import CompletionContext, SimpleCompletion, SimpleMatcherResult, context_matcher

if TYPE_CHECKING:
    from .api import Session

SessionGetter = Callable[[], "Session | None"]
_MAGICS = f"{__package__}.magics"
_LARGEST_FOLDER = 2_000

_MAGIC_LINE = re.compile(r"^\s*(%{1,2})(\w+)[ \t]+(.*)$", re.DOTALL)
_WORD = re.compile(r"""(?:[^\s"']|"[^"]*(?:"|$)|'[^']*(?:'|$))+""")  # the last one may lack its closing quote
_ENV_NAME = re.compile(r"\b(?:env|environment)\.(\w*)$")
_CERTIFICATE_ID = re.compile(r"certificate_id[\"']?\s*[=:]\s*[\"']([^\"'\n]*)$")


@dataclass(frozen=True, slots=True)
class Place:
    """What is known where the cursor stands: session, the user's variables, the word before it without quotes."""

    session: Session | None
    names: tuple[str, ...]
    word: str


Source = Callable[[Place], Iterable[str]]


def _certificates(place: Place) -> Iterator[str]:
    """Return the name of each certificate, and its ID where it has none or the word begins like one."""
    for stored in place.session.store if place.session else ():
        if stored.name:
            yield stored.name
        if not stored.name or (place.word and stored.id.startswith(place.word)):
            yield stored.id


def _bindings(place: Place) -> Iterator[str]:
    return (binding.name for binding in (place.session.bindings if place.session else ()))


def _pairs(place: Place) -> Iterator[str]:
    name, equals, _ = place.word.partition("=")
    if not equals:
        return (f"{binding}=" for binding in _bindings(place))
    after = Place(place.session, place.names, place.word[len(name) + 1 :])
    return (f"{name}={certificate}" for certificate in _certificates(after))


def _scopes(place: Place) -> Iterator[str]:
    return (f"{binding}=" for binding in _bindings(place))


def _origins(_: Place) -> Iterable[str]:
    from .lab.catalogue import ORIGINS  # noqa: PLC0415 - loading the extension must not pay for the lab

    return ORIGINS


def _variables(place: Place) -> Iterable[str]:
    return place.names


def _data(place: Place) -> Iterable[str]:
    return [f"@{name}" for name in place.names]


def _environment(_: Place) -> Iterable[str]:
    return list(os.environ)


def _hosts(place: Place) -> Iterable[str]:
    return [place.session.lab.host] if place.session and place.session.lab else []


def _files(*suffixes: str) -> Source:
    """Return a source of paths: folders, and files with one of `suffixes` (all files when none has)."""

    def paths(place: Place) -> Iterator[str]:
        head, slash, _ = place.word.rpartition("/")
        found = list(_entries(Path(head + slash).expanduser()))
        wanted = [name for name, is_folder in found if is_folder or name.lower().endswith(suffixes)]
        only_folders = not any(name.lower().endswith(suffixes) for name, is_folder in found if not is_folder)
        shown = [name for name, _ in found] if only_folders else wanted
        folders = {name for name, is_folder in found if is_folder}
        return (f"{head}{slash}{name}{'/' if name in folders else ''}" for name in shown)

    return paths


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    """Return name and whether it is a folder, of what is not hidden; nothing where nothing can be read."""
    try:
        with os.scandir(folder) as entries:
            for entry in islice(entries, _LARGEST_FOLDER):
                if not entry.name.startswith("."):
                    yield entry.name, entry.is_dir()
    except OSError:
        return


_PEM = (".pem", ".crt", ".cer", ".der")

# What an option or a positional argument (by its name in the parser) may be followed by. A pair of magic and
# name goes before the name alone.
VALUES: dict[str | tuple[str, str], Source] = {
    "cert": _files(*_PEM),
    "key": _files(".pem", ".key", ".der"),
    "pkcs12": _files(".p12", ".pfx"),
    "ca_cert": _files(*_PEM),
    "config": _files(".toml", ".json", ".jsonc"),
    "export": _files(".pcapng", ".keylog", ".json", ".har", ".html"),
    "from": _files(".txt", ".csv"),
    "dir": _files("/"),
    "password_env": _environment,
    "output": _variables,
    "variable": _variables,
    "compare": _variables,
    "data": _data,
    "origin": _origins,
    "delete": _certificates,
    ("mtls_upload", "name"): _certificates,
    "pairs": _pairs,
    "remove": _bindings,
    "binding": _bindings,
    "hosts": _scopes,
    "host": _hosts,
}


class Matcher:
    """Completes the lines of one shell's magics; `session` is asked for the session and may answer None."""

    def __init__(self, shell: Any, session: SessionGetter) -> None:
        self._shell = shell
        self._session = session

    def complete(self, context: CompletionContext) -> SimpleMatcherResult:
        """Return what may stand at the cursor; nothing where another matcher is to speak."""
        line = context.text_until_cursor
        magic = _MAGIC_LINE.match(line)
        if magic and (len(magic[1]) == 1 or context.cursor_line == 0):
            return self._on_line(magic[1], magic[2], magic[3])
        first = _MAGIC_LINE.match(context.full_text.split("\n", 1)[0] + " ")
        if first and first[1] == "%%" and context.cursor_line > 0:
            return self._in_cell(first[2], line)
        return _result("", ())

    def _on_line(self, percent: str, name: str, line: str) -> SimpleMatcherResult:
        parser = parser_of(self._shell, percent, name)
        if parser is None:
            return _result("", ())
        words = [*_WORD.finditer(line)]
        typed = words.pop()[0] if words and words[-1].end() == len(line) else ""
        return self._words(parser, name, [word[0] for word in words], typed)

    def _words(self, parser: argparse.ArgumentParser, magic: str, words: list[str], typed: str) -> SimpleMatcherResult:
        option, equals, value = typed.partition("=") if typed.startswith("--") else ("", "", typed)
        if equals:
            action = _actions(parser).get(option)
            return self._values(magic, [action] if action else [], value)
        if typed.startswith("-"):
            return _result(typed, _starting(_unused(parser, words), typed), "magic option")
        expected = _expected(parser, words)
        found = self._values(magic, expected, typed)
        if typed or any(action.option_strings for action in expected):
            return found
        options = _result("", _unused(parser, words), "magic option")
        return _result("", [*found["completions"], *options["completions"]])

    def _values(self, magic: str, expected: list[argparse.Action], typed: str) -> SimpleMatcherResult:
        quote = typed[0] if typed[:1] in ("'", '"') else ""
        place = self._place(typed.strip(quote) if quote else typed)
        found = [value for action in expected for value in _source(magic, action)(place)]
        return _result(typed, [_quoted(value, quote) for value in _starting(found, place.word)], "magic value")

    def _place(self, word: str) -> Place:
        hidden = self._shell.user_ns_hidden  # what IPython itself has put there
        names = tuple(name for name in self._shell.user_ns if name not in hidden and not name.startswith("_"))
        return Place(self._session(), names, word)

    def _in_cell(self, magic: str, line: str) -> SimpleMatcherResult:
        if parser_of(self._shell, "%%", magic) is None:
            return _result("", ())
        place = self._place("")
        names = [*_bindings(place), *(place.session.variables if place.session else ())]
        for pattern, values in ((_ENV_NAME, names), (_CERTIFICATE_ID, list(_certificates(place)))):
            if match := pattern.search(line):
                return _result(match[1], _starting(values, match[1]), "property")
        return _result("", ())


def register(shell: Any, session: SessionGetter) -> None:
    """Complete the lines of this shell's magics; again is harmless."""
    unregister(shell)
    matcher = Matcher(shell, session)

    def complete(context: CompletionContext) -> SimpleMatcherResult:
        return matcher.complete(context)

    mark: Any = context_matcher(identifier=__name__)  # IPython's decorator carries no type
    shell.Completer.custom_matchers.append(mark(complete))


def unregister(shell: Any) -> None:
    """Take the completion back; without `register` before it, nothing happens."""
    matchers = shell.Completer.custom_matchers
    matchers[:] = [each for each in matchers if getattr(each, "matcher_identifier", None) != __name__]


def parser_of(shell: Any, percent: str, name: str) -> argparse.ArgumentParser | None:
    """Return the parser of one of our magics; None for every other magic."""
    magic = shell.magics_manager.magics["cell" if percent == "%%" else "line"].get(name)
    parser = getattr(magic, "parser", None)
    return parser if getattr(magic, "__module__", "") == _MAGICS else None


def close_option(magic: Any, word: str) -> str:
    """Return the option of `magic` (a function with a parser) that was meant by `word`, "" if none is like it."""
    known = [*_actions(magic.parser)]
    close = difflib.get_close_matches(word.partition("=")[0], known, n=1)
    return close[0] if close else ""


def _actions(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return option string → action; argparse has no public name for this."""
    return parser._option_string_actions


def _unused(parser: argparse.ArgumentParser, words: list[str]) -> list[str]:
    """Return the options that may still come: the long name of each, once unless it may be repeated."""
    given = {_actions(parser).get(word.partition("=")[0]) for word in words}
    actions = dict.fromkeys(_actions(parser).values())
    once = [a for a in actions if a not in given or isinstance(a, argparse._AppendAction)]
    return [
        option for action in once for option in action.option_strings if not isinstance(action, argparse._HelpAction)
    ]


def _expected(parser: argparse.ArgumentParser, words: list[str]) -> list[argparse.Action]:
    """Return what the next word may be a value of: the last option, or a positional argument, or either."""
    positional = [action for action in parser._actions if not action.option_strings]
    for back, word in enumerate(reversed(words)):
        action = _actions(parser).get(word)
        if action is None:
            continue
        if action.nargs in ("+", "*"):
            return [action, *positional] if back else [action]
        return [action] if back == 0 and action.nargs is None else positional
    return positional


def _source(magic: str, action: argparse.Action) -> Source:
    if action.choices:
        choices = [str(choice) for choice in action.choices]
        return lambda _: choices
    return VALUES.get((magic, action.dest)) or VALUES.get(action.dest) or (lambda _: ())


def _starting(values: Iterable[str], word: str) -> list[str]:
    return [value for value in dict.fromkeys(values) if value.startswith(word)]


def _quoted(value: str, quote: str) -> str:
    """Return the value as it is typed: in the quotes that were opened, or in some if it has blanks."""
    if not quote and not re.search(r"[\s'\"]", value):
        return value
    quote = quote or ("'" if "'" not in value else '"')
    return f"{quote}{value}" if value.endswith("/") else f"{quote}{value}{quote}"


def _result(fragment: str, values: Iterable[str | SimpleCompletion], kind: str = "") -> SimpleMatcherResult:
    shown = [each if isinstance(each, SimpleCompletion) else SimpleCompletion(each, type=kind) for each in values]
    return {"completions": shown, "matched_fragment": fragment, "suppress": bool(shown)}
