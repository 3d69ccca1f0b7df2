"""Numbers on the wire and the names the registries give them; one table per registry.

A number that a table does not know gets the name "unknown(0x…)" from the reader. Nothing but tables
may live here (cipher suites have their own module for their length).
"""

from __future__ import annotations

from mtls_notebook.tls.cipher_suites import CIPHER_SUITES as _ASSIGNED_CIPHER_SUITES

GREASE: dict[int, str] = {n: f"GREASE(0x{n:04x})" for n in range(0x0A0A, 0x10000, 0x1010)}
"""16-bit values that mean nothing, sent to keep servers tolerant.

Source: RFC 8701 §2.
"""

CIPHER_SUITES: dict[int, str] = _ASSIGNED_CIPHER_SUITES | GREASE
"""Source: IANA "TLS Cipher Suites" (RFC 8447)."""

VERSIONS: dict[int, str] = {
    0x0002: "SSL 2.0",
    0x0300: "SSL 3.0",
    0x0301: "TLS 1.0",
    0x0302: "TLS 1.1",
    0x0303: "TLS 1.2",
    0x0304: "TLS 1.3",
} | GREASE
"""ProtocolVersion. Source: RFC 8446 §4.2.1, RFC 6101."""

CONTENT_TYPES: dict[int, str] = {
    20: "change_cipher_spec",
    21: "alert",
    22: "handshake",
    23: "application_data",
    24: "heartbeat",
    25: "tls12_cid",
    26: "ACK",
}
"""Source: IANA "TLS ContentType" (RFC 8446 §B.1)."""

HANDSHAKE_TYPES: dict[int, str] = {
    0: "hello_request",
    1: "client_hello",
    2: "server_hello",
    3: "hello_verify_request",
    4: "new_session_ticket",
    5: "end_of_early_data",
    6: "hello_retry_request",
    8: "encrypted_extensions",
    9: "request_connection_id",
    10: "new_connection_id",
    11: "certificate",
    12: "server_key_exchange",
    13: "certificate_request",
    14: "server_hello_done",
    15: "certificate_verify",
    16: "client_key_exchange",
    17: "client_certificate_request",
    20: "finished",
    21: "certificate_url",
    22: "certificate_status",
    23: "supplemental_data",
    24: "key_update",
    25: "compressed_certificate",
    26: "ekt_key",
    67: "next_protocol",
    254: "message_hash",
}
"""Source: IANA "TLS HandshakeType" (RFC 8446 §B.3)."""

EXTENSIONS: dict[int, str] = {
    0: "server_name",
    1: "max_fragment_length",
    2: "client_certificate_url",
    3: "trusted_ca_keys",
    4: "truncated_hmac",
    5: "status_request",
    6: "user_mapping",
    7: "client_authz",
    8: "server_authz",
    9: "cert_type",
    10: "supported_groups",
    11: "ec_point_formats",
    12: "srp",
    13: "signature_algorithms",
    14: "use_srtp",
    15: "heartbeat",
    16: "application_layer_protocol_negotiation",
    17: "status_request_v2",
    18: "signed_certificate_timestamp",
    19: "client_certificate_type",
    20: "server_certificate_type",
    21: "padding",
    22: "encrypt_then_mac",
    23: "extended_master_secret",
    24: "token_binding",
    25: "cached_info",
    26: "tls_lts",
    27: "compress_certificate",
    28: "record_size_limit",
    29: "pwd_protect",
    30: "pwd_clear",
    31: "password_salt",
    32: "ticket_pinning",
    33: "tls_cert_with_extern_psk",
    34: "delegated_credential",
    35: "session_ticket",
    36: "TLMSP",
    37: "TLMSP_proxying",
    38: "TLMSP_delegate",
    39: "supported_ekt_ciphers",
    41: "pre_shared_key",
    42: "early_data",
    43: "supported_versions",
    44: "cookie",
    45: "psk_key_exchange_modes",
    47: "certificate_authorities",
    48: "oid_filters",
    49: "post_handshake_auth",
    50: "signature_algorithms_cert",
    51: "key_share",
    52: "transparency_info",
    53: "connection_id_deprecated",
    54: "connection_id",
    55: "external_id_hash",
    56: "external_session_id",
    57: "quic_transport_parameters",
    58: "ticket_request",
    59: "dnssec_chain",
    60: "sequence_number_encryption_algorithms",
    61: "rrc",
    62: "tls_flags",
    13172: "next_protocol_negotiation",  # never registered, still sent
    17513: "application_settings_old",  # never registered, sent by browsers
    17613: "application_settings",
    30032: "channel_id",
    0xFD00: "ech_outer_extensions",
    0xFE0D: "encrypted_client_hello",
    0xFF01: "renegotiation_info",
}
"""Source: IANA "TLS ExtensionType Values" (RFC 8447); the commented rows stand in no registry."""

