"""The line of the host link in plain Python: what answers on it, and noise; firmware.transport has the real one."""

import random
from dataclasses import replace

from firmware.protocol import (
    CHAINED,
    FIXED,
    HELLO,
    OVERHEAD,
    READ,
    REQUEST_SYNC,
    LinkError,
    Response,
    Status,
    decode_request,
    encode_response,
    is_request,
)
from firmware.transport import Transport
from golden.frames import OLD_ANSWER, OLD_REQUEST


class Responder:
    """What answers on a line, and each request once: the model of rtl/host/link.py.

    Parameters: device, with `read(addr)`, a word, and `write(addr, word)`, True: None where there is no such address,
    False where it is busy; where it has `resets`, a change of that forgets the numbers.
    """

    def __init__(self, device):
        self.device, self.resets = device, 0
        #: frames whose CRC was looked at, and those for which it was right
        self.at_crc, self.accepted = 0, []
        self._forget()

    def _forget(self):
        self.met, self.turn, self.whole, self.kept = False, 0, False, {}

    def respond(self, frame: bytes) -> bytes:
        """What comes back for the bytes `frame` of a line that then falls silent, b"" without a sync byte in them."""
        if self.resets != getattr(self.device, "resets", 0):
            self.resets = self.device.resets
            self._forget()
        if OLD_REQUEST in frame.partition(bytes([REQUEST_SYNC]))[0]:
            return OLD_ANSWER
        start = frame.find(REQUEST_SYNC)
        if start < 0:
            return b""
        frame = frame[start:]
        op, count = frame[1] if len(frame) > 1 else READ, frame[3] if len(frame) > 3 else 1
        if not is_request(op & ~(FIXED | CHAINED), count):
            return self._refuse(Status.BAD_FRAME)
        length = OVERHEAD + 4 * (count if len(frame) > 3 and op & 3 != READ else 0)
        self.at_crc += len(frame) >= length
        try:
            request = decode_request(frame[:length])
        except LinkError:
            return self._refuse(Status.BAD_CRC)
        self.accepted.append(frame[:length])
        return self._answer(request) + self.respond(frame[length:])

    def _answer(self, request):
        if request.op == HELLO:
            self.met, self.turn, self.whole, self.kept = True, (request.seq + 1) % 256, True, {}
            return encode_response(Response(status=Status.OK, op=HELLO, count=1, data=request.data, seq=request.seq))
        if not self.met:
            return self._refuse(Status.STRANGER)
        if request.seq != self.turn:
            kept = self.kept.get(request.seq)
            return self._refuse(Status.SEQUENCE) if kept is None else kept
        if request.chained and not self.whole:
            response = Response(status=Status.SKIPPED, op=request.op, fixed=request.fixed)
        else:
            response = execute(self.device, request)
        self.whole, self.turn = response.status == Status.OK, (self.turn + 1) % 256
        self.kept = {request.seq: encode_response(replace(response, seq=request.seq)),
                     **{seq: kept for seq, kept in self.kept.items() if seq == (request.seq - 1) % 256}}
        return self.kept[request.seq]

    def _refuse(self, status):
        return encode_response(Response(status=status, seq=self.turn))


def execute(device, request) -> Response:
    """The accesses of a request up to the first that fails: None (no such address) or False (busy)."""
    status, data, count = Status.OK, [], 0
    for n in range(request.count):
        addr = request.addr if request.fixed else (request.addr + n) % (1 << 32)
        result = device.read(addr) if request.op == READ else device.write(addr, request.data[n])
        if result is None:
            status = Status.ADDRESS
            break
        if result is False:
            status = Status.BUSY
            break
        count += 1
        if request.op == READ:
            data.append(result)
    return Response(status=status, op=request.op, fixed=request.fixed, count=count, data=data)


class Noisy(Transport):
    """A line on which each byte has a bit turned over with probability `rate`, in both directions."""

    def __init__(self, transport: Transport, rate: float, rng: random.Random):
        self.transport, self.rate, self.rng = transport, rate, rng

    def write(self, data: bytes) -> None:
        self.transport.write(self._damaged(data))

    def read(self, n: int, timeout: float) -> bytes:
        return self._damaged(self.transport.read(n, timeout))

    def close(self) -> None:
        self.transport.close()

    def _damaged(self, data):
        if not self.rate:
            return data
        return bytes(byte ^ 1 << self.rng.randrange(8) if self.rng.random() < self.rate else byte for byte in data)
