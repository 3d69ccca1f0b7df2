"""Fixtures of the live tests: certificates, and real servers that are started once and shared.

    def test_…(serve, pki):
        server = serve(servers.nginx, verify="on", version="1.2")

What may not live here: how a server is started (`servers`), how a certificate is made (`material`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.live.material import Pki, write_pki
from tests.live.servers import NotInstalled, Server


@pytest.fixture(scope="session")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """One CA, its server, and its clients, good and bad, as files that end with the session."""
    return write_pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="session")
def serve(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Return `serve(factory, **options)`: the running server of that kind, started at its first use.

    A server that is not installed skips the test by name (with CI=true: fails it).
    """
    running: dict[tuple[object, ...], Server] = {}

    def server(factory: Callable[..., Server], **options: object) -> Server:
        key = (factory, *sorted(options.items()))
        if key not in running:
            try:
                running[key] = factory(tmp_path_factory.mktemp(factory.__name__), pki, **options)
            except NotInstalled as error:
                pytest.skip(f"{error}: {factory.__name__} is left out")  # a failure with CI=true
        return running[key]

    yield server
    for started in running.values():
        started.stop()
