"""Neuron, Lane and LaneGroup by themselves, micro-operation by micro-operation, against golden.spiking.engine."""

from typing import NamedTuple

import numpy as np
import pytest

from golden.fixed import QFormat
from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.engine import arrivals, neuron_step, random_synapses, rest, weights
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.units.weights import Ternary, source_word
from rtl.spiking.lanes import Kind, Lane, LaneGroup, Neuron, fetch_cycles
from sim.pysim import load, run

TICKS = 7
STORED = {"inputs": 3, "weight": QFormat(2, 1), "delay_bits": 2, "state": QFormat(4, 2), "leak": (2,), "threshold": 9}
FORMS = {"order 1": {}, "order 1, refractory": {"refractory": 2, "leak": (1, 3)}, "once": {"refractory": 255},
         "order 2": {"order": 2, "refractory": 1}, "kick": {"order": 2, "kick": Kick(word=20, leak=(1, 3))}}


def layer(outputs: int, lanes: int = 1, **fields) -> SpikingLayer:
    return SpikingLayer(outputs=outputs, lanes=lanes, **(STORED | fields))


def steps(one: SpikingLayer, arrived, *, spiking: bool = True):
    """Spikes and membranes of golden, (images, ticks, outputs) each, for what arrives."""
    state, found = rest(one, len(arrived)), []
    for tick in range(arrived.shape[1]):
        state, fired, x = neuron_step(state, arrived[:, tick], one, spiking=spiking)
        found.append((fired, x))
    return (np.stack(each, 1) for each in zip(*found, strict=True))


class Step(NamedTuple):
    """A micro-operation; image and tick are those of an update."""

    kind: Kind
    fold: int = 0
    slot: int = 0
    line: int = 0
    image: int = 0
    tick: int = 0


def operations(one: SpikingLayer, spikes, spacing: int | None = None) -> list[Step]:
    """What an engine tells its lanes, as tight as `spacing` allows, by default Neuron.SPACING."""
    found, now, slots = [], 0, 1 << one.delay_bits
    pause = [Step(Kind.NONE)] * max(0, (spacing or Neuron.SPACING[one.order]) - one.folds)
    for image, ticks in enumerate(spikes):
        found += [Step(Kind.CLEAR, fold, slot) for slot in range(slots) for fold in range(one.folds)] + pause
        for tick, lines in enumerate(ticks):
            found += [Step(Kind.SPIKE, fold, now, int(line)) for line in np.flatnonzero(lines)
                      for fold in range(one.folds)]
            found += [Step(Kind.UPDATE, fold, now, 0, image, tick) for fold in range(one.folds)] + pause
            now = (now + 1) % slots
    return found


@pytest.mark.parametrize("spiking", [True, False])
@pytest.mark.parametrize(("folds", "ahead"), [(1, False), (3, False), (4, False), (3, True), (5, True)])
@pytest.mark.parametrize("form", FORMS)
def test_neuron(form, folds, ahead, spiking):
    """All that fires and all membranes, LATENCY cycles after each update; nothing fires in between."""
    one, rng = layer(folds, **FORMS[form]), np.random.default_rng(folds)
    most = 1 << one.sum_bits - 1
    arrived = rng.integers(-most, most, (3, TICKS, folds)) >> rng.integers(0, 4, (3, TICKS, folds))
    fired, x = steps(one, arrived, spiking=spiking)
    assert fired.any() == spiking
    dut = Neuron(one, spiking=spiking, ahead=ahead)
    plan = operations(one, np.zeros((3, TICKS, 3), bool), spacing=Neuron.SPACING[one.order] + ahead)
    latency = Neuron.LATENCY[one.order]

    async def bench(ctx):
        for cycle in range(len(plan) + latency):
            now = plan[cycle] if cycle < len(plan) else Step(Kind.NONE)
            ctx.set(dut.en, now.kind == Kind.UPDATE)
            ctx.set(dut.clear, now.kind == Kind.CLEAR)
            ctx.set(dut.fold, plan[cycle + ahead].fold if cycle + ahead < len(plan) else 0)
            ctx.set(dut.arrived, int(arrived[now.image, now.tick, now.fold]))
            past = plan[cycle - latency] if cycle >= latency else Step(Kind.NONE)
            at, update = (past.image, past.tick, past.fold), past.kind == Kind.UPDATE
            assert ctx.get(dut.fired) == (update and fired[at]), f"cycle {cycle}: {past}"
            assert not update or ctx.get(dut.x) == x[at], f"cycle {cycle}: {past}"
            await ctx.tick()
    run(dut, bench, cycles=len(plan) + 10)


@pytest.mark.parametrize("vendor", ["generic", "ice40"])
@pytest.mark.parametrize(("folds", "form"), [
    (1, "order 1"), (1, "kick"), (2, "order 1"), (3, "order 1, refractory"), (2, "order 2"), (5, "kick")])
