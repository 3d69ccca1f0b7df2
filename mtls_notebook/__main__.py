"""`python -m mtls_notebook`: `demo` shows the main job in a terminal, `setup` fetches workerd ahead.

Nothing else may live here: a notebook has magics, a script has `Session`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .errors import MtlsNotebookError


def _say(line: str) -> None:
    print(line, flush=True)


def _setup() -> bool:
    from .worker.javascript import workerd  # noqa: PLC0415 - `--help` should not load either command

    _say(f"workerd: {workerd.find(_say)}")
    return True


def _demo() -> bool:
    from .demo import run  # noqa: PLC0415

    return run(_say)


COMMANDS = {
    "demo": (_demo, "run the announcement's worker against a live origin, and show the handshake"),
    "setup": (_setup, "fetch workerd, the runtime of JavaScript workers, and say where it is"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status (1 when the command could not do its job)."""
    parser = argparse.ArgumentParser(prog="python -m mtls_notebook", description="mTLS for workers, in a notebook.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="command")
    for name, (_, about) in COMMANDS.items():
        commands.add_parser(name, help=about)
    command, _ = COMMANDS[parser.parse_args(arguments).command]
    try:
        return 0 if command() else 1
    except MtlsNotebookError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
