"""One CA and a few pairs for all tests of the pki: making keys is the slow part."""

from __future__ import annotations

import pytest

from mtls_notebook.pki.authority import Authority, Issued


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create("Test CA")


@pytest.fixture(scope="session")
def intermediate(authority: Authority) -> Authority:
    return authority.intermediate("Test Intermediate")


@pytest.fixture(scope="session")
def ec_pair(authority: Authority) -> Issued:
    return authority.issue("ec-client")


@pytest.fixture(scope="session")
def rsa_pair(authority: Authority) -> Issued:
    return authority.issue("rsa-client", key="RSA-2048")


@pytest.fixture(scope="session")
def chained_pair(intermediate: Authority) -> Issued:
    return intermediate.issue("chained-client")
