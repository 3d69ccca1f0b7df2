"""Every field that decoding can produce, and every alert, is explained with its source."""

from __future__ import annotations

import re

import pytest
from captured import NAMES, SAMPLES, Sample, decoded, walk

from mtls_notebook.spans import UNEXPLAINED, Explanation
from mtls_notebook.tls import names, prose
from mtls_notebook.tls.messages import Message, decode
from mtls_notebook.tls.prose import ALERTS, EXPLANATIONS, describe_alert, explain

SOURCE = re.compile(r"(RFC \d{3,5}|FIPS \d+|X\.\d+|ETSI TS [\d -]+|draft-[a-z0-9-]+)( §[A-Z]?[\d.]+(–§[\d.]+)?)?")
ROWS = {**EXPLANATIONS, **prose.MESSAGES, **ALERTS}


def unexplained(message: Message) -> list[str]:
    return [".".join(path) for path, _ in walk(message.field) if explain(message.kind, path) == UNEXPLAINED]


@pytest.mark.parametrize("name", NAMES)
def test_every_field_of_a_capture_is_explained(name: str) -> None:
    assert [(m.kind, unexplained(m)) for m in decoded(name) if unexplained(m)] == []


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_every_field_of_a_sample_is_explained(sample: Sample) -> None:
    assert unexplained(decode(sample.raw, sample.sender, sample.context)) == []


@pytest.mark.parametrize("name", names.EXTENSIONS.values())
def test_every_registered_extension_is_explained(name: str) -> None:
    assert explain("ClientHello", ("extensions", "extension", name)) != UNEXPLAINED


def test_every_alert_is_explained_and_a_number_without_a_name_is_not_silent() -> None:
    assert ALERTS.keys() == names.ALERTS.keys()
    assert describe_alert(116).source == "RFC 8446 §6.2"
    assert "no specification" in describe_alert(200).text


@pytest.mark.parametrize("key", ROWS, ids=str)
def test_every_explanation_is_a_sentence_with_a_source(key: str | int) -> None:
    text, source = ROWS[key]
    assert text.endswith(".")
    assert text[0].isupper() or text[0].isdigit()
    assert all(SOURCE.fullmatch(part) or re.fullmatch(r"§[\d.]+", part) for part in source.split(", ")), source


def test_no_key_stands_in_two_tables() -> None:
    tables = (
        prose.COMMON,
        prose.HELLO,
        prose.AUTHENTICATION,
        prose.DISTINGUISHED_NAMES,
        prose.KEY_EXCHANGE,
        prose.CONTROL,
        prose.EXTENSIONS,
    )
    assert sum(map(len, tables)) == len(EXPLANATIONS)


def test_every_explanation_is_of_use_to_a_field_or_an_unread_extension() -> None:
    reached = set()
    for sample in SAMPLES:
        message = decode(sample.raw, sample.sender, sample.context)
        for path, _ in walk(message.field):
            reached.add(explain(message.kind, path))
    unread = {explain("ClientHello", (name,)) for name in names.EXTENSIONS.values()}
    never = {key for key, row in EXPLANATIONS.items() if Explanation(*row) not in reached | unread}
    assert never == {"Alert.level", "Alert.description", "ChangeCipherSpec.type"}  # no handshake messages


def test_the_more_of_a_path_a_key_names_the_sooner_it_is_chosen() -> None:
    assert "HelloRetryRequest" in explain("HelloRetryRequest", ("random",)).text
    assert "32 fresh" in explain("ClientHello", ("random",)).text
    in_request = explain("CertificateRequest", ("extensions", "extension", "signature_algorithms"))
    in_hello = explain("ClientHello", ("extensions", "extension", "signature_algorithms"))
    assert in_request != in_hello


def test_the_root_may_stand_in_front_of_the_path() -> None:
    assert explain("Finished", ("Finished", "verify_data")) == explain("Finished", ("verify_data",))
    assert explain("Finished", ("Finished",)) == explain("Finished")


def test_a_length_is_explained_by_what_it_measures_and_data_by_what_holds_it() -> None:
    path = ("extensions", "extension", "server_name", "server_name_list", "ServerName", "host_name")
    assert explain("ClientHello", (*path, "length")).text == "How many bytes of host_name follow."
    assert explain("ClientHello", (*path, "data")) == explain("ClientHello", path)
    assert "Three bytes" in explain("ClientHello", ("length",)).text


def test_a_path_that_no_message_has_is_unexplained() -> None:
    assert explain("ClientHello", ("nonsense",)) == UNEXPLAINED
    assert explain("Nonsense") == UNEXPLAINED
