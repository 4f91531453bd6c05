"""Frames of the host link: stop and wait, one request, then one response. Pure functions, no I/O.

    request     A5  op  count  addr(4)  payload(4 * count, writes)  crc(2)
    response    5A  head  count  payload(4 * count, reads)  crc(2)

All numbers are little-endian. `op` is 1 (read) or 2 (write), with bit 7 for accesses that all go to `addr` (a FIFO)
instead of counting up from it. `head` is op with the status in bits 6..4. The count of a response says how many words
were done before the status stopped them. The CRC is CRC-16/CCITT-FALSE over what lies between sync byte and CRC.
A frame that is refused (BAD_CRC, BAD_FRAME) has touched nothing; its response has op and count 0. rtl/host/link.py is
the other end.
"""

import struct
from binascii import crc_hqx
from dataclasses import dataclass

from golden.frames import FIXED, MAX_WORDS, READ, REQUEST_SYNC, RESPONSE_SYNC, STATUS_SHIFT, WRITE, Status

_HEADER, _CRC = 7, 2       # sync, op, count, addr; of a response the header is 3 bytes
_RESPONSE_HEADER = 3

#: a Status in words, for messages
REASONS = {
    Status.OK: "done",
    Status.BAD_CRC: "the frame arrived with a wrong checksum or ended early",
    Status.BAD_FRAME: f"the frame arrived with an op other than read or write or a count outside of 1..{MAX_WORDS}",
    Status.ADDRESS: "no such address",
    Status.BUSY: "the device did not take or give the word in time",
}


class LinkError(OSError):
    """The link failed: one line that says what was wrong and what would be right."""