EXTENSION_TYPES: dict[int, str] = EXTENSIONS | GREASE
"""EXTENSIONS and the GREASE values."""

NAMED_GROUPS: dict[int, str] = {
    1: "sect163k1",
    2: "sect163r1",
    3: "sect163r2",
    4: "sect193r1",
    5: "sect193r2",
    6: "sect233k1",
    7: "sect233r1",
    8: "sect239k1",
    9: "sect283k1",
    10: "sect283r1",
    11: "sect409k1",
    12: "sect409r1",
    13: "sect571k1",
    14: "sect571r1",
    15: "secp160k1",
    16: "secp160r1",
    17: "secp160r2",
    18: "secp192k1",
    19: "secp192r1",
    20: "secp224k1",
    21: "secp224r1",
    22: "secp256k1",
    23: "secp256r1",
    24: "secp384r1",
    25: "secp521r1",
    26: "brainpoolP256r1",
    27: "brainpoolP384r1",
    28: "brainpoolP512r1",
    29: "x25519",
    30: "x448",
    31: "brainpoolP256r1tls13",
    32: "brainpoolP384r1tls13",
    33: "brainpoolP512r1tls13",
    34: "GC256A",
    35: "GC256B",
    36: "GC256C",
    37: "GC256D",
    38: "GC512A",
    39: "GC512B",
    40: "GC512C",
    41: "curveSM2",
    256: "ffdhe2048",
    257: "ffdhe3072",
    258: "ffdhe4096",
    259: "ffdhe6144",
    260: "ffdhe8192",
    512: "MLKEM512",
    513: "MLKEM768",
    514: "MLKEM1024",
    0x11EB: "SecP256r1MLKEM768",
    0x11EC: "X25519MLKEM768",
    0x11ED: "SecP384r1MLKEM1024",
    0x11EE: "curveSM2MLKEM768",
    0x6399: "X25519Kyber768Draft00",
    0x639A: "SecP256r1Kyber768Draft00",
    0xFF01: "arbitrary_explicit_prime_curves",
    0xFF02: "arbitrary_explicit_char2_curves",
} | GREASE
"""Source: IANA "TLS Supported Groups" (RFC 8446 §4.2.7, RFC 8422 §5.1.1, RFC 7919 §2)."""

