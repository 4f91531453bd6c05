"""PlasticLayer by itself, tick by tick against golden.rate.learn: rates, errors sent down, what was learnt, timing."""

from dataclasses import replace

import numpy as np
import pytest
from core import image_writes, strict_bank
from device import learner, learner_params
from learning import learnt_words

from golden.rate import learn
from golden.rate.layout import bank_layout
from golden.rate.network import Network
from golden.units.dense import dense_step
from golden.units.leadlag import at_rest
from rtl.rate import timing
from rtl.rate.loss import OutputError
from rtl.rate.plastic import PlasticLayer
from rtl.rate.schedule import cycles_per_tick, errors_at, layer_cycles, min_learn_period, rates_at
from rtl.rate.second import EpsLoad
from rtl.rate.ways import ErrorsIn
from sim.pysim import load, run

TICKS = 12


def made(net: Network, n: int) -> PlasticLayer:
    """Layer n as a core makes it, with nothing around it."""
    layer, noise = net.layers[n], learn.registers(net)[n]
    top = n == len(net.layers) - 1
    above = None if top else ErrorsIn(net.error_way(n + 1), bank_layout(net)[n + 1].delay, 0, 1)
    below = (net.layers[n - 1].plastic.error, net.back_shift(n)) if n else None
    return PlasticLayer(layer, first_bank=bank_layout(net)[n].lanes, ahead=n == 0, above=above, below=below,
                        seeds=[int(each[0]) for each in (*noise.lanes, noise.tau)],
                        top=OutputError.latency(net) if top else 0)


class Golden:
    """One layer of one stream: what it makes of the messages and errors of a tick."""

    def __init__(self, net, n, params):
        self.net, self.n, self.p, self.ticks = net, n, params[n], 0
        self.noise, self.state = learn.registers(net)[n], learn.rest(net)

    def tick(self, pre, above, *, fresh, moves, halve):
        if fresh:
            self.state = learn.rest(self.net)
        n, layer = self.n, self.net.layers[self.n]
        out = learn.layer_tick(self.state, n, pre[None], above[None], self.p, self.net)
        if moves:
            self.p = learn.move(self.p, layer, out, self.noise, self.ticks, halve)
        self.ticks += 1
        self.state = self.state._replace(**{name: tuple(getattr(out, name) if k == n else old for k, old in enumerate(
            getattr(self.state, name))) for name in ("u", "v", "slope")})
        return out


