"""Two boards joined by cables learn what golden.rate.learn does, word by word, however long the cables are."""

import random
from dataclasses import replace

import numpy as np
import pytest
from core import strict_bank
from learning import Vector, golden_run, learnt_words

from golden.fixed import QFormat
from golden.image import build_image
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.regmap import INPUT, OUTPUT, REGISTERS, VALID_BIT, parameter_address
from golden.units.extrapolator import Predictor
from rtl.host.cable import Cable
from rtl.rate.half import cut_ways, learnt_here
from rtl.rate.pair import Pair
from rtl.rate.schedule import cycles_per_tick
from sim.pysim import run
from sim.rate.pair import PairSimulation

TICKS = 16
#: cycles for which one board stands still, before the words of some tick; the other goes as far ahead as it can
PAUSE = 1200
RATE, ERROR = QFormat(1, 10), QFormat(2, 11)


def chain(sizes=(3, 4, 2), *, delay=1, error_delay=None, predictor=None, error_predictor=None, cut=1, most=None,
          streams=1, everywhere=False) -> Network:
    """A network that learns, whose messages into layer `cut`, and errors out of it, are late."""
    layers, error_delay = [], delay if error_delay is None else error_delay
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        late = {"delay": delay, "max_delay": most or delay, "predictor": predictor, "error_delay": error_delay,
                "max_error_delay": most or error_delay, "error_predictor": error_predictor} if n == cut else {}
        if everywhere and n not in (0, cut):
            late = {"delay": 1, "max_delay": 1, "predictor": fir(1), "error_delay": 1, "max_error_delay": 1,
                    "error_predictor": linear(1)}
        layers.append(Dense(
            inputs=inputs, outputs=outputs, activation="linear" if n == len(sizes) - 2 else "tanh", operand=RATE,
            weight=QFormat(2, 11), state=QFormat(3, 10), lead=QFormat(1, 10), lag=QFormat(0, 12), rate=RATE,
            lanes=outputs if inputs < 4 else min(2, outputs),
            plastic=Plastic(error=ERROR, slope=QFormat(1, 10), rate=1, gamma=3), **late))
    return Network(name="chain", dt=1.0, layers=tuple(layers),
                   teacher=Teacher(loss="squared_error", seed=7, streams=streams))


def fir(delay, **options) -> Predictor:
    return Predictor(kind="fir", taps=3, spacing=1, history=2 + delay, gain=QFormat(3, 9), rate=2, quiet=10, **options)


def linear(delay) -> Predictor:
    return Predictor(kind="linear", history=delay)


def hidden(delay) -> Predictor:
    return Predictor(kind="neural", taps=2, spacing=1, history=1 + delay, gain=QFormat(2, 9), hidden=2)


KINDS = {"none": lambda delay: None, "linear": linear, "fir": fir, "neural": hidden}


def small_params(net, seed):
    rng = np.random.default_rng(seed)
    return tuple(p._replace(weight=p.weight >> 1, bias=p.bias >> 2) for p in engine.random_params(net, rng))


