"""What lies in the flash behind the bitstream: request frames that the device plays to itself at power-up.

    magic "LLFP"   fingerprint (8, as in the registers)   frame  frame ...   00

A frame is what a host would send (firmware/protocol.py) and begins with its sync byte, so that the byte after a frame
says whether another one follows or the end. rtl/host/player.py reads it.
"""

import hashlib
from collections.abc import Iterable
from enum import IntEnum

from golden.description import Description
from golden.frames import FRAME_BYTES, MAX_WORDS, REQUEST_SYNC

MAGIC = b"LLFP"
#: an erased flash
ERASED = 0xFF
END = 0x00
HEADER = len(MAGIC) + 8


class Boot(IntEnum):
    """What became of it: the register `boot`."""

    PLAYING = 0
    DONE = 1
    NOTHING = 2     # no magic there: the flash holds none
    REFUSED = 3     # of another design, damaged, or a frame was not done


def image_bytes(net: Description) -> int:
    """Bytes that the frames of an image of `net` take at most, with all around them; without samples."""
    banks = [len(bank.words) for bank in net.layout()]
    # hello, and three writes to registers
    frames = 4 + sum(-(-words // MAX_WORDS) for words in banks)
    return HEADER + frames * FRAME_BYTES + 4 * (4 + sum(banks)) + 1


def noise(net: Description) -> bytes:
    """Bytes in the place of an image that is not known yet: tools see nothing in them, and no device plays them."""
    return bytes([ERASED]) + hashlib.shake_256(net.fingerprint.encode()).digest(image_bytes(net) - 1)


def content(fingerprint: str, frames: Iterable[bytes]) -> bytes:
    """The bytes for the flash. fingerprint: that of the design (16 hexadecimal digits); frames: whole requests."""
    frames = list(frames)
    if any(frame[:1] != bytes([REQUEST_SYNC]) for frame in frames):
        raise ValueError(f"a frame begins with {REQUEST_SYNC:02x}")
    return b"".join([MAGIC, bytes.fromhex(fingerprint)[::-1], *frames, bytes([END])])
