"""What both ends of the host link mean the same by: frames in firmware/protocol.py, the circuit in rtl/host/link.py."""

from enum import IntEnum

REQUEST_SYNC, RESPONSE_SYNC = 0xA5, 0x5A
READ, WRITE, FIXED = 1, 2, 0x80
MAX_WORDS = 64
STATUS_SHIFT = 4


class Status(IntEnum):
    """What became of a request."""

    OK = 0
    BAD_CRC = 1
    BAD_FRAME = 2
    ADDRESS = 3
    BUSY = 4
