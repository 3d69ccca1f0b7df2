"""The magics: parse the line, make one call below, show what came back. No I/O and no HTML here.

Importing this must stay quick (`%load_ext` prints nothing and costs next to nothing), so the
session, and with it httpx, cryptography and the rest, is imported when first needed.
"""

from __future__ import annotations

import atexit
import getpass
import json
import keyword
import os
import re
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from IPython.core.error import UsageError as IPythonUsageError
from IPython.core.magic import Magics, cell_magic, line_cell_magic, line_magic, magics_class
from IPython.core.magic_arguments import argument, magic_arguments
from IPython.display import display
from IPython.utils.process import arg_split  # type: ignore[attr-defined]
from traitlets import Int, observe

from . import completion, views
from .errors import UsageError
from .views import lines

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

    from .api import Session


@magics_class
class MtlsMagics(Magics):
    """Everything that `%load_ext mtls_notebook` adds."""

    keep = Int(256, help="How many connections stay recorded (about 17 kB each).").tag(config=True)

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._variables: dict[str, Any] = shell.user_ns
        self._session: Session | None = None

    @property
    def session(self) -> Session:
        """Return this notebook's session, made when first asked for."""
        if self._session is None:
            from .api import Session  # noqa: PLC0415 - loading the extension must not pay for it

            self._session = Session(keep=self.keep)
        return self._session

    @observe("keep")
    def _keep_changed(self, change: Any) -> None:
        if self._session is not None:
            self._session.recording.keep = change["new"]

    def close(self) -> None:
        """Stop what the session started and forget its keys."""
        if self._session is not None:
            self._session.close()
            self._session = None

    @magic_arguments()
    @argument("action", nargs="?", default="start", choices=["start", "status", "stop"])
    @argument("--dir", default="mtls-lab", help="where to write ca.pem, cert.pem and key.pem")
    @argument("--origin", nargs="+", default=["required"], help="which origins to start; an unknown name lists all")
    @argument("--as", dest="host", default="example-secure-origin.com", help="the host that the origin answers as")
    @line_magic
    def mtls_lab(self, line: str) -> None:
        """Start (or look at, or stop) a CA and live origins on loopback that require a client certificate."""
        options = _arguments(self.mtls_lab, line)
        if options.action == "start":
            self.session.start_lab(options.dir, origins=options.origin, host=options.host)
        elif options.action == "stop":
            self.session.stop_lab()
        print(lines.lab(self.session.lab))

    @magic_arguments()
    @argument("--cert", help="a certificate (PEM or DER, with its chain), or one file with certificate and key")
    @argument("--key", help="its private key (PEM or DER); a passphrase is asked for when it needs one")
    @argument("--pkcs12", help="a PKCS#12 file (.p12, .pfx) with both")
    @argument("--ca-cert", help="a CA to trust for this session, instead of a client certificate")
    @argument("--name", help="what to call it; the same name again replaces it (bindings move on)")
    @argument("--password-env", metavar="VAR", help="take the passphrase from this environment variable")
    @argument("-o", "--output", metavar="VAR", help="keep the stored certificate in this variable")
    @line_magic
    def mtls_upload(self, line: str) -> None:
        """Put a client certificate and its private key into the session's store; with no option, a drop zone."""
        options = _arguments(self.mtls_upload, line)
        if options.ca_cert:
            print(lines.trusted(self.session.trust_authority(options.ca_cert)))
            return
        if not (options.cert or options.key or options.pkcs12):
            from .views.upload import UploadZone  # noqa: PLC0415 - a widget, loaded when it is shown

            display(UploadZone(self.session, options.name))
            return
        password = _password(options.password_env)
        stored = self.session.upload(
            options.cert, options.key, pkcs12=options.pkcs12, name=options.name, password=password
        )
        self._keep(options.output, stored)
        display(stored)

    @magic_arguments()
    @argument("--delete", metavar="ID|NAME", help="remove this certificate")
    @argument("--force", action="store_true", help="remove it even while it is bound, and its bindings")
    @line_magic
    def mtls_certificates(self, line: str) -> None:
        """List the stored certificates, or delete one."""
        options = _arguments(self.mtls_certificates, line)
        if options.delete:
            self.session.delete(options.delete, force=options.force)
        display(self.session)

    @magic_arguments()
    @argument("pairs", nargs="*", metavar="NAME=CERTIFICATE", help="bind NAME to a certificate's name or ID")
    @argument("--config", metavar="FILE", help="bind what a wrangler.toml or wrangler.jsonc says")
    @argument("--env", metavar="NAME", help="of the configuration's environments, take this one")
    @argument("--hosts", action="append", default=[], metavar="NAME=HOST,…", help="present NAME to these hosts only")
    @argument("--remove", metavar="NAME", help="unbind NAME")
    @line_cell_magic
    def mtls_bindings(self, line: str, cell: str | None = None) -> None:
        """Bind names that the worker sees to stored certificates: pairs, a file, or TOML/JSONC in the cell."""
        options = _arguments(self.mtls_bindings, line)
        notes = self._bind(options, cell)
        for scope in options.hosts:
            self.session.scope(scope)
        if options.remove:
            self.session.bindings.remove(options.remove)
        print(lines.bound(self.session.bindings, self.session.store, notes))

    def _bind(self, options: Namespace, cell: str | None) -> tuple[str, ...]:
        notes: tuple[str, ...] = ()
        if cell is not None:
            text = _filled(cell, self._variables)
            notes += self.session.bind_config(text, environment=options.env, label="the cell").warnings
        if options.config:
            notes += self.session.bind_file(options.config, environment=options.env).warnings
        if options.pairs:
            notes += self.session.bind(options.pairs).warnings
        return notes

    @magic_arguments()
    @argument(
        "--language",
        choices=["js", "ts", "python"],
        help="the cell's language; found from the code if left out",
    )
    @argument("--request", default="/", metavar='"METHOD /path"', help="what the worker is asked")
    @argument("--header", action="append", default=[], metavar="'K: V'", help="a header of that request")
    @argument("--data", default="", metavar="TEXT|@VAR", help="its body: text, or a variable of the notebook")
    @argument("--name", help="keep the worker under this name, callable later: await NAME.fetch(…)")
    @argument("--timeout", type=float, default=60.0, metavar="S", help="stop it after this many seconds")
    @argument("-o", "--output", metavar="VAR", help="keep the invocation in this variable")
    @argument("--no-trace", action="store_true", help="show the response alone")
    @argument("--serve", action="store_true", help="keep it running as an HTTPS origin instead of asking it once")
    @argument("--host", action="append", default=[], metavar="HOST", help="with --serve: a name that it answers as")
    @argument("--require-client-cert", action="store_true", help="with --serve: refuse clients without a valid one")
    @cell_magic
    def worker(self, line: str, cell: str) -> None:
        """Run the cell as a worker: JavaScript or Python, with the session's bindings as `env`."""
        from .views import late, progress  # noqa: PLC0415 - as for the session
        from .worker.source import parse_request  # noqa: PLC0415

        options = _arguments(self.worker, line)
        if options.serve:
            self._serve(options, cell)
            return
        request = parse_request(options.request, tuple(options.header), self._data(options.data))
        made = self.session.worker(
            cell, language=options.language, name=options.name or "cell", notebook=self._variables, say=print
        )
        with views.following(self.shell, made.source, request, self.session.recording) as follow:
            invocation = made.fetch(request, timeout_s=options.timeout, show=_telling(follow))
        if options.name:
            self._keep(options.name, made.handle(progress.watching(self.shell)))
        self.session.last = invocation
        self._keep(options.output, invocation)
        display(invocation.response if options.no_trace else invocation)
        late.follow(self.shell, invocation.late_logs)
        if invocation.error is not None:
            raise invocation.error

    def _serve(self, options: Namespace, cell: str) -> None:
        served = self.session.serve(
            cell,
            language=options.language,
            name=options.name or "served",
            hosts=options.host,
            require_client_cert=options.require_client_cert,
            timeout_s=options.timeout,
            notebook=self._variables,
            say=print,
        )
        self._keep(options.output or options.name, served)
        print(lines.served(served))

    @magic_arguments()
    @argument("directory", metavar="DIR", help="a new folder, or one that was exported before")
    @argument("--name", help="the deployed worker's name; the folder's if left out")
    @line_magic
    def mtls_export(self, line: str) -> None:
        """Write the last worker and its bindings as a wrangler project; keys stay here."""
        options = _arguments(self.mtls_export, line)
        print(lines.exported(self.session.export_worker(options.directory, name=options.name)))

    @magic_arguments()
    @argument("variable", nargs="?", metavar="VAR", help="an invocation or handshake; the last one if left out")
    @argument(
        "--compare",
        nargs="?",
        const="",
        metavar="VAR",
        help="beside another run's, row by row; without VAR: TLS beside mTLS, the latest with the same host",
    )
    @argument("--both-ends", action="store_true", help="beside what the lab's origin recorded of the same connection")
    @argument("--predict", action="store_true", help="guess each server message before it is shown")
    @argument(
        "--export", metavar="FILE", help="write it as .html, .json, .har, .pcapng or .keylog; the last two hold secrets"
    )
    @line_magic
    def mtls_handshake(self, line: str) -> None:
        """Show a handshake again, message by message; compare it, or write it to a file."""
        options = _arguments(self.mtls_handshake, line)
        value = self._variable(options.variable) if options.variable else self.session.last
        shakes = _handshakes(value)
        shown = self._compared(options, value)
        if options.export:
            exported = value if shown is None else shown
            print(self.session.export(options.export, exported, more_formats=_page_formats(exported)))
        elif shown is not None:
            display(shown)
        elif options.predict:
            display(_prediction(shakes[0]))
        else:
            display(*shakes)

    def _compared(self, options: Namespace, value: Any) -> Any:
        """Return the comparison that the line asks for, None when it asks for none."""
        if options.both_ends and options.compare is None:
            return self.session.both_ends(value)
        if options.compare is None:
            return None
        other = self._variable(options.compare) if options.compare else None
        if other is not None:
            _handshakes(other)
        return self.session.compare(value, other)

    # -- the notebook's variables ----------------------------------------------------------

    def _keep(self, variable: str | None, value: object) -> None:
        if variable is not None:
            self._variables[variable] = value

    def _variable(self, name: str) -> Any:
        if name not in self._variables:
            raise UsageError(f"There is no variable {name}.", "Name one that an earlier cell has set.")
        return self._variables[name]

    def _data(self, text: str) -> bytes:
        value = self._variable(text[1:]) if text.startswith("@") else text
        if isinstance(value, (bytes, bytearray)):
            return bytes(value)
        return (value if isinstance(value, str) else json.dumps(value)).encode()


