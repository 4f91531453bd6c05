"""A device in plain Python: what answers on the bus, and a line to it with faults on request."""

from collections import deque

import numpy as np

from firmware.protocol import (
    MAX_WORDS,
    READ,
    REQUEST_SYNC,
    WRITE,
    LinkError,
    Response,
    Status,
    decode_request,
    encode_response,
)
from firmware.transport import Transport
from golden import engine
from golden.fixed import wrap
from golden.image import Image, image_params, parameter_words
from golden.network import Network
from golden.regmap import (
    ERRORS,
    FIRST_BIT,
    INPUT,
    LAST_BIT,
    MAGIC,
    OUTPUT,
    PARAMETER_BASE,
    REGISTERS,
    VALID_BIT,
    VERSION,
)

OFFSETS = {register.offset: name for name, register in REGISTERS.items()}


class Device:
    """Registers, image loader and the golden network behind the address map of golden.regmap.

    `slow`: reads of an output that come to nothing before each tick's outputs are there.
    """

    def __init__(self, net: Network, *, output_ticks: int = 4, slow: int = 0):
        self.net, self.slow, self.waits = net, slow, slow
        fingerprint = int(net.fingerprint, 16)
        self.registers = dict.fromkeys(REGISTERS, 0) | {
            "magic": MAGIC, "version": VERSION, "fingerprint_low": fingerprint & 0xFFFFFFFF,
            "fingerprint_high": fingerprint >> 32, "shape": net.inputs | net.outputs << 16,
            "parameter_words": parameter_words(net), "cycles_per_tick": 9, "output_ticks": output_ticks}
        self.received, self.params, self.loading, self.loads = [], None, False, 0
        self.vector, self.outputs, self.state = [], deque(), None

    def read(self, addr):
        """A word, or None where there is no such address."""
        if addr == OUTPUT:
            return self._output()
        name = OFFSETS.get(addr)
        if name == "status":
            under_way = bool(self.outputs and self.waits)
            return (self.params is not None) | self.loading << 1 | under_way << 3
        return None if name is None else self.registers[name]

    def write(self, addr, word):
        """True when it was done, False when busy, None where there is no such address."""
        if addr == INPUT:
            return self._input(word)
        if addr >= PARAMETER_BASE:
            self.received.append((addr, word))
            return True
        name = OFFSETS.get(addr)
        if name is None:
            return None
        if name == "load_begin":
            self.received, self.loading = [], True
        elif name == "load_commit":
            self._commit(word)
        elif name == "errors":
            self.registers["errors"] &= ~word
        elif "w" in REGISTERS[name].access:
            self.registers[name] = word
        return True

    def _commit(self, crc):
        image = Image(self.net.fingerprint, np.array(self.received, "<u4").tobytes())
        if not self.loading:
            self.registers["errors"] |= 1 << ERRORS["load_idle"]
        self.loading = False
        if len(image) != self.registers["parameter_words"]:
            self.registers["errors"] |= 1 << ERRORS["load_count"]
        elif image.crc != crc:
            self.registers["errors"] |= 1 << ERRORS["load_crc"]
        else:
            self.params, _ = image_params(image, self.net)
            self.loads += 1

    def _input(self, word):
        if len(self.outputs) + self.net.outputs > self.registers["output_ticks"] * self.net.outputs:
            return False
        if word >> FIRST_BIT & 1:
            self.state = None
        self.vector.append(wrap(word & 0x3FFFF, 18))
        if len(self.vector) == self.net.inputs:
            state = engine.reset(self.net, 1) if self.state is None else self.state
            self.state, outs = engine.network_step(state, np.array([self.vector]), self.params, self.net)
            for n, y in enumerate(outs[-1].rate[0].tolist()):
                self.outputs.append(y & 0x3FFFF | (n == self.net.outputs - 1) << LAST_BIT | 1 << VALID_BIT)
            self.vector = []
            self.registers["ticks"] += 1
        return True

    def _output(self):
        if not self.outputs:
            return 0
        if self.waits:
            self.waits -= 1
            return 0
        word = self.outputs.popleft()
        if word >> LAST_BIT & 1:
            self.waits = self.slow
        return word


class Line(Transport):
    """The line to a Device: the pure model of rtl/link.py, one request a call of `write`.

    faults(direction, n, frame): the bytes that arrive in place of frame n ("request" or "response"); may raise.
    """

    def __init__(self, device, faults=None):
        self.device, self.faults = device, faults or (lambda direction, n, frame: frame)
        self.frames, self.waiting, self.closed = 0, bytearray(), False

    def write(self, data):
        """See Transport."""
        n = self.frames
        self.frames += 1
        answer = respond(self.device, self.faults("request", n, bytes(data)))
        self.waiting += self.faults("response", n, answer)

    def read(self, n, timeout):
        """See Transport; does not wait."""
        data = bytes(self.waiting[:n])
        del self.waiting[:n]
        return data

    def close(self):
        """See Transport."""
        self.closed = True


def respond(device, frame: bytes) -> bytes:
    """The bytes that a device answers to the bytes of a line that then falls silent."""
    start = frame.find(REQUEST_SYNC)
    if start < 0:
        return b""
    frame = frame[start:]
    if len(frame) > 1 and (frame[1] & 0x7F not in (READ, WRITE) or len(frame) > 2 and not 1 <= frame[2] <= MAX_WORDS):
        return encode_response(Response(status=Status.BAD_FRAME))
    length = 9 + 4 * (frame[2] if len(frame) > 2 and frame[1] & 0x7F == WRITE else 0)
    try:
        request = decode_request(frame[:length])
    except LinkError:
        return encode_response(Response(status=Status.BAD_CRC))
    return encode_response(execute(device, request))


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
