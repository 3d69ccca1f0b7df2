"""The error tree. Every error carries a hint: what to type next.

    MtlsNotebookError
    ├── UsageError                 a magic or a call was typed wrongly
    ├── MaterialError              a file, certificate or key cannot be used
    │   ├── UnreadableFile
    │   ├── NotACertificate
    │   ├── NoPrivateKey
    │   ├── PasswordRequired
    │   ├── WrongPassword
    │   ├── KeyMismatch
    │   └── NotALeaf
    ├── StoreError                 the certificate store says no
    │   ├── UnknownCertificate
    │   ├── AmbiguousName
    │   ├── CertificateInUse
    │   └── StoreFull
    ├── ConfigError                wrangler.toml / wrangler.jsonc / NAME=cert
    ├── LabError                   the lab cannot start
    ├── ConnectError               a connection did not come to be, or broke off
    │   ├── HandshakeRefused       the peer refused us, or we refused the peer
    │   └── HostNotAllowed         the binding's --hosts does not name this host
    ├── WorkerError                the worker's code did not answer
    │   ├── WorkerSyntaxError
    │   ├── WorkerThrew
    │   ├── NotAResponse
    │   ├── WorkerTimeout
    │   └── WorkerStopped
    ├── EngineUnavailable          the language's engine is not on this machine
    └── DecodeError                bytes that are no TLS (names field path and offset)

What may not live here: any import from the package. Messages and hints never hold a key,
a passphrase or a PEM body.
"""

from __future__ import annotations


class MtlsNotebookError(Exception):
    """What happened (`message`) and what to type next (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}" if self.hint else self.message

    def _render_traceback_(self) -> list[str]:
        """Return the two lines that IPython shows instead of a traceback."""
        first = f"{type(self).__name__}: {self.message}"
        return [first, self.hint] if self.hint else [first]


class UsageError(MtlsNotebookError): ...


class MaterialError(MtlsNotebookError): ...


class UnreadableFile(MaterialError): ...


class NotACertificate(MaterialError): ...


class NoPrivateKey(MaterialError): ...


class PasswordRequired(MaterialError): ...


class WrongPassword(MaterialError): ...


class KeyMismatch(MaterialError): ...


class NotALeaf(MaterialError): ...


class StoreError(MtlsNotebookError): ...


class UnknownCertificate(StoreError): ...


class AmbiguousName(StoreError): ...


class CertificateInUse(StoreError): ...


class StoreFull(StoreError): ...


class ConfigError(MtlsNotebookError): ...


class LabError(MtlsNotebookError): ...


class ConnectError(MtlsNotebookError):
    """`diagnosis` holds the evidence (a diagnosis.doctor.Diagnosis) where there is one."""

    diagnosis: object | None = None


class HandshakeRefused(ConnectError): ...


class HostNotAllowed(ConnectError): ...


class WorkerError(MtlsNotebookError): ...


class WorkerSyntaxError(WorkerError): ...


class WorkerThrew(WorkerError):
    """`name` is the thrown error's own class name; `line` and `column` count from 1 in the cell, 0 if unknown."""

    name = ""
    line = 0
    column = 0
    stack = ""


class NotAResponse(WorkerError): ...


class WorkerTimeout(WorkerError): ...


class WorkerStopped(WorkerError): ...


class EngineUnavailable(MtlsNotebookError): ...


class DecodeError(MtlsNotebookError):
    """Bytes that do not decode: `path` names the field, `offset` the byte (from the message's start)."""

    def __init__(self, message: str, path: str, offset: int) -> None:
        super().__init__(f"{path} at byte {offset}: {message}")
        self.path = path
        self.offset = offset
