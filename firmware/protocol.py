"""Frames of the host link, version 2. Pure functions, no I/O.

    request     C5  op  seq  count  addr(4)  payload(4 * count, writes)  crc(4)
    response    5C  head  seq  count  payload(4 * count, reads)  crc(4)

All numbers are little-endian. `op` is 1 (read), 2 (write) or 3 (hello); bit 7 is for accesses that all go to `addr` (a
FIFO) instead of counting up from it, bit 6 for a request that is done only where the one before it was done whole.
`head` is op with the status in bits 6..4 and bit 7 of the request. The count of a response says how many words were
done before the status stopped them. The CRC is CRC-32 over what lies between sync byte and CRC.

`seq` numbers the requests. The device does the next one, answers one of the last WINDOW again from what it answered
before, and refuses any other; so a request can be sent again whatever it does. A hello, a write of one word that comes
back, begins the numbers anew: the next request is `seq` + 1. A frame that is refused (BAD_CRC, BAD_FRAME, SEQUENCE,
STRANGER) has touched nothing; its response has op and count 0, and in `seq` the number that is waited for.
firmware/window.py is the host's side, rtl/host/link.py the other end.
"""

import struct
from dataclasses import dataclass
from zlib import crc32

from golden.frames import (
    CHAINED,
    FIXED,
    HELLO,
    MAX_WORDS,
    READ,
    REFUSALS,
    REQUEST_SYNC,
    RESPONSE_SYNC,
    STATUS_SHIFT,
    WRITE,
    Status,
)

_HEADER, _CRC = 8, 4       # sync, op, seq, count, addr; of a response the header is 4 bytes
_RESPONSE_HEADER = 4
OVERHEAD, RESPONSE_OVERHEAD = _HEADER + _CRC, _RESPONSE_HEADER + _CRC

#: a Status in words, for messages
REASONS = {
    Status.OK: "done",
    Status.BAD_CRC: "the frame arrived with a wrong checksum or ended early",
    Status.BAD_FRAME: "the frame arrived with an op other than read, write or hello or a count outside of "
                      f"1..{MAX_WORDS}",
    Status.ADDRESS: "no such address",
    Status.BUSY: "the device did not take or give the word in time",
    Status.SEQUENCE: "the frame arrived out of turn",
    Status.SKIPPED: "the request before it was not done whole",
    Status.STRANGER: "the device has begun anew",
}


class LinkError(OSError):
    """The link failed: one line that says what was wrong and what would be right."""


class PortError(LinkError):
    """The port itself failed or is gone: trying again on it is of no use."""


