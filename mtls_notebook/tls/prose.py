"""What each field is for, in plain words, with the section that defines it.

Keyed by field path: the more of a path a key names, the sooner it is chosen, and a key may start
with the message's kind. Only words live here; nothing is decoded, and decoding never asks for words.
"""

from __future__ import annotations

from collections.abc import Iterator

from mtls_notebook.spans import UNEXPLAINED, Explanation


def explain(message_kind: str, path: tuple[str, ...] = ()) -> Explanation:
    """Return what the field at `path` is for; () explains the message itself.

    Shape: `path` holds the field names below the message's root, outermost first; the root's own name
    in front is allowed.
    """
    names = path[1:] if path[:1] == (message_kind,) else path
    if not names:
        return _explanation(MESSAGES.get(message_kind))
    if len(names) == 1 and names[0] in HEADER:
        return _explanation(HEADER[names[0]])
    found = next((EXPLANATIONS[key] for key in _keys(message_kind, names) if key in EXPLANATIONS), None)
    if found is None and len(names) > 1:
        return _of_a_part(message_kind, names)
    return _explanation(found)


def describe_alert(number: int) -> Explanation:
    """Return what an alert tells its receiver; a number without a name gets a remark."""
    return _explanation(ALERTS.get(number, ("An alert number that no specification names.", "RFC 8446 §6")))


def _keys(message_kind: str, names: tuple[str, ...]) -> Iterator[str]:
    """Yield the keys that could explain `names`, the most specific first."""
    for start in range(len(names)):
        key = ".".join(names[start:])
        yield f"{message_kind}.{key}"
        yield key


def _of_a_part(message_kind: str, names: tuple[str, ...]) -> Explanation:
    """Explain the length or the bytes of a field that has an explanation."""
    *parents, last = names
    if last == "length":
        return Explanation(f"How many bytes of {parents[-1]} follow.", "RFC 8446 §3.4")
    return explain(message_kind, tuple(parents)) if last == "data" else UNEXPLAINED


def _explanation(row: tuple[str, str] | None) -> Explanation:
    return Explanation(*row) if row else UNEXPLAINED


MESSAGES: dict[str, tuple[str, str]] = {
    "HelloRequest": (
        "The server asks the client to start a new handshake on this connection. Servers that want a client "
        "certificate for some paths only do this in TLS 1.2.",
        "RFC 5246 §7.4.1.1",
    ),
    "ClientHello": (
        "The client opens: which versions, cipher suites and extensions it can do, and which host it wants.",
        "RFC 8446 §4.1.2",
    ),
    "ServerHello": (
        "The server answers with its choice from each of the client's lists. In TLS 1.3 everything after it is "
        "encrypted.",
        "RFC 8446 §4.1.3",
    ),
    "HelloRetryRequest": (
        "The server could continue, but not with what this ClientHello brought, most often not with its key "
        "share. It says what to send instead.",
        "RFC 8446 §4.1.4",
    ),
    "EncryptedExtensions": (
        "The server's answers to the client's extensions that are not needed to agree on keys. It is the first "
        "message sent encrypted.",
        "RFC 8446 §4.3.1",
    ),
    "CertificateRequest": (
        "The server asks the client for a certificate: this message makes TLS mutual. It also says which "
        "certificates would do.",
        "RFC 8446 §4.3.2, RFC 5246 §7.4.4",
    ),
    "Certificate": (
        "The sender's certificate and the intermediates that lead to a CA the receiver may trust. A client "
        "without a suitable certificate sends an empty list.",
        "RFC 8446 §4.4.2, RFC 5246 §7.4.2",
    ),
    "CompressedCertificate": (
        "A Certificate message, compressed because both sides offered that: chains are the bulk of a handshake.",
        "RFC 8879 §4",
    ),
    "CertificateVerify": (
        "A signature over every handshake message so far, made with the key of the certificate just sent. A "
        "certificate is public; this proves that its owner is speaking.",
        "RFC 8446 §4.4.3, RFC 5246 §7.4.8",
    ),
    "CertificateStatus": (
        "A fresh statement from the CA that the server's certificate is not revoked, so that the client need not ask.",
        "RFC 6066 §8",
    ),
    "ServerKeyExchange": (
        "The server's half of the key exchange, signed with the certificate's key where there is one.",
        "RFC 5246 §7.4.3",
    ),
    "ServerHelloDone": ("The server has said its part of the hello phase and waits.", "RFC 5246 §7.4.5"),
    "ClientKeyExchange": (
        "The client's half of the key exchange. After it both sides can compute the same secret.",
        "RFC 5246 §7.4.7",
    ),
    "Finished": (
        "A checksum over the whole handshake under the new keys. If anyone changed a message on the way, it does "
        "not match.",
        "RFC 8446 §4.4.4, RFC 5246 §7.4.9",
    ),
    "NewSessionTicket": (
        "A ticket the client can show next time to skip certificates and signatures.",
        "RFC 8446 §4.6.1, RFC 5077 §3.3",
    ),
    "KeyUpdate": ("The sender's next record uses a new key derived from the old.", "RFC 8446 §4.6.3"),
    "EndOfEarlyData": (
        "The client has sent all its early data; what follows uses the handshake keys.",
        "RFC 8446 §4.5",
    ),
    "message_hash": (
        "Never sent: after a HelloRetryRequest, this stands in the transcript for the first ClientHello.",
        "RFC 8446 §4.4.1",
    ),
    "Alert": (
        "One side tells the other why it stops, or that it has nothing more to send.",
        "RFC 8446 §6",
    ),
    "ChangeCipherSpec": (
        "In TLS 1.2: my next record is encrypted. In TLS 1.3 it means nothing and keeps old middleboxes calm.",
        "RFC 5246 §7.1, RFC 8446 §D.4",
    ),
}
"""Message kind → what the message is for."""

