"""tshark as judge: what we export opens decrypted, and it finds every message and field where we do.

tshark is asked once for all connections. What it knows and we do not, or cannot read, stands in the
tables with the reason; whatever stands in none of them fails the test.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from mtls_notebook import Session
from mtls_notebook.errors import ConnectError
from mtls_notebook.recorder.events import Bytes, Event, Kind, Target
from mtls_notebook.recorder.export import write
from mtls_notebook.recorder.handshake import fold
from mtls_notebook.spans import Field
from mtls_notebook.tls.messages import Alert, Message
from tests.live import servers, tshark
from tests.live.material import Pki
from tests.live.servers import Server
from tests.live.tshark import Heard
from tests.unit.tls.captured import NAMES, decoded

Serve = Callable[..., Server]
Span = tuple[int, int]
HOST = "example.com"

# -- where both name a field -----------------------------------------------------------------------

# tshark's name → the ends of our paths. "*" stands for one name, "^" for the message itself, "body" for what
# follows a length.
FIELDS: dict[str, tuple[str, ...]] = {
    "tls.handshake.type": ("msg_type",),
    "tls.handshake.length": ("^.*.length",),
    "tls.handshake.version": ("legacy_version",),
    "tls.handshake.random": ("random",),
    "tls.handshake.session_id_length": ("legacy_session_id.length", "legacy_session_id_echo.length"),
    "tls.handshake.session_id": ("legacy_session_id.body", "legacy_session_id_echo.body"),
    "tls.handshake.cipher_suites_length": ("cipher_suites.length",),
    "tls.handshake.ciphersuites": ("cipher_suites.body",),
    "tls.handshake.ciphersuite": ("CipherSuite", "cipher_suite"),
    "tls.handshake.comp_methods_length": ("legacy_compression_methods.length",),
    "tls.handshake.comp_methods": ("legacy_compression_methods.body",),
    "tls.handshake.comp_method": ("CompressionMethod", "legacy_compression_method"),
    "tls.handshake.extensions_length": ("extensions.length",),
    "tls.handshake.extension.type": ("extension_type",),
    "tls.handshake.extension.len": ("extension.*.length",),
    "tls.handshake.extension.data": ("extension.session_ticket.ticket",),
    "tls.handshake.extensions_server_name_list_len": ("server_name_list.length",),
    "tls.handshake.extensions_server_name_type": ("name_type",),
    "tls.handshake.extensions_server_name_len": ("host_name.length",),
    "tls.handshake.extensions_server_name": ("host_name.body",),
    "tls.handshake.extensions_supported_groups_length": ("named_group_list.length",),
    "tls.handshake.extensions_supported_groups": ("named_group_list.body",),
    "tls.handshake.extensions_supported_group": ("NamedGroup",),
    "tls.handshake.extensions_ec_point_formats_length": ("ec_point_format_list.length",),
    "tls.handshake.extensions_ec_point_formats": ("ec_point_format_list.body",),
    "tls.handshake.extensions_ec_point_format": ("ECPointFormat",),
    "tls.handshake.extensions_alpn_len": ("protocol_name_list.length",),
    "tls.handshake.extensions_alpn_list": ("protocol_name_list.body",),
    "tls.handshake.extensions_alpn_str_len": ("ProtocolName.length",),
    "tls.handshake.extensions_alpn_str": ("ProtocolName.body",),
    "tls.handshake.extensions_reneg_info_len": ("renegotiated_connection.length",),
    "tls.handshake.extensions_reneg_info": ("renegotiated_connection.body",),
    "tls.handshake.extensions_key_share_client_length": ("client_shares.length",),
    "tls.handshake.extensions_key_share_group": ("KeyShareEntry.group", "server_share.group"),
    "tls.handshake.extensions_key_share_key_exchange_length": ("key_exchange.length",),
    "tls.handshake.extensions_key_share_key_exchange": ("key_exchange.body",),
    "tls.handshake.extensions_key_share_selected_group": ("selected_group",),
    "tls.handshake.extensions.supported_versions_len": ("versions.length",),
    "tls.handshake.extensions.supported_version": ("ProtocolVersion", "selected_version"),
    "tls.handshake.extensions.psk.identities.length": ("identities.length",),
    "tls.handshake.extensions.psk.identity.identity_length": ("identity.length",),
    "tls.handshake.extensions.psk.identity.identity": ("identity.body",),
    "tls.handshake.extensions.psk.identity.obfuscated_ticket_age": ("obfuscated_ticket_age",),
    "tls.handshake.extensions.psk.identity.selected": ("selected_identity",),
    "tls.handshake.extensions.psk.binders_len": ("binders.length",),
    "tls.handshake.extensions.psk.binders": ("binders.body",),
    "tls.extension.psk_ke_modes_length": ("ke_modes.length",),
    "tls.extension.psk_ke_mode": ("PskKeyExchangeMode",),
    "tls.handshake.extensions_padding_data": ("padding.padding",),
    "tls.handshake.extensions_status_request_type": ("status_type",),
    "tls.handshake.extensions_status_request_responder_ids_len": ("responder_id_list.length",),
    "tls.handshake.extensions_status_request_exts_len": ("request_extensions.length",),
    "tls.handshake.ocsp_response_len": ("CertificateStatus.response.length",),
    "tls.handshake.sig_hash_alg_len": ("supported_signature_algorithms.length",),
    "tls.handshake.sig_hash_algs": ("supported_signature_algorithms.body",),
    "tls.handshake.sig_hash_alg": (
        "SignatureScheme",
        "SignatureAndHashAlgorithm",
        "CertificateVerify.algorithm",
        "ServerKeyExchange.algorithm",
    ),
    "tls.handshake.certificate_request_context_length": ("certificate_request_context.length",),
    "tls.handshake.certificate_request_context": ("certificate_request_context.body",),
    "tls.handshake.certificates_length": ("certificate_list.length",),
    "tls.handshake.certificates": ("certificate_list.body",),
    "tls.handshake.certificate_length": ("ASN1Cert.length", "cert_data.length"),
    "tls.handshake.certificate": ("ASN1Cert.body", "cert_data.body"),
    "tls.handshake.cert_types_count": ("certificate_types.length",),
    "tls.handshake.cert_types": ("certificate_types.body",),
    "tls.handshake.cert_type": ("ClientCertificateType",),
    "tls.handshake.dnames_len": ("CertificateRequest.certificate_authorities.length", "authorities.length"),
    "tls.handshake.dnames": ("CertificateRequest.certificate_authorities.body", "authorities.body"),
    "tls.handshake.dname_len": ("DistinguishedName.length",),
    "tls.handshake.dname": ("RDNSequence.body",),
    "tls.handshake.client_cert_vrfy.sig_len": ("CertificateVerify.signature.length",),
    "tls.handshake.client_cert_vrfy.sig": ("CertificateVerify.signature.body",),
    "tls.handshake.verify_data": ("verify_data",),
    "tls.handshake.session_ticket_lifetime_hint": ("ticket_lifetime", "ticket_lifetime_hint"),
    "tls.handshake.session_ticket_age_add": ("ticket_age_add",),
    "tls.handshake.session_ticket_nonce_length": ("ticket_nonce.length",),
    "tls.handshake.session_ticket_nonce": ("ticket_nonce.body",),
    "tls.handshake.session_ticket_length": ("NewSessionTicket.ticket.length",),
    "tls.handshake.session_ticket": ("NewSessionTicket.ticket.body",),
    "tls.handshake.server_curve_type": ("curve_type",),
    "tls.handshake.server_named_curve": ("namedcurve",),
    "tls.handshake.server_point_len": ("ServerKeyExchange.public.length",),
    "tls.handshake.server_point": ("ServerKeyExchange.public.body",),
    "tls.handshake.p_len": ("dh_p.length",),
    "tls.handshake.p": ("dh_p.body",),
    "tls.handshake.g_len": ("dh_g.length",),
    "tls.handshake.g": ("dh_g.body",),
    "tls.handshake.ys_len": ("dh_Ys.length",),
    "tls.handshake.ys": ("dh_Ys.body",),
    "tls.handshake.sig_len": ("ServerKeyExchange.signature.length",),
    "tls.handshake.sig": ("ServerKeyExchange.signature.body",),
    "tls.handshake.hint_len": ("psk_identity_hint.length",),
    "tls.handshake.hint": ("psk_identity_hint.body",),
    "tls.handshake.identity_len": ("psk_identity.length",),
    "tls.handshake.identity": ("psk_identity.body",),
    "tls.handshake.client_point_len": ("ecdh_Yc.length",),
    "tls.handshake.client_point": ("ecdh_Yc.body",),
    "tls.handshake.yc_len": ("dh_Yc.length",),
    "tls.handshake.yc": ("dh_Yc.body",),
    "tls.handshake.epms_len": ("encrypted_pre_master_secret.length",),
    "tls.handshake.epms": ("encrypted_pre_master_secret.body",),
    "x509if.oid": ("type.identifier",),
    "x509sat.DirectoryString": ("AttributeTypeAndValue.value",),
}

# tshark's name → why nothing of ours answers to it.
NOT_OURS: dict[str, str] = {
    "tls.handshake.random_time": "a clock in the random: RFC 8446 §4.1.2 has 32 random bytes and no parts",
    "tls.handshake.random_bytes": "as random_time",
    "tls.handshake.sig_hash_hash": "half of a SignatureScheme, which is one number since RFC 8446 §4.2.3",
    "tls.handshake.sig_hash_sig": "as sig_hash_hash",
}

# (capture, message) → why tshark 4.0 shows less of it than we do.
READS_LESS: dict[tuple[str, str], str] = {
    ("tls12-dhe-psk", "ServerKeyExchange"): "it has no reader for RFC 4279's DHE_PSK and shows type and length only",
    ("tls12-dhe-psk", "ClientKeyExchange"): "as ServerKeyExchange",
    (
        "tls12-ecdhe-psk",
        "ServerKeyExchange",
    ): "it has no reader for RFC 5489's ECDHE_PSK and shows type and length only",
    ("tls12-ecdhe-psk", "ClientKeyExchange"): "as ServerKeyExchange",
}

# Inside these our decoder keeps DER whole (`pki` reads it), so tshark's ASN.1 has no counterpart.
DER_KEPT = ("Certificate", "CertificateStatus")
LIVE_FIELDS, LIVE_NAMES, CAPTURED_FIELDS = 8_000, 70, 3_000
"""The least that must have been compared."""
COMPARED = ("tls.", "x509if.oid", "x509sat.DirectoryString")


def named_spans(message: Message) -> Iterator[tuple[list[str], Span]]:
    """Yield the path and the span of every field of a message, and of what follows a length, called "body"."""
    waiting: list[tuple[list[str], Field]] = [(["^", message.kind], message.field)]
    while waiting:
        path, field = waiting.pop()
        yield path, field.span
        lengths = [child.span[1] for child in field.children[:2] if child.name == "length"]
        if lengths and lengths[0] < field.span[1] and field is not message.field:
            yield [*path, "body"], (lengths[0], field.span[1])
        for child in field.children:
            waiting.append(([*path, child.name.replace(".", "")], child))


# The last name of an end → (tshark's name, the whole end).
ENDS: dict[str, list[tuple[str, list[str]]]] = defaultdict(list)
for _name, _ends in FIELDS.items():
    for _end in _ends:
        ENDS[_end.rpartition(".")[2]].append((_name, _end.split(".")))


def ends_with(path: Sequence[str], end: Sequence[str]) -> bool:
    """Return whether the last names of `path` are those of `end`."""
    last = path[-len(end) :]
    return len(last) == len(end) and all(want in ("*", name) for want, name in zip(end, last, strict=True))


def ours(message: Message) -> dict[str, list[Span]]:
    """Return where we find what tshark calls so: tshark's name → spans."""
    found: dict[str, list[Span]] = defaultdict(list)
    for path, span in named_spans(message):
        for name, end in ENDS[path[-1]]:
            if ends_with(path, end):
                found[name].append(span)
    return {name: sorted(spans) for name, spans in found.items()}


