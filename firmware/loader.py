"""Board: a device at the other end of a transport, simulated or real: which design it is, its parameters, its runs."""

import time
from dataclasses import dataclass

import numpy as np

from firmware.learning import EMPTY, RESET, Learning
from firmware.link import ATTEMPTS, LEARNT, LOADED, LOADING, RUNNING, TICKING, Link
from firmware.protocol import MAX_WORDS, WRITE, LinkError, PortError, Request
from firmware.spiking import Spiking
from firmware.transport import Transport
from golden.fixed import wrap
from golden.image import WORD_BITS, Image
from golden.rate.network import Network
from golden.regmap import ERRORS, FIRST_BIT, INPUT, LAST_BIT, MAGIC, OUTPUT, REGISTERS, VALID_BIT, VERSION
from golden.spiking.network import SpikingNetwork


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

    @property
    def in_place(self) -> bool:
        """Whether it has room for one set of parameters only: spiking networks, whose ticks have no period."""
        return self.cycles_per_tick == 0


class Board(Learning, Spiking, Link):
    """A device that speaks firmware/protocol.py over `transport`.

    What networks that learn add is in firmware.learning, what spiking networks add in firmware.spiking.

    Parameters: transport; net, the description of the design, which runs need; timeout, seconds for a response to
    begin and between its parts; patience, seconds for the device to get on with a load or a tick.
    All methods raise LinkError (one line) when the link or the device fails, ValueError for what does not fit the
    design.
    """

    def __init__(self, transport: Transport, net: Network | SpikingNetwork | None = None, *, timeout: float = 1.0,
                 patience: float = 10.0):
        super().__init__(transport, timeout=timeout, patience=patience)
        self.net = net
        self._identity = None
        self._aligned = False   # the device may hold part of an input vector
        self._ended = False     # the last sequence came to its end, and can go on

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

        Up to ATTEMPTS times where the link fails; the device keeps the parameters it had until a commit succeeds, but
        for that of a spiking network, which has none from `load_begin` on. ValueError when the image is for another
        design. `progress(n)` is called with the words sent since the last call, with a negative number where they have
        to be sent again. A network that learns begins like a new one: a sequence with errors that was cut short is
        completed before, as its ticks would move the registers that round steps of the weights.
        """
        identity = self.identify()
        if image.fingerprint != identity.fingerprint:
            raise ValueError(f"the image is for design {image.fingerprint}, "
                             f"the device is design {identity.fingerprint}")
        if len(image) != identity.parameter_words:
            raise ValueError(f"the image has {len(image)} words, the device takes {identity.parameter_words}")
        frames, lost = _frames(image), False
        for attempt in range(1, ATTEMPTS + 1):
            sent = 0
            try:
                if not self._aligned and self.get("status") & RUNNING:
                    self._empty()
                    self._align()
                self.set("errors", (1 << 32) - 1)
                lost = identity.in_place
                self.set("load_begin", 1)
                for addr, words in frames:
                    self.write(addr, words)
                    sent += len(words)
                    if progress is not None:
                        progress(len(words))
                self._commit(image.crc)
                return
            except PortError as error:
                if lost:
                    raise PortError(f"{error}; the device has no parameters now") from None
                raise
            except LinkError as error:
                if attempt == ATTEMPTS:
                    left = "has no parameters now" if lost else "keeps those it had"
                    raise LinkError(f"the parameters did not load in {ATTEMPTS} attempts, the device {left}: "
                                    f"{error}") from None
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
        """Run one sequence from rest, without errors: x (ticks, inputs) operand words -> (ticks, outputs) rate words.

        Where the network has several streams, each is given x, and stream 0 answers; or x (ticks, streams, inputs) ->
        (ticks, streams, outputs). int64. Never has more ticks in the device than its output buffer holds.
        `progress(n)`: n more ticks came back.
        """
        words, found = self._input_words(x), []
        registers = {"learning": 0} if self.net.teacher is not None else {}
        self._stream(words, self._begin(registers), found, progress)
        rates = self._end(found)
        return rates if np.ndim(x) == 3 else rates[:, 0]

    def _begin(self, registers, first=True):
        """Make the device ready for a sequence, or for more of one; how many ticks it holds."""
        identity = self._identity or self.identify()
        self._check_design(identity)
        status = self._require_loaded()
        if not first and not (self._ended and status & RUNNING):
            raise LinkError("the device has no sequence with errors to go on with, or holds one that was cut short: "
                            "begin another (first=True)")
        self._empty()
        if not self._aligned:
            self._align()
        for name, value in registers.items():
            self.set(name, value)
        self._aligned = self._ended = False
        return identity.output_ticks

    def _end(self, found):
        """Words of a sequence that came as (ticks, streams, outputs), unless a reset has passed unnoticed."""
        self._require_loaded()
        self._aligned = self._ended = True
        return np.array(found, np.int64).reshape(-1, self.net.streams, self.net.outputs)

    def _require_loaded(self):
        """The status; LinkError where the device has no parameters, or only what it had learnt before a reset."""
        status = self.get("status")
        if not status & LOADED:
            raise LinkError(RESET if status & LEARNT else EMPTY)
        return status

    def _stream(self, vectors, room, found, progress):
        """Frames of inputs and outputs in turn: vectors in, one a tick; signed output words are added to `found`."""
        (ticks, inputs), outputs, words = vectors.shape, self.net.outputs, vectors.ravel()
        turn = self.net.streams * outputs
        sent, deadline = 0, time.monotonic() + self.patience
        while len(found) < ticks * outputs:
            before, complete = sent + len(found), len(found) // outputs
            turns, window = len(found) // turn, min(ticks, complete + room) * inputs
            if sent < window:
                sent += self._send(words[sent:min(window, sent + MAX_WORDS)].tolist())
            # reads wait until a frame is worth it, or until no more may be sent
            wanted = sent // inputs * outputs - len(found)
            if wanted and (sent == window or wanted >= MAX_WORDS or before == sent + len(found)):
                found += self._outputs(min(wanted, MAX_WORDS), len(found))
            if progress is not None and len(found) // turn > turns:
                progress(len(found) // turn - turns)
            if before != sent + len(found):
                deadline = time.monotonic() + self.patience
            elif time.monotonic() > deadline:
                self._require_loaded()      # a reset loses outputs
                raise LinkError(f"no output for {self.patience:g} s after {complete} of {ticks} ticks")

    def _send(self, words):
        """Write input words; how many the device took before it was busy for too long."""
        request = Request(op=WRITE, addr=INPUT, count=len(words), data=words, fixed=True)
        return self._access(request, partial=True).count

    def _align(self):
        """Complete an input vector that was cut short, which the device does not show: halve what it may hold.

        Zeros are pushed, and whether that started a tick halves the range; FIRST_BIT then makes a run forget them.
        Where errors run a vector has target words, too. No weight moves, as the zeros come without LEARN_BIT; but the
        registers that round steps of the weights go on by these ticks.
        """
        size = self._identity.inputs
        if self.get("status") & RUNNING:
            size += self.get("teacher") & 0xFFFF
        low, high = 0, size - 1
        while high:
            middle = (low + high + 1) // 2
            ticks = self.get("ticks")
            self.write(INPUT, [0] * (size - middle), fixed=True)
            if self.get("ticks") != ticks:
                low, high = 0, high - middle
            elif low == high:
                self._require_loaded()      # a reset forgets the vector
                raise LinkError(f"the device took {size} input words and more without a tick")
            else:
                low, high = low + size - middle, size - 1
            self._empty()
        self._aligned = True

    def _input_words(self, x):
        """(vectors, inputs) words with flags: of every stream in turn."""
        if self.net is None:
            raise ValueError("run needs the network description: Board(transport, net)")
        if isinstance(self.net, SpikingNetwork):
            raise ValueError(f"{self.net.name} is a spiking network: it has images to classify, not a sequence to run")
        net, fmt, x = self.net, self.net.layers[0].operand, np.asarray(x)
        shape = x.shape[:1] + (net.streams,) * (x.ndim == 3) + (net.inputs,)
        if x.ndim not in (2, 3) or x.shape != shape or not len(x) or x.dtype.kind not in "iu":
            raise ValueError(f"inputs are integer words of shape (ticks, {net.inputs}) or (ticks, {net.streams}, "
                             f"{net.inputs}), not {x.dtype} of shape {x.shape}")
        if x.min() < fmt.min or x.max() > fmt.max:
            raise ValueError(f"inputs hold words outside of {fmt} [{fmt.min}, {fmt.max}]")
        words = x if x.ndim == 3 else np.repeat(x[:, None], net.streams, 1)
        words = words.astype(np.int64).reshape(-1, net.inputs) & ((1 << WORD_BITS) - 1)
        words[0, 0] |= 1 << FIRST_BIT
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
                found.append(wrap(word, fmt.width))
        return found


def _frames(image):
    """(address, words) of at most MAX_WORDS consecutive addresses each."""
    frames = []
    for addr, word in image.pairs.tolist():
        if frames and addr == frames[-1][0] + len(frames[-1][1]) and len(frames[-1][1]) < MAX_WORDS:
            frames[-1][1].append(word)
        else:
            frames.append((addr, [word]))
    return frames
