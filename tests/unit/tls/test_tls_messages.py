"""What captured handshakes say, message by message, checked against other readers of the same bytes."""

from __future__ import annotations

import hashlib
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from captured import (
    FORGED,
    NAMES,
    capture,
    certificate,
    certificate_request,
    client_hello,
    decoded,
    encrypted_extensions,
    extension,
    message,
    only,
    server_hello,
    tls12,
    u16,
    vec,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.x509.ocsp import load_der_ocsp_response

from mtls_notebook.errors import DecodeError
from mtls_notebook.tls import names
from mtls_notebook.tls.extensions import find
from mtls_notebook.tls.messages import (
    MESSAGES,
    Alert,
    CertificateRequest,
    CertificateVerify,
    ClientHello,
    ClientKeyExchange,
    CompressedCertificate,
    Context,
    HelloRetryRequest,
    Message,
    NewSessionTicket,
    ServerHello,
    ServerKeyExchange,
    Undecoded,
    acceptable_parties,
    certificate_chain,
    decode,
    decode_alert,
    decode_or_keep,
    next_context,
    summary,
)

HELLOS = "ClientHello ServerHello"
FULL_12 = f"{HELLOS} Certificate ServerKeyExchange ServerHelloDone ClientKeyExchange ChangeCipherSpec Finished"
BYE = "Alert Alert"
SERVER_13 = "EncryptedExtensions Certificate CertificateVerify Finished"
ASKING_13 = "EncryptedExtensions CertificateRequest Certificate CertificateVerify Finished"
TICKETS = "NewSessionTicket NewSessionTicket"
ASKED_12 = "Certificate ServerKeyExchange CertificateRequest ServerHelloDone Certificate ClientKeyExchange"
PSK_12 = f"{HELLOS} ServerKeyExchange ServerHelloDone ClientKeyExchange NewSessionTicket"

EXPECTED: dict[str, str] = {
    "tls13": f"{HELLOS} {SERVER_13} ChangeCipherSpec Finished {TICKETS} {BYE}",
    "tls13-mtls": f"{HELLOS} {ASKING_13} ChangeCipherSpec Certificate CertificateVerify Finished {TICKETS} {BYE}",
    "tls13-retry": f"ClientHello HelloRetryRequest ChangeCipherSpec {HELLOS} {SERVER_13} Finished {TICKETS} {BYE}",
    "tls13-refused": f"{HELLOS} {ASKING_13} ChangeCipherSpec Certificate Finished Alert",
    "tls13-empty-certificate": f"{HELLOS} {ASKING_13} ChangeCipherSpec Certificate Finished {TICKETS} {BYE}",
    "tls13-resumption": f"{HELLOS} EncryptedExtensions Finished ChangeCipherSpec Finished NewSessionTicket {BYE}",
    "tls13-post-handshake": (
        f"{HELLOS} {SERVER_13} ChangeCipherSpec Finished {TICKETS} "
        f"CertificateRequest Certificate CertificateVerify Finished {TICKETS} {BYE}"
    ),
    "tls13-hybrid": HELLOS,
    "tls12": f"{FULL_12} NewSessionTicket Finished {BYE}",
    "tls12-mtls": f"{HELLOS} {ASKED_12} CertificateVerify ChangeCipherSpec Finished NewSessionTicket Finished {BYE}",
    "tls12-refused": f"{HELLOS} {ASKED_12} ChangeCipherSpec Finished Alert",
    "tls12-dhe": f"{FULL_12} NewSessionTicket Finished {BYE}",
    "tls12-rsa": f"{FULL_12} NewSessionTicket Finished {BYE}".replace("ServerKeyExchange ", ""),
    "tls12-resumption": f"{HELLOS} Finished ChangeCipherSpec Finished {BYE}",
    "tls12-renegotiation": (
        f"{FULL_12} NewSessionTicket Finished HelloRequest "
        f"{HELLOS} {ASKED_12} CertificateVerify ChangeCipherSpec Finished Finished {BYE}"
    ),
    "tls12-psk": PSK_12,
    "tls12-dhe-psk": PSK_12,
    "tls12-ecdhe-psk": PSK_12,
    "tls12-ocsp": (
        f"{HELLOS} Certificate CertificateStatus ServerKeyExchange ServerHelloDone ClientKeyExchange NewSessionTicket"
    ),
}
"""The server's ChangeCipherSpec is missing throughout: the callback does not report one that is received."""


def test_every_capture_has_its_expected_messages() -> None:
    assert {name: " ".join(m.kind for m in decoded(name)) for name in NAMES} == EXPECTED


def test_the_captures_hold_every_kind_that_openssl_can_be_made_to_send() -> None:
    seen = {m.kind for name in NAMES for m in decoded(name)}
    assert {kind for kind, _ in MESSAGES.values()} - seen == {
        "CompressedCertificate",
        "EndOfEarlyData",
        "KeyUpdate",
        "message_hash",
    }


def test_a_message_keeps_its_sender_and_its_bytes() -> None:
    recorded = capture("tls13-mtls")["messages"]
    assert [(m.sender, m.raw.hex()) for m in decoded("tls13-mtls")] == [(m["sender"], m["hex"]) for m in recorded]


def test_a_root_starts_with_type_and_length_and_is_named_after_its_kind() -> None:
    for name in NAMES:
        for found in decoded(name):
            assert found.field.name == found.kind
            if found.kind not in ("Alert", "ChangeCipherSpec"):
                assert [child.name for child in found.field.children[:2]] == ["msg_type", "length"]


# Hellos


def test_a_client_hello_holds_what_the_client_was_told_to_offer() -> None:
    hello = only("tls13", "ClientHello").value
    assert isinstance(hello, ClientHello)
    assert hello.legacy_version == 0x0303
    assert hello.cipher_suites[0] == 0x1302
    values = {e.name: e.value for e in hello.extensions}
    assert [name.name for name in values["server_name"]] == ["origin.example"]
    assert values["application_layer_protocol_negotiation"] == ("http/1.1",)
    assert values["supported_versions"] == (0x0304, 0x0303)
    assert values["psk_key_exchange_modes"] == (1,)
    assert [share.group for share in values["key_share"]] == [29]
    assert values["encrypt_then_mac"] is None


def test_a_server_hello_settles_version_and_key_exchange() -> None:
    contexts = {name: next_context(Context(), only(name, "ServerHello")) for name in NAMES}
    assert contexts["tls13"] == Context(0x0304, "")
    assert contexts["tls12"] == Context(0x0303, "ECDHE")
    assert contexts["tls12-dhe"] == Context(0x0303, "DHE")
    assert contexts["tls12-rsa"] == Context(0x0303, "RSA")
    assert contexts["tls12-psk"] == Context(0x0303, "PSK")


def test_other_messages_leave_the_context_alone() -> None:
    before = tls12("DHE")
    assert next_context(before, only("tls12-dhe", "Certificate")) is before
    assert next_context(before, decode_or_keep(b"", "server")) is before


def test_a_hello_retry_request_is_told_from_a_server_hello_and_names_the_group() -> None:
    retry = only("tls13-retry", "HelloRetryRequest").value
    assert type(retry) is HelloRetryRequest
    assert type(only("tls13-retry", "ServerHello").value) is ServerHello
    share = find(retry.extensions, 51)
    assert share is not None
    assert share.value == 24


def test_a_downgraded_server_hello_says_so() -> None:
    fields = {f.name: f for f in only("tls12", "ServerHello").field.children}
    assert fields["random"].meaning == ""  # s_server was told not to speak TLS 1.3 at all
    random = bytes(24) + b"DOWNGRD\1"
    raw = message(2, b"\3\3", random, b"\0\xc0\x2b\0")
    fields = {f.name: f for f in decode(raw, "server").field.children}
    assert "TLS 1.3" in fields["random"].meaning


def test_a_hybrid_share_is_split_into_its_parts_on_both_sides() -> None:
    def parts(kind: str) -> list[list[tuple[str, int]]]:
        def walk(field):
            if field.name == "key_exchange":
                yield [(f.name, f.span[1] - f.span[0]) for f in field.children[1:]]
            for child in field.children:
                yield from walk(child)

        return list(walk(only("tls13-hybrid", kind).field))

    assert parts("ClientHello")[0] == [("encapsulation_key", 1184), ("x25519_public_key", 32)]
    assert parts("ServerHello") == [[("ciphertext", 1088), ("x25519_public_key", 32)]]


def test_a_resumption_offers_a_ticket_with_a_binder_and_the_server_takes_it() -> None:
    offer = find(only("tls13-resumption", "ClientHello").value.extensions, 41)
    assert [len(binder) for binder in offer.value.binders] == [48]
    assert len(offer.value.identities) == 1
    answer = find(only("tls13-resumption", "ServerHello").value.extensions, 41)
    assert answer.value == 0


def test_a_renegotiation_repeats_the_finished_of_the_handshake_before() -> None:
    messages = decoded("tls12-renegotiation")
    second = [m for m in messages if m.kind == "ClientHello"][1]
    finished = next(m for m in messages if m.kind == "Finished" and m.sender == "client")
    assert find(second.value.extensions, 0xFF01).value == finished.value.verify_data


# Certificates and proofs


@pytest.mark.parametrize("name", ["tls13-mtls", "tls12-mtls"])
def test_both_chains_are_certificates_with_the_leaf_first(name: str) -> None:
    subjects = {}
    for found in decoded(name):
        chain = certificate_chain(found)
        if chain is not None:
            leaf = x509.load_der_x509_certificate(chain[0])
            subjects[found.sender] = leaf.subject.rfc4514_string()
            for der in chain[1:]:
                assert x509.load_der_x509_certificate(der).subject == leaf.issuer
    assert subjects == {
        "server": "CN=origin.example,O=Example Ltd",
        "client": "CN=client\\, one \\+ only,O=Example Ltd",
    }


@pytest.mark.parametrize("name", ["tls13-refused", "tls13-empty-certificate", "tls12-refused"])
def test_a_client_without_a_certificate_sends_an_empty_one(name: str) -> None:
    assert certificate_chain(only(name, "Certificate", "client")) == ()


@pytest.mark.parametrize("name", ["tls13-mtls", "tls12-mtls", "tls13-post-handshake", "tls12-renegotiation"])
def test_a_request_names_the_ca_and_the_same_algorithms_in_both_versions(name: str) -> None:
    request = only(name, "CertificateRequest")
    assert isinstance(request.value, CertificateRequest)
    assert acceptable_parties(request) == ("CN=Capture CA,O=Example Ltd",)
    assert 0x0403 in request.value.signature_algorithms
    ca = x509.load_der_x509_certificate(certificate_chain(only(name, "Certificate", "client"))[1])
    assert request.value.certificate_authorities == (ca.subject.public_bytes(),)


def test_what_a_version_lacks_in_a_request_stays_empty() -> None:
    of_12, of_13 = (only(name, "CertificateRequest").value for name in ("tls12-mtls", "tls13-mtls"))
    assert (of_12.certificate_request_context, of_12.extensions) == (None, ())
    assert 64 in of_12.certificate_types
    assert (of_13.certificate_request_context, of_13.certificate_types) == (b"", ())


def test_a_later_request_carries_a_context_that_the_client_repeats() -> None:
    request = only("tls13-post-handshake", "CertificateRequest").value
    answer = only("tls13-post-handshake", "Certificate", "client").value
    assert len(request.certificate_request_context) > 0
    assert answer.certificate_request_context == request.certificate_request_context


@pytest.mark.parametrize(
    ("raw", "context", "parties"),
    [
        (certificate_request(extension(13, vec(2, u16(0x0403)))), Context(), None),
        (certificate_request(extension(47, vec(2))), Context(), ()),
        (message(13, vec(1, b"\1"), vec(2, u16(0x0403)), vec(2)), tls12("ECDHE"), ()),
        (certificate(), Context(), None),
    ],
    ids=["TLS 1.3 without the extension", "TLS 1.3, empty", "TLS 1.2, empty", "no request"],
)
def test_no_list_and_an_empty_list_of_parties_are_told_apart(raw, context, parties) -> None:
    assert acceptable_parties(decode(raw, "server", context)) == parties


def test_an_undecoded_message_has_no_parties_and_no_chain() -> None:
    kept = decode_or_keep(b"\x0d\0\0\1\0", "server")
    assert isinstance(kept, Undecoded)
    assert acceptable_parties(kept) is None
    assert certificate_chain(kept) is None


def public_key(name: str, sender: str):
    return x509.load_der_x509_certificate(certificate_chain(only(name, "Certificate", sender))[0]).public_key()


@pytest.mark.parametrize("sender", ["server", "client"])
def test_a_tls13_proof_verifies_over_the_messages_before_it(sender: str) -> None:
    transcript = b""
    for found in decoded("tls13-mtls"):
        if found.kind == "CertificateVerify" and found.sender == sender:
            label = f"TLS 1.3, {sender} CertificateVerify".encode()
            signed = b" " * 64 + label + b"\0" + hashlib.sha384(transcript).digest()
            assert isinstance(found.value, CertificateVerify)
            assert names.SIGNATURE_SCHEMES[found.value.algorithm] == "ecdsa_secp256r1_sha256"
            public_key("tls13-mtls", sender).verify(found.value.signature, signed, ec.ECDSA(hashes.SHA256()))
            return
        if found.kind != "ChangeCipherSpec":
            transcript += found.raw
    raise AssertionError("no CertificateVerify")


def test_a_tls12_proof_verifies_over_the_messages_before_it() -> None:
    transcript = b""
    for found in decoded("tls12-mtls"):
        if found.kind == "CertificateVerify":
            public_key("tls12-mtls", "client").verify(found.value.signature, transcript, ec.ECDSA(hashes.SHA256()))
            return
        transcript += found.raw
    raise AssertionError("no CertificateVerify")


@pytest.mark.parametrize("name", ["tls12", "tls12-dhe", "tls12-ocsp"])
def test_the_parameters_of_a_server_key_exchange_are_what_was_signed(name: str) -> None:
    exchange = only(name, "ServerKeyExchange").value
    assert isinstance(exchange, ServerKeyExchange)
    signed = only(name, "ClientHello").value.random + only(name, "ServerHello").value.random + exchange.params
    key = public_key(name, "server")
    if isinstance(key, ec.EllipticCurvePublicKey):
        key.verify(exchange.signature, signed, ec.ECDSA(hashes.SHA256()))
    else:
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), hashes.SHA256().digest_size)
        key.verify(exchange.signature, signed, pss, hashes.SHA256())