def theirs(heard: Heard, message: Message) -> dict[str, list[Span]]:
    """Return tshark's fields by name, its bytes checked; a field that covers no byte is a remark of its own."""
    found: dict[str, list[Span]] = defaultdict(list)
    for piece in heard.pieces:
        in_der = message.kind in DER_KEPT and piece.name.startswith("x509")
        if not piece.length or not piece.name.startswith(COMPARED) or piece.name in NOT_OURS or in_der:
            continue
        span = piece.offset, piece.offset + piece.length
        assert piece.value in ("", message.raw[slice(*span)].hex()), (message.kind, piece.name)
        found[piece.name].append(span)
    return {name: sorted(places) for name, places in found.items()}


# -- real connections ------------------------------------------------------------------------------

Row = tuple[str, str, int, int]


@dataclass(frozen=True, slots=True)
class Case:
    """One connection to be made: to which server, presenting which client certificate."""

    label: str
    start: Callable[[Serve], Server]
    client: str | None
    path: str = "/"
    trusted: bool = True


def _case(kind: str, version: str, client: str | None, path: str = "/", trusted: bool = True, **options: str) -> Case:
    factory = getattr(servers, kind)
    label = f"{kind} {version} {client if trusted else 'untrusted'} {path}"
    return Case(label, lambda serve: serve(factory, version=version, **options), client, path, trusted)


