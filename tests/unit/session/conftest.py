"""One CA and two identities for all tests of the session: making keys is the slow part."""

from __future__ import annotations

import pytest

from mtls_notebook.pki.authority import Authority
from mtls_notebook.pki.identity import Identity


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create("Session CA")


@pytest.fixture(scope="session")
def identity(authority: Authority) -> Identity:
    return authority.issue("first").identity()


@pytest.fixture(scope="session")
def other(authority: Authority) -> Identity:
    return authority.issue("second").identity()