def test_a_stapled_answer_is_an_ocsp_response() -> None:
    status = only("tls12-ocsp", "CertificateStatus").value
    (answer,) = (load_der_ocsp_response(der) for der in status.responses)
    assert answer.certificate_status.name == "GOOD"


# Key exchanges of TLS 1.2


def test_shared_key_exchanges_carry_hint_and_identity() -> None:
    for name in ("tls12-psk", "tls12-dhe-psk", "tls12-ecdhe-psk"):
        assert only(name, "ServerKeyExchange").value.psk_identity_hint == b"who are you?"
        assert only(name, "ClientKeyExchange").value.psk_identity == b"alice"


def test_each_key_exchange_fills_its_own_fields() -> None:
    rsa = only("tls12-rsa", "ClientKeyExchange").value
    assert (rsa.key_exchange, len(rsa.encrypted_pre_master_secret), rsa.public) == ("RSA", 256, b"")
    dhe = only("tls12-dhe", "ServerKeyExchange").value
    assert (len(dhe.dh_p), dhe.dh_g, dhe.group) == (256, b"\2", None)
    ecdhe = only("tls12", "ServerKeyExchange").value
    assert (ecdhe.group, len(ecdhe.public)) == (29, 32)


def test_an_unknown_key_exchange_keeps_its_bytes() -> None:
    exchange = decode(message(16, b"any"), "client", tls12("GOST")).value
    assert exchange == ClientKeyExchange("GOST", exchange_keys=b"any")