def load(shell: InteractiveShell) -> None:
    """Register the magics and the displays; one session, made when first used."""
    magics = MtlsMagics(shell)
    shell.register_magics(magics)
    views.register(shell)
    completion.register(shell, lambda: magics._session)
    atexit.register(magics.close)


def unload(shell: InteractiveShell) -> None:
    """Take back all that `load` did, and stop what the session started."""
    magics = shell.magics_manager.registry.pop(MtlsMagics.__name__, None)
    if magics is not None:
        magics.close()
        atexit.unregister(magics.close)
    for kind, names in MtlsMagics.magics.items():
        for name in names:
            shell.magics_manager.magics[kind].pop(name, None)
    views.unregister(shell)
    completion.unregister(shell)


# -- the line ------------------------------------------------------------------------------------------


def _arguments(magic: Any, line: str) -> Namespace:
    """Return the line's options. Raises UsageError, which never repeats a value (it may be a passphrase)."""
    words = [_unquoted(word) for word in arg_split(line)]
    where = f"%{magic.__name__}? shows the options."
    if any(re.match(r"--?passw(or)?d?(=|$)|--?pass(phrase)?(=|$)", word) for word in words):
        raise UsageError(
            "A passphrase is never typed on the line: the notebook's history would keep it.",
            "Leave it out (a masked prompt asks), or name a variable with --password-env VAR.",
        )
    magic.parser.allow_abbrev = False
    known = magic.parser._option_string_actions
    for word in (word.partition("=")[0] for word in words if re.match(r"--?[a-zA-Z]", word)):
        if word not in known:
            close = completion.close_option(magic, word)
            raise UsageError(f"Unknown option {word}.", f"Did you mean {close}? {where}" if close else where)
    try:
        options, unknown = magic.parser.parse_known_args(words)
    except IPythonUsageError as error:
        raise UsageError(_without_values(str(error)), where) from None
    if unknown:
        raise UsageError("More words than expected.", where)
    _refuse_unexpanded(words)
    for variable in (
        getattr(options, "output", None),
        getattr(options, "name", None) if magic.__name__ == "worker" else None,
    ):
        _check_variable(variable)  # before anything is done
    return options  # type: ignore[no-any-return]