SIGNATURE_SCHEMES: dict[int, str] = {
    0x0101: "rsa_pkcs1_md5",
    0x0201: "rsa_pkcs1_sha1",
    0x0202: "dsa_sha1",
    0x0203: "ecdsa_sha1",
    0x0301: "rsa_pkcs1_sha224",
    0x0302: "dsa_sha224",
    0x0303: "ecdsa_sha224",
    0x0401: "rsa_pkcs1_sha256",
    0x0402: "dsa_sha256",
    0x0403: "ecdsa_secp256r1_sha256",
    0x0420: "rsa_pkcs1_sha256_legacy",
    0x0501: "rsa_pkcs1_sha384",
    0x0502: "dsa_sha384",
    0x0503: "ecdsa_secp384r1_sha384",
    0x0520: "rsa_pkcs1_sha384_legacy",
    0x0601: "rsa_pkcs1_sha512",
    0x0602: "dsa_sha512",
    0x0603: "ecdsa_secp521r1_sha512",
    0x0620: "rsa_pkcs1_sha512_legacy",
    0x0704: "eccsi_sha256",
    0x0705: "iso_ibs1",
    0x0706: "iso_ibs2",
    0x0707: "iso_chinese_ibs",
    0x0708: "sm2sig_sm3",
    0x0709: "gostr34102012_256a",
    0x070A: "gostr34102012_256b",
    0x070B: "gostr34102012_256c",
    0x070C: "gostr34102012_256d",
    0x070D: "gostr34102012_512a",
    0x070E: "gostr34102012_512b",
    0x070F: "gostr34102012_512c",
    0x0804: "rsa_pss_rsae_sha256",
    0x0805: "rsa_pss_rsae_sha384",
    0x0806: "rsa_pss_rsae_sha512",
    0x0807: "ed25519",
    0x0808: "ed448",
    0x0809: "rsa_pss_pss_sha256",
    0x080A: "rsa_pss_pss_sha384",
    0x080B: "rsa_pss_pss_sha512",
    0x081A: "ecdsa_brainpoolP256r1tls13_sha256",
    0x081B: "ecdsa_brainpoolP384r1tls13_sha384",
    0x081C: "ecdsa_brainpoolP512r1tls13_sha512",
    0x0904: "mldsa44",
    0x0905: "mldsa65",
    0x0906: "mldsa87",
    0x0911: "slhdsa_sha2_128s",
    0x0912: "slhdsa_sha2_128f",
    0x0913: "slhdsa_sha2_192s",
    0x0914: "slhdsa_sha2_192f",
    0x0915: "slhdsa_sha2_256s",
    0x0916: "slhdsa_sha2_256f",
    0x0917: "slhdsa_shake_128s",
    0x0918: "slhdsa_shake_128f",
    0x0919: "slhdsa_shake_192s",
    0x091A: "slhdsa_shake_192f",
    0x091B: "slhdsa_shake_256s",
    0x091C: "slhdsa_shake_256f",
} | GREASE
"""Source: IANA "TLS SignatureScheme" (RFC 8446 §4.2.3); the DSA, MD5 and SHA-224 rows are TLS 1.2's
pairs of hash and signature algorithm (RFC 5246 §7.4.1.4.1), spelled as a scheme would be."""

ALERT_LEVELS: dict[int, str] = {1: "warning", 2: "fatal"}
"""Source: RFC 8446 §6."""

ALERTS: dict[int, str] = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    117: "general_error",
    120: "no_application_protocol",
    121: "ech_required",
}
"""Source: IANA "TLS Alerts" (RFC 8446 §6); each alert's own section stands in `tls.prose`."""

CERTIFICATE_TYPES: dict[int, str] = {
    1: "rsa_sign",
    2: "dss_sign",
    3: "rsa_fixed_dh",
    4: "dss_fixed_dh",
    5: "rsa_ephemeral_dh",
    6: "dss_ephemeral_dh",
    20: "fortezza_dms",
    64: "ecdsa_sign",
    65: "rsa_fixed_ecdh",
    66: "ecdsa_fixed_ecdh",
    67: "gost_sign256",
    68: "gost_sign512",
}
"""ClientCertificateType of a TLS 1.2 CertificateRequest. Source: IANA "TLS ClientCertificateType
Identifiers" (RFC 5246 §7.4.4, RFC 8422 §5.5)."""

CERTIFICATE_FORMATS: dict[int, str] = {0: "X509", 1: "OpenPGP", 2: "RawPublicKey", 3: "1609Dot2"}
"""Source: IANA "TLS Certificate Types" (RFC 7250 §6)."""

