"""A device in plain Python: what answers on the bus, and a line to it with faults on request; a network that learns."""

from collections import deque
from dataclasses import replace

import numpy as np

from firmware.transport import Transport
from golden.fixed import QFormat, wrap
from golden.image import Image, build_image, image_params, learning_addresses, parameter_words
from golden.rate import engine, learn
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.regmap import (
    BOOT_REGISTERS,
    ERRORS,
    FIRST_BIT,
    INPUT,
    KEEPER_REGISTERS,
    LAST_BIT,
    LEARN_BIT,
    MAGIC,
    OUTPUT,
    PARAMETER_BASE,
    REGISTERS,
    SCRUB_REGISTERS,
    TEACH_BIT,
    VALID_BIT,
    VERSION,
)
from golden.spiking import engine as spiking
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import FIRED_BIT, IMAGE_BIT, TICK_BIT
from sim.harness.line import Responder

OFFSETS = {register.offset: name for name, register in REGISTERS.items()
           if name not in BOOT_REGISTERS + KEEPER_REGISTERS + SCRUB_REGISTERS}


def learner(*, streams: int = 2, loss: str = "squared_error") -> Network:
    """Two layers that learn: folds, filtered errors, a tau_m that is learnt below and a halved rate above."""
    fields = {"operand": QFormat(0, 11), "weight": QFormat(1, 12), "state": QFormat(3, 10), "rate": QFormat(0, 11),
              "lag": QFormat(0, 15), "lead": QFormat(2, 12), "lanes": 2}
    own = {"error": QFormat(1, 11), "slope": QFormat(1, 10), "lead": QFormat(4, 8), "lag": QFormat(0, 12), "rate": 3}
    return Network(name="learner", dt=1.0, teacher=Teacher(loss=loss, streams=streams, seed=5), layers=(
        Dense(inputs=4, outputs=3, activation="tanh", **fields, max_delay=2, delay=1,
              plastic=Plastic(**own, tau=QFormat(8, 7), tau_r=QFormat(4, 8), tau_min=4)),
        Dense(inputs=3, outputs=2, activation="linear", **fields, plastic=Plastic(**own, halvings=3, gamma=5))))


