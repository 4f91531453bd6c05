"""The host of a random network that learns by FPTT: that of rate networks that learn, with golden.ltc.learn beside."""

import numpy as np

from golden.image import build_image
from golden.ltc import engine, learn
from golden.ltc.teacher import FRESH_BIT
from leadlag.bench.random_ltcs import params_of
from leadlag.bench.random_rates import RateHost
from rtl.ltc.taught.plan import Plan


class TaughtTwin:
    """What a device that has been given the same words holds, tick by tick."""

    def __init__(self, net):
        self.net, self.params, self.error_ticks, self.learnt = net, None, 0, False
        self.noise, self.lost = learn.registers(net), 0
        self.restart()

    def restart(self):
        """A reset: parameters stay."""
        self.states, self.stream, self.overflow = {}, -1, 0

    def load(self, net, params):
        """Other parameters from the next tick on."""
        self.net, self.params, self.error_ticks, self.learnt = net, params, 0, False

    def tick(self, x, target, *, first, errors, moves, teach, halve):
        """Outputs (outputs,) of a tick."""
        net = self.net
        if first:
            self.states, self.stream = {}, -1
        self.stream = (self.stream + 1) % net.streams
        streams = tuple(self.states.get(n, engine.rest(net, 1)) for n in range(net.streams))
        if not errors:
            tick = engine.network_step(streams[self.stream], np.asarray(x)[None], self.params, net)
            self.states[self.stream] = tick.state
            return tick.readout.y[0]
        state = learn.LearnState(streams=streams, params=self.params, ticks=self.error_ticks, overflow=(False, False))
        fresh, label = divmod(int(target[0]), 1 << FRESH_BIT)
        state, out = learn.learn_tick(state, self.stream, x, label, net, fresh=bool(fresh), learn=moves, teach=teach,
                                      halve=halve, noise=self.noise)
        self.params, self.error_ticks, self.learnt = state.params, state.ticks, self.learnt or moves
        self.states[self.stream] = state.streams[self.stream]
        self.overflow |= sum(flag << n for n, flag in enumerate(state.overflow))
        return np.ravel(out.y)


class TaughtHost(RateHost):
    """One board; images are loaded in place, between ticks. A target word may begin its stream's sequence anew."""

    twin_of = TaughtTwin
    actions = ("run",) * 5 + ("load", "repeat", "refused", "registers", "reset", "full")

    def __init__(self, net, *args, **options):
        super().__init__(net, *args, family="ltc", **options)

    def longest_tick(self) -> int:
        """Cycles of a tick that learns."""
        return Plan(self.net).learning_period

    def any_params(self):
        """Parameters of the network."""
        return params_of(self.net, self.words)

    def new_image(self):
        """Words of every layer."""
        self.image_params = self.any_params()
        self.pairs = build_image(self.net, self.image_params).pairs.tolist()

    def load(self):
        """Between ticks."""
        yield from self.drain()
        yield from super().load()

    def lost_image(self):
        """There are no parameters until the last ones are loaded again, without what was learnt."""
        self.expect((yield from self.get("status")) & 1, 0, "bit 0 of status after a load that was refused")
        if self.pairs is not None:
            yield from self.send_image(self.pairs)
            yield from self.commit()

    def targets(self, mode: str):
        """A label, and whether the stream begins a sequence."""
        fresh = {"zero": 0.0, "still": 0.0, "ends": 0.5}.get(mode, 0.2)
        return (int(self.words.integers(self.net.outputs)) | (self.words.random() < fresh) << FRESH_BIT,)