HEADER: dict[str, tuple[str, str]] = {
    "msg_type": ("Which handshake message this is.", "RFC 8446 §4"),
    "length": (
        "How many bytes of this message follow. Three bytes wide, because chains can be long.",
        "RFC 8446 §4",
    ),
}
"""The fields in front of every handshake message's body."""

COMMON: dict[str, tuple[str, str]] = {
    "extensions.extension": ("One extension: its type, then its body.", "RFC 8446 §4.2"),
    "extension_type": ("Which extension this is.", "RFC 8446 §4.2"),
    "extension_data": (
        "The body of an extension without a name here. A receiver that does not know it skips it.",
        "RFC 8446 §4.2",
    ),
    "random": (
        "32 fresh random bytes from the sender, so that no two handshakes are alike and none can be replayed.",
        "RFC 8446 §4.1.2",
    ),
    "legacy_version": (
        "The version field of old. TLS 1.3 leaves TLS 1.2 here and negotiates in supported_versions, because "
        "servers used to stumble over new numbers.",
        "RFC 8446 §4.1.2",
    ),
    "cipher_suite": ("The cipher suite the server chose from the client's list.", "RFC 8446 §4.1.3"),
    "legacy_compression_method": (
        "Compression of records, always null: compressing before encrypting leaks (the CRIME attack).",
        "RFC 8446 §4.1.3",
    ),
    "SignatureScheme": (
        "One kind of signature the sender of this list can check: the algorithm, and the hash or the curve.",
        "RFC 8446 §4.2.3",
    ),
    "NamedGroup": ("One group for key exchange the sender supports.", "RFC 8446 §4.2.7"),
}
"""Fields found in several messages."""

HELLO: dict[str, tuple[str, str]] = {
    "legacy_session_id": (
        "In TLS 1.2, the session to resume. In TLS 1.3, random filler that makes the handshake look like a "
        "resumption to old middleboxes.",
        "RFC 8446 §4.1.2",
    ),
    "cipher_suites": (
        "The cipher suites the client can do, the preferred first. In TLS 1.3 a suite is only a cipher and a hash.",
        "RFC 8446 §4.1.2",
    ),
    "CipherSuite": ("One cipher suite on offer.", "RFC 8446 §B.4"),
    "legacy_compression_methods": (
        "Record compression on offer; only null is left since TLS 1.3.",
        "RFC 8446 §4.1.2",
    ),
    "CompressionMethod": ("One compression method on offer.", "RFC 3749 §2"),
    "legacy_session_id_echo": (
        "The client's session id sent back. In TLS 1.2, an echo means: resumed.",
        "RFC 8446 §4.1.3, RFC 5246 §7.4.1.3",
    ),
    "ServerHello.random": (
        "32 fresh random bytes from the server. The last eight may carry a mark that betrays a forced downgrade.",
        "RFC 8446 §4.1.3",
    ),
    "HelloRetryRequest.random": (
        "A fixed value instead of a random one: it is what turns a ServerHello into a HelloRetryRequest.",
        "RFC 8446 §4.1.3",
    ),
    "ClientHello.extensions": ("What else the client offers or asks for.", "RFC 8446 §4.2"),
    "ServerHello.extensions": (
        "Answers to the client's extensions; in TLS 1.3 only those needed to agree on keys.",
        "RFC 8446 §4.1.3",
    ),
    "HelloRetryRequest.extensions": ("What the client must change before it tries again.", "RFC 8446 §4.1.4"),
    "EncryptedExtensions.extensions": (
        "Answers to the client's extensions, hidden from onlookers.",
        "RFC 8446 §4.3.1",
    ),
}
"""Fields of the hellos."""

