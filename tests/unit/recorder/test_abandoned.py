"""A request that is given up while its connection is being made: the connection does not come to be."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from mtls_notebook.recorder.recording import Recording
from mtls_notebook.recorder.tap import Exchange, current_exchange, open_stream


@pytest.mark.parametrize("moment", ["before", "meanwhile"])
def test_an_exchange_that_is_aborted_before_or_while_connecting_leaves_no_connection(
    moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange, made = Exchange("GET", "/"), []
    connect = socket.create_connection

    def connecting(*given: Any) -> socket.socket:
        made.append(connect(*given))
        exchange.abort()
        return made[-1]

    monkeypatch.setattr(socket, "create_connection", connecting)
    if moment == "before":
        exchange.abort()
    token = current_exchange.set(exchange)
    with socket.create_server(("127.0.0.1", 0)) as server:
        try:
            with pytest.raises(ConnectionAbortedError):
                open_stream(Recording(), "127.0.0.1", server.getsockname()[1], timeout_s=5)
        finally:
            current_exchange.reset(token)
    assert [one.fileno() for one in made] == ([] if moment == "before" else [-1])