def _check_variable(name: str | None) -> None:
    if name is not None and (not name.isidentifier() or keyword.iskeyword(name)):
        raise UsageError(f"{name!r} is no name for a variable.", "Use letters, digits and _.")


def _unquoted(word: str) -> str:
    name, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return f"{name}{equals}{value}"


def _without_values(text: str) -> str:
    return re.sub(r"invalid choice: .* \(choose", "invalid choice (choose", text)


def _refuse_unexpanded(words: list[str]) -> None:
    """IPython leaves `{name}` as it is when there is no such variable: say so instead of using it."""
    for word in words:
        if (match := re.search(r"\{[A-Za-z_][\w.]*\}|(?<!\S)\$[A-Za-z_]\w*", word)) is not None:
            raise UsageError(f"{match[0]} was not filled in: there is no such variable.", "Set it in an earlier cell.")


def _password(variable: str | None) -> Any:
    from .pki.sensitive import Sensitive  # noqa: PLC0415 - as for the session

    if variable is None:
        return lambda: Sensitive(getpass.getpass("Passphrase of the private key: ").encode()) or None
    if variable not in os.environ:
        raise UsageError(
            "--password-env names no environment variable that is set.", "Set it before the kernel starts."
        )
    return Sensitive(os.environ[variable].encode())


