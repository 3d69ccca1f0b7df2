"""The catalogue's rows are whole, and every word in them has a meaning elsewhere."""

from __future__ import annotations

import typing

from mtls_notebook.lab import catalogue
from mtls_notebook.lab.catalogue import CLIENTS, ORIGINS
from mtls_notebook.lab.context import VERIFY_MODES, VERSIONS
from mtls_notebook.lab.origin import BEHAVIOURS
from mtls_notebook.pki.authority import BAD


def test_every_origin_says_what_it_is_and_what_it_teaches() -> None:
    assert all(kind.title and kind.teaches.endswith(".") for kind in ORIGINS.values())
    assert len({kind.title for kind in ORIGINS.values()}) == len(ORIGINS)


def test_every_word_of_a_row_is_known_to_the_table_that_gives_it_meaning() -> None:
    for kind in ORIGINS.values():
        assert set(kind.versions) <= set(VERSIONS)
        assert kind.client_auth in VERIFY_MODES
        assert kind.behaviour in BEHAVIOURS
        assert kind.certificate in {"good", "untrusted", *BAD}


def test_every_behaviour_is_taught_by_an_origin() -> None:
    assert {kind.behaviour for kind in ORIGINS.values()} == set(BEHAVIOURS)
    assert {kind.client_auth for kind in ORIGINS.values()} == set(VERIFY_MODES)
    assert {kind.certificate for kind in ORIGINS.values()} == set(typing.get_args(catalogue.ServerCertificate))


def test_every_client_certificate_can_be_issued_and_has_files_of_its_own() -> None:
    assert set(CLIENTS) <= {"good", *BAD}
    files = [name for client in CLIENTS.values() for name in (client.certificate_file, client.key_file)]
    assert len(set(files)) == len(files)