class PortError(LinkError):
    """The port itself failed or is gone: trying again on it is of no use."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """An access to `count` words at `addr`; `data`: the words of a write, empty for a read."""

    op: int
    addr: int
    count: int
    data: tuple[int, ...] = ()
    fixed: bool = False

    def __post_init__(self):
        object.__setattr__(self, "data", tuple(self.data))
        _check(self.op in (READ, WRITE), f"op must be {READ} (read) or {WRITE} (write), not {self.op!r}")
        _check(_is_int(self.count) and 1 <= self.count <= MAX_WORDS,
               f"a frame holds 1 to {MAX_WORDS} words, not {self.count!r}")
        _check(_is_word(self.addr), f"addr must be in 0..0xFFFFFFFF, not {self.addr!r}")
        _check(len(self.data) == (self.count if self.op == WRITE else 0),
               f"{'write' if self.op == WRITE else 'read'} of {self.count} words has {len(self.data)} words of data")
        _check(all(map(_is_word, self.data)), "data words must be in 0..0xFFFFFFFF")


@dataclass(frozen=True, kw_only=True)
class Response:
    """Status of a request, the `count` of words done and, for a read, their `data`."""

    status: Status
    op: int = 0
    count: int = 0
    data: tuple[int, ...] = ()
    fixed: bool = False

    def __post_init__(self):
        object.__setattr__(self, "data", tuple(self.data))
        refused = self.status in (Status.BAD_CRC, Status.BAD_FRAME)
        _check(self.status in tuple(Status), f"status must be in 0..{max(Status)}, not {self.status!r}")
        _check(self.op in ((0,) if refused else (READ, WRITE)),
               f"no response has status {self.status} and op {self.op}")
        _check(not (refused and (self.count or self.fixed)), "a refused frame has no count and is not fixed")
        _check(_is_int(self.count) and 0 <= self.count <= MAX_WORDS,
               f"a response counts 0 to {MAX_WORDS} words, not {self.count!r}")
        _check(len(self.data) == (self.count if self.op == READ else 0),
               f"a response of {self.count} words has {len(self.data)} words of data")
        _check(all(map(_is_word, self.data)), "data words must be in 0..0xFFFFFFFF")


def crc16(data: bytes) -> int:
    """CRC-16/CCITT-FALSE: polynomial 0x1021, initially 0xFFFF, most significant bit first."""
    return crc_hqx(data, 0xFFFF)


def encode_request(request: Request) -> bytes:
    """The bytes of a request."""
    span = struct.pack(f"<BBI{len(request.data)}I", request.op | FIXED * request.fixed, request.count, request.addr,
                       *request.data)
    return _frame(REQUEST_SYNC, span)


def decode_request(frame: bytes) -> Request:
    """One whole request; LinkError for anything else. What the device does, for models of it."""
    if len(frame) < _HEADER + _CRC or frame[0] != REQUEST_SYNC:
        raise LinkError(f"{len(frame)} bytes from {frame[:1].hex() or 'nothing'} are no request, which has "
                        f"{_HEADER + _CRC} or more from {REQUEST_SYNC:02x}")
    op, count = frame[1] & ~FIXED, frame[2]
    if op not in (READ, WRITE) or not 1 <= count <= MAX_WORDS:
        raise LinkError(f"request with op 0x{frame[1]:02x} and count {count}: " + REASONS[Status.BAD_FRAME])
    words = count if op == WRITE else 0
    _check_frame(frame, _HEADER + 4 * words + _CRC, "request")
    return Request(op=op, fixed=bool(frame[1] & FIXED), count=count, addr=int.from_bytes(frame[3:_HEADER], "little"),
                   data=struct.unpack_from(f"<{words}I", frame, _HEADER))


def encode_response(response: Response) -> bytes:
    """The bytes of a response. What the device does, for models of it."""
    head = response.op | response.status << STATUS_SHIFT | FIXED * response.fixed
    return _frame(RESPONSE_SYNC, struct.pack(f"<BB{len(response.data)}I", head, response.count, *response.data))


def decode_response(frame: bytes) -> Response:
    """One whole response; LinkError for anything else."""
    if len(frame) < _RESPONSE_HEADER + _CRC or frame[0] != RESPONSE_SYNC:
        raise LinkError(f"{len(frame)} bytes from {frame[:1].hex() or 'nothing'} are no response, which has "
                        f"{_RESPONSE_HEADER + _CRC} or more from {RESPONSE_SYNC:02x}")
    head, count = frame[1], frame[2]
    op, words = head & 0x0F, _response_words(head, count)
    _check_frame(frame, _RESPONSE_HEADER + 4 * words + _CRC, "response")
    try:
        return Response(status=Status(head >> STATUS_SHIFT & 7), op=op, fixed=bool(head & FIXED), count=count,
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

    def clear(self) -> None:
        """Forget everything."""
        self._buffer.clear()

    def _length(self):
        if len(self._buffer) < _RESPONSE_HEADER:
            return _RESPONSE_HEADER + _CRC
        return _RESPONSE_HEADER + 4 * _response_words(self._buffer[1], self._buffer[2]) + _CRC

    def _drop(self, count):
        del self._buffer[:count]
        self.dropped += count


def _response_words(head, count):
    # a count that no response has makes the frame short, so that it is refused at once, not waited for
    return count if head & 0x0F == READ and count <= MAX_WORDS else 0


def _frame(sync, span):
    return bytes([sync]) + span + crc16(span).to_bytes(_CRC, "little")


def _check_frame(frame, length, what):
    if len(frame) != length:
        raise LinkError(f"{what} of {len(frame)} bytes, {length} expected")
    found, computed = int.from_bytes(frame[-_CRC:], "little"), crc16(frame[1:-_CRC])
    if found != computed:
        raise LinkError(f"{what} with checksum 0x{found:04x}, its bytes have 0x{computed:04x}")


def _check(ok, message):
    if not ok:
        raise ValueError(message)


def _is_int(value):
    return isinstance(value, int) and not isinstance(value, bool)


def _is_word(value):
    return _is_int(value) and 0 <= value < 1 << 32