_PLACE = re.compile(r"(?<=[\"'])\{([A-Za-z_]\w*)((?:\.[A-Za-z_]\w*)*)\}(?=[\"'])")


def _filled(cell: str, variables: dict[str, Any]) -> str:
    """Return the cell with quoted `"{cert.id}"` replaced from the notebook's variables."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in variables:
            raise UsageError(
                f"{match[0]} was not filled in: there is no variable {match[1]}.", "Set it first (-o VAR)."
            )
        found = variables[match[1]]
        for attribute in filter(None, match[2].split(".")):
            found = getattr(found, attribute)
        return str(found)

    return _PLACE.sub(value, cell)


def _handshakes(value: Any) -> tuple[Any, ...]:
    """Return the handshakes of an invocation, or the handshake itself. Raises UsageError when there is none."""
    if type(value).__name__ == "Handshake":
        return (value,)
    found = tuple(getattr(value, "handshakes", ()))
    if not found:
        raise UsageError("There is no handshake to show.", "Run a %%worker cell first, and keep it with -o VAR.")
    return found


def _page_formats(value: Any) -> Any:
    from .views.page import formats  # noqa: PLC0415 - only an export needs it

    return formats(value)


def _prediction(shake: Any) -> Any:
    from .views.handshake import HandshakeWidget  # noqa: PLC0415 - a widget, loaded when it is shown

    return HandshakeWidget(shake, predict=True)


def _telling(follow: Callable[[Any], None]) -> Callable[[Any], None]:
    def tell(entry: Any) -> None:
        _print_log(entry)
        follow(entry)

    return tell


def _print_log(entry: Any) -> None:
    """Print a worker's line while the cell still runs."""
    text = getattr(entry, "text", None)
    if text is not None:
        print(text, file=sys.stderr if entry.level in ("warn", "error") else sys.stdout, flush=True)
