"""Hosts that do odd but lawful things to a device, with the golden model beside them: scripts for sim.harness.script.

What a host does is drawn as it goes: images that are loaded, loaded again, refused or cut short, delays that change in
mid-run, sequences that start anew at any word, learning on and off, full buffers, pauses of either side, resets.
Every word that comes back is compared at once; Mismatch says which.
"""

import random
import zlib
from collections import deque

import numpy as np

from golden.fixed import wrap
from golden.image import build_image, parameter_words
from golden.regmap import (
    ERRORS,
    INPUT,
    LAST_BIT,
    OUTPUT,
    PARAMETER_BASE,
    REGISTERS,
    VALID_BIT,
    WORD_MASK,
    parameter_address,
)
from golden.spiking import engine as spiking
from golden.spiking.words import FIRED_BIT, IMAGE_BIT, TICK_BIT
from leadlag.bench.random_networks import synapses
from sim.harness.script import Access, Idle, Reset

#: of a host whose device answers soon
POLLS = 3000
#: cycles of a reset, longer than any pipeline
RESET = 200


class Mismatch(AssertionError):
    """The circuit differs from golden, or from the register map."""


class Host:
    """Registers and images.

    Parameters: net; rng and words, where all that is drawn comes from; budget, cycles after which no further action
    begins; button, whether there is a reset; bare, whether there is a core alone, without a loader that could refuse.
    Attributes: trace, the actions so far; compared, words that were equal.
    """

    boards = (0,)
    actions: tuple = ()
    #: (layer, kind, line) of what hidden spiking layers have sent, where nothing is cut short
    tokens: list | None = None
    #: reads of a register or of an output before a device is given up
    polls = POLLS
    #: clock cycles that it is given at least
    least_budget = 0
    #: a sim.harness.bare.Bare, which knows its cycles
    device = None

    def __init__(self, net, rng: random.Random, words: np.random.Generator, *, budget: int, button: bool,
                 bare: bool = False):
        self.net, self.rng, self.words, self.budget, self.button, self.bare = net, rng, words, budget, button, bare
        self.pace_in, self.pace_out = (rng.choice(("none", "none", "none", "random", "bursts")) for _ in range(2))
        self.greed = rng.choice((0.0, 0.0, 0.0, 0.05, 1.0))      # how soon outputs are read
        self.trace, self.compared, self.cost, self.ticks = [], 0, 0, 0
        self.due, self.pairs = deque(), None

    def expect(self, got, want, what: str) -> None:
        """Mismatch unless both are equal."""
        if got != want:
            raise Mismatch(f"{what} is {got}, expected {want}")
        self.compared += 1

    def access(self, write: bool, addr: int, data: int = 0, board: int = 0, *, error: bool = False):
        """One access, which succeeds unless `error`."""
        self.cost += 14 if addr >= PARAMETER_BASE else 7
        answer = yield Access(write, int(addr), int(data), board)
        if answer.error != error:
            raise Mismatch(f"{'write' if write else 'read'} of 0x{addr:08x}: bus error {answer.error}")
        return answer.word

    def get(self, name: str, board: int = 0):
        """A register."""
        return (yield from self.access(False, REGISTERS[name].offset, board=board))

    def put(self, name: str, value: int):
        """Write a register of all boards."""
        for board in self.boards:
            yield from self.access(True, REGISTERS[name].offset, value, board)

    def pause(self, pattern: str):
        """Nothing, some cycles, or now and then many."""
        cycles = 0
        if pattern == "random":
            cycles = self.rng.choice((0, 0, 1, 2, 5))
        elif pattern == "bursts" and self.rng.random() < 0.03:
            cycles = self.rng.randint(1, 300)
        if cycles:
            self.cost += cycles
            yield Idle(cycles)

    def until(self, name: str, mask: int, board: int = 0):
        """Wait until none of the bits `mask` is set."""
        for _ in range(self.polls):
            value = yield from self.get(name, board)
            if not value & mask:
                return value
        raise Mismatch(f"{name} stays 0x{value:x}")

    def spent(self) -> int:
        """Clock cycles so far, or nearly."""
        return self.cost if self.device is None else self.device.cycles

    def script(self):
        """All that the host does."""
        for board in self.boards:
            for name, value in (("parameter_words", parameter_words(self.net)),
                                ("fingerprint_low", int(self.net.fingerprint, 16) & 0xFFFFFFFF),
                                ("shape", self.net.inputs | self.net.outputs << 16)):
                self.expect((yield from self.get(name, board)), value, name)
            self.buffered = yield from self.get("output_ticks", board)
        if self.rng.random() < 0.3:
            yield from self.act(self.refused)
        for action in (self.load, self.run):
            yield from self.act(action)
        while self.spent() < self.budget:
            yield from self.act(getattr(self, self.rng.choice(self.actions)))
        yield from self.finish()

    def act(self, action):
        """One action, kept in the trace."""
        self.trace.append(action.__name__)
        yield from action()

    def load(self):
        """Another image, at times after a load that was broken off."""
        self.new_image()
        if self.rng.random() < 0.15:
            yield from self.send_image(self.pairs[:self.rng.randint(0, len(self.pairs))])
        yield from self.send_image(self.pairs)
        yield from self.commit()

    def repeat(self):
        """The image in force once more."""
        yield from self.drain()
        self.take_image()
        yield from self.send_image(self.pairs)
        yield from self.commit()

    def send_image(self, pairs):
        """Begin, and words."""
        yield from self.put("load_begin", 1)
        for board in self.boards:
            for addr, word in pairs:
                yield from self.access(True, addr, word, board)

    def commit(self):
        """The right checksum, and the image in force."""
        yield from self.put("load_commit", zlib.crc32(np.array(self.pairs, "<u4").tobytes()))
        for board in self.boards:
            self.expect((yield from self.until("status", 2, board)) & 1, 1, "bit 0 of status after a load")
            self.expect((yield from self.get("errors", board)), 0, "errors after a load")

    def refused(self):
        """Something that the loader must not take; parameters stay (of a spiking network: are gone)."""
        if self.bare:
            return
        rng, pairs = self.rng, build_image(self.net, self.any_params()).pairs.tolist()
        how = rng.choice(("crc", "short", "long", "stray", "outside"))
        self.trace[-1] = f"refused:{how}"
        yield from self.drain()
        if how in ("crc", "short", "long"):
            sent = {"crc": pairs, "short": pairs[:-1], "long": [*pairs, pairs[-1]]}[how]
            yield from self.send_image(sent)
            crc = zlib.crc32(np.array(sent, "<u4").reshape(-1, 2).tobytes())
            yield from self.put("load_commit", crc ^ (1 << rng.randrange(32) if how == "crc" else 0))
            flag, gone = "load_crc" if how == "crc" else "load_count", True
        elif how == "stray":
            for board in self.boards:
                yield from self.access(True, *pairs[0], board)
            flag, gone = "load_idle", False
        else:
            for board in self.boards:
                yield from self.access(rng.random() < 0.5, rng.choice((0x200, 0x1F, parameter_address(4095, 0))),
                                       1, board, error=True)
            flag, gone = "address", False
        for board in self.boards:
            self.expect((yield from self.get("errors", board)), 1 << ERRORS[flag], f"errors after {how}")
        yield from self.put("errors", 0xFFFFFFFF)
        if gone:
            yield from self.lost_image()

    def lost_image(self):
        """After a load that came to nothing."""
        yield from ()

    def drain(self):
        """Read all that is due, and let the device come to rest."""
        while self.due:
            yield from self.receive()
        for board in self.boards:
            yield from self.until("status", 8, board)

    def receive(self):
        """The next output word."""
        yield from self.pause(self.pace_out)
        for _ in range(self.polls):
            word = yield from self.access(False, OUTPUT, board=self.boards[-1])
            if word >> VALID_BIT:
                break
        else:
            raise Mismatch(f"no output in {self.polls} reads, {len(self.due)} are due")
        want, last, what = self.due.popleft()
        self.expect((wrap(word & WORD_MASK, 18), word >> LAST_BIT & 1), (want, last), what)
        self.received += last

    def input(self, word: int, board: int = 0):
        """An input word, when there is room for what it brings."""
        while self.due and (self.sent - self.received > self.room() or self.rng.random() < self.greed):
            yield from self.receive()
        yield from self.pause(self.pace_in)
        yield from self.access(True, INPUT, word, board)

    sent = received = 0     # ticks, or images


