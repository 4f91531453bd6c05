"""What both ends of the host link mean the same by: frames in firmware/protocol.py, the circuit in rtl/host/link.py."""

from binascii import crc_hqx
from enum import IntEnum
from struct import pack

from golden.regmap import MAGIC, VERSION

REQUEST_SYNC, RESPONSE_SYNC = 0xC5, 0x5C
READ, WRITE, HELLO = 1, 2, 3
#: bits of a request's second byte
CHAINED, FIXED = 0x40, 0x80
MAX_WORDS = 64
#: requests that may be under way at a time, hence responses that the device keeps
WINDOW = 2
#: of a request beside its words: sync, op, number, count, address, CRC
FRAME_BYTES = 12
STATUS_SHIFT = 4


class Status(IntEnum):
    """What became of a request."""

    OK = 0
    BAD_CRC = 1
    BAD_FRAME = 2
    ADDRESS = 3
    BUSY = 4
    #: not the next request, nor one of the last WINDOW
    SEQUENCE = 5
    #: chained to a request that was not done whole
    SKIPPED = 6
    #: nobody has said hello since the reset
    STRANGER = 7


#: those of frames that were not looked into: such a response has no op, and the number that is waited for
REFUSALS = frozenset({Status.BAD_CRC, Status.BAD_FRAME, Status.SEQUENCE, Status.STRANGER})


def version_1(sync: int, span: bytes) -> bytes:
    return bytes([sync]) + span + crc_hqx(span, 0xFFFF).to_bytes(2, "little")


#: the first request of a host of version 1, a read of eight registers, and what tells it that it is too old: it looks
#: at the magic and the version, which are the first two
OLD_REQUEST = version_1(0xA5, pack("<BBI", READ, 8, 0))
OLD_ANSWER = version_1(0x5A, pack("<BB8I", READ, 8, MAGIC, VERSION, *(0,) * 6))
