"""Board: registers, parameters and runs of a device at the other end of a transport, simulated or real."""

import time
from dataclasses import dataclass

import numpy as np

from firmware.protocol import (
    MAX_WORDS,
    READ,
    REASONS,
    WRITE,
    LinkError,
    PortError,
    Request,
    Response,
    ResponseParser,
    Status,
    encode_request,
)
from firmware.transport import Transport
from golden.fixed import wrap
from golden.image import WORD_BITS, Image
from golden.network import Network
from golden.regmap import ERRORS, FIRST_BIT, INPUT, LAST_BIT, MAGIC, OUTPUT, REGISTERS, VALID_BIT, VERSION

ATTEMPTS = 3
#: bits of the `status` register
LOADED, LOADING, TICKING = 1 << 0, 1 << 1, 1 << 3
#: seconds of silence after which nothing of a lost response is on its way any more
QUIET = 0.05


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a device says of itself."""

    version: int
    fingerprint: str
    inputs: int
    outputs: int
    parameter_words: int
    cycles_per_tick: int
    output_ticks: int


class Board:
    """A device that speaks firmware/protocol.py over `transport`.

    Parameters: transport; net, the description of the design, which `run` needs; timeout, seconds for a response to
    begin and between its parts; patience, seconds for the device to get on with a load or a tick.
    All methods raise LinkError (one line) when the link or the device fails, ValueError for what does not fit the
    design.
    """

    def __init__(self, transport: Transport, net: Network | None = None, *, timeout: float = 1.0,
                 patience: float = 10.0):
        self.transport, self.net, self.timeout, self.patience = transport, net, timeout, patience
        self._parser = ResponseParser()
        self._stale = True      # bytes of an earlier talk may be on the line
        self._identity = None
        self._aligned = False   # the device may hold part of an input vector

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Close the transport."""
        self.transport.close()

    # ---- words and registers

    def read(self, addr: int, count: int = 1, *, fixed: bool = False) -> list[int]:
        """`count` words from `addr` on, or all from `addr` where `fixed`."""
        words = []
        while len(words) < count:
            at = addr if fixed else addr + len(words)
            part = min(MAX_WORDS, count - len(words))
            words += self._access(Request(op=READ, addr=at, count=part, fixed=fixed)).data
        return words

    def write(self, addr: int, words, *, fixed: bool = False) -> None:
        """Write `words` from `addr` on, or all to `addr` where `fixed`."""
        words = [int(word) for word in words]
        for n in range(0, len(words), MAX_WORDS):
            part = words[n:n + MAX_WORDS]
            self._access(Request(op=WRITE, addr=addr if fixed else addr + n, count=len(part), data=part, fixed=fixed))

    def get(self, name: str) -> int:
        """Read a register."""
        return self.read(_register(name, "r").offset)[0]

    def set(self, name: str, value: int) -> None:
        """Write a register."""
        self.write(_register(name, "w").offset, [value])

    def identify(self) -> Identity:
        """Registers that say which design this is; LinkError if it is none of ours."""
        words = self.read(REGISTERS["magic"].offset, REGISTERS["output_ticks"].offset + 1)
        found = {name: words[register.offset] for name, register in REGISTERS.items() if register.offset < len(words)}
        if found["magic"] != MAGIC:
            raise LinkError(f"the device answers with magic 0x{found['magic']:08x}, a board of this project "
                            f"with 0x{MAGIC:08x}")
        if found["version"] != VERSION:
            raise LinkError(f"the device has address map version {found['version']}, this program speaks {VERSION}")
        self._identity = Identity(
            version=found["version"], fingerprint=f"{found['fingerprint_high']:08x}{found['fingerprint_low']:08x}",
            inputs=found["shape"] & 0xFFFF, outputs=found["shape"] >> 16,
            **{name: found[name] for name in ("parameter_words", "cycles_per_tick", "output_ticks")})
        return self._identity

    # ---- parameters

    def load(self, image: Image, progress=None) -> None:
        """Send an image and put it in force.

        Up to ATTEMPTS times where the link fails; the device keeps the parameters it had until a commit succeeds.
        ValueError when the image is for another design. `progress(n)` is called with the words sent since the last
        call, with a negative number where they have to be sent again.
        """
        identity = self.identify()
        if image.fingerprint != identity.fingerprint:
            raise ValueError(f"the image is for design {image.fingerprint}, "
                             f"the device is design {identity.fingerprint}")
        if len(image) != identity.parameter_words:
            raise ValueError(f"the image has {len(image)} words, the device takes {identity.parameter_words}")
        frames = _frames(image)
        for attempt in range(1, ATTEMPTS + 1):
            sent = 0
            try:
                self.set("errors", (1 << 32) - 1)
                self.set("load_begin", 1)
                for addr, words in frames:
                    self.write(addr, words)
                    sent += len(words)
                    if progress is not None:
                        progress(len(words))
                self._commit(image.crc)
                return
            except PortError:
                raise
            except LinkError as error:
                if attempt == ATTEMPTS:
                    raise LinkError(f"the parameters did not load in {ATTEMPTS} attempts, the device keeps those it "
                                    f"had: {error}") from None
                if progress is not None and sent:
                    progress(-sent)

    def _commit(self, crc):
        self.set("load_commit", crc)
        deadline = time.monotonic() + self.patience
        while self.get("status") & LOADING:
            if time.monotonic() > deadline:
                raise LinkError(f"the device is still loading {self.patience:g} s after the commit")
        errors = self.get("errors")
        if errors:
            names = [name for name, bit in ERRORS.items() if errors >> bit & 1] or [f"0x{errors:x}"]
            raise LinkError(f"the device refused the parameters: {', '.join(names)}")
        if not self.get("status") & LOADED:
            raise LinkError("the device says neither that it loaded the parameters nor why not")

    # ---- runs

    def run(self, x, progress=None) -> np.ndarray:
        """Run one sequence from reset: x (ticks, inputs) operand words -> (ticks, outputs) rate words, int64.

        Never has more ticks in the device than its output buffer holds. `progress(n)`: n more ticks came back.
        """
        words, identity = self._input_words(x), self._identity or self.identify()
        self._check_design(identity)
        if not self.get("status") & LOADED:
            raise LinkError("the device has no parameters yet: load an image first")
        self._empty()
        if not self._aligned:
            self._align()
        self._aligned = False
        found = self._stream(words, len(x), identity.output_ticks, progress)
        self._aligned = True
        return np.array(found, np.int64).reshape(len(x), self.net.outputs)

    def _stream(self, words, ticks, room, progress):
        """Frames of inputs and outputs in turn: words in, signed words out."""
        inputs, outputs = self.net.inputs, self.net.outputs
        sent, found, deadline = 0, [], time.monotonic() + self.patience
        while len(found) < ticks * outputs:
            before, complete = sent + len(found), len(found) // outputs
            window = min(ticks, complete + room) * inputs
            if sent < window:
                sent += self._send(words[sent:min(window, sent + MAX_WORDS)])
            # reads wait until a frame is worth it, or until no more may be sent
            wanted = sent // inputs * outputs - len(found)
            if wanted and (sent == window or wanted >= MAX_WORDS or before == sent + len(found)):
                found += self._outputs(min(wanted, MAX_WORDS), len(found))
            if progress is not None and len(found) // outputs > complete:
                progress(len(found) // outputs - complete)
            if before != sent + len(found):
                deadline = time.monotonic() + self.patience
            elif time.monotonic() > deadline:
                raise LinkError(f"no output for {self.patience:g} s after {complete} of {ticks} ticks")
        return found

    def _send(self, words):
        """Write input words; how many the device took before it was busy for too long."""
        request = Request(op=WRITE, addr=INPUT, count=len(words), data=words, fixed=True)
        return self._access(request, partial=True).count

    def _align(self):
        """Complete an input vector that was cut short, which the device does not show: halve what it may hold.

        Zeros are pushed, and whether that started a tick halves the range; FIRST_BIT then makes a run forget them.
        """
        low, high, inputs = 0, self.net.inputs - 1, self.net.inputs
        while high:
            middle = (low + high + 1) // 2
            ticks = self.get("ticks")
            self.write(INPUT, [0] * (inputs - middle), fixed=True)
            if self.get("ticks") != ticks:
                low, high = 0, high - middle
            elif low == high:
                raise LinkError(f"the device took {inputs} input words and more without a tick")
            else:
                low, high = low + inputs - middle, inputs - 1
            self._empty()

    def _input_words(self, x):
        if self.net is None:
            raise ValueError("run needs the network description: Board(transport, net)")
        fmt, x = self.net.layers[0].operand, np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.net.inputs or not len(x) or x.dtype.kind not in "iu":
            raise ValueError(f"inputs are integer words of shape (ticks, {self.net.inputs}), "
                             f"not {x.dtype} of shape {x.shape}")
        if x.min() < fmt.min or x.max() > fmt.max:
            raise ValueError(f"inputs hold words outside of {fmt} [{fmt.min}, {fmt.max}]")
        words = (x.astype(np.int64) & ((1 << WORD_BITS) - 1)).ravel().tolist()
        words[0] |= 1 << FIRST_BIT
        return words

    def _check_design(self, identity):
        net = self.net
        if identity.fingerprint != net.fingerprint:
            raise ValueError(f"{net.name} is design {net.fingerprint}, the device is design {identity.fingerprint}")
        if (identity.inputs, identity.outputs) != (net.inputs, net.outputs) or identity.output_ticks < 1:
            raise LinkError(f"the device has {identity.inputs} inputs, {identity.outputs} outputs and room for "
                            f"{identity.output_ticks} ticks, {net.name} has {net.inputs} and {net.outputs}")

    def _empty(self):
        """Throw away what a run that ended early has left in the output buffer."""
        count, deadline = 1, time.monotonic() + self.patience
        while True:
            ticking = self.get("status") & TICKING
            words = self.read(OUTPUT, count, fixed=True)
            count = MAX_WORDS
            if not ticking and not any(word >> VALID_BIT & 1 for word in words):
                return
            if time.monotonic() > deadline:
                raise LinkError(f"the device goes on giving outputs of an earlier run for {self.patience:g} s")

    def _outputs(self, count, before):
        """Up to `count` words that the output has now, signed; `before`: words of this run that came earlier."""
        fmt, outputs, found = self.net.layers[-1].rate, self.net.outputs, []
        for word in self.read(OUTPUT, count, fixed=True):
            if word >> VALID_BIT & 1:
                last = (before + len(found)) % outputs == outputs - 1
                if (word >> LAST_BIT & 1) != last:
                    raise LinkError(f"output word {before + len(found)} is {'not ' * last}marked as the last of a "
                                    f"tick, with {outputs} outputs it should {'' if last else 'not '}be")
                found.append(wrap(word & ((1 << fmt.width) - 1), fmt.width))
        return found

    # ---- frames

    def _access(self, request: Request, *, partial: bool = False) -> Response:
        """One frame, sent again while that can do no harm: it was refused unseen, or reads without side effect.

        LinkError unless all words were done; with `partial` a device that was busy after some of them is right, too.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                response = self._exchange(request)
            except PortError:
                raise
            except LinkError:
                self._stale = True
                if attempt == ATTEMPTS or request.op == WRITE or request.fixed:
                    raise
                continue
            if response.status == Status.OK or partial and response.status == Status.BUSY:
                return response
            if attempt == ATTEMPTS or response.status not in (Status.BAD_CRC, Status.BAD_FRAME):
                raise LinkError(f"{_words(request)}: {REASONS[response.status]} (after {response.count} words)")
        raise AssertionError("unreachable")

    def _exchange(self, request: Request) -> Response:
        if self._stale:
            self._drain()
        self.transport.write(encode_request(request))
        while True:
            data = self.transport.read(self._parser.needed, self.timeout)
            if not data:
                raise LinkError(f"{_words(request)}: no response within {self.timeout:g} s")
            response = self._parser.feed(data)
            if response is None:
                continue
            if response.status in (Status.BAD_CRC, Status.BAD_FRAME):
                return response
            complete = response.count == request.count or response.status != Status.OK
            if (response.op, response.fixed) == (request.op, request.fixed) and complete:
                return response
            raise LinkError(f"{_words(request)}: the response is for an op {response.op} of {response.count} words")

    def _drain(self):
        """Wait until the line is quiet, so that no late response is taken for the next one."""
        deadline = time.monotonic() + self.patience
        while self.transport.read(4096, QUIET):
            if time.monotonic() > deadline:
                raise LinkError(f"the port sends without end for {self.patience:g} s, no board of ours does")
        self._parser.clear()
        self._stale = False


def _frames(image):
    """(address, words) of at most MAX_WORDS consecutive addresses each."""
    frames = []
    for addr, word in image.pairs.tolist():
        if frames and addr == frames[-1][0] + len(frames[-1][1]) and len(frames[-1][1]) < MAX_WORDS:
            frames[-1][1].append(word)
        else:
            frames.append((addr, [word]))
    return frames


def _register(name, access):
    if name not in REGISTERS:
        raise ValueError(f"no register {name!r}; there are {', '.join(REGISTERS)}")
    if access not in REGISTERS[name].access:
        raise ValueError(f"register {name} cannot be {'read' if access == 'r' else 'written'}")
    return REGISTERS[name]


def _words(request):
    verb = "read" if request.op == READ else "write"
    return f"{verb} of {request.count} words at 0x{request.addr:08x}"