AUTHENTICATION: dict[str, tuple[str, str]] = {
    "certificate_request_context": (
        "Ties a client's Certificate to the request it answers. Empty during the handshake; filled when the "
        "server asks later (post-handshake authentication).",
        "RFC 8446 §4.3.2",
    ),
    "CertificateRequest.extensions": (
        "What the client's certificate must be like: signature algorithms always, CA names often.",
        "RFC 8446 §4.3.2",
    ),
    "CertificateRequest.certificate_types": (
        "Which kinds of client certificate the server takes, named by their key.",
        "RFC 5246 §7.4.4",
    ),
    "ClientCertificateType": ("One kind of key a client certificate may hold.", "RFC 5246 §7.4.4"),
    "CertificateRequest.supported_signature_algorithms": (
        "The signatures the server can check. A client whose key can make none of them sends no certificate.",
        "RFC 5246 §7.4.4",
    ),
    "CertificateRequest.signature_algorithms": (
        "The signatures the server can check in the client's CertificateVerify. A client whose key can make "
        "none of them sends no certificate.",
        "RFC 8446 §4.3.2",
    ),
    "SignatureAndHashAlgorithm": (
        "One pair of hash and signature algorithm the server can check.",
        "RFC 5246 §7.4.1.4.1",
    ),
    "CertificateRequest.certificate_authorities": (
        "Names of the CAs the server accepts client certificates from. Empty or absent: any CA may do, and the "
        "server decides when it sees the certificate.",
        "RFC 5246 §7.4.4, RFC 8446 §4.2.4",
    ),
    "certificate_list": (
        "The chain, the sender's own certificate first, each next one certifying the one before.",
        "RFC 8446 §4.4.2, RFC 5246 §7.4.2",
    ),
    "CertificateEntry": ("One certificate and the extensions that belong to it.", "RFC 8446 §4.4.2"),
    "ASN.1Cert": ("An X.509 certificate in DER.", "RFC 5246 §7.4.2, RFC 5280 §4.1"),
    "cert_data": ("An X.509 certificate in DER.", "RFC 8446 §4.4.2, RFC 5280 §4.1"),
    "CertificateEntry.extensions": (
        "What is sent beside this certificate: an OCSP answer, certificate timestamps.",
        "RFC 8446 §4.4.2",
    ),
    "algorithm": (
        "The algorithm of the signature that follows; it must be one the receiver offered.",
        "RFC 8446 §4.4.3",
    ),
    "signature": ("The signature itself, made with the private key that never leaves its owner.", "RFC 8446 §4.4.3"),
    "verify_data": (
        "A keyed hash (HMAC) over all handshake messages; the receiver computes its own and compares.",
        "RFC 8446 §4.4.4, RFC 5246 §7.4.9",
    ),
    "CompressedCertificate.algorithm": ("How the message was compressed.", "RFC 8879 §4"),
    "uncompressed_length": (
        "How long the Certificate message is once inflated; the receiver checks it.",
        "RFC 8879 §4",
    ),
    "compressed_certificate_message": ("The Certificate message, compressed.", "RFC 8879 §4"),
}
"""Fields of the messages by which a side proves who it is."""

DISTINGUISHED_NAMES: dict[str, tuple[str, str]] = {
    "authorities": (
        "The CAs by name; a certificate that chains to one of them is welcome.",
        "RFC 8446 §4.2.4",
    ),
    "DistinguishedName": ("One CA by name, in DER, exactly as in its own certificate.", "RFC 8446 §4.2.4"),
    "RDNSequence": ("A name: a sequence from the widest part to the narrowest.", "RFC 5280 §4.1.2.4"),
    "RelativeDistinguishedName": ("One step of a name, usually a single attribute.", "RFC 5280 §4.1.2.4"),
    "AttributeTypeAndValue": ("One attribute: what kind, and its value.", "RFC 5280 §4.1.2.4"),
    "AttributeTypeAndValue.type": ("What kind of attribute, as an object identifier.", "RFC 5280 §4.1.2.4"),
    "AttributeTypeAndValue.value": ("The attribute's value, a string of some type.", "RFC 5280 §4.1.2.4"),
    "tag": ("The DER tag: which type of value follows.", "X.690 §8.1.2"),
    "RDNSequence.length": ("The DER length: how many bytes the value takes.", "X.690 §8.1.3"),
    "RelativeDistinguishedName.length": ("The DER length: how many bytes the value takes.", "X.690 §8.1.3"),
    "AttributeTypeAndValue.length": ("The DER length: how many bytes the value takes.", "X.690 §8.1.3"),
    "AttributeTypeAndValue.type.length": ("The DER length: how many bytes the value takes.", "X.690 §8.1.3"),
    "AttributeTypeAndValue.value.length": ("The DER length: how many bytes the value takes.", "X.690 §8.1.3"),
    "identifier": (
        "The object identifier: the first byte packs two numbers, the rest hold seven bits each.",
        "X.690 §8.19",
    ),
    "string": ("The text itself, in the encoding its tag names.", "RFC 5280 §4.1.2.4"),
}
"""Fields of DER names and object identifiers."""

KEY_EXCHANGE: dict[str, tuple[str, str]] = {
    "curve_type": ("How the curve is given; only a name is still allowed.", "RFC 8422 §5.4"),
    "namedcurve": ("The curve both sides compute on.", "RFC 8422 §5.4"),
    "ServerKeyExchange.public": (
        "The server's fresh public value. Fresh for each handshake: a key stolen later does not open it.",
        "RFC 8422 §5.4",
    ),
    "psk_identity_hint": ("Helps the client to choose among the shared keys it has.", "RFC 4279 §2"),
    "dh_p": ("The prime of this Diffie-Hellman exchange.", "RFC 5246 §7.4.3"),
    "dh_g": ("The generator of this Diffie-Hellman exchange.", "RFC 5246 §7.4.3"),
    "dh_Ys": ("The server's public Diffie-Hellman value.", "RFC 5246 §7.4.3"),
    "srp_N": ("The prime of this password-authenticated exchange.", "RFC 5054 §2.5.3"),
    "srp_g": ("The generator of this password-authenticated exchange.", "RFC 5054 §2.5.3"),
    "srp_s": ("The salt the password was stored with.", "RFC 5054 §2.5.3"),
    "srp_B": ("The server's public value.", "RFC 5054 §2.5.3"),
    "srp_A": ("The client's public value.", "RFC 5054 §2.5.4"),
    "params": ("Key exchange parameters of a kind that is not taken apart here.", "RFC 5246 §7.4.3"),
    "ServerKeyExchange.algorithm": ("The algorithm of the signature that follows.", "RFC 5246 §7.4.3"),
    "ServerKeyExchange.signature": (
        "Signs both randoms and the parameters with the certificate's key: this public value is the server's, "
        "and is meant for this handshake.",
        "RFC 5246 §7.4.3",
    ),
    "ecdh_Yc": ("The client's fresh public value on the server's curve.", "RFC 8422 §5.7"),
    "dh_Yc": ("The client's public Diffie-Hellman value.", "RFC 5246 §7.4.7.2"),
    "encrypted_pre_master_secret": (
        "A secret chosen by the client, encrypted to the server's RSA key. Who gets that key later can read "
        "everything, hence TLS 1.3 dropped it.",
        "RFC 5246 §7.4.7.1",
    ),
    "psk_identity": ("Which shared key the client uses.", "RFC 4279 §2"),
    "exchange_keys": ("Key exchange bytes of a kind that is not taken apart here.", "RFC 5246 §7.4.7"),
}
"""Fields of TLS 1.2's key exchange messages."""

