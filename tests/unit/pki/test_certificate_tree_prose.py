"""Every field that a certificate's tree can have is explained, with its source."""

from __future__ import annotations

import re

import pytest
from sample_certificates import MAKERS, sample, walk

from mtls_notebook.pki import certificate_prose as prose
from mtls_notebook.pki.certificate_extensions import EXTENSION_NAMES
from mtls_notebook.pki.certificate_prose import EXPLANATIONS, PARTS, WHOLE, explain
from mtls_notebook.pki.certificate_tree import tree
from mtls_notebook.spans import UNEXPLAINED, Explanation

SOURCE = re.compile(r"(RFC \d{4}|X\.690) §[A-Z]?[\d.]*\d")
ROWS = {**EXPLANATIONS, **PARTS, "": WHOLE}
ALTERNATIVE_NAME = ("tbsCertificate", "extensions", "Extensions", "subjectAltName")


@pytest.mark.parametrize("which", MAKERS)
def test_every_field_of_every_certificate_is_explained(which: str) -> None:
    paths = [path for path, _ in walk(tree(sample(which)))]
    assert [".".join(path) for path in paths if explain(path) == UNEXPLAINED] == []


@pytest.mark.parametrize("name", EXTENSION_NAMES.values())
def test_every_known_extension_is_explained(name: str) -> None:
    assert name in EXPLANATIONS


def test_every_explanation_is_of_use_to_a_field() -> None:
    reached = {explain(path) for which in MAKERS for path, _ in walk(tree(sample(which)))}
    assert [key for key, row in EXPLANATIONS.items() if Explanation(*row) not in reached] == []


@pytest.mark.parametrize("key", ROWS)
def test_every_explanation_is_a_sentence_with_a_source(key: str) -> None:
    text, source = ROWS[key]
    assert text[0].isupper()
    assert text.endswith(".")
    assert SOURCE.fullmatch(source), source


def test_no_key_stands_in_two_tables() -> None:
    tables = (
        prose.OUTSIDE,
        prose.NAMES,
        prose.KEYS,
        prose.EXTENSION,
        prose.WHERE_TO_ASK,
        prose.POLICY,
        prose.OTHERS,
        prose.PARTS,
    )
    assert sum(map(len, tables)) == len(EXPLANATIONS) + len(PARTS)


def test_no_explanation_is_written_twice() -> None:
    texts = [text for text, _ in ROWS.values()]
    assert sorted(texts) == sorted(set(texts))


def test_the_root_may_stand_in_front_of_the_path() -> None:
    assert explain(("Certificate", "tbsCertificate", "issuer")) == explain(("tbsCertificate", "issuer"))
    assert explain(("Certificate",)) == explain(()) == Explanation(*WHOLE)


def test_the_more_of_a_path_a_key_names_the_sooner_it_is_chosen() -> None:
    in_name = explain(("tbsCertificate", "subject", "RelativeDistinguishedName", "AttributeTypeAndValue", "value"))
    assert in_name == Explanation(*EXPLANATIONS["AttributeTypeAndValue.value"])
    assert explain(("tbsCertificate", "signature")) != explain(("signatureValue", "signature"))


def test_tag_and_length_are_explained_by_what_they_belong_to() -> None:
    assert explain(("tbsCertificate", "serialNumber", "length")).text == "How many bytes of serialNumber follow."
    assert "Certificate is" in explain(("tag",)).text


def test_contents_are_explained_by_what_holds_them() -> None:
    path = ("tbsCertificate", "serialNumber")
    assert explain((*path, "contents")) == explain(path)


def test_what_an_extension_holds_is_explained_as_the_extension() -> None:
    assert explain((*ALTERNATIVE_NAME, "extnValue", "GeneralNames")) == explain(ALTERNATIVE_NAME)


@pytest.mark.parametrize("path", [("nonsense",), ("contents",), ("extnValue2", "contents"), ("extnValue", "x9")])
def test_a_path_that_no_certificate_has_is_unexplained(path: tuple[str, ...]) -> None:
    assert explain(path) == UNEXPLAINED