@pytest.mark.parametrize(("outputs", "lanes"), [(1, 1), (4, 4), (5, 3), (9, 4)])
def test_eps_go_to_their_lanes(outputs, lanes):
    """The first fold as its eps come, others at `swap`; rows that there are not send nothing down."""
    layer = replace(learner().layers[0], inputs=9, outputs=outputs, lanes=lanes)
    dut, rng, sent = EpsLoad(layer), np.random.default_rng(outputs), []
    fmt = layer.plastic.error

    async def bench(ctx):
        for _ in range(3):
            words = rng.integers(fmt.min, fmt.max + 1, outputs).tolist()
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            sent.append(words + [0] * (layer.folds * lanes - outputs))
            for cycle in range(outputs + (layer.folds + 1) * (lanes + 12)):
                ctx.set(dut.i.valid, cycle < outputs)
                ctx.set(dut.i.payload, words[min(cycle, outputs - 1)])
                after = cycle - outputs - lanes - 12
                ctx.set(dut.swap, after >= 0 and after % (lanes + 12) == 0 and after // (lanes + 12) < layer.folds - 1)
                await ctx.tick()

    async def watch(ctx):
        for words in range(3):
            for row in range(layer.folds * lanes):
                *_, valid, lane, eps = await ctx.tick().sample(dut.valid, dut.lane, dut.eps).until(dut.valid)
                assert (lane, eps) == (row % lanes, sent[words][row]), f"tick {words}, row {row}"
    run(dut, bench, watch, cycles=3 * (outputs + (layer.folds + 1) * (lanes + 12) + 20))


def test_halves_change_between_ticks():
    """The last neurons of a tick drain while the next one runs, with the constants that were in force when it began."""
    net = learner(streams=1)
    net = replace(net, layers=(replace(net.layers[0], delay=0), net.layers[1]))
    layer, both, period = net.layers[1], [learner_params(net, seed=n) for n in (3, 4)], cycles_per_tick(net)
    dut, rng, fmt = made(net, 1), np.random.default_rng(5), layer.operand
    pre = rng.integers(fmt.min, fmt.max + 1, (TICKS, layer.inputs))
    pre[-1], u, want, got = 0, np.full((1, layer.outputs), at_rest(layer)), [], []
    for tick in range(TICKS):
        # what is read in a tick came in the one before it
        out = dense_step(u, pre[tick - 1][None], both[tick % 2][1], layer)
        u = out.u
        want += out.rate[0].tolist()

    async def drive(ctx):
        for half, params in enumerate(both):
            await load(ctx, dut.params, image_writes(net, params), half=half, settle=net.lanes + 20)
        for tick in range(TICKS):
            for name, value in (("half", tick % 2), ("start", 1), ("fresh", tick == 0), ("restart", tick == 0)):
                ctx.set(getattr(dut, name), value)
            for cycle in range(period):
                late = cycle - (period - layer.inputs)
                ctx.set(dut.i.valid, late >= 0)
                ctx.set(dut.i.payload, int(pre[tick][max(late, 0)]))
                await ctx.tick()
                ctx.set(dut.start, 0)

    async def watch(ctx):
        while len(got) < len(want):
            *_, word = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            got.append(word)
    run(dut, drive, watch, cycles=3000 + (TICKS + 3) * period)
    assert got == want


@pytest.mark.parametrize("delay", [0, 2])
@pytest.mark.parametrize("n", [0, 1], ids=["lowest", "last"])
def test_rtl_equals_golden(n, delay, monkeypatch):
    """At the least period; the lowest layer takes late errors, learns tau_m and has a filter, the last one pulls."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    net = learner(streams=1)
    net = replace(net, layers=(replace(net.layers[0], delay=delay),
                               replace(net.layers[1], delay=delay, max_delay=3, error_delay=delay, max_error_delay=3)))
    layer, params, rng = net.layers[n], learner_params(net, seed=n), np.random.default_rng(n)
    dut, golden, period = made(net, n), Golden(net, n, params), cycles_per_tick(net, learning=True)
    half, error, fmt, last = 1, layer.plastic.error, layer.operand, n == 1
    fresh = (0, 8)
    messages = rng.integers(fmt.min, fmt.max + 1, (TICKS + 1, layer.inputs))
    eb = rng.integers(error.min, error.max + 1, (TICKS + 1, layer.outputs)) >> rng.integers(0, 6, (TICKS + 1, 1))
    got, back, flags, wanted = {"o": [], "o_error": []}, {}, [], []
    at = {"o": rates_at(layer, dut.top), "o_error": errors_at(layer, dut.top)}

    async def drive(ctx):
        await load(ctx, dut.params, image_writes(net, params), half=half, settle=net.lanes + 20)
        ctx.set(dut.half, half)
        for tick in range(TICKS):
            moves, halve = bool(rng.random() < 0.8), tick % 4
            # a message is there before the first layer's tick, and a tick old for another; so are errors from above
            begun = max(first for first in fresh if first <= tick)
            k = tick - delay - (n > 0)
            pre = messages[k] if k >= begun else 0 * messages[0]
            e = tick if last else tick - 1 - delay
            above = (0 if tick in fresh else eb[e]) if last else eb[e] if e >= begun else 0
            wanted.append((golden.tick(pre, above + 0 * eb[0], fresh=tick in fresh, moves=moves, halve=halve), moves))
            for name, value in (("start", 1), ("errors", 1), ("learn", moves), ("fresh", tick in fresh),
                                ("restart", tick in fresh), ("halve", halve)):
                ctx.set(getattr(dut, name), value)
            for cycle in range(period):
                late = cycle - (period - layer.inputs)
                # of the next tick for the first layer
                ctx.set(dut.i.valid, late >= 0)
                ctx.set(dut.i.payload, int(messages[tick + (n == 0)][max(late, 0)]))
                row = cycle - dut.top if last else cycle - (period - layer.outputs)
                there = 0 <= row < layer.outputs
                ctx.set(dut.i_error.valid, there)
                word = int((eb[tick] * (tick not in fresh) if last else eb[tick])[row]) if there else 0
                ctx.set(dut.i_error.payload, word)
                await ctx.tick()
                ctx.set(dut.start, 0)
        ctx.set(dut.i.valid, 0)
        ctx.set(dut.i_error.valid, 0)
        await ctx.tick().repeat(period + 40)
        for bank, word in learnt_words(net, params):
            if bank < dut.first_bank or n == 0 and bank >= bank_layout(net)[1].lanes:
                continue
            for name, value in (("probe", 1), ("probe_bank", bank), ("probe_addr", word)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            ctx.set(dut.probe, 0)
            while not ctx.get(dut.probe_valid):
                await ctx.tick()
            back[bank, word] = ctx.get(dut.probe_data)
            await ctx.tick().repeat(layer.lanes)
        # what does not learn answers nothing
        for bank in {dut.first_bank + layer.lanes, dut.first_bank - 1} - {bank for bank, _ in mine}:
            for name, value in (("probe", 1), ("probe_bank", max(bank, 0)), ("probe_addr", 0)):
                ctx.set(getattr(dut, name), value)
            for _ in range(40 * (bank >= 0)):
                await ctx.tick()
                ctx.set(dut.probe, 0)
                assert not ctx.get(dut.probe_valid), f"bank {bank} was read"

    async def first_message(ctx):
        if n == 0:      # before the first tick
            await ctx.tick().repeat(3)
            for word in messages[0]:
                ctx.set(dut.i.valid, 1)
                ctx.set(dut.i.payload, int(word))
                await ctx.tick()
            ctx.set(dut.i.valid, 0)

    async def watch(ctx):
        start, cycle = None, 0
        while len(back) < len(mine) or cycle < 1:
            *_, begins, valid, word, e_valid, e_word, hit = await ctx.tick().sample(
                dut.start, dut.o.valid, dut.o.payload, dut.o_error.valid, dut.o_error.payload, dut.overflow)
            cycle += 1
            flags.append(hit)
            if begins and start is None:
                start = cycle
            for name, there, value in (("o", valid, word), ("o_error", e_valid, e_word)):
                if there:
                    got[name].append((cycle - start - 1, value))
    mine = {key: word for key, word in learnt_words(net, params).items()
            if key[0] >= dut.first_bank and not (n == 0 and key[0] >= bank_layout(net)[1].lanes)}
    run(dut, drive, first_message, watch, cycles=2000 + (TICKS + 2) * period + 60 * len(mine))
    for name, words in (("o", [out.rate[0] for out, _ in wanted]),
                        ("o_error", [out.below[0] for out, _ in wanted] if last else [])):
        # a word can be read in the cycle behind the one that it comes in
        want = [(tick * period + when - 1, int(word)) for tick, row in enumerate(words)
                for when, word in zip(at[name], row, strict=True)]
        assert got[name] == want, name
    assert any(flags) == any(out.overflow for out, _ in wanted)
    after = learnt_words(net, tuple(golden.p if k == n else p for k, p in enumerate(params)))
    assert back == {key: after[key] for key in mine}
    assert back != mine, "nothing was learnt"


def test_the_next_tick_starts_in_the_last_cycle_of_a_pass(monkeypatch):
    """With another half, other halvings, registers anew: the last steps are those of the tick that they began in."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    net = learner(streams=1)
    own = replace(net.layers[1].plastic, gamma=None, lead=None, lag=None)
    below, last = replace(net.layers[0], outputs=9), replace(net.layers[1], inputs=9, lanes=1, plastic=own)
    net = replace(net, layers=(below, last))
    both, rng, fmt = [learner_params(net, seed=n) for n in (3, 4)], np.random.default_rng(5), last.operand
    dut, golden = made(net, 1), Golden(net, 1, both[0])
    period, got, want = min_learn_period(last, top=dut.top), [], []
    assert period == timing.second_pass(last, dut.top) + 2 * layer_cycles(last)
    pre = rng.integers(fmt.min, fmt.max + 1, (TICKS, last.inputs))
    pre[-1] = 0
    eb = rng.integers(own.error.min, own.error.max + 1, (TICKS, last.outputs)) >> 2
    learnt = [params[1] for params in both]
    for tick in range(TICKS):
        golden.p, golden.ticks = learnt[tick % 2], tick % 5
        out = golden.tick(pre[tick - 1], eb[tick], fresh=tick == 0, moves=tick % 3 > 0, halve=tick % 4)
        learnt[tick % 2] = golden.p
        want += out.rate[0].tolist()

    async def drive(ctx):
        for half, params in enumerate(both):
            await load(ctx, dut.params, image_writes(net, params), half=half, settle=net.lanes + 20)
        for tick in range(TICKS):
            for name, value in (("half", tick % 2), ("start", 1), ("errors", 1), ("learn", tick % 3 > 0),
                                ("halve", tick % 4), ("reseed", tick % 5 == 0), ("fresh", tick == 0),
                                ("restart", tick == 0)):
                ctx.set(getattr(dut, name), value)
            for cycle in range(period):
                late, row = cycle - (period - last.inputs), cycle - dut.top
                ctx.set(dut.i.valid, late >= 0)
                ctx.set(dut.i.payload, int(pre[tick][max(late, 0)]))
                ctx.set(dut.i_error.valid, 0 <= row < last.outputs)
                ctx.set(dut.i_error.payload, int(eb[tick][min(max(row, 0), last.outputs - 1)]))
                await ctx.tick()
                ctx.set(dut.start, 0)
                ctx.set(dut.reseed, 0)
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(period + 40)
        for half, params in enumerate(both):
            ctx.set(dut.half, half)
            after = learnt_words(net, (params[0], learnt[half]))
            for bank, word in after:
                if dut.first_bank <= bank < dut.first_bank + last.lanes:
                    for name, value in (("probe", 1), ("probe_bank", bank), ("probe_addr", word)):
                        ctx.set(getattr(dut, name), value)
                    await ctx.tick()
                    ctx.set(dut.probe, 0)
                    *_, found = await ctx.tick().sample(dut.probe_data).until(dut.probe_valid)
                    assert found == after[bank, word], f"half {half}, bank {bank}, word {word}"

    async def watch(ctx):
        while len(got) < len(want):
            *_, word = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            got.append(word)
    run(dut, drive, watch, cycles=4000 + (TICKS + 3) * period)
    assert got == want