def random_run(net, seed, ticks=TICKS):
    """Words of two sequences, now and then without teacher or steps of weights."""
    rng, fmt = np.random.default_rng(seed), net.layers[0].operand
    return [Vector(x=rng.integers(fmt.min // 2, fmt.max // 2, net.inputs),
                   target=rng.integers(fmt.min, fmt.max + 1, net.outputs), first=n in (0, ticks * 2 // 3),
                   learn=bool(rng.random() < 0.8), teach=bool(rng.random() < 0.8)) for n in range(ticks)]


async def access(ctx, bus, addr, data=None):
    """One access of a bus master."""
    ctx.set(bus.addr, addr)
    ctx.set(bus.w_data, data or 0)
    ctx.set(bus.read if data is None else bus.write, 1)
    *_, found, error = await ctx.tick().sample(bus.r_data, bus.error).until(bus.ack)
    ctx.set(bus.read, 0)
    ctx.set(bus.write, 0)
    await ctx.tick()
    assert not error, f"bus error at 0x{addr:x}"
    return found


def pair_run(net, params, vectors, *, cut=1, latency=0, max_latency=0, cycles_per_word=1, pattern="none"):
    """Output words (ticks, outputs), what both boards read back, by (bank, word), and the flags that either has."""
    pair = Pair(net, cut=cut, max_latency=max_latency or latency, cycles_per_word=cycles_per_word)
    image, done, out, back, flags = build_image(net, params), [], [], {}, {"overflow": 0, "lost": 0}
    words = np.stack([net.learning_units(v.x[None, None], v.target[None, None], first=v.first, learn=v.learn,
                                         teach=v.teach).words for v in vectors])
    firsts = words[:, 0] & (1 << 31)
    halves = {"lower": words[:, :net.inputs].copy(), "upper": words[:, net.inputs:].copy()}
    halves["lower"][:, -1] |= words[:, -1] & (3 << 29)
    halves["upper"][:, 0] |= firsts

    def board(name):
        bus, pauses = getattr(pair, name), random.Random(f"{pattern} {name}")
        upper = name == "upper"

        async def bench(ctx):
            ctx.set(pair.latency, latency)
            await access(ctx, bus, REGISTERS["load_begin"].offset, 1)
            for addr, data in image.pairs.tolist():
                await access(ctx, bus, addr, data)
            await access(ctx, bus, REGISTERS["load_commit"].offset, image.crc)
            assert await access(ctx, bus, REGISTERS["errors"].offset) == 0
            for n, vector in enumerate(halves[name].tolist()):
                if pattern == "random":
                    await ctx.tick().repeat(pauses.choice((1, 1, 20, 300)))
                elif pattern == "pause" and n == (5 if upper else 9):
                    await ctx.tick().repeat(PAUSE)
                for word in vector:
                    await access(ctx, bus, INPUT, word)
                while upper and len(out) % 3 == 0 and (found := await access(ctx, bus, OUTPUT)) >> VALID_BIT:
                    out.append(found)
            while upper and len(out) < len(vectors) * net.outputs:
                if (found := await access(ctx, bus, OUTPUT)) >> VALID_BIT:
                    out.append(found)
            # a vector may still wait for the other board
            while await access(ctx, bus, REGISTERS["ticks"].offset) < len(vectors):
                pass
            mine = learnt_here(net, cut, upper)
            for bank, word in learnt_words(net, params):
                if bank in mine:
                    back[bank, word] = await access(ctx, bus, parameter_address(bank, word))
            for flag in flags:
                mine = await access(ctx, bus, REGISTERS[flag].offset)      # the other board's bench runs meanwhile
                flags[flag] |= mine
            done.append(ctx.get(pair.overrun))
        return bench

    budget = 14 * len(image.pairs) + 2 * PAUSE + 3000 + len(learnt_words(net, params)) * 400
    budget += (len(vectors) + 4) * (cycles_per_tick(net, learning=True) + latency + 40 * cycles_per_word + 700)
    run(pair, board("lower"), board("upper"), cycles=budget)
    assert done == [0, 0], "a cable has lost a word"
    rates = np.array([(word & 0x3FFFF ^ 0x20000) - 0x20000 for word in out]).reshape(len(vectors), net.outputs)
    return rates, back, flags


def check(net, seed, **options):
    params, vectors = small_params(net, seed), random_run(net, seed)
    got, back, flags = pair_run(net, params, vectors, **options)
    want, state = golden_run(net, params, vectors)
    wrong = np.argwhere(got != want)
    assert not len(wrong), f"tick, output {wrong[0]}: {got[tuple(wrong[0])]} != {want[tuple(wrong[0])]}"
    words = {at: word & 0x3FFFF for at, word in learnt_words(net, state.params).items()}
    assert set(back) == set(words)
    wrong = [at for at in words if back[at] != words[at]]
    assert not wrong, f"bank, word {wrong[0]}: {back[wrong[0]]} != {words[wrong[0]]}"
    lost = [flag for pair in state.lost for flag in pair]
    assert flags == {name: sum(bool(flag) << n for n, flag in enumerate(of))
                     for name, of in (("overflow", state.overflow), ("lost", lost))}
    assert np.abs(want).max() > 0
    assert any(p.weight.tolist() != q.weight.tolist() for p, q in zip(params, state.params, strict=True))


@pytest.mark.parametrize(("delay", "latency", "pattern"), [(1, 0, "none"), (3, 40, "random"), (3, 400, "none"),
                                                           (3, 0, "pause"), (1, 400, "random")])
@pytest.mark.parametrize("kind", KINDS)
def test_equals_golden(kind, delay, latency, pattern, monkeypatch):
    """Cables shorter than the delay, about as long as a tick, and longer than all delays; hosts that are late."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    net = chain(delay=delay, predictor=KINDS[kind](delay), error_predictor=KINDS[kind](delay))
    check(net, delay, latency=latency, pattern=pattern, cycles_per_word=1 + delay)


@pytest.mark.parametrize(("kind", "error_kind", "delay", "error_delay"), [
    ("none", "none", 0, 0), ("none", "none", 4, 4), ("linear", "none", 1, 5), ("none", "fir", 4, 2),
    ("fir", "none", 5, 0)])
def test_ways_that_differ(kind, error_kind, delay, error_delay):
    """Another delay and another predictor each way, and circuits that hold longer delays than the loaded ones."""
    net = chain(delay=delay, error_delay=error_delay, most=max(delay, error_delay, 1), predictor=KINDS[kind](5),
                error_predictor=KINDS[error_kind](5))
    check(net, delay, latency=150, pattern="pause")


@pytest.mark.parametrize(("sizes", "cut"), [((3, 4, 4, 2), 1), ((3, 4, 4, 2), 2), ((2, 3, 1), 1)])
def test_more_layers_on_a_board(sizes, cut):
    """Lines within a board keep their predictors beside those of the cables."""
    check(chain(sizes, delay=2, cut=cut, predictor=linear(2), error_predictor=fir(2), everywhere=True), 3, cut=cut,
          latency=60)


@pytest.mark.parametrize("kind", ["none", "fir"])
def test_ticks_are_as_fast_as_the_cables_allow(kind):
    """Compiled: the schedule's period as long as D ticks cover the cables, then as slow as these; no wrong word."""
    delay, ticks = 3, 480
    net = chain(delay=delay, predictor=KINDS[kind](delay), error_predictor=KINDS[kind](delay))
    period, params = cycles_per_tick(net, learning=True), small_params(net, 1)
    vectors = [v._replace(first=n == 0) for n, v in enumerate(random_run(net, 1, ticks))]
    words = {name: np.array([[getattr(v, name)] for v in vectors]) for name in ("x", "target", "learn", "teach")}
    want, state = golden_run(net, params, vectors)
    simulation, found = PairSimulation(net, max_latency=4095, cycles_per_word=3, quick=True), {}
    for link in (0, (delay - 1) * period, 3000, 3300):
        simulation.restart()
        simulation.latency(link)
        simulation.load(net, params)
        got = simulation.learn(words["x"], words["target"], learn=words["learn"], teach=words["teach"])[:, 0]
        assert (got == want).all(), f"{link} cycles: tick, output {np.argwhere(got != want)[0]}"
        for n, (mine, golden) in enumerate(zip(simulation.read_params(params), state.params, strict=True)):
            for name in net.layers[n].names:
                np.testing.assert_array_equal(getattr(mine, name), getattr(golden, name), f"{name} of layer {n}")
        found[link] = simulation.tick_cycles
    fast, covered, slow, slower = found.values()
    if kind != "none":
        at_once = replace(net, layers=(net.layers[0], replace(net.layers[1], delay=0), *net.layers[2:]))
        with pytest.raises(ValueError, match="a delay of 0 has nothing to predict"):
            simulation.load(at_once, params)
    # over whole rounds of eight and of six ticks
    assert (fast, covered) == pytest.approx((period, period), abs=0.05), found
    # a round of twice the cable covers the ticks of a message and of an error
    assert slower - slow == pytest.approx(2 * 300 / (2 * (delay + (kind == "none"))), abs=0.05), found


def test_a_cable_takes_the_time_it_says_and_keeps_order():
    cable = Cable(width=8, depth=16, cycles_per_word=3, max_latency=20)
    for latency in (0, 1, 20):
        sent, came = [0, 1, 2, 30, 60, 61], []

        async def bench(ctx, latency=latency, sent=sent, came=came):
            ctx.set(cable.latency, latency)
            await ctx.tick().repeat(3)
            for cycle in range(120):
                ctx.set(cable.i.valid, cycle in sent)
                ctx.set(cable.i.payload, cycle)
                if ctx.get(cable.o.valid):
                    came.append((ctx.get(cable.o.payload), cycle))
                await ctx.tick()
            assert not ctx.get(cable.overrun)
        run(cable, bench, cycles=200)
        least, want = Cable.LATENCY + 3 + latency, []
        for word in sent:
            want.append((word, max(word + least, want[-1][1] + 3 if want else 0)))
        assert came == want, f"latency {latency}"


def test_a_full_cable_says_so():
    cable = Cable(width=4, depth=4, max_latency=100)

    async def bench(ctx):
        ctx.set(cable.latency, 100)
        await ctx.tick().repeat(3)
        ctx.set(cable.i.valid, 1)
        await ctx.tick().repeat(cable.depth)
        assert not ctx.get(cable.overrun)
        await ctx.tick().repeat(4)
        assert ctx.get(cable.overrun)
    run(cable, bench, cycles=100)


def test_banks_of_the_other_board_are_a_bus_error():
    assert len(Pair(chain(delay=1), max_latency=16).latency) == len("10000"), "the longest cable can be asked for"
    assert len(Pair(chain(delay=1)).latency) == 0, "by default there is no other than the shortest"
    net = chain(delay=1, predictor=fir(1), error_predictor=fir(1))
    pair, banks = Pair(net), {upper: learnt_here(net, 1, upper) for upper in (False, True)}
    every = {bank for bank, _ in learnt_words(net, small_params(net, 0))}
    assert banks[False] | banks[True] == every
    assert not banks[False] & banks[True]

    async def bench(ctx):
        for upper, bus in ((False, pair.lower), (True, pair.upper)):
            for bank in sorted(every):
                if bank in banks[upper]:
                    await access(ctx, bus, parameter_address(bank, 0))
                else:
                    with pytest.raises(AssertionError, match="bus error"):
                        await access(ctx, bus, parameter_address(bank, 0))
    run(pair, bench, cycles=8000)


@pytest.mark.parametrize(("net", "cut", "says"), [
    (chain(), 0, "cannot be cut below layer 0"), (chain(), 2, "cannot be cut below layer 2"),
    (chain(streams=2), 1, "has 2 streams: two boards take one"),
    (chain(delay=0, error_delay=1, most=2, predictor=linear(2)), 1, "messages into another board take at least a tick"),
    (chain(delay=1, error_delay=0, most=2, error_predictor=linear(2)), 1, "errors into another board take at least"),
])
def test_networks_that_cannot_be_cut(net, cut, says):
    with pytest.raises(ValueError, match=says):
        cut_ways(net, cut)


@pytest.mark.parametrize(("wrong", "says"), [({"width": 0}, "width of a cable"), ({"depth": 0}, "depth of a cable"),
                                             ({"cycles_per_word": 0}, "cycles_per_word of a cable"),
                                             ({"max_latency": -1}, "max_latency of a cable")])
def test_bad_cables(wrong, says):
    with pytest.raises(ValueError, match=says):
        Cable(**{"width": 4, "depth": 4} | wrong)


@pytest.mark.slow
def test_two_boards_do_the_real_task():
    """The table, two delays of it, over a tenth of the run."""
    from leadlag.experiments.two_boards import two_boards
    rows = two_boards((0, 5), ("none", "linear"), ms=120)["rows"]
    assert [(row["latency_ticks"], row["predictor"]) for row in rows] == [(0, "none"), (5, "none"), (5, "linear")]
    assert all(row["equal"] == 2400 for row in rows)
    for row in rows[1:]:
        assert row["cycles_per_tick"] == pytest.approx(99, abs=0.3)
        assert row["one_tick_longer"] > 115