# Compression


def compressed(body: bytes, length: int) -> bytes:
    return message(25, u16(1), length.to_bytes(3, "big"), vec(3, body))


def test_a_zlib_certificate_is_inflated_and_decoded() -> None:
    sample = next(s for s in FORGED if s.name == "CompressedCertificate")
    found = decode(sample.raw, "server")
    assert isinstance(found.value, CompressedCertificate)
    assert found.value.certificate == decode(certificate(), "server").value
    assert certificate_chain(found) == (b"certificate",)


def test_a_certificate_in_brotli_keeps_its_bytes() -> None:
    found = decode(message(25, u16(2), b"\0\1\0", vec(3, b"brotli")), "server")
    assert (found.value.compressed, found.value.certificate, certificate_chain(found)) == (b"brotli", None, None)


@pytest.mark.parametrize("length", [0, 17, 19, 1 << 17])
def test_a_certificate_that_inflates_to_another_length_is_refused(length: int) -> None:
    with pytest.raises(DecodeError, match="compressed_certificate_message at byte 12: does not inflate"):
        decode(compressed(zlib.compress(bytes(18)), length), "server")


def test_an_error_in_an_inflated_certificate_is_placed_at_the_compressed_bytes() -> None:
    body = b"\0" + vec(3, bytes(5000))
    with pytest.raises(DecodeError, match="inflates to a body that does not decode") as caught:
        decode(compressed(zlib.compress(body), len(body)), "server")
    assert caught.value.offset == 12