COMPRESSION_METHODS: dict[int, str] = {0: "null", 1: "DEFLATE", 64: "LZS"}
"""Of records. Source: IANA "TLS Compression Method Identifiers" (RFC 3749 §2)."""

CERTIFICATE_COMPRESSION: dict[int, str] = {1: "zlib", 2: "brotli", 3: "zstd"} | GREASE
"""Source: IANA "TLS Certificate Compression Algorithm IDs" (RFC 8879 §7.3)."""

POINT_FORMATS: dict[int, str] = {
    0: "uncompressed",
    1: "ansiX962_compressed_prime",
    2: "ansiX962_compressed_char2",
}
"""Source: IANA "TLS EC Point Formats" (RFC 8422 §5.1.2)."""

CURVE_TYPES: dict[int, str] = {1: "explicit_prime", 2: "explicit_char2", 3: "named_curve"}
"""Source: IANA "TLS EC Curve Types" (RFC 8422 §5.4)."""

PSK_MODES: dict[int, str] = {0: "psk_ke", 1: "psk_dhe_ke"} | {n: f"GREASE(0x{n:02x})" for n in range(0x0B, 0x100, 0x1F)}
"""Source: IANA "TLS PskKeyExchangeMode" (RFC 8446 §4.2.9, RFC 8701 §2)."""

MAX_FRAGMENT_LENGTHS: dict[int, str] = {1: "512 bytes", 2: "1,024 bytes", 3: "2,048 bytes", 4: "4,096 bytes"}
"""Source: RFC 6066 §4."""

NAME_TYPES: dict[int, str] = {0: "host_name"}
"""Source: RFC 6066 §3."""

STATUS_TYPES: dict[int, str] = {1: "ocsp", 2: "ocsp_multi"}
"""CertificateStatusType. Source: RFC 6066 §8, RFC 6961 §2.2."""

HEARTBEAT_MODES: dict[int, str] = {1: "peer_allowed_to_send", 2: "peer_not_allowed_to_send"}
"""Source: RFC 6520 §2."""

KEY_UPDATE_REQUESTS: dict[int, str] = {0: "update_not_requested", 1: "update_requested"}
"""Source: RFC 8446 §4.6.3."""

CHANGE_CIPHER_SPEC_TYPES: dict[int, str] = {1: "change_cipher_spec"}
"""Source: RFC 5246 §7.1."""

SCT_VERSIONS: dict[int, str] = {0: "v1"}
"""Source: RFC 6962 §3.2."""

ECH_TYPES: dict[int, str] = {0: "outer", 1: "inner"}
"""ECHClientHelloType. Source: RFC 9849 §5."""

ECH_VERSIONS: dict[int, str] = {0xFE0D: "RFC 9849"}
"""ECHConfig.version, which equals the extension's number. Source: RFC 9849 §4."""

HPKE_KEMS: dict[int, str] = {
    0x0010: "DHKEM(P-256, HKDF-SHA256)",
    0x0011: "DHKEM(P-384, HKDF-SHA384)",
    0x0012: "DHKEM(P-521, HKDF-SHA512)",
    0x0020: "DHKEM(X25519, HKDF-SHA256)",
    0x0021: "DHKEM(X448, HKDF-SHA512)",
}
"""Source: IANA "HPKE KEM Identifiers" (RFC 9180 §7.1)."""

HPKE_KDFS: dict[int, str] = {1: "HKDF-SHA256", 2: "HKDF-SHA384", 3: "HKDF-SHA512"}
"""Source: IANA "HPKE KDF Identifiers" (RFC 9180 §7.2)."""

HPKE_AEADS: dict[int, str] = {
    1: "AES-128-GCM",
    2: "AES-256-GCM",
    3: "ChaCha20Poly1305",
    0xFFFF: "export-only",
}
"""Source: IANA "HPKE AEAD Identifiers" (RFC 9180 §7.3)."""
