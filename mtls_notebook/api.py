"""`Session`: the Python twin of the magics. It works in scripts and tests, without IPython.

It holds what the user holds (certificates, bindings, trust, the lab, the recording) and hands
it down; every rule lives on the floors below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from .errors import CertificateInUse, LabError, UnknownCertificate, UnreadableFile, UsageError
from .lab.lab import HTTPS_PORT, Lab
from .lab.origin import Origin
from .loop import dismiss
from .pki.authority import Authority
from .pki.identity import Identity, read_certificates, read_identity, read_pkcs12
from .pki.sensitive import Sensitive
from .recorder.compare import Comparison, alike, compare, counterpart, in_order
from .recorder.decrypt import with_messages
from .recorder.events import Kind
from .recorder.export import FORMATS, Format, write
from .recorder.handshake import Handshake, fold
from .recorder.proofs import Proof, prove
from .recorder.recording import Recording
from .session.bindings import Binding, Bindings, Config, parse_config, parse_hosts, parse_pairs
from .session.config import Format as ConfigFormat
from .session.contexts import DEFAULT_VERSIONS, HTTP2_TOO, Contexts
from .session.store import CertificateStore, Stored
from .session.trust import Trust
from .worker.engines import Surroundings
from .worker.exchange import Environment, Invocation, Language, Subrequest, WorkerSource
from .worker.fetch.connections import Ways
from .worker.fetch.fetcher import BoundFetcher, Client, Presented, client
from .worker.journal import Journal
from .worker.runtime import Worker
from .worker.serve import Served
from .worker.ship import project
from .worker.ship_folder import Written
from .worker.ship_folder import write as write_project
from .worker.source import parse

Password = bytes | str | Callable[[], bytes | str | None] | None
_LARGEST_FILE_BYTES = 1 << 20
_LAST_WORDS_S = 1.0


class Session:
    """One user's certificates, bindings, trust, lab and recording. Close it, or use it in `with`.

    `keep` bounds how many connections stay recorded (about 17 kB each); `versions` are the lowest and
    the highest TLS version to offer. New connections resume TLS sessions while `resumption` is true (a lesson
    that wants every handshake in full sets it to False), and offer HTTP/2 while `http2` is.
    """

    def __init__(self, *, keep: int = 256) -> None:
        self.store = CertificateStore()
        self.bindings = Bindings()
        self.trust = Trust()
        self.versions = DEFAULT_VERSIONS
        self.resumption = True
        self.http2 = True
        self.variables: dict[str, object] = {}
        self.recording = Recording(keep)
        self.lab: Lab | None = None
        self.last: Invocation | None = None
        self._contexts = Contexts()
        self._connect_to: dict[tuple[str, int], tuple[str, int]] = {}
        self._workers: dict[str, Worker] = {}
        self._served: dict[str, Served] = {}
        self._issuer: Authority | None = None

    # -- certificates ----------------------------------------------------------------------

    def upload(
        self,
        cert: str | Path | None = None,
        key: str | Path | None = None,
        *,
        pkcs12: str | Path | None = None,
        name: str | None = None,
        password: Password = None,
    ) -> Stored:
        """Return the stored certificate; one of the same name is replaced and its bindings move on.

        Raises MaterialError (the file says no) or StoreFull; nothing is stored then.
        """
        if (cert is None) == (pkcs12 is None):
            raise UsageError("Say which certificate to upload.", "Give cert= (with key=), or pkcs12=.")
        if pkcs12 is not None:
            identity = read_pkcs12(_read(pkcs12), password, label=str(pkcs12))
        else:
            assert cert is not None
            identity = read_identity(
                _read(cert),
                _read(key) if key is not None else None,
                password,
                cert_label=str(cert),
                key_label=str(key or cert),
            )
        return self.add(identity, name)

    def add(self, identity: Identity, name: str | None = None) -> Stored:
        """Return `identity` as stored, for material that does not come from files."""
        return self.store.add(identity, name)

    def delete(self, reference: str, *, force: bool = False) -> Stored:
        """Remove a certificate. Raises CertificateInUse while a binding needs it, unless `force`."""
        stored = self.store.resolve(reference)
        users = [b.name for b in self.bindings if self._is(b, stored)]
        if users and not force:
            raise CertificateInUse(
                f"{stored.name or stored.id} is bound as {', '.join(users)}.",
                f"Unbind it first (%mtls_bindings --remove {users[0]}), or delete with --force.",
            )
        for user in users:
            self.bindings.remove(user)
        self.store.delete(reference)
        return stored

    def _is(self, binding: Binding, stored: Stored) -> bool:
        try:
            return self.store.resolve(binding.certificate_id).id == stored.id
        except UnknownCertificate:
            return False

    def trust_authority(self, ca_cert: str | Path) -> tuple[str, ...]:
        """Trust the CA certificates in a file for this session; return their subjects."""
        found = read_certificates(_read(ca_cert), label=str(ca_cert))
        trust = self.trust
        for certificate in found:
            trust = trust.with_authority(certificate)
        self.trust = trust
        return tuple(certificate.subject for certificate in found)

    # -- bindings --------------------------------------------------------------------------

    def bind(self, pairs: Iterable[str] = (), /, **named: str) -> Config:
        """Bind names to certificates: `bind("MY_CERT=my-cert")` or `bind(MY_CERT="my-cert")`; all or none.

        Raises ConfigError, UnknownCertificate.
        """
        pairs = (pairs,) if isinstance(pairs, str) else tuple(pairs)
        return self._apply(parse_pairs([*pairs, *(f"{name}={ref}" for name, ref in named.items())]))

    def bind_config(
        self,
        text: str,
        *,
        environment: str | None = None,
        label: str = "the configuration",
        format: ConfigFormat | None = None,
    ) -> Config:
        """Bind what a wrangler.toml or wrangler.jsonc says; all or none. Raises ConfigError, UnknownCertificate."""
        return self._apply(parse_config(text, format=format, environment=environment, label=label))

    def bind_file(self, path: str | Path, *, environment: str | None = None) -> Config:
        """Bind what a wrangler configuration file says. Raises UnreadableFile, ConfigError, UnknownCertificate."""
        text = _read(path).decode("utf-8-sig", "replace")
        return self.bind_config(text, environment=environment, label=str(path))

    def scope(self, hosts: str) -> Binding:
        """Keep a binding's certificate to the hosts of `"NAME=api.example.com,*.corp.example"`. Raises ConfigError."""
        name, patterns = parse_hosts(hosts)
        return self.bindings.scope(name, patterns)

    def _apply(self, config: Config) -> Config:
        self.bindings.apply(config, self.store.resolve)
        self.variables.update(config.variables)
        return config

    def identity(self, binding: str) -> Identity:
        """Return the identity that a binding presents. Raises ConfigError, UnknownCertificate."""
        return self.store.resolve(self.bindings.get(binding).certificate_id).identity

    # -- workers ---------------------------------------------------------------------------

    def worker(
        self,
        code: str,
        *,
        language: Language | None = None,
        name: str = "cell",
        notebook: Mapping[str, object] | None = None,
        say: Callable[[str], None] = lambda _progress: None,
    ) -> Worker:
        """Return a worker that sees this session's bindings; `notebook` are variables that Python code may read.

        `say` hears progress when workerd must be fetched first.
        Raises UsageError, WorkerSyntaxError, EngineUnavailable.
        """
        source = parse(code, language, name)
        journal = Journal()
        fetchers = {b.name: self._fetcher(b, journal) for b in self.bindings}
        environment = Environment(fetchers, self._fetcher(None, journal), dict(self.variables))
        surroundings = Surroundings(environment, journal.log, say, notebook or {})
        worker = Worker(source, surroundings, self.recording, journal)
        self._keep(worker, name)
        return worker

    def _keep(self, worker: Worker, name: str) -> None:
        """A worker of the same name makes way: one runs at a time, so nothing is left behind."""
        if (former := self._workers.pop(name, None)) is not None:
            former.close()
        self._workers[name] = worker

    def client(self, binding: str | None = None) -> Client:
        """Return an httpx.Client that presents the binding's certificate and is recorded like a worker."""
        return client(self.fetcher(binding))

    def fetcher(self, binding: str | None = None) -> BoundFetcher:
        """Return what stands behind `env.NAME` (None: the plain fetch), for code that is neither worker nor httpx."""
        bound = self.bindings.get(binding) if binding is not None else None
        return self._fetcher(bound, Journal())

    def _fetcher(self, binding: Binding | None, journal: Journal) -> BoundFetcher:
        stored = self.store.resolve(binding.certificate_id) if binding is not None else None
        return BoundFetcher(
            binding,
            Presented(stored.identity.leaf, stored.name or stored.id) if stored is not None else None,
            self._ways(stored.identity if stored is not None else None),
            journal,
        )

    def _ways(self, identity: Identity | None) -> Ways:
        context = partial(self._contexts.get, identity, self.trust, self.versions)
        context(HTTP2_TOO)  # what is wrong with the material shows now, not in a worker's first fetch
        return Ways(context, self.recording, self._route, lambda: self.resumption, lambda: self.http2)

    def serve(
        self,
        code: str,
        *,
        language: Language | None = None,
        name: str = "served",
        hosts: Sequence[str] = (),
        require_client_cert: bool = False,
        timeout_s: float = 60.0,
        notebook: Mapping[str, object] | None = None,
        say: Callable[[str], None] = lambda _progress: None,
    ) -> Served:
        """Return a worker that answers as a live HTTPS origin on loopback, for this session under its hosts' names.

        Its clients' certificates are judged against the CAs that the session trusts now; the worker reads the
        verdict in `request.cf.tlsClientAuth`. A served worker of the same name makes way.
        Raises as `worker`, and UsageError (nobody could get in, a host that is none), LabError.
        """
        self.stop_serving(name)
        made = self.worker(code, language=language, name=name, notebook=notebook, say=say)
        issuer = self._server_issuer()
        served = Served.start(
            made.program,
            authority=issuer,
            accepts=[ca for ca in self.trust.authorities if ca.is_ca and ca != issuer.certificate],
            require_client_cert=require_client_cert,
            hosts=hosts or (f"{name.lower().replace('_', '-')}.example.com",),
            timeout_s=timeout_s,
        )
        self.trust = self.trust.with_authority(issuer.certificate)
        self._connect_to.update(served.connect_to)
        self._served[name] = served
        return served

    def stop_serving(self, name: str) -> None:
        """Stop the served worker of that name, if there is one."""
        if (served := self._served.pop(name, None)) is not None:
            for place in served.connect_to:
                self._connect_to.pop(place, None)
            served.stop()

    def _server_issuer(self) -> Authority:
        if self._issuer is None:
            self._issuer = Authority.create("mtls-notebook served workers CA")
        return self._issuer

    def export_worker(
        self, directory: str | Path, source: WorkerSource | None = None, *, name: str | None = None
    ) -> Written:
        """Write a wrangler project of a worker (None: the one that ran last) with the session's bindings.

        Raises UsageError, ConfigError, MaterialError (a private key in the code), UnreadableFile.
        """
        source = source or (self.last.source if self.last is not None else None)
        if source is None:
            raise UsageError("There is no worker to export yet.", "Run a %%worker cell first.")
        bindings = [
            (b.name, self.store.resolve(b.certificate_id).name or b.certificate_id, b.hosts) for b in self.bindings
        ]
        called = name or (source.name if source.name != "cell" else Path(directory).expanduser().resolve().name)
        return write_project(directory, project(source, bindings, self.variables, name=called))

    # -- where connections go --------------------------------------------------------------

    def connect_to(self, host: str, port: int, address: tuple[str, int]) -> None:
        """Lead connections for `host` and `port` to another address; SNI and checks stay the host's."""
        self._connect_to[host.lower(), port] = address

    def _route(self, host: str, port: int) -> tuple[str, int] | None:
        return self._connect_to.get((host.lower(), port))

    # -- the lab ---------------------------------------------------------------------------

    def start_lab(
        self,
        directory: str | os.PathLike[str] = "mtls-lab",
        *,
        origins: Sequence[str] = ("required",),
        host: str = "example-secure-origin.com",
    ) -> Lab:
        """Start a CA and live origins on loopback, trust the CA, lead the origins' names there. Raises LabError.

        A lab that already runs in that folder for that host goes on, with the origins that it lacks added:
        a new CA would disown the certificates uploaded so far.
        """
        if self.lab is None or (self.lab.directory, self.lab.host) != (Path(directory), host):
            self.stop_lab()
            self.lab = Lab.start(directory, host=host, origins=tuple(origins))
            self.trust = self.trust.with_authority(self.lab.authority)
        for name in origins:
            self.lab.add(name)
        self._connect_to.update(self.lab.connect_to)
        return self.lab

    def stop_lab(self) -> None:
        """Stop the lab's origins; its folder stays."""
        if self.lab is None:
            return
        for place in self.lab.connect_to:
            self._connect_to.pop(place, None)
        self.trust = self.trust.without_authority(self.lab.authority)
        self.lab.stop()
        self.lab = None

    # -- looking back ----------------------------------------------------------------------

    def handshakes(self) -> tuple[Handshake, ...]:
        """Return every handshake that is still recorded, oldest first."""
        recorded = (self.recording.events(number) for number in self.recording.connections())
        return tuple(fold(events) for events in recorded if events)

    def proofs(self, handshake: Handshake) -> tuple[Proof, ...]:
        """Return every signature and MAC of a handshake, recomputed from its recording."""
        return prove(handshake.events)

    def server_side(self, handshake: Handshake) -> Handshake:
        """Return the same connection as a lab's origin or a served worker recorded it. Raises LabError if none has."""
        if (found := self._server_side(handshake)) is not None:
            return found
        raise LabError(
            f"The server's side of {handshake.host} was not recorded here.",
            "Both ends are recorded of connections to the lab's origins (%mtls_lab), the latest 100 of each.",
        )

    def _server_side(self, handshake: Handshake) -> Handshake | None:
        port = int(_first_text(handshake, Kind.LOCAL).rpartition(":")[2] or 0)
        ends: list[Origin | Served] = list(self._served.values())
        ends += [running.origin for running in self.lab.origins.values()] if self.lab is not None else []
        for end in ends:
            if end.port == _port_of(handshake) and (other := end.recording_of(port)) is not None:
                if any(event.kind is Kind.CLOSED for event in handshake.events):
                    other.done.wait(_LAST_WORDS_S)  # the other end may hear the last alert a moment later
                return fold(with_messages(other.events))
        return None

    def compare(self, left: Handshake | Invocation, right: Handshake | Invocation | None = None) -> Comparison:
        """Return two handshakes row by row, and how their servers recorded them where both did.

        Shape: of invocations those that are with the same host, else the first of each. Without `right`, `left` is
        told beside the latest handshake with its host that is TLS where it is mTLS, or the other way round.
        Raises UsageError when there is none, or when both are one and the same.
        """
        if right is None:
            return self._compared(*in_order(*self._with_counterpart(_handshakes_of(left))))
        return self._compared(*alike(_handshakes_of(left), _handshakes_of(right)))

    def both_ends(self, what: Handshake | Invocation) -> Comparison:
        """Return the client's and the server's recording of one connection, row by row. Raises LabError.

        Shape: of an invocation, its first connection that was recorded at both ends.
        """
        shakes = _handshakes_of(what)
        found = next((shake for shake in shakes if self._server_side(shake) is not None), shakes[0])
        return compare(found, self.server_side(found))

    def _compared(self, left: Handshake, right: Handshake) -> Comparison:
        if left.events and left.events == right.events:
            raise UsageError(
                f"Both sides are the same handshake with {left.host}.",
                "Name another run, or see both ends of this one: %mtls_handshake VAR --both-ends",
            )
        servers = [self._server_side(side) for side in (left, right)]
        shown = compare(left, right)
        if None in servers:
            return replace(shown, note=_one_recorded(servers))
        ours, theirs = servers
        assert ours is not None and theirs is not None
        return replace(shown, servers=compare(ours, theirs))

    def _with_counterpart(self, shakes: Sequence[Handshake]) -> tuple[Handshake, Handshake]:
        recorded = self.handshakes()
        for shown in shakes:
            if (other := counterpart(shown, recorded)) is not None:
                return shown, other
        lacking = "without" if shakes[0].client_chain else "with"
        raise UsageError(
            f"No handshake with {shakes[0].host} {lacking} a client certificate is recorded to compare with.",
            self._how_to_make_one(shakes[0]),
        )

    def _how_to_make_one(self, shown: Handshake) -> str:
        url = f"https://{shown.host}" if shown.port == HTTPS_PORT else f"https://{shown.host}:{shown.port}"
        binding = next((bound.name for bound in self.bindings), "MY_CERT")
        call = "fetch" if shown.client_chain else f"env.{binding}.fetch"
        return f'Run a %%worker cell that calls {call}("{url}"), then: %mtls_handshake --compare'

    def export(
        self,
        path: str | Path,
        what: Invocation | Handshake | Comparison | None = None,
        *,
        more_formats: Mapping[str, Format] | None = None,
    ) -> str:
        """Write handshakes to a file whose suffix names the format; return one sentence about what it holds.

        Formats: .keylog, .pcapng (both hold secrets), .json, .har, and `more_formats` by suffix. Without `what`,
        everything that is recorded.
        Raises UsageError for another suffix, UnreadableFile where nothing can be written.
        """
        trace: Sequence[Subrequest] = ()
        if isinstance(what, Handshake):
            shakes: Sequence[Handshake] = (what,)
        elif isinstance(what, Invocation):
            shakes, trace = what.handshakes, what.trace
        elif isinstance(what, Comparison):
            shakes = (what.left,) if what.same_connection else (what.left, what.right)
        else:
            shakes = self.handshakes()
        recorded = [shake.events for shake in shakes]
        return write(Path(path), recorded, trace, formats=FORMATS | dict(more_formats or {}))

    def close(self) -> None:
        """Stop workers and lab and forget every key."""
        for name in tuple(self._served):
            self.stop_serving(name)
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()
        self.stop_lab()
        dismiss()
        self._contexts.forget()
        self.store = CertificateStore()
        self.bindings = Bindings()

    def __repr__(self) -> str:
        return f"<Session with {len(self.store)} certificate(s) and {len(self.bindings)} binding(s)>"

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _handshakes_of(what: Handshake | Invocation) -> Sequence[Handshake]:
    """Return the handshakes of a run, or the handshake itself. Raises UsageError when there is none."""
    found = (what,) if isinstance(what, Handshake) else what.handshakes
    if not found:
        raise UsageError("There is no handshake to show.", "Run a %%worker cell that fetches something first.")
    return found