VERSIONS = ("1.2", "1.3")
REQUIRING = {"nginx": "on", "s_server": "on", "apache": "require"}
CASES = (
    *(_case(k, v, c, verify=how) for k, how in REQUIRING.items() for v in VERSIONS for c in ("good", None, "expired")),
    *(_case("s_server", v, key, verify="on") for v in VERSIONS for key in ("rsa", "ed25519", "other-ca")),
    *(_case("nginx", v, None, trusted=False, verify="on") for v in VERSIONS),
    *(_case("apache", v, "good", "/private/", verify="location") for v in VERSIONS),
)
LAB_ORIGINS = ("required", "tls12", "tls13", "optional", "none", "untrusted", "expired", "http-required", "other-ca")


@dataclass(frozen=True, slots=True)
class Judged:
    """One connection: its events, and the messages that tshark heard on it."""

    label: str
    events: tuple[Event, ...]
    heard: tuple[Heard, ...]


def _made(session: Session, client: str | None, url: str) -> tuple[Event, ...]:
    with session.client(client) as http, suppress(ConnectError):  # how a refusal looks is what is asked here
        http.get(url)
    return session.recording.events(session.recording.connections()[-1])


def _from_servers(serve: Serve, pki: Pki) -> Iterator[tuple[str, tuple[Event, ...]]]:
    with Session() as trusting, Session() as doubting:
        trusting.trust_authority(pki.ca)
        for name, pair in pki.clients.items():
            trusting.upload(pair.cert, pair.key, name=name)
            trusting.bind([f"{_binding(name)}={name}"])
        for case in CASES:
            server = case.start(serve)
            session = trusting if case.trusted else doubting
            session.connect_to(HOST, 443, (server.host, server.port))
            client = _binding(case.client) if case.client else None
            yield case.label, _made(session, client, f"https://{HOST}{case.path}")