def test_a_zip_bomb_is_not_inflated_past_its_declared_length() -> None:
    raw = compressed(zlib.compress(bytes(50_000_000), 9), 1000)
    tracemalloc.start()
    try:
        with pytest.raises(DecodeError):
            decode(raw, "server")
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


# What is not believed


def test_an_extension_inside_another_body_is_not_believed() -> None:
    hidden = extension(0, vec(2, b"\0", vec(2, b"hidden.example")))
    hello = decode(client_hello(extension(0x1234, hidden), extension(23)), "client").value
    assert [(e.name, e.value) for e in hello.extensions] == [
        ("unknown(0x1234)", hidden),
        ("extended_master_secret", None),
    ]


def test_an_extension_after_the_end_of_a_structured_body_is_not_believed() -> None:
    hidden = extension(0, vec(2, b"\0", vec(2, b"hidden.example")))
    alpn = extension(16, vec(2, vec(1, b"h2")), hidden)
    with pytest.raises(DecodeError) as caught:
        decode(client_hello(alpn), "client")
    path = "ClientHello.extensions.extension[0].application_layer_protocol_negotiation"
    assert (caught.value.path, caught.value.offset) == (path, 56)
    assert "23 bytes left over" in caught.value.message


def test_an_extension_longer_than_its_block_is_refused() -> None:
    raw = encrypted_extensions(extension(16, b"")[:3] + b"\x09")
    with pytest.raises(DecodeError, match="declares 9 bytes, 0 left"):
        decode(raw, "server")


