"""The registries: complete where they claim to be, unambiguous where names are unique."""

from __future__ import annotations

import inspect
import shutil
import subprocess

import pytest

from mtls_notebook.tls import cipher_suites, names
from mtls_notebook.tls.cipher_suites import KEY_EXCHANGES, key_exchange
from mtls_notebook.tls.extensions import ANY, EXTENSIONS
from mtls_notebook.tls.key_shares import PARTS
from mtls_notebook.tls.messages import MESSAGES
from mtls_notebook.tls.prose import MESSAGES as EXPLAINED_MESSAGES

TABLES = {name: table for name, table in inspect.getmembers(names) if name.isupper() and isinstance(table, dict)}


@pytest.mark.parametrize("name", TABLES)
def test_no_two_numbers_of_a_registry_share_a_name(name: str) -> None:
    assert len(set(TABLES[name].values())) == len(TABLES[name])


@pytest.mark.parametrize("name", TABLES)
def test_every_number_fits_the_wire_and_has_a_name(name: str) -> None:
    assert all(0 <= number <= 0xFFFF and text for number, text in TABLES[name].items())


def test_every_cipher_suite_of_the_installed_openssl_has_its_registered_name() -> None:
    openssl = shutil.which("openssl")
    assert openssl is not None
    command = [openssl, "ciphers", "-V", "-stdname", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"]
    spoken = {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        number, _, name, *_ = line.split()
        high, low = (int(part, 16) for part in number.split(","))
        spoken[high << 8 | low] = name
    assert len(spoken) > 50
    assert {number: names.CIPHER_SUITES.get(number) for number in spoken} == spoken


def test_grease_values_are_the_sixteen_of_the_rfc() -> None:
    assert [f"{number:04x}" for number in names.GREASE] == [f"{digit:x}a{digit:x}a" for digit in range(16)]
    assert [n for n, text in names.PSK_MODES.items() if "GREASE" in text] == [
        0x0B,
        0x2A,
        0x49,
        0x68,
        0x87,
        0xA6,
        0xC5,
        0xE4,
    ]


@pytest.mark.parametrize(
    ("table", "number", "name"),
    [
        (names.NAMED_GROUPS, 0x11EC, "X25519MLKEM768"),
        (names.NAMED_GROUPS, 0x11EB, "SecP256r1MLKEM768"),
        (names.NAMED_GROUPS, 0x0201, "MLKEM768"),
        (names.SIGNATURE_SCHEMES, 0x0904, "mldsa44"),
        (names.SIGNATURE_SCHEMES, 0x0906, "mldsa87"),
        (names.SIGNATURE_SCHEMES, 0x081A, "ecdsa_brainpoolP256r1tls13_sha256"),
        (names.SIGNATURE_SCHEMES, 0x0808, "ed448"),
        (names.ALERTS, 116, "certificate_required"),
        (names.EXTENSION_TYPES, 0xFE0D, "encrypted_client_hello"),
        (names.EXTENSION_TYPES, 0x3A3A, "GREASE(0x3a3a)"),
        (names.CIPHER_SUITES, 0x1305, "TLS_AES_128_CCM_8_SHA256"),
        (names.CERTIFICATE_TYPES, 64, "ecdsa_sign"),
    ],
)
def test_numbers_that_matter_have_the_name_of_the_registry(table: dict[int, str], number: int, name: str) -> None:
    assert table[number] == name


def test_every_tls12_suite_has_a_key_exchange_or_is_of_a_kind_kept_as_bytes() -> None:
    without = {
        name.removeprefix("TLS_").partition("_WITH_")[0]
        for number, name in cipher_suites.CIPHER_SUITES.items()
        if not key_exchange(number) and "_WITH_" in name
    }
    assert without == {"NULL", "KRB5", "KRB5_EXPORT", "ECCPWD", "ECJPAKE", "GOSTR341112_256"}


@pytest.mark.parametrize(
    ("suite", "kind"),
    [(0xC02B, "ECDHE"), (0x009E, "DHE"), (0x002F, "RSA"), (0x00A8, "PSK"), (0xC0AA, "DHE_PSK"), (0x1301, ""), (0, "")],
)
def test_the_key_exchange_is_read_from_the_suite(suite: int, kind: str) -> None:
    assert key_exchange(suite) == kind


def test_every_key_exchange_is_reached_by_a_suite() -> None:
    assert {key_exchange(number) for number in cipher_suites.CIPHER_SUITES} == {*KEY_EXCHANGES.values(), ""}


def test_every_form_is_for_a_registered_extension_in_a_known_message() -> None:
    kinds = {kind for kind, _ in MESSAGES.values()} | {"HelloRetryRequest", ANY}
    assert {message for message, _ in EXTENSIONS} <= kinds
    assert {number for _, number in EXTENSIONS} <= names.EXTENSIONS.keys()


def test_every_group_with_parts_is_registered() -> None:
    for groups in PARTS.values():
        assert groups.keys() <= set(names.NAMED_GROUPS.values())


def test_every_message_is_registered_and_explained() -> None:
    assert MESSAGES.keys() <= names.HANDSHAKE_TYPES.keys()
    kinds = {kind for kind, _ in MESSAGES.values()} | {"HelloRetryRequest", "Alert", "ChangeCipherSpec"}
    assert kinds == EXPLAINED_MESSAGES.keys()