def learner_params(net: Network, seed: int = 1, bits: int = 2):
    """Random parameters, weights `bits` bits smaller than their format allows, lags that fit their tau_m."""
    rng, found = np.random.default_rng(seed), []
    for layer, p in zip(net.layers, engine.random_params(net, rng), strict=True):
        p = p._replace(weight=p.weight >> bits, bias=p.bias >> bits)
        if layer.plastic.tau is not None:
            tau = rng.integers(4 << layer.plastic.tau.frac_bits, 40 << layer.plastic.tau.frac_bits, layer.outputs)
            one = 1 << layer.lag.frac_bits + layer.plastic.tau.frac_bits
            p = p._replace(tau=tau, lag=one // tau)
        found.append(p)
    return tuple(found)


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
        if net.teacher is not None:
            self.registers |= {"teacher": net.targets | net.streams << 16, "learn_cycles": 19}
            self.noise, self.readable = learn.registers(net), set(learning_addresses(net).tolist())
        self.received, self.params, self.loading, self.loads = [], None, False, 0
        self.learnt, self.was_reset, self.resets = False, False, 0
        self.error_ticks = 0
        self._restart()

    def _restart(self):
        """What a reset does to the network."""
        self.vector, self.outputs, self.states = [], deque(), {}
        self.first, self.errors, self.stream = True, False, -1

    def reset(self):
        """The button: the parameters stay, but for a host they are not loaded any more."""
        self._restart()
        self.was_reset, self.loading, self.resets = True, False, self.resets + 1
        self.registers |= dict.fromkeys(("errors", "ticks", "scratch", "learning", "halvings", "overflow", "lost"), 0)

    def read(self, addr):
        """A word, or None where there is no such address."""
        if addr == OUTPUT:
            return self._output()
        name = OFFSETS.get(addr)
        if name == "status":
            return ((self.params is not None and not self.was_reset) | self.loading << 1 | self._under_way() << 3
                    | self.learnt << 4 | self.errors << 5 | (self.net.END is not None) << 6)
        if addr >= PARAMETER_BASE and self.net.teacher is not None and addr in self.readable:
            return dict(build_image(self.net, self.params).pairs.tolist())[addr]
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
        elif name in ("errors", "overflow", "lost"):
            self.registers[name] &= ~word
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
            self._take(image)
            self.loads, self.learnt, self.was_reset, self.error_ticks = self.loads + 1, False, False, 0

    def _take(self, image):
        self.params = image_params(image, self.net)

    def _under_way(self):
        return bool(self.outputs and self.waits)

    def _input(self, word):
        if len(self.outputs) + self.net.outputs > self.registers["output_ticks"] * self.net.outputs:
            return False
        if word >> FIRST_BIT & 1:
            self.first, self.errors = True, bool(self.registers["learning"] and self.net.teacher)
        self.vector.append(wrap(word & 0x3FFFF, 18))
        if len(self.vector) == self.net.inputs + self.errors * self.net.targets:
            if self.first:
                self.states, self.stream, self.first = {}, -1, False
            self.stream = (self.stream + 1) % self.net.streams
            rate = self._learn(word) if self.errors else self._infer()
            for n, y in enumerate(rate.tolist()):
                self.outputs.append(y & 0x3FFFF | (n == self.net.outputs - 1) << LAST_BIT | 1 << VALID_BIT)
            self.vector = []
            self.registers["ticks"] += 1
        return True

    def _infer(self):
        state = self.states.get(self.stream, engine.reset(self.net, 1))
        self.states[self.stream], outs = engine.network_step(state, np.array([self.vector]), self.params, self.net)
        return outs[-1].rate[0]

    def _learn(self, word):
        """A tick with errors, `word` its last."""
        net, inputs, moves = self.net, self.net.inputs, bool(word >> LEARN_BIT & 1)
        state = learn.LearnState(streams=tuple(self.states.get(n, learn.rest(net)) for n in range(net.streams)),
                                 params=self.params, ticks=self.error_ticks, overflow=(False,) * len(net.layers),
                                 lost=((False, False),) * len(net.layers))
        state, out = learn.learn_tick(
            state, self.stream, self.vector[:inputs], self.vector[inputs:], net, first=self.stream not in self.states,
            learn=moves, teach=bool(word >> TEACH_BIT & 1), halve=self.registers["halvings"], noise=self.noise)
        self.params, self.error_ticks = state.params, state.ticks
        self.states[self.stream], self.learnt = state.streams[self.stream], self.learnt or moves
        self.registers["overflow"] |= sum(1 << n for n, layer in enumerate(state.overflow) if layer)
        self.registers["lost"] |= sum(1 << 2 * n + k for n, flags in enumerate(state.lost)
                                      for k, flag in enumerate(flags) if flag)
        return out.rate

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


class SpikingDevice(Device):
    """The same for a spiking network: tokens in, an answer as soon as an image is decided, one set of parameters.

    `held` has the parameters and the seeds of the image that was loaded. As in the circuit, what an image that did not
    end has left in the accumulators outlives a reset: `dirty`.
    """

    def __init__(self, net: SpikingNetwork, *, output_ticks: int = 8, slow: int = 0):
        self.dirty, self.held = False, net
        super().__init__(net, output_ticks=output_ticks, slow=slow)
        self.registers["cycles_per_tick"] = 0

    def _restart(self):
        super()._restart()
        self.spikes = np.zeros((1, self.net.ticks, self.net.inputs), bool)
        self.inside, self.answered, self.tick = False, False, 0

    def reset(self):
        self.dirty |= bool(self.inside)
        super().reset()

    def write(self, addr, word):
        if OFFSETS.get(addr) == "load_begin":
            self.params = None
        return super().write(addr, word)

    def _take(self, image):
        seeded = [n for n, layer in enumerate(self.net.layers) if layer.regenerates]
        halves = image.pairs[len(image) - 2 * len(seeded):, 1].reshape(-1, 2).tolist()
        layers = list(self.net.layers)
        for n, (low, high) in zip(seeded, halves, strict=True):
            layers[n] = replace(layers[n], weight=replace(layers[n].weight, seed=low | high << 16))
        self.held = replace(self.net, layers=tuple(layers))
        self.params = image_params(image, self.held)

    def _under_way(self):
        return bool(self.inside or self.outputs)

    def _input(self, word):
        if len(self.outputs) >= self.registers["output_ticks"]:
            return False
        ends = bool(word >> IMAGE_BIT & 1)
        if not ends and not word >> TICK_BIT & 1:
            self.spikes[0, min(self.tick, self.net.ticks - 1), word] = True
        elif not self.answered:
            self._decide(ends)
        self.tick += word >> TICK_BIT & 1
        self.inside = not ends
        if ends:
            self.spikes[:], self.tick, self.answered, self.dirty = False, 0, False, False
        return True

    def _decide(self, ends):
        """An answer at the end of the image, or of the tick in which an output spikes."""
        label, tick, fired = (int(part[0]) for part in spiking.run(self.held, self.params, self.spikes).answers)
        if ends or (fired and tick <= self.tick):
            label = (label + self.dirty) % self.net.outputs
            self.outputs.append(label | tick << 8 | fired << FIRED_BIT | 1 << LAST_BIT | 1 << VALID_BIT)
            self.answered = True


class Line(Transport):
    """The line to a Device: the pure model of rtl/host/link.py, silence after each call of `write`.

    faults(direction, n, frame): the bytes that arrive in place of frame n ("request" or "response"); may raise.
    """

    def __init__(self, device, faults=None):
        self.device, self.faults = device, faults or (lambda direction, n, frame: frame)
        self.frames, self.waiting, self.closed = 0, bytearray(), False
        self.responder = Responder(device)

    def write(self, data):
        """See Transport."""
        n = self.frames
        self.frames += 1
        answer = self.responder.respond(self.faults("request", n, bytes(data)))
        self.waiting += self.faults("response", n, answer)

    def read(self, n, timeout):
        """See Transport; does not wait."""
        data = bytes(self.waiting[:n])
        del self.waiting[:n]
        return data

    def close(self):
        """See Transport."""
        self.closed = True


def flip(frame, bit):
    """A frame with one bit of it turned over."""
    frame = bytearray(frame)
    frame[bit // 8 % len(frame)] ^= 1 << bit % 8
    return bytes(frame)


def one_line(error):
    """The text of an error, which has to be one line that says something."""
    assert "\n" not in str(error.value)
    assert len(str(error.value)) > 10
    return str(error.value)
