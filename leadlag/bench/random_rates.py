"""The host of a rate network, on one board or on two, with golden beside it (leadlag.bench.random_hosts)."""

import numpy as np

from golden.fixed import QFormat
from golden.image import build_image, learning_addresses
from golden.rate import engine, learn
from golden.regmap import BANK_SHIFT, FIRST_BIT, LEARN_BIT, MAX_HALVINGS, TEACH_BIT, WORD_MASK
from golden.units import extrapolator
from leadlag.bench.random_hosts import RESET, Host
from leadlag.bench.random_networks import CUT, other_delays, rate_params
from rtl.rate.half import learnt_here
from rtl.rate.schedule import cycles_per_tick
from sim.harness.script import Idle, Reset

_MODES = ("random", "random", "ends", "zero", "min", "max", "still")


class Twin:
    """What a device that has been given the same words holds: engine and learn of golden.rate, tick by tick."""

    def __init__(self, net):
        self.net, self.params, self.error_ticks, self.learnt = net, None, 0, False
        self.noise = learn.registers(net) if net.teacher else None
        self.restart()

    def restart(self):
        """A reset: parameters stay."""
        self.states, self.stream, self.overflow, self.lost = {}, -1, 0, 0

    def load(self, net, params):
        """Other parameters and delays from the next tick on."""
        self.net, self.params, self.error_ticks, self.learnt = net, params, 0, False

    def tick(self, x, target, *, first, errors, moves, teach, halve):
        """Rates (outputs,) of a tick."""
        if first:
            self.states, self.stream = {}, -1
        self.stream = (self.stream + 1) % self.net.streams
        if not errors:
            return self._infer(np.asarray(x)[None])
        net, layers = self.net, len(self.net.layers)
        state = learn.LearnState(streams=tuple(self.states.get(n, learn.rest(net)) for n in range(net.streams)),
                                 params=self.params, ticks=self.error_ticks, overflow=(False,) * layers,
                                 lost=((False, False),) * layers)
        state, out = learn.learn_tick(state, self.stream, x, target, net, first=self.stream not in self.states,
                                      learn=moves, teach=teach, halve=halve, noise=self.noise)
        self.params, self.error_ticks, self.learnt = state.params, state.ticks, self.learnt or moves
        self.states[self.stream] = state.streams[self.stream]
        self.overflow |= sum(flag << n for n, flag in enumerate(state.overflow))
        self.lost |= sum(flag << 2 * n + k for n, flags in enumerate(state.lost) for k, flag in enumerate(flags))
        return out.rate

    def _infer(self, x):
        state = self.states.get(self.stream, engine.reset(self.net, 1))
        self.states[self.stream], outs = engine.network_step(state, x, self.params, self.net)
        for n, layer in enumerate(self.net.layers[1:], 1):
            lost = extrapolator.write(state.lines[n], outs[n - 1].rate, layer.way, self.params[n].taps)[1]
            self.lost |= int(np.any(lost)) << 2 * n
        return outs[-1].rate[0]