class InPlaceHost(Host):
    """The host of a network that has one half of the memories: what is loaded is in force at once."""

    def room(self):
        """Images whose answers may wait."""
        return self.buffered - 1

    def take_image(self):
        """Nothing has changed in it."""

    def load(self):
        """Between images."""
        yield from self.drain()
        yield from super().load()

    def lost_image(self):
        """Half of another image is in the memories."""
        for board in self.boards:
            self.expect((yield from self.get("status", board)) & 1, 0, "bit 0 of status after a load that was refused")
        if self.pairs is not None:
            yield from self.send_image(self.pairs)
            yield from self.commit()


class SpikingHost(InPlaceHost):
    """The host of a spiking network, image by image."""

    actions = (*("run",) * 6, "load", "repeat", "refused", "partial", "reset")

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.wanted_tokens = []

    def any_params(self):
        """Synapses that the seeds of `net` go with."""
        return spiking.random_synapses(self.net, self.words)

    def new_image(self):
        """Synapses and seeds."""
        self.held, self.params = synapses(self.net, self.words)
        self.pairs = build_image(self.held, self.params).pairs.tolist()

    def run(self):
        """Some images, from none to all of their spikes."""
        images, (ticks, inputs) = self.rng.choice((1, 3, 6, 10)), (self.net.ticks, self.net.inputs)
        rate = self.words.choice([0.0, 0.05, 0.3, 0.7, 1.0], (images, 1, 1), p=[0.2, 0.2, 0.3, 0.15, 0.15])
        spikes = self.words.random((images, ticks, inputs)) < rate
        for image in spikes:        # some end with spikes whose effect is still to come
            if self.rng.random() < 0.4:
                image[:-self.rng.choice((1, 2))] = False
        want = spiking.run(self.held, self.params, spikes)
        for n, image in enumerate(spikes):
            self.wanted_tokens.append([layer[n] for layer in want.spikes[:-1]])
            for tick in image:
                lines = np.flatnonzero(tick)
                self.words.shuffle(lines)
                for line in lines:
                    yield from self.input(int(line))
                yield from self.input(1 << TICK_BIT)
                self.ticks += 1
            yield from self.input(1 << IMAGE_BIT)
            label, tick, fired = (int(part[n]) for part in want.answers)
            word = label | tick << 8 | fired << FIRED_BIT
            self.due.append((word, 1, f"image {self.sent}: label | tick << 8 | fired << 16"))
            self.sent += 1

    def partial(self):
        """A part of an image, ended early: its answer means nothing, and the next image nothing of it."""
        yield from self.drain()
        yield from self.check_tokens()
        for _ in range(self.rng.randint(0, self.net.ticks)):
            for line in range(self.net.inputs):
                if self.rng.random() < 0.5:
                    yield from self.access(True, INPUT, line)
            yield from self.access(True, INPUT, 1 << TICK_BIT)
            self.ticks += 1
        for line in range(self.rng.randint(0, self.net.inputs)):
            yield from self.access(True, INPUT, line)
        yield from self.flush()

    def flush(self):
        """End the image, whatever it is, and take its answer."""
        yield from self.access(True, INPUT, 1 << IMAGE_BIT)
        for _ in range(POLLS):
            if (yield from self.access(False, OUTPUT)) >> VALID_BIT:
                break
        else:
            raise Mismatch("no answer to an image that ended early")
        yield from self.drain()
        # the end of an image is taken by the layer above once that has cleared its accumulators
        yield Idle(RESET + sum(layer.folds << layer.delay_bits for layer in self.net.layers))
        if self.tokens is not None:
            self.tokens.clear()

    def reset(self):
        """The button, at times in the middle of an image."""
        if not self.button:
            return
        yield from self.drain()
        yield from self.check_tokens()
        for line in range(self.rng.choice((0, self.net.inputs))):
            yield from self.access(True, INPUT, line)
        self.cost += RESET
        yield Reset(RESET)
        self.ticks = 0
        loads_first = self.rng.random() < 0.5
        if loads_first:
            yield from self.load()
        yield from self.flush()
        if not loads_first:
            yield from self.load()

    def check_tokens(self):
        """Compare what hidden layers have sent with golden."""
        wanted, self.wanted_tokens = self.wanted_tokens, []
        if self.tokens is None:
            return
        hidden = len(self.net.layers) - 1
        for _ in range(POLLS):     # answers may come before the images' ends
            if sum(kind == 2 for _, kind, _ in self.tokens) >= hidden * len(wanted):
                break
            yield Idle(20)
        for n in range(hidden):
            want = []
            for layers in wanted:
                for tick in layers[n]:
                    want += [(0, int(line)) for line in np.flatnonzero(tick)] + [(1, 0)]
                want.append((2, 0))
            got = [(kind, line if kind == 0 else 0) for layer, kind, line in self.tokens if layer == n]
            for k, (mine, golden) in enumerate(zip(got, want, strict=False)):
                self.expect(mine, golden, f"token {k} of layer {n} (kind, line)")
            self.expect(len(got), len(want), f"number of tokens of layer {n}")
        self.tokens.clear()

    def finish(self):
        """What is left, and the counters."""
        yield from self.drain()
        yield from self.check_tokens()
        self.expect((yield from self.get("ticks")), self.ticks, "ticks")
        self.expect((yield from self.get("errors")), 0, "errors")
