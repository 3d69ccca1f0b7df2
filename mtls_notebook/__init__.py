"""Mutual TLS in a notebook: upload a client certificate, bind it by a name, fetch through it, see the handshake.

In a notebook: `%load_ext mtls_notebook`. In Python: `mtls_notebook.Session()`. Importing this
package loads nothing heavy: names are looked up when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "Session": "api",
    "Stored": "session.store",
    "Certificate": "pki.certificate",
    "Identity": "pki.identity",
    "Handshake": "recorder.handshake",
    "Invocation": "worker.exchange",
    "MtlsNotebookError": "errors",
}
__all__ = [
    "Certificate",
    "Handshake",
    "Identity",
    "Invocation",
    "MtlsNotebookError",
    "Session",
    "Stored",
    "load_ipython_extension",
    "unload_ipython_extension",
]

if TYPE_CHECKING:
    from .api import Session
    from .errors import MtlsNotebookError
    from .pki.certificate import Certificate
    from .pki.identity import Identity
    from .recorder.handshake import Handshake
    from .session.store import Stored
    from .worker.exchange import Invocation


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_PUBLIC[name]}", __name__), name)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext mtls_notebook`."""
    from .magics import load  # noqa: PLC0415 - IPython is there only in a notebook

    load(shell)


def unload_ipython_extension(shell: Any) -> None:
    """`%unload_ext mtls_notebook`."""
    from .magics import unload  # noqa: PLC0415

    unload(shell)