def test_lane(folds, form, vendor):
    """Delays of every length, several spikes of a tick to one neuron, accumulators that empty with their update."""
    one, rng = layer(folds, threshold=3, **FORMS[form]), np.random.default_rng(7)
    net = SpikingNetwork(name="n", ticks=TICKS, layers=(layer(folds, folds, threshold=3, **FORMS[form]),))
    synapses = random_synapses(net, rng)[0]
    spikes = rng.random((3, TICKS, one.inputs)) < 0.5
    fired, x = steps(one, arrivals(one, synapses, spikes))
    assert fired.any()
    dut, plan = Lane(one, vendor=vendor, spiking=True), operations(one, spikes)

    async def bench(ctx):
        for cycle in range(len(plan) + dut.LATENCY):
            now = plan[cycle] if cycle < len(plan) else Step(Kind.NONE)
            ctx.set(dut.op, {"kind": now.kind, "fold": now.fold, "slot": now.slot})
            ctx.set(dut.is_spike, now.kind == Kind.SPIKE)
            ctx.set(dut.delay, int(synapses.delay[now.fold, now.line]))
            ctx.set(dut.weight, int(synapses.weight[now.fold, now.line]))
            past = plan[cycle - dut.LATENCY] if cycle >= dut.LATENCY else Step(Kind.NONE)
            at, update = (past.image, past.tick, past.fold), past.kind == Kind.UPDATE
            assert ctx.get(dut.fired) == (update and fired[at]), f"cycle {cycle}: {past}"
            assert not update or ctx.get(dut.x) == x[at], f"cycle {cycle}: {past}"
            await ctx.tick()
    run(dut, bench, cycles=len(plan) + 20)


@pytest.mark.parametrize(("vendor", "folds", "domain"), [
    ("generic", 1, "comb"), ("generic", 2, "comb"), ("ecp5", 2, "comb"), ("ice40", 1, "sync"), ("ice40", 2, "comb")])
def test_accumulators_are_block_rams_where_there_are_no_others(vendor, folds, domain):
    """Of several folds they are read into a register of the block RAM, without cells that look for a collision."""
    memory = Lane(layer(folds, threshold=3), vendor=vendor, spiking=True).elaborate(None).submodules.ring
    assert [port.domain for port in memory.read_ports] == [domain]
    assert ("no_rw_check" in memory.attrs) == (vendor == "ice40" and folds > 1)


@pytest.mark.parametrize(("outputs", "lanes", "weight"), [
    (3, 3, QFormat(2, 1)), (7, 3, QFormat(2, 1)), (6, 6, Ternary(plus=6, minus=3, seed=0xC0FFEE)),
    (20, 8, Ternary(plus=8, minus=4, seed=11))], ids=str)
def test_group(outputs, lanes, weight):
    """Synapses as an image loads them, weights made again from a seed; what goes on to the next group."""
    one = layer(outputs, lanes, weight=weight, threshold=5)
    net, rng = SpikingNetwork(name="n", ticks=TICKS, layers=(one, layer(1, inputs=outputs))), np.random.default_rng(3)
    params, spikes = random_synapses(net, rng), rng.random((2, TICKS, one.inputs)) < 0.5
    fired, x = steps(one, arrivals(one, params[0], spikes))
    assert fired.any()
    assert weights(one, params[0]).any()
    dut, plan = LaneGroup(one, first=0, count=lanes, bank0=0, vendor="generic", spiking=True), operations(one, spikes)
    latency = 1 + fetch_cycles(one) + Lane.LATENCY
    pairs = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(word))
             for addr, word in build_image(net, params).pairs]
    words = source_word(weight.seed, np.arange(one.inputs)).tolist() if one.regenerates else [0] * one.inputs

    async def bench(ctx):
        await load(ctx, dut.i_params, pairs, half=1, settle=4)
        for cycle in range(len(plan) + latency):
            now = plan[cycle] if cycle < len(plan) else Step(Kind.NONE)
            ctx.set(dut.i_op, {"kind": now.kind, "fold": now.fold, "slot": now.slot})
            ctx.set(dut.i_addr, now.fold * one.inputs + now.line)
            ctx.set(dut.i_word, words[now.line])
            if cycle:
                before = plan[cycle - 1] if cycle <= len(plan) else Step(Kind.NONE)
                op = ctx.get(dut.o_op)
                assert (op.kind, op.fold, op.slot) == before[:3], f"cycle {cycle}"
                assert ctx.get(dut.o_addr) == before.fold * one.inputs + before.line, f"cycle {cycle}"
                assert ctx.get(dut.o_word) == words[before.line], f"cycle {cycle}"
            past = plan[cycle - latency] if cycle >= latency else Step(Kind.NONE)
            if past.kind == Kind.UPDATE:
                neurons = range(past.fold * lanes, min(outputs, (past.fold + 1) * lanes))
                bits = ctx.get(dut.fired)
                assert [bits >> n & 1 for n in range(len(neurons))] == fired[past.image, past.tick, neurons].tolist(), \
                    f"cycle {cycle}: {past}"
                assert [ctx.get(dut.x[n]) for n in range(len(neurons))] == x[past.image, past.tick, neurons].tolist()
            await ctx.tick()
    run(dut, bench, cycles=len(pairs) + len(plan) + 40)