class ResetError(LinkError):
    """The device knows of no hello: it was reset, or another program has spoken to it."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """An access to `count` words at `addr`; `data`: the words of a write or hello, empty for a read.

    seq: its number; chained: only where the request before it is done whole.
    """

    op: int
    addr: int
    count: int
    data: tuple[int, ...] = ()
    fixed: bool = False
    seq: int = 0
    chained: bool = False

    def __post_init__(self):
        object.__setattr__(self, "data", tuple(self.data))
        _check(self.op in (READ, WRITE, HELLO),
               f"op must be {READ} (read), {WRITE} (write) or {HELLO} (hello), not {self.op!r}")
        _check(_is_int(self.count) and 1 <= self.count <= MAX_WORDS,
               f"a frame holds 1 to {MAX_WORDS} words, not {self.count!r}")
        _check(self.op != HELLO or self.count == 1, f"a hello has one word, not {self.count!r}")
        _check(_is_word(self.addr), f"addr must be in 0..0xFFFFFFFF, not {self.addr!r}")
        _check(len(self.data) == (0 if self.op == READ else self.count),
               f"{'read' if self.op == READ else 'write'} of {self.count} words has {len(self.data)} words of data")
        _check(all(map(_is_word, self.data)), "data words must be in 0..0xFFFFFFFF")
        _check_seq(self.seq)


@dataclass(frozen=True, kw_only=True)
class Response:
    """Status of request `seq`, the `count` of words done and, for a read or hello, their `data`."""

    status: Status
    op: int = 0
    count: int = 0
    data: tuple[int, ...] = ()
    fixed: bool = False
    seq: int = 0

    def __post_init__(self):
        object.__setattr__(self, "data", tuple(self.data))
        _check(self.status in tuple(Status), f"status must be in 0..{max(Status)}, not {self.status!r}")
        refused = self.status in REFUSALS
        _check(self.op in ((0,) if refused else (READ, WRITE, HELLO)),
               f"no response has status {self.status} and op {self.op}")
        _check(not (refused and (self.count or self.fixed)), "a refused frame has no count and is not fixed")
        _check(_is_int(self.count) and 0 <= self.count <= MAX_WORDS,
               f"a response counts 0 to {MAX_WORDS} words, not {self.count!r}")
        _check(len(self.data) == (self.count if self.op in (READ, HELLO) else 0),
               f"a response of {self.count} words has {len(self.data)} words of data")
        _check(all(map(_is_word, self.data)), "data words must be in 0..0xFFFFFFFF")
        _check_seq(self.seq)


def encode_request(request: Request) -> bytes:
    """The bytes of a request."""
    op = request.op | FIXED * request.fixed | CHAINED * request.chained
    return _frame(REQUEST_SYNC, struct.pack(f"<BBBI{len(request.data)}I", op, request.seq, request.count, request.addr,
                                            *request.data))


def decode_request(frame: bytes) -> Request:
    """One whole request; LinkError for anything else. What the device does, for models of it."""
    if len(frame) < OVERHEAD or frame[0] != REQUEST_SYNC:
        raise LinkError(f"{len(frame)} bytes from {frame[:1].hex() or 'nothing'} are no request, which has "
                        f"{OVERHEAD} or more from {REQUEST_SYNC:02x}")
    op, seq, count = frame[1] & ~(FIXED | CHAINED), frame[2], frame[3]
    if not is_request(op, count):
        raise LinkError(f"request with op 0x{frame[1]:02x} and count {count}: " + REASONS[Status.BAD_FRAME])
    words = 0 if op == READ else count
    _check_frame(frame, OVERHEAD + 4 * words, "request")
    data = struct.unpack_from(f"<{words}I", frame, _HEADER)
    return Request(op=op, fixed=bool(frame[1] & FIXED), chained=bool(frame[1] & CHAINED), seq=seq, count=count,
                   addr=int.from_bytes(frame[4:_HEADER], "little"), data=data)


def is_request(op: int, count: int) -> bool:
    """Whether a request may have this op, without its bits for fixed and chained, and this count."""
    return op in (READ, WRITE, HELLO) and 1 <= count <= (1 if op == HELLO else MAX_WORDS)


def encode_response(response: Response) -> bytes:
    """The bytes of a response. What the device does, for models of it."""
    head = response.op | response.status << STATUS_SHIFT | FIXED * response.fixed
    return _frame(RESPONSE_SYNC, struct.pack(f"<BBB{len(response.data)}I", head, response.seq, response.count,
                                             *response.data))


def decode_response(frame: bytes) -> Response:
    """One whole response; LinkError for anything else."""
    if len(frame) < RESPONSE_OVERHEAD or frame[0] != RESPONSE_SYNC:
        raise LinkError(f"{len(frame)} bytes from {frame[:1].hex() or 'nothing'} are no response, which has "
                        f"{RESPONSE_OVERHEAD} or more from {RESPONSE_SYNC:02x}")
    head, seq, count = frame[1:_RESPONSE_HEADER]
    op, words = head & 0x0F, _response_words(head, count)
    _check_frame(frame, RESPONSE_OVERHEAD + 4 * words, "response")
    try:
        return Response(status=Status(head >> STATUS_SHIFT & 7), op=op, fixed=bool(head & FIXED), seq=seq, count=count,
                        data=struct.unpack_from(f"<{words}I", frame, _RESPONSE_HEADER))
    except ValueError as error:
        raise LinkError(f"response with head 0x{head:02x} and count {count}: {error}") from None


class ResponseParser:
    """Finds a response in the bytes of a line, in pieces of any size; bytes before a sync byte are dropped.

    `dropped` counts them. After an error the parser goes on behind the sync byte of the bad frame.
    """

    def __init__(self):
        self._buffer = bytearray()
        self.dropped = 0

    @property
    def begun(self) -> bool:
        """Whether bytes of a response are there that has not come to its end."""
        return bool(self._buffer)

    @property
    def needed(self) -> int:
        """Bytes that are missing at least, so that reading as many never waits for what does not come."""
        return max(1, self._length() - len(self._buffer))

    def feed(self, data: bytes) -> Response | None:
        """Take bytes; the next response once it is complete, else None. LinkError where a frame is wrong."""
        self._buffer += data
        start = self._buffer.find(RESPONSE_SYNC)
        self._drop(len(self._buffer) if start < 0 else start)
        length = self._length()
        if len(self._buffer) < length:
            return None
        try:
            response = decode_response(bytes(self._buffer[:length]))
        except LinkError:
            self._drop(1)
            raise
        del self._buffer[:length]
        return response

    def skip(self) -> None:
        """Give up the response that has not come to its end: go on behind its sync byte."""
        self._drop(min(1, len(self._buffer)))

    def clear(self) -> None:
        """Forget everything."""
        self._buffer.clear()

    def _length(self):
        if len(self._buffer) < _RESPONSE_HEADER:
            return RESPONSE_OVERHEAD
        return RESPONSE_OVERHEAD + 4 * _response_words(self._buffer[1], self._buffer[3])

    def _drop(self, count):
        del self._buffer[:count]
        self.dropped += count


def _response_words(head, count):
    # a count that no response has makes the frame short, so that it is refused at once, not waited for
    return count if head & 0x0F in (READ, HELLO) and count <= MAX_WORDS else 0


def _frame(sync, span):
    return bytes([sync]) + span + crc32(span).to_bytes(_CRC, "little")


def _check_frame(frame, length, what):
    if len(frame) != length:
        raise LinkError(f"{what} of {len(frame)} bytes, {length} expected")
    found, computed = int.from_bytes(frame[-_CRC:], "little"), crc32(frame[1:-_CRC])
    if found != computed:
        raise LinkError(f"{what} with checksum 0x{found:08x}, its bytes have 0x{computed:08x}")


def _check(ok, message):
    if not ok:
        raise ValueError(message)


def _check_seq(seq):
    _check(_is_int(seq) and 0 <= seq < 256, f"seq must be in 0..255, not {seq!r}")


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_word(value):
    return _is_int(value) and 0 <= value < 1 << 32
