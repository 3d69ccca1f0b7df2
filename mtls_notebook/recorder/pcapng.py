"""The pcapng file format, as much of it as one Ethernet interface with TLS secrets needs.

The secrets stand in the file itself, before the packets: Wireshark and tshark open it decrypted,
with no option to set. What may not live here: how packets are made (`packets`), files.
Source: draft-ietf-opsawg-pcapng §4.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from .packets import Frame

_SECTION_HEADER, _INTERFACE, _SECRETS, _PACKET = 0x0A0D0D0A, 1, 0xA, 6
_BYTE_ORDER_MAGIC = 0x1A2B3C4D
_ETHERNET = 1
_TLS_KEY_LOG = 0x544C534B
_END, _COMMENT, _NAME, _DESCRIPTION, _APPLICATION, _TIME_RESOLUTION = 0, 1, 2, 3, 4, 9
_UNKNOWN_LENGTH = -1

ABOUT = (
    "Made from the bytes that a TLS client recorded, not captured from a network: payloads and times are real, "
    "the Ethernet, IP and TCP headers around them and the ends of each connection are drawn in"
)


def pcapng(frames: Iterable[Frame], keylog: str, epoch_ns: int) -> bytes:
    """Return the file: the section, one interface, the secrets (none if `keylog` is ""), the frames.

    Units: `epoch_ns` is the Unix time, in nanoseconds, at which the recording's clock stood at 0.
    """
    blocks = [_section(), _interface()]
    if keylog:
        blocks.append(_secrets(keylog.encode("ascii", "replace")))
    blocks += [_packet(frame, epoch_ns) for frame in frames]
    return b"".join(blocks)


def _section() -> bytes:
    body = struct.pack("<IHHq", _BYTE_ORDER_MAGIC, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION_HEADER, body + _options((_APPLICATION, b"mtls-notebook")))


def _interface() -> bytes:
    options = _options((_NAME, b"mtls-notebook"), (_DESCRIPTION, ABOUT.encode()), (_TIME_RESOLUTION, b"\x09"))
    return _block(_INTERFACE, struct.pack("<HHI", _ETHERNET, 0, 0) + options)


def _secrets(keylog: bytes) -> bytes:
    return _block(_SECRETS, struct.pack("<II", _TLS_KEY_LOG, len(keylog)) + _padded(keylog))


def _packet(frame: Frame, epoch_ns: int) -> bytes:
    at = epoch_ns + frame.at_ns
    length = len(frame.data)
    head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFF_FFFF, length, length)
    comment = _options((_COMMENT, frame.comment.encode())) if frame.comment else b""
    return _block(_PACKET, head + _padded(frame.data) + comment)


def _options(*options: tuple[int, bytes]) -> bytes:
    return b"".join(struct.pack("<HH", code, len(value)) + _padded(value) for code, value in (*options, (_END, b"")))


def _block(kind: int, body: bytes) -> bytes:
    length = 12 + len(body)
    return struct.pack("<II", kind, length) + body + struct.pack("<I", length)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