@pytest.mark.parametrize(
    ("raw", "path", "offset"),
    [
        (b"", "Handshake.msg_type", 0),
        (b"\1\0\0", "ClientHello.length", 1),
        (message(8, vec(2), b"x"), "EncryptedExtensions", 6),
        (message(20, b"mac") + b"x", "Finished.length", 1),
        (message(99), "HandshakeType 99.msg_type", 0),
        (message(21), "HandshakeType 21.msg_type", 0),
        (message(14, b"x"), "ServerHelloDone", 4),
        (message(1, b"\3\3", bytes(32), b"\x21", bytes(33)), "ClientHello.legacy_session_id", 38),
        (message(1, b"\3\3", bytes(32), b"\0", vec(2, b"odd")), "ClientHello.cipher_suites", 41),
    ],
)
def test_an_error_names_the_path_and_the_offset(raw: bytes, path: str, offset: int) -> None:
    with pytest.raises(DecodeError) as caught:
        decode(raw, "client")
    assert (caught.value.path, caught.value.offset) == (path, offset)


def test_a_message_beyond_the_limit_is_kept_undecoded_under_its_name() -> None:
    kept = decode_or_keep(message(11, bytes(1 << 20)), "server")
    assert isinstance(kept, Undecoded)
    assert kept.kind == "Certificate"