def _binding(client: str) -> str:
    return client.upper().replace("-", "_")


def _from_lab(directory: Path) -> Iterator[tuple[str, tuple[Event, ...]]]:
    with Session() as session:
        lab = session.start_lab(directory, origins=LAB_ORIGINS)
        session.upload(directory / "cert.pem", directory / "key.pem", name="lab")
        session.bind(LAB="lab")
        for host, _ in sorted(lab.connect_to):
            for client in ("LAB", None):
                yield f"lab {host} {client}", _made(session, client, f"https://{host}/")


@pytest.fixture(scope="module")
def judged(serve: Serve, pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    """Every case once, exported to one file that holds its own secrets, read by tshark without options."""
    folder = tmp_path_factory.mktemp("tshark")
    made = [*_from_servers(serve, pki), *_from_lab(folder / "mtls-lab")]
    return _judge(folder, [label for label, _ in made], [events for _, events in made])


def _judge(folder: Path, labels: Sequence[str], connections: Sequence[Sequence[Event]]) -> list[Judged]:
    """Return what tshark, asked once and without options, hears in an export of the connections."""
    write(folder / "all.pcapng", connections)
    heard: dict[int, list[Heard]] = defaultdict(list)
    try:
        for message in tshark.messages(folder / "all.pcapng", folder):
            heard[message.port].append(message)
    except servers.NotInstalled as error:
        pytest.skip(f"{error}: there is no judge")
    rows = zip(labels, connections, sorted(heard), strict=True)
    return [Judged(label, tuple(events), tuple(heard[port])) for label, events, port in rows]


def recorded(one: Judged) -> list[Message]:
    return [a.message for a in fold(one.events).arrows if isinstance(a.message, Message)]


def our_row(message: Message) -> Row:
    """Return (layer, sender, type, length), with an alert's level and description in the last two places."""
    if isinstance(message.value, Alert):
        return "alert", message.sender, message.value.level, message.value.description
    if message.kind == "ChangeCipherSpec":
        return "change-cipher-spec", message.sender, 0, 0
    return "handshake", message.sender, message.raw[0], len(message.raw) - 4


NUMBERS = {
    "handshake": ("tls.handshake.type", "tls.handshake.length"),
    "alert": ("tls.alert_message.level", "tls.alert_message.desc"),
}


def their_row(heard: Heard) -> Row:
    first, second = (heard.number(name) for name in NUMBERS[heard.layer]) if heard.layer in NUMBERS else (0, 0)
    return heard.layer, heard.sender, first, second


CLOSE_NOTIFY = (("alert", "client", 1, 0), ("alert", "server", 1, 0))

# Connection → the messages that tshark 4.0 cannot decrypt, and why.
MISSED: dict[str, tuple[list[Row], str]] = {
    "apache 1.3 good /private/": (
        [CLOSE_NOTIFY[0]],
        "it takes the Finished of a post-handshake authentication for the handshake's own, and starts the client's "
        "keys and record numbers anew; what the client sends later stays closed to it",
    ),
}


def said(rows: Sequence[Row]) -> list[Row]:
    """Return the rows without the goodbyes: a goodbye that came with the response is read after ours was sent."""
    return [row for row in rows if row not in CLOSE_NOTIFY]


def parting(rows: Sequence[Row]) -> list[Row]:
    return sorted(row for row in rows if row in CLOSE_NOTIFY)


def by_sender(one: Judged) -> Iterator[tuple[Message, Heard]]:
    """Yield each handshake message with what tshark heard of it; both keep each sender's order."""
    for sender in ("client", "server"):
        ours_ = [m for m in recorded(one) if m.sender == sender and our_row(m)[0] == "handshake"]
        heard = [h for h in one.heard if h.sender == sender and h.layer == "handshake"]
        assert len(heard) >= len(ours_), one.label
        yield from zip(ours_, heard, strict=False)  # tshark also sees what we left unread when we refused


def test_an_exported_file_opens_decrypted_to_the_messages_that_we_recorded(judged: list[Judged]) -> None:
    for one in judged:
        if fold(one.events).outcome != "refused-by-client":
            assert said(list(map(their_row, one.heard))) == said(list(map(our_row, recorded(one)))), one.label


def test_when_we_refuse_the_rest_of_the_server_s_flight_is_in_the_file_before_our_alert(judged: list[Judged]) -> None:
    refusals = [one for one in judged if fold(one.events).outcome == "refused-by-client"]
    assert len(refusals) >= 4
    for one in refusals:
        *read, alert = map(our_row, recorded(one))
        *heard, last = map(their_row, one.heard)
        assert (heard[: len(read)], last, alert[:2]) == (read, alert, ("alert", "client")), one.label
        assert {row[1] for row in heard[len(read) :]} <= {"server"}, one.label


def test_each_side_s_goodbye_is_in_the_file(judged: list[Judged]) -> None:
    for one in judged:
        missed = MISSED.get(one.label, ([], ""))[0]
        assert sorted(parting(list(map(their_row, one.heard))) + missed) == parting(
            list(map(our_row, recorded(one)))
        ), one.label
    assert set(MISSED) <= {one.label for one in judged}


def test_tshark_finds_every_field_of_real_connections_where_we_find_it(judged: list[Judged]) -> None:
    compared: Counter[str] = Counter()
    for one in judged:
        for message, heard in by_sender(one):
            found = theirs(heard, message)
            assert found == ours(message), (one.label, message.kind)
            compared.update({name: len(spans) for name, spans in found.items()})
    assert compared.total() > LIVE_FIELDS and len(compared) > LIVE_NAMES, compared


def test_tshark_finds_every_field_of_the_captures_where_we_find_it(tmp_path: Path) -> None:
    told = [[m for m in decoded(name) if m.kind not in ("Alert", "ChangeCipherSpec")] for name in NAMES]
    connections = [_in_the_clear(number, messages) for number, messages in enumerate(told)]
    compared: Counter[str] = Counter()
    for one, messages in zip(_judge(tmp_path, NAMES, connections), told, strict=True):
        for message, heard in zip(messages, one.heard, strict=True):
            found, mine = theirs(heard, message), ours(message)
            if (one.label, message.kind) in READS_LESS:
                mine = {name: mine[name] for name in found}
            assert found == mine, (one.label, message.kind)
            compared.update({name: len(spans) for name, spans in found.items()})
    assert set(compared) == set(FIELDS), "a row that nothing tests is no row"
    assert compared.total() > CAPTURED_FIELDS


def _in_the_clear(number: int, messages: Sequence[Message]) -> list[Event]:
    """Return a connection on which the decrypted messages cross unencrypted, one record each."""
    began = [(Kind.CONNECTING, Target(HOST, 443)), (Kind.CONNECTED, "127.0.0.1:443"), (Kind.TLS_STARTED, HOST)]
    sent = [(Kind.WIRE, Bytes.of(m.sender, b"\x16\x03\x03" + len(m.raw).to_bytes(2, "big") + m.raw)) for m in messages]
    return [Event(at, number, kind, data) for at, (kind, data) in enumerate([*began, *sent])]


def test_without_its_secrets_the_file_shows_what_an_onlooker_can_read(judged: list[Judged], tmp_path: Path) -> None:
    public = [[e for e in one.events if e.kind is not Kind.SECRET] for one in judged]
    for one in _judge(tmp_path, [one.label for one in judged], public):
        shake = fold(one.events)
        if shake.outcome == "refused-by-client":
            continue  # the rest of the server's flight, which we left unread, may be readable too
        # ChangeCipherSpec is left out: in a renegotiation its record's type is readable, its byte is not.
        readable = [a.message for a in shake.arrows if isinstance(a.message, Message) and not a.encrypted]
        heard = [h for h in one.heard if h.layer in NUMBERS and h.has(NUMBERS[h.layer][0])]
        assert list(map(their_row, heard)) == [row for row in map(our_row, readable) if row[0] in NUMBERS], one.label


def test_a_port_that_belongs_to_another_protocol_does_not_hide_the_handshake(
    judged: list[Judged], tmp_path: Path
) -> None:
    one = next(one for one in judged if fold(one.events).outcome == "mutual")
    moved = [replace(e, data="127.0.0.1:5432") if e.kind is Kind.CONNECTED else e for e in one.events]  # PostgreSQL's
    [other] = _judge(tmp_path, [one.label], [moved])
    assert list(map(their_row, other.heard)) == list(map(their_row, one.heard))


def test_the_connections_hold_every_kind_of_ending(judged: list[Judged]) -> None:
    endings = Counter((fold(one.events).version, fold(one.events).outcome) for one in judged)
    wanted = {(v, o) for v in ("TLS 1.2", "TLS 1.3") for o in ("mutual", "server-only", "refused-by-server")}
    assert wanted | {(v, "refused-by-client") for v in ("TLS 1.2", "TLS 1.3")} <= set(endings)


def test_every_recorded_message_was_decoded(judged: list[Judged]) -> None:
    for one in judged:
        assert [a.name for a in fold(one.events).arrows if a.message and not isinstance(a.message, Message)] == []