class RateHost(Host):
    """One board. `family` says which parameters suit the network."""

    actions = ("run",) * 5 + ("load", "load_behind", "repeat", "refused", "registers", "reset", "full")
    errors_always = False
    #: what goes along with the device
    twin_of = Twin

    def __init__(self, net, *args, family: str, **options):
        super().__init__(net, *args, **options)
        self.family, self.twin, self.behind = family, self.twin_of(net), []
        self.must_start, self.learning, self.errors, self.halve = True, self.errors_always, self.errors_always, 0
        self.held, self.period = net, self.longest_tick()

    def longest_tick(self) -> int:
        """Cycles of a tick, with errors where they may run."""
        return cycles_per_tick(self.net, learning=self.net.teacher is not None)

    def any_params(self):
        """Parameters of the network as it is drawn."""
        return rate_params(self.net, self.family, self.words)

    def room(self):
        """Ticks whose outputs may wait: one vector more is taken, and then no word."""
        return self.buffered

    def new_image(self):
        """Other parameters, at times other delays, too."""
        if self.twin.params is not None and self.rng.random() < 0.6:
            self.held = other_delays(self.net, self.family, self.rng)
        self.image_params = rate_params(self.held, self.family, self.words)
        self.pairs = build_image(self.held, self.image_params).pairs.tolist()

    def take_image(self):
        """The image is in force from the next tick on."""
        self.twin.load(self.held, self.image_params)

    def commit(self):
        """While no tick is under way: which is the first with the new words is not for the host to say otherwise."""
        yield from self.drain()
        yield from super().commit()
        self.take_image()

    def load_behind(self):
        """Words of an image between those of a run, in force behind it."""
        self.new_image()
        yield from self.put("load_begin", 1)
        self.behind = list(reversed(self.pairs))
        yield from self.run()
        while self.behind:
            yield from self.param_behind()
        yield from self.commit()

    def param_behind(self):
        """The next word of an image that is loaded behind a run."""
        addr, word = self.behind.pop()
        for board in self.boards:
            yield from self.access(True, addr, word, board)

    def full(self):
        """As many ticks as go into the output buffer and one more, which waits."""
        tick = max(self.period, self.net.outputs * (1 if self.bare else 14))
        if (self.buffered + 1) * tick < self.budget // 2:
            yield from self.drain()
            greed, self.greed = self.greed, 0.0
            yield from self.run(self.buffered + 1)
            yield Idle((self.buffered + 2) * self.period)
            self.greed = greed

    def run(self, ticks: int | None = None):
        """Ticks of any input; a sequence starts at the first word, elsewhere, or goes on."""
        rng, net = self.rng, self.net
        ticks = ticks or min(rng.choice((1, 2, 3, 5, 8, 13)), max(2, self.budget // (4 * self.period)))
        if net.teacher is not None:
            yield from self.gates()
        modes = rng.choice(_MODES), rng.choice(_MODES), rng.choice(("all", "none", "some")), rng.choice(
            ("all", "none", "some"))
        still = None
        for n in range(ticks):
            first = self.must_start or rng.random() < (0.4 if n == 0 else 0.08)
            if first:
                self.errors = self.learning
            x = self.drawn(net.layers[0].operand, net.inputs, modes[0])
            target = self.targets(modes[1])
            if modes[0] == "still":
                still = x = x if still is None else still
            moves, teach = ({"all": True, "none": False, "some": rng.random() < 0.5}[mode] for mode in modes[2:])
            yield from self.vector(x, target, first, moves, teach)
            self.must_start = False
            self.ticks += 1

    def vector(self, x, target, first: bool, moves: bool, teach: bool):
        """The words of a tick, then what comes of them."""
        words = [int(word) & WORD_MASK for word in (*x, *(target if self.errors else ()))]
        rng, parts = self.rng, self.split(words)
        # any word may bear the mark, but for words that only come where errors run already
        where = 0 if not first or self.must_start or rng.random() < 0.8 or self.restarts else \
            rng.randrange(len(parts[0]))
        for board, part in zip(self.boards, parts, strict=True):
            for n, word in enumerate(part):
                last = n == len(part) - 1
                flags = (moves << LEARN_BIT | teach << TEACH_BIT) if last else rng.choice((0, 0, 3)) << TEACH_BIT
                if self.net.teacher is None:
                    flags = rng.choice((0, 3)) << TEACH_BIT
                for _ in range(rng.choice((0, 0, 1, 4)) if self.behind else 0):
                    if self.behind:
                        yield from self.param_behind()
                yield from self.input(word | flags | (first and n == where) << FIRST_BIT, board)
        rate = self.twin.tick(x, target, first=first, errors=self.errors, moves=moves, teach=teach, halve=self.halve)
        what = f"tick {self.sent}, {'with' if self.errors else 'without'} errors, output"
        self.due += [(int(y), int(n == len(rate) - 1), f"{what} {n}") for n, y in enumerate(rate)]
        self.sent += 1

    def split(self, words):
        """Words by board."""
        return [words]

    def gates(self):
        """Errors on or off from the next sequence on, and how far rates are halved."""
        self.restarts = False
        if self.must_start or self.rng.random() < 0.4:
            wanted = self.rng.random() < 0.75
            self.restarts = True        # which words a tick has changes with its first word only
            self.learning = wanted
            yield from self.put("learning", int(wanted))
        if self.rng.random() < 0.3:
            yield from self.drain()
            self.halve = self.rng.randint(0, MAX_HALVINGS)
            yield from self.put("halvings", self.halve)

    restarts = False

    def targets(self, mode: str):
        """Target words."""
        net = self.net
        if net.teacher is None:
            return ()
        if net.teacher.loss == "cross_entropy":
            return self.words.integers(0, net.outputs + 1, 1)
        return self.drawn(net.layers[-1].rate, net.outputs, mode)

    def drawn(self, fmt: QFormat, size: int, mode: str):
        """Words of a format."""
        ends = {"zero": [0], "min": [fmt.min], "max": [fmt.max], "ends": [fmt.min, fmt.max, -1, 0]}
        if mode in ends:
            return self.words.choice(np.array(ends[mode]), size)
        return self.words.integers(fmt.min, fmt.max + 1, size)

    def registers(self):
        """Counters and flags, and some of what was learnt, between two ticks of a sequence."""
        yield from self.drain()
        yield from self.flags()
        yield from self.read_back(self.rng.randint(1, 4))
        yield from self.put("overflow", 0xFFFFFFFF)
        yield from self.put("lost", 0xFFFFFFFF)
        self.twin.overflow = self.twin.lost = 0

    def flags(self):
        """Flags behind the last tick, and how many ticks there were."""
        yield Idle(self.net.lanes + 100)
        found = {"overflow": 0, "lost": 0}
        for board in self.boards:
            for name in found:
                found[name] |= yield from self.get(name, board)
            self.expect((yield from self.get("ticks", board)), self.ticks, "ticks")
            status = yield from self.get("status", board)
            self.expect(status >> 4 & 1, int(self.twin.learnt), "bit 4 of status, weights have moved")
            self.expect(status >> 5 & 1, int(self.errors), "bit 5 of status, errors run")
        self.expect(found, {"overflow": self.twin.overflow, "lost": self.twin.lost}, "flags by layer")

    def read_back(self, most: int):
        """Up to so many of the words that learn."""
        addresses = learning_addresses(self.net).tolist()
        if not addresses:
            return
        want = dict(build_image(self.twin.net, self.twin.params).pairs.tolist())
        for addr in self.rng.sample(addresses, min(most, len(addresses))):
            self.cost += 80
            word = yield from self.access(False, addr, board=self.board_of(addr))
            self.expect(word & WORD_MASK, want[addr], f"learnt word at 0x{addr:08x}")

    def board_of(self, addr: int) -> int:
        """On which board a word learns."""
        return 0

    def reset(self):
        """The button, at rest or amid a tick: what was learnt can be read, and the host loads again."""
        if not self.button:
            return
        rest = self.rng.random() < 0.5
        if rest:
            yield from self.drain()
            yield Idle(RESET)
        else:
            yield from self.run(self.rng.randint(1, 4))
            yield Idle(self.rng.randint(0, 60))
        self.cost += RESET
        yield Reset(RESET)
        self.due.clear()
        self.received, self.ticks = self.sent, 0
        self.must_start, self.learning, self.errors, self.halve = True, self.errors_always, self.errors_always, 0
        self.twin.restart()
        for board in self.boards:
            self.expect((yield from self.get("status", board)) & 1, 0, "bit 0 of status after a reset")
        if rest:
            yield from self.read_back(4)
        yield from self.load()

    def finish(self):
        """What is left: outputs, flags, words that learn."""
        yield from self.drain()
        yield from self.flags()
        yield from self.read_back(12 if self.button else 1000)
        for board in self.boards:
            self.expect((yield from self.get("errors", board)), 0, "errors")


class PairHost(RateHost):
    """Two boards: inputs into the lower one, targets into the upper one, which has the outputs. Errors always run."""

    boards, errors_always = (0, 1), True

    def split(self, words):
        """Inputs and targets."""
        return [words[:self.net.inputs], words[self.net.inputs:]]

    def gates(self):
        """How far rates are halved, on both boards."""
        self.restarts = True
        if self.rng.random() < 0.3:
            yield from self.drain()
            self.halve = self.rng.randint(0, MAX_HALVINGS)
            yield from self.put("halvings", self.halve)

    def board_of(self, addr: int) -> int:
        """On which board a word learns."""
        return int(addr >> BANK_SHIFT & 0xFFF in learnt_here(self.net, CUT, True))