def _one_recorded(servers: Sequence[Handshake | None]) -> str:
    """Return which server's end alone was recorded, in words; "" when neither was."""
    recorded = [name for name, end in zip(("left", "right"), servers, strict=True) if end is not None]
    return f"Of the servers only the {recorded[0]} one's recording is here: --both-ends shows it." if recorded else ""


def _first_text(handshake: Handshake, kind: Kind) -> str:
    return next((str(event.data) for event in handshake.events if event.kind is kind), "")


def _port_of(handshake: Handshake) -> int:
    return int(handshake.via.rpartition(":")[2]) if handshake.via else handshake.port


def _read(path: str | Path) -> Sensitive:
    """Return a file's bytes. Raises UnreadableFile, naming what is there instead where something is."""
    file = Path(path).expanduser()
    try:
        with file.open("rb") as opened:
            data = Sensitive(opened.read(_LARGEST_FILE_BYTES + 1))  # a key, perhaps: no traceback shows it
    except OSError as error:
        raise UnreadableFile(f"{path} cannot be read: {error.strerror}.", _nearby(file)) from None
    if len(data) > _LARGEST_FILE_BYTES:
        raise UnreadableFile(f"{path} is larger than 1 MiB: no certificate is.", "Check the path.")
    return data


def _nearby(file: Path) -> str:
    there = sorted(
        one.name
        for one in file.parent.glob("*")
        if one.suffix in (".pem", ".crt", ".key", ".p12", ".pfx", ".toml", ".jsonc")
    )
    return f"In {file.parent}: {', '.join(there[:6])}" if there else "Check the path; %mtls_lab makes a pair to try."