CONTROL: dict[str, tuple[str, str]] = {
    "ticket_lifetime": ("How long the ticket is good, in seconds; seven days at most.", "RFC 8446 §4.6.1"),
    "ticket_lifetime_hint": ("How long the server means to honour the ticket, in seconds.", "RFC 5077 §3.3"),
    "ticket_age_add": (
        "A random number the client adds to the ticket's age, so that onlookers cannot link two connections.",
        "RFC 8446 §4.6.1",
    ),
    "ticket_nonce": ("Makes each ticket's key its own.", "RFC 8446 §4.6.1"),
    "ticket": (
        "The ticket, meaningless to the client: the server's sealed note or a row in its table.",
        "RFC 8446 §4.6.1, RFC 5077 §3.3",
    ),
    "NewSessionTicket.extensions": ("What the ticket allows, such as early data.", "RFC 8446 §4.6.1"),
    "request_update": ("Whether the receiver shall change its keys too.", "RFC 8446 §4.6.3"),
    "hash": ("The hash of the first ClientHello.", "RFC 8446 §4.4.1"),
    "Alert.level": (
        "Warning or fatal. TLS 1.3 goes by the description alone.",
        "RFC 8446 §6",
    ),
    "Alert.description": ("The reason, as a number with a name.", "RFC 8446 §6"),
    "ChangeCipherSpec.type": ("Always 1; the message says no more than that it was sent.", "RFC 5246 §7.1"),
}
"""Fields of tickets, key updates, markers and alerts."""