def test_an_undecoded_message_has_the_best_name_known() -> None:
    assert [decode_or_keep(raw, "client").kind for raw in (b"", b"\x0b", message(99), message(67))] == [
        "Handshake",
        "Certificate",
        "HandshakeType 99",
        "HandshakeType 67",
    ]


# At a glance

SUMMARIES: dict[tuple[str, str], str] = {
    ("tls13", "ClientHello"): "SNI origin.example · http/1.1",
    ("tls13-hybrid", "ClientHello"): "no SNI",
    ("tls13-resumption", "ClientHello"): "SNI origin.example · http/1.1 · offers to resume",
    ("tls13", "ServerHello"): "x25519 · TLS_AES_256_GCM_SHA384",
    ("tls13-resumption", "ServerHello"): "x25519 · TLS_AES_256_GCM_SHA384 · resumes",
    ("tls12", "ServerHello"): "TLS 1.2 · TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    ("tls13-retry", "HelloRetryRequest"): "asks for secp384r1",
    ("tls13", "EncryptedExtensions"): "http/1.1",
    ("tls13-mtls", "CertificateRequest"): "trusts 1 party",
    ("tls13-mtls", "CertificateVerify"): "ecdsa_secp256r1_sha256",
    ("tls12-dhe", "ServerKeyExchange"): "2,048-bit prime · rsa_pss_rsae_sha256",
    ("tls12", "ServerKeyExchange"): "x25519 · ecdsa_secp256r1_sha256",
    ("tls12-psk", "ServerKeyExchange"): "PSK",
    ("tls12-rsa", "ClientKeyExchange"): "RSA · 256 B",
    ("tls12", "ServerHelloDone"): "",
    ("tls12", "NewSessionTicket"): "valid 7,200 s",
    ("tls13", "Finished"): "48 B MAC",
    ("tls13-refused", "Alert"): "fatal certificate_required (116)",
    ("tls12-refused", "Alert"): "fatal handshake_failure (40)",
}


def test_a_summary_tells_what_matters() -> None:
    assert {(name, kind): summary(only(name, kind)) for name, kind in SUMMARIES} == SUMMARIES


def test_a_chain_is_summed_up_by_count_and_size() -> None:
    chain = certificate_chain(only("tls13-mtls", "Certificate", "client"))
    text = summary(only("tls13-mtls", "Certificate", "client"))
    assert text == f"2 certificates · {sum(map(len, chain)):,} B"
    assert summary(only("tls13-refused", "Certificate", "client")) == "empty"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (certificate_request(), "names no party"),
        (certificate(), "1 certificate · 11 B"),
        (encrypted_extensions(), "0 extensions"),
        (message(24, b"\1"), "update_requested"),
        (message(99), "not decoded · 4 B"),
        (client_hello(extension(0, vec(2, b"\0", vec(2, b"a" * 90)))), "SNI " + "a" * 55 + "…"),
        (server_hello(suite=0xFFF0), "TLS 1.2 · unknown(0xfff0)"),
    ],
)
def test_a_summary_fits_on_an_arrow(raw: bytes, text: str) -> None:
    assert summary(decode_or_keep(raw, "server")) == text


def test_a_compressed_certificate_is_summed_up_with_its_saving() -> None:
    sample = next(s for s in FORGED if s.name == "CompressedCertificate")
    found = decode(sample.raw, "server")
    assert summary(found) == f"zlib · 1 certificate · 11 B · {len(found.value.compressed)} B sent"


# Alerts, tickets


def test_an_alert_without_a_name_keeps_its_number() -> None:
    assert decode_alert(b"\2\xc8", "server").value == Alert(2, 200, "unknown(0xc8)")


def test_tickets_of_both_versions_share_a_shape() -> None:
    old, new = (only(name, "NewSessionTicket").value for name in ("tls12", "tls13"))
    assert replace(old, ticket=b"") == NewSessionTicket(7200, None, b"", b"", ())
    assert (new.ticket_lifetime, len(new.ticket_nonce)) == (7200, 8)
    assert isinstance(new.ticket_age_add, int)


def test_decoding_twice_gives_equal_messages() -> None:
    first, second = decoded("tls13-mtls"), decoded("tls13-mtls")
    assert first == second
    assert all(isinstance(m, Message) for m in first)
