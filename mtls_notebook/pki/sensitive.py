"""Bytes that never show themselves.

Key files pass through function arguments, and a verbose traceback prints arguments. So whatever may
hold a key or a passphrase travels as `Sensitive`: bytes to every parser, a length to every reader.
What may not live here: any use of the bytes.
"""

from __future__ import annotations

from typing import NoReturn, SupportsIndex


class Sensitive(bytes):
    """Bytes whose repr is their length and which refuse to be pickled or copied.

    Python's own `bytes` methods give plain bytes back (slices, `strip`, `+`): wrap their results again.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self):,} bytes, not shown>"

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return format(repr(self), format_spec)

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("This may hold a private key: it is not pickled or copied.")