EXTENSIONS: dict[str, tuple[str, str]] = {
    "server_name": (
        "Server Name Indication (SNI): the host the client wants, so that one address can serve many "
        "certificates. Sent in the open. A server's empty answer: I used it.",
        "RFC 6066 §3",
    ),
    "server_name_list": ("The names, in practice exactly one.", "RFC 6066 §3"),
    "ServerName": ("One name and its kind.", "RFC 6066 §3"),
    "name_type": ("The kind of name; host_name is the only one.", "RFC 6066 §3"),
    "host_name": ("The host in ASCII, without a trailing dot; never an IP address.", "RFC 6066 §3"),
    "max_fragment_length": ("Asks for smaller records, for peers with little memory.", "RFC 6066 §4"),
    "client_certificate_url": ("The client would send a URL in place of its certificate.", "RFC 6066 §5"),
    "trusted_ca_keys": ("The CAs a client knows, so that the server sends a fitting chain.", "RFC 6066 §6"),
    "truncated_hmac": ("Asks for shorter checksums; unsafe and forgotten.", "RFC 6066 §7"),
    "status_request": (
        "Asks for OCSP stapling: send the CA's statement that your certificate is not revoked.",
        "RFC 6066 §8",
    ),
    "Certificate.status_request": (
        "The stapled OCSP answer for this certificate.",
        "RFC 8446 §4.4.2.1",
    ),
    "status_type": ("The kind of statement; OCSP in practice.", "RFC 6066 §8"),
    "responder_id_list": ("Whose OCSP answers the client trusts; empty: those it would trust anyway.", "RFC 6066 §8"),
    "ResponderID": ("One trusted OCSP responder, in DER.", "RFC 6066 §8"),
    "request_extensions": ("Extensions for the OCSP request, in DER; usually none.", "RFC 6066 §8"),
    "response": ("The CA's signed OCSP answer, in DER.", "RFC 6066 §8, RFC 6960 §4.2.1"),
    "request": ("The request's body, of the kind before it.", "RFC 6961 §2.2"),
    "ocsp_response_list": ("An answer for each certificate of the chain, in its order.", "RFC 6961 §2.2"),
    "OCSPResponse": ("The answer for one certificate; empty when there is none.", "RFC 6961 §2.2"),
    "status_request_v2": ("Asks for stapled answers for the whole chain; TLS 1.3 dropped it.", "RFC 6961 §2"),
    "certificate_status_req_list": ("The kinds of answer the client takes, preferred first.", "RFC 6961 §2.2"),
    "CertificateStatusRequestItemV2": ("One kind of answer.", "RFC 6961 §2.2"),
    "user_mapping": ("Which account names the client would send.", "RFC 4681 §2"),
    "client_authz": ("Authorization formats the client supports.", "RFC 5878 §2"),
    "server_authz": ("Authorization formats the server supports.", "RFC 5878 §2"),
    "cert_type": ("Certificate formats, X.509 or OpenPGP; superseded.", "RFC 6091 §3.1"),
    "supported_groups": (
        "The groups (curves, post-quantum hybrids) the sender can exchange keys in, preferred first.",
        "RFC 8446 §4.2.7",
    ),
    "named_group_list": ("The groups, preferred first.", "RFC 8446 §4.2.7"),
    "ec_point_formats": (
        "How points on curves may be written. Only uncompressed is left; TLS 1.3 ignores this.",
        "RFC 8422 §5.1.2",
    ),
    "ec_point_format_list": ("The formats.", "RFC 8422 §5.1.2"),
    "ECPointFormat": ("One way to write a point.", "RFC 8422 §5.1.2"),
    "srp": ("The user name for password-authenticated key exchange.", "RFC 5054 §2.8.1"),
    "signature_algorithms": (
        "The signatures the sender can check in CertificateVerify, and in certificates unless "
        "signature_algorithms_cert says otherwise.",
        "RFC 8446 §4.2.3",
    ),
    "signature_algorithms_cert": ("The signatures the sender can check in certificates.", "RFC 8446 §4.2.3"),
    "supported_signature_algorithms": ("The signature schemes, preferred first.", "RFC 8446 §4.2.3"),
    "use_srtp": ("Media encryption keyed by this handshake.", "RFC 5764 §4.1"),
    "heartbeat": ("Keep-alive messages; famous for the Heartbleed bug.", "RFC 6520 §2"),
    "mode": ("Whether the peer may send heartbeat requests.", "RFC 6520 §2"),
    "application_layer_protocol_negotiation": (
        "ALPN: which protocol runs inside, such as HTTP/2 or HTTP/1.1. The server answers with its choice.",
        "RFC 7301 §3.1",
    ),
    "protocol_name_list": ("The protocols, preferred first.", "RFC 7301 §3.1"),
    "ProtocolName": ('One protocol by its registered name, such as "h2" or "http/1.1".', "RFC 7301 §6"),
    "signed_certificate_timestamp": (
        "Certificate Transparency: proofs that public logs know this certificate. Empty in a ClientHello: "
        "please send them.",
        "RFC 6962 §3.3.1",
    ),
    "sct_list": ("The timestamps, each from another log.", "RFC 6962 §3.3"),
    "SerializedSCT": ("One log's signed promise to publish the certificate.", "RFC 6962 §3.2"),
    "sct_version": ("The version of the timestamp's format.", "RFC 6962 §3.2"),
    "log_id": ("Which log: the SHA-256 of its public key.", "RFC 6962 §3.2"),
    "timestamp": ("When the log saw the certificate, in milliseconds since 1970.", "RFC 6962 §3.2"),
    "sct_extensions": ("Extensions to the timestamp; none are defined.", "RFC 6962 §3.2"),
    "SerializedSCT.algorithm": ("The algorithm of the log's signature.", "RFC 6962 §3.2"),
    "SerializedSCT.signature": ("The log's signature over the timestamp and the certificate.", "RFC 6962 §3.2"),
    "client_certificate_type": (
        "In which formats the client could prove itself: X.509 or a bare public key.",
        "RFC 7250 §3",
    ),
    "server_certificate_type": (
        "In which formats the client takes the server's proof: X.509 or a bare public key.",
        "RFC 7250 §3",
    ),
    "certificate_types": ("The formats, preferred first.", "RFC 7250 §3"),
    "CertificateType": ("One format.", "RFC 7250 §3"),
    "certificate_type": ("The format the server chose.", "RFC 7250 §3"),
    "padding": ("Zeros that lift the message to a length old servers get along with.", "RFC 7685 §3"),
    "encrypt_then_mac": (
        "For old CBC suites in TLS 1.2: check before decrypting, which ends padding attacks. A flag without a body.",
        "RFC 7366 §2",
    ),
    "extended_master_secret": (
        "Ties TLS 1.2's master secret to the whole handshake, so that it cannot be spliced into another. A flag "
        "without a body.",
        "RFC 7627 §5.1",
    ),
    "token_binding": ("Binds cookies and tokens to a key of the client.", "RFC 8472 §2"),
    "cached_info": ("The client already has the server's certificate and would rather get its hash.", "RFC 7924 §3"),
    "tls_lts": ("A long-term-support profile of TLS 1.2.", "draft-gutmann-tls-lts"),
    "compress_certificate": ("How a Certificate sent to me may be compressed.", "RFC 8879 §3"),
    "algorithms": ("The compression algorithms, preferred first.", "RFC 8879 §3"),
    "CertificateCompressionAlgorithm": ("One way to compress.", "RFC 8879 §3"),
    "record_size_limit": ("The largest record the sender wants to receive.", "RFC 8449 §4"),
    "RecordSizeLimit": ("Bytes of one record before encryption.", "RFC 8449 §4"),
    "pwd_protect": ("Password authentication, the user name encrypted.", "RFC 8492 §4.4"),
    "pwd_clear": ("Password authentication, the user name in the open.", "RFC 8492 §4"),
    "password_salt": ("The salt for password authentication.", "RFC 8492 §4"),
    "ticket_pinning": ("Pins a server by a ticket it gave before.", "RFC 8672 §3"),
    "tls_cert_with_extern_psk": ("A certificate together with an external shared key.", "RFC 8773 §4"),
    "delegated_credential": (
        "Short-lived keys signed by a certificate's owner, so that the long-lived key stays at home. A list of "
        "schemes: I would accept such keys.",
        "RFC 9345 §4",
    ),
    "Certificate.delegated_credential": (
        "A short-lived key and the certificate owner's signature for it.",
        "RFC 9345 §4",
    ),
    "valid_time": ("When the key ends, in seconds after the certificate's start.", "RFC 9345 §4"),
    "dc_cert_verify_algorithm": ("The algorithm this key will sign with.", "RFC 9345 §4"),
    "ASN1_subjectPublicKeyInfo": ("The short-lived public key, in DER.", "RFC 9345 §4"),
    "delegated_credential.algorithm": ("The algorithm of the certificate owner's signature.", "RFC 9345 §4"),
    "delegated_credential.signature": ("Made with the certificate's own key.", "RFC 9345 §4"),
    "session_ticket": (
        "TLS 1.2 tickets: empty means I would take one; with a body it is the ticket to resume with.",
        "RFC 5077 §3.2",
    ),
    "session_ticket.ticket": ("The ticket the server gave before.", "RFC 5077 §3.2"),
    "TLMSP": ("Multi-party security with trusted middleboxes.", "ETSI TS 103 523-2"),
    "TLMSP_proxying": ("Multi-party security with trusted middleboxes: proxying.", "ETSI TS 103 523-2"),
    "TLMSP_delegate": ("Multi-party security with trusted middleboxes: delegation.", "ETSI TS 103 523-2"),
    "supported_ekt_ciphers": ("Key transport for conferences.", "RFC 8870 §5"),
    "pre_shared_key": (
        "Resumption: tickets the client has from before, each with a proof that it knows the key. Always the "
        "last extension, because the proofs cover all before them. The server names the one it took.",
        "RFC 8446 §4.2.11",
    ),
    "identities": ("The tickets or names of shared keys.", "RFC 8446 §4.2.11"),
    "PskIdentity": ("One ticket and its age.", "RFC 8446 §4.2.11"),
    "identity": ("The ticket as the server gave it, or a shared key's name.", "RFC 8446 §4.2.11"),
    "obfuscated_ticket_age": (
        "Milliseconds since the ticket came, plus the server's random addend.",
        "RFC 8446 §4.2.11.1",
    ),
    "binders": ("A proof for each identity, in the same order.", "RFC 8446 §4.2.11.2"),
    "PskBinderEntry": (
        "The proof for one identity: a keyed hash over this ClientHello up to the binders.",
        "RFC 8446 §4.2.11.2",
    ),
    "selected_identity": ("Which identity the server took, counted from 0.", "RFC 8446 §4.2.11"),
    "early_data": (
        "Data in the first flight under a ticket's key; it can be replayed. A flag in the handshake; in a "
        "ticket it allows a number of bytes.",
        "RFC 8446 §4.2.10",
    ),
    "max_early_data_size": ("How many bytes of early data the server takes.", "RFC 8446 §4.6.1"),
    "supported_versions": (
        "The real version negotiation: the client lists what it speaks, the server answers with one.",
        "RFC 8446 §4.2.1",
    ),
    "versions": ("The versions, preferred first.", "RFC 8446 §4.2.1"),
    "ProtocolVersion": ("One version the client speaks.", "RFC 8446 §4.2.1"),
    "selected_version": ("The version the server chose.", "RFC 8446 §4.2.1"),
    "cookie": (
        "Bytes the client must repeat in its next ClientHello, so that the server need not remember the first.",
        "RFC 8446 §4.2.2",
    ),
    "psk_key_exchange_modes": (
        "How a ticket's key may be used: alone, or with a fresh key exchange.",
        "RFC 8446 §4.2.9",
    ),
    "ke_modes": ("The modes.", "RFC 8446 §4.2.9"),
    "PskKeyExchangeMode": (
        "One mode; psk_dhe_ke adds a fresh key exchange, so that a stolen ticket key opens nothing old.",
        "RFC 8446 §4.2.9",
    ),
    "certificate_authorities": ("Names of the CAs the sender accepts certificates from.", "RFC 8446 §4.2.4"),
    "oid_filters": ("Conditions on extensions of the client's certificate.", "RFC 8446 §4.2.5"),
    "filters": ("The conditions; all of them must hold.", "RFC 8446 §4.2.5"),
    "OIDFilter": ("One condition.", "RFC 8446 §4.2.5"),
    "certificate_extension_oid": ("Which certificate extension must be there, in DER.", "RFC 8446 §4.2.5"),
    "OBJECT IDENTIFIER": ("The extension's object identifier.", "X.690 §8.19"),
    "OBJECT IDENTIFIER.length": ("The DER length: how many bytes the value takes.", "X.690 §8.1.3"),
    "certificate_extension_values": ("What the extension must hold, in DER; empty: anything.", "RFC 8446 §4.2.5"),
    "post_handshake_auth": (
        "The client would answer a request for its certificate after the handshake too. A flag without a body.",
        "RFC 8446 §4.2.6",
    ),
    "key_share": (
        "Public values for the key exchange. The client guesses groups and sends values at once, which saves a "
        "round trip when the server agrees.",
        "RFC 8446 §4.2.8",
    ),
    "HelloRetryRequest.key_share": (
        "The group the client must send a public value for.",
        "RFC 8446 §4.2.8",
    ),
    "client_shares": ("The client's public values, preferred first.", "RFC 8446 §4.2.8"),
    "KeyShareEntry": ("A group and a public value in it.", "RFC 8446 §4.2.8"),
    "server_share": ("The server's public value, in one of the client's groups.", "RFC 8446 §4.2.8"),
    "selected_group": ("The group the server wants.", "RFC 8446 §4.2.8"),
    "group": ("The group this public value belongs to.", "RFC 8446 §4.2.8"),
    "key_exchange": (
        "The public value, fresh for each handshake. A hybrid group's is two values in a row.",
        "RFC 8446 §4.2.8",
    ),
    "legacy_form": ("Always 4: the point is written uncompressed.", "RFC 8446 §4.2.8.2"),
    "X": ("The point's first coordinate.", "RFC 8446 §4.2.8.2"),
    "Y": ("The point's second coordinate.", "RFC 8446 §4.2.8.2"),
    "x25519_public_key": (
        "The classic half: protects if the post-quantum half should turn out weak.",
        "RFC 7748 §5",
    ),
    "encapsulation_key": (
        "The client's ML-KEM key, the post-quantum half: the server encapsulates a secret to it.",
        "FIPS 203 §7.1",
    ),
    "ciphertext": ("A secret encapsulated to the client's ML-KEM key.", "FIPS 203 §7.2"),
    "transparency_info": ("Certificate Transparency, version 2.", "RFC 9162 §6.5"),
    "connection_id_deprecated": ("An early form of connection_id.", "RFC 9146 §3"),
    "connection_id": ("Names a DTLS connection so that it survives a change of address.", "RFC 9146 §3"),
    "external_id_hash": ("Ties the handshake to a WebRTC identity.", "RFC 8844 §3.2"),
    "external_session_id": ("Ties the handshake to a WebRTC session.", "RFC 8844 §4.3"),
    "quic_transport_parameters": ("QUIC's own settings.", "RFC 9000 §18"),
    "ticket_request": ("How many tickets the client would like.", "RFC 9149 §3"),
    "new_session_count": ("Tickets wanted after a full handshake.", "RFC 9149 §3"),
    "resumption_count": ("Tickets wanted after a resumption.", "RFC 9149 §3"),
    "expected_count": ("How many tickets the server will send.", "RFC 9149 §3"),
    "dnssec_chain": ("DNSSEC proofs for the server's key.", "RFC 9102 §2"),
    "sequence_number_encryption_algorithms": (
        "How DTLS hides its sequence numbers.",
        "draft-pismenny-tls-dtls-plaintext-sequence-number",
    ),
    "rrc": ("Return routability check for DTLS after a change of address.", "draft-ietf-tls-dtls-rrc"),
    "tls_flags": ("One bit for each extension that is only a flag.", "draft-ietf-tls-tlsflags"),
    "next_protocol_negotiation": ("NPN, the forerunner of ALPN.", "draft-agl-tls-nextprotoneg"),
    "application_settings_old": ("ALPS, HTTP/2 settings in the handshake; the first number.", "draft-vvv-tls-alps"),
    "application_settings": ("ALPS: HTTP/2 settings in the handshake.", "draft-vvv-tls-alps"),
    "channel_id": ("An early client key bound to cookies.", "draft-balfanz-tls-channelid"),
    "encrypted_client_hello": (
        "Hides the real ClientHello, the host name above all, encrypted inside a harmless outer one. Clients also "
        "send random bytes in this form (GREASE).",
        "RFC 9849 §5",
    ),
    "encrypted_client_hello.type": ("Outer carries the encrypted hello; inner is a mark inside it.", "RFC 9849 §5"),
    "encrypted_client_hello.cipher_suite": ("How the inner hello is encrypted.", "RFC 9849 §5"),
    "kdf_id": ("The key derivation function.", "RFC 9180 §7.2"),
    "aead_id": ("The cipher.", "RFC 9180 §7.3"),
    "config_id": ("Which of the server's published keys is meant.", "RFC 9849 §4"),
    "enc": ("The client's public value for this encryption.", "RFC 9849 §5"),
    "payload": ("The encrypted inner ClientHello.", "RFC 9849 §5"),
    "retry_configs": ("The server's current keys: the client used an old one.", "RFC 9849 §5"),
    "ECHConfig": ("One published key and its settings.", "RFC 9849 §4"),
    "ECHConfig.version": ("The format of what follows.", "RFC 9849 §4"),
    "contents": ("The configuration itself.", "RFC 9849 §4"),
    "kem_id": ("The kind of public key.", "RFC 9180 §7.1"),
    "public_key": ("The key to encrypt inner hellos to.", "RFC 9849 §4"),
    "contents.cipher_suites": ("The encryptions this key may be used with.", "RFC 9849 §4"),
    "HpkeSymmetricCipherSuite": ("One pair of key derivation and cipher.", "RFC 9849 §4"),
    "maximum_name_length": ("The longest host name to expect, for padding.", "RFC 9849 §4"),
    "public_name": ("The host name to show in the outer hello.", "RFC 9849 §4"),
    "config_extensions": ("Extensions of the configuration.", "RFC 9849 §4.2"),
    "ECHConfigExtension": ("One extension of the configuration.", "RFC 9849 §4.2"),
    "config_extension_type": ("Which extension this is.", "RFC 9849 §4.2"),
    "config_extension_data": ("The extension's body.", "RFC 9849 §4.2"),
    "confirmation": ("Eight bytes that show the server read the inner hello.", "RFC 9849 §7.2.1"),
    "ech_outer_extensions": ("Extensions the inner hello takes over from the outer one.", "RFC 9849 §5.1"),
    "OuterExtensions": ("The types of those extensions.", "RFC 9849 §5.1"),
    "ExtensionType": ("One extension taken over.", "RFC 9849 §5.1"),
    "renegotiation_info": (
        "Ties a renegotiation to the handshake before it, against splicing attacks; empty the first time.",
        "RFC 5746 §3.2",
    ),
    "renegotiated_connection": ("The verify_data of the handshake before.", "RFC 5746 §3.2"),
}
"""Extensions by name, and the fields in their bodies."""

