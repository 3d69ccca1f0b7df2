"""The one way a private key reaches OpenSSL.

Python's ssl module takes keys by file name only (up to 3.15). So the key is encrypted under a random
password that is used once, and the file is memory (Linux) or a 0600 temporary file that is gone when
the call returns: a crash leaves nothing but ciphertext. It is a compromise: for some milliseconds a
file exists. A named FIFO would avoid it and hung in trials.
What may not live here: any other use of a key.
"""

from __future__ import annotations

import os
import secrets
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from .sensitive import Sensitive

DESCRIPTORS = "/proc/self/fd"


def load_pair(context: ssl.SSLContext, chain_pem: Sensitive, key: PrivateKeyTypes) -> None:
    """Load the chain and its key into `context`.

    Raises: ssl.SSLError as OpenSSL decides.
    """
    password = Sensitive(secrets.token_urlsafe(32).encode())
    content = Sensitive(chain_pem + encrypted_pem(key, password))
    with file_holding(content) as path:
        # Without a password OpenSSL might ask for one on the terminal.
        context.load_cert_chain(path, password=password)


def encrypted_pem(key: PrivateKeyTypes, password: bytes) -> Sensitive:
    """Return the key as an ENCRYPTED PRIVATE KEY block (RFC 5958 §3) under `password`."""
    encryption = BestAvailableEncryption(bytes(password))
    return Sensitive(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))


@contextmanager
def file_holding(content: bytes) -> Iterator[str]:
    """Yield the path of a file with `content` that no other user can open and that vanishes afterwards."""
    if hasattr(os, "memfd_create") and os.path.isdir(DESCRIPTORS):
        opened = memory_file(content)
    else:
        opened = temporary_file(content)
    with opened as path:
        yield path


@contextmanager
def memory_file(content: bytes) -> Iterator[str]:
    """Yield the path of an anonymous file in memory (Linux)."""
    descriptor = os.memfd_create("mtls-notebook")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        yield f"{DESCRIPTORS}/{descriptor}"


@contextmanager
def temporary_file(content: bytes) -> Iterator[str]:
    """Yield the path of a temporary file with mode 0600; removed afterwards, whatever happens."""
    descriptor, path = tempfile.mkstemp(prefix="mtls-notebook-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        yield path
    finally:
        with suppress(FileNotFoundError):
            os.unlink(path)