EXPLANATIONS: dict[str, tuple[str, str]] = {
    **COMMON,
    **HELLO,
    **AUTHENTICATION,
    **DISTINGUISHED_NAMES,
    **KEY_EXCHANGE,
    **CONTROL,
    **EXTENSIONS,
}
"""All keys; the tables share none."""

ALERTS: dict[int, tuple[str, str]] = {
    0: ("The sender has no more data; the connection ends in good order.", "RFC 8446 §6.1"),
    10: ("A message came that has no place at this point.", "RFC 8446 §6.2"),
    20: ("A record did not decrypt: wrong keys, or changed on the way.", "RFC 8446 §6.2"),
    21: ("A record did not decrypt; no longer used, for it helped attackers.", "RFC 5246 §7.2.2"),
    22: ("A record was longer than allowed.", "RFC 8446 §6.2"),
    30: ("A record could not be decompressed.", "RFC 5246 §7.2.2"),
    40: (
        "No common ground: no shared cipher suite or signature algorithm; in TLS 1.2 also a client "
        "certificate that was required and not sent.",
        "RFC 8446 §6.2",
    ),
    41: ("SSL 3.0's way of saying that the client has no certificate.", "RFC 6101 §5.4.2"),
    42: ("The certificate is damaged, or something in it does not verify.", "RFC 8446 §6.2"),
    43: ("The certificate is of a kind, or for a usage, that is not accepted here.", "RFC 8446 §6.2"),
    44: ("The CA has revoked the certificate.", "RFC 8446 §6.2"),
    45: ("The certificate is past its end, or not valid now.", "RFC 8446 §6.2"),
    46: ("The certificate is refused for a reason not told.", "RFC 8446 §6.2"),
    47: ("A field in the handshake contradicts another or the standard.", "RFC 8446 §6.2"),
    48: (
        "The certificate leads to no CA the sender trusts: another CA, or an intermediate was not sent.",
        "RFC 8446 §6.2",
    ),
    49: ("The certificate is valid, but its owner is not let in.", "RFC 8446 §6.2"),
    50: ("A message could not be parsed.", "RFC 8446 §6.2"),
    51: (
        "A signature, a Finished or a binder did not verify: perhaps a key of another certificate.",
        "RFC 8446 §6.2",
    ),
    52: ("A DTLS peer asked for too many connection identifiers.", "RFC 9147 §9"),
    60: ("Export rules of the 1990s were broken.", "RFC 2246 §7.2.2"),
    70: ("The version offered is known, but not supported here.", "RFC 8446 §6.2"),
    71: ("The server wants stronger algorithms than the client has.", "RFC 8446 §6.2"),
    80: ("The sender failed on its own; nobody else is to blame.", "RFC 8446 §6.2"),
    86: ("The client retried with an older version although both could do a newer.", "RFC 7507 §3"),
    90: ("The handshake was called off, for no fault of the protocol.", "RFC 8446 §6.1"),
    100: ("The sender does not want to renegotiate.", "RFC 5246 §7.2.2"),
    109: ("An extension is missing that the version or the offer calls for.", "RFC 8446 §6.2"),
    110: ("An extension came in a message it must not be in, or was not asked for.", "RFC 8446 §6.2"),
    111: ("The certificate could not be fetched from its URL.", "RFC 6066 §9"),
    112: ("The server has no host of the name in SNI.", "RFC 6066 §3"),
    113: ("The stapled OCSP answer is not valid.", "RFC 6066 §8"),
    114: ("The certificate from the URL does not have the hash that was promised.", "RFC 6066 §9"),
    115: ("The server knows no shared key of that name.", "RFC 8446 §6.2, RFC 4279 §2"),
    116: (
        "The server requires a client certificate and got none. In TLS 1.3 it arrives after the client "
        "believes the handshake done.",
        "RFC 8446 §6.2",
    ),
    117: ("Something went wrong that no other alert describes.", "RFC 9846 §6.2"),
    120: ("No protocol offered in ALPN is spoken here.", "RFC 7301 §3.2"),
    121: ("The client insists on Encrypted Client Hello and the server did not accept it.", "RFC 9849 §7.2"),
}
"""Alert number → what it tells its receiver."""
