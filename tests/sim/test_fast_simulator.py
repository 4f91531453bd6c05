"""The engine of Amaranth's simulator that tests run on: every signal as Amaranth's own has it, in every cycle."""

import numpy as np
import pytest
from amaranth.hdl import (
    Array,
    Cat,
    ClockDomain,
    Elaboratable,
    Format,
    Module,
    Mux,
    Print,
    ResetInserter,
    Signal,
    signed,
)
from amaranth.lib import memory
from amaranth.sim import Simulator
from amaranth.sim.pysim import PySimEngine
from cases import random_learner, random_network, with_delays
from device import learner
from spikes import random_spiking

from rtl.rate.core import NetworkCore
from rtl.spiking.core import SpikingCore
from sim.engine import Engine
from sim.pysim import PERIOD


class Forms(Elaboratable):
    """Statements and expressions of every form."""

    def __init__(self):
        self.a, self.b, self.c, self.s = Signal(7), Signal(signed(5)), Signal(signed(9)), Signal(3)
        self.inputs = [self.a, self.b, self.c, self.s]

    def elaborate(self, platform):
        m, a, b, c, s = Module(), self.a, self.b, self.c, self.s
        m.submodules.store = store = memory.Memory(shape=signed(6), depth=5, init=[1, -2, 3])
        m.submodules.halves = halves = memory.Memory(shape=6, depth=8, init=[])
        write, read = store.write_port(), store.read_port(domain="comb")
        late, part = store.read_port(transparent_for=[write]), halves.write_port(granularity=3)
        m.submodules.rows = rows = memory.Memory(shape=5, depth=8, init=[])
        put, plain, count = rows.write_port(), rows.read_port(), Signal(6)
        # a clock of its own, and a row that is read again when it has been written
        m.domains.slow = slow = ClockDomain(reset_less=True)
        m.d.comb += [put.addr.eq(s), put.data.eq(a), put.en.eq(1), plain.addr.eq(s), plain.en.eq(1), slow.clk.eq(a[0])]
        m.d.slow += count.eq(count + b + plain.data)
        last = halves.read_port(transparent_for=[part])
        m.d.comb += [write.addr.eq(s), write.data.eq(c), write.en.eq(a), read.addr.eq(a), late.addr.eq(s),
                     late.en.eq(a[0]), part.addr.eq(s), part.data.eq(a), part.en.eq(c), last.addr.eq(b), last.en.eq(1)]
        total, parts, kept = Signal(signed(20)), Signal(12), Signal(signed(8), init=-3, reset_less=True)
        m.d.comb += total.eq(Mux(b < c, b * c - a, -c) + (~a).as_signed() + (c >> s) + (b << s))
        m.d.sync += [parts[2:7].eq(c + read.data), parts.word_select(s[:1], 2).eq(b), Cat(parts[9], kept).eq(total),
                     Array([kept, parts])[s[2]].eq(a ^ c)]
        with m.Switch(Cat(s, a[:2])):
            with m.Case("0--11", 5):
                m.d.sync += kept.eq(late.data - b + last.data)
            with m.Case(2, 3):
                m.d.comb += total[3:6].eq(a.bit_select(s, 3))
            with m.Default():
                m.d.sync += parts.eq(Cat(a.any(), a.all(), a.xor(), c // 3, a % 5, c == b, a != s))
        return m


def signals(simulator) -> dict:
    """Values of all signals by id, and of memories."""
    state = simulator._engine.state
    return {id(slot.signal) if hasattr(slot, "signal") else id(slot.memory):
            slot.curr if hasattr(slot, "signal") else list(slot.data) for slot in state.slots}


def compare(dut, inputs, cycles, changes=0.7):
    """Run one design on both engines with the same random inputs; changes: how often each is set."""
    seen, design = [], Simulator(dut)._design
    for kind in (PySimEngine, Engine):
        simulator, rng, found = Simulator(Module()), np.random.default_rng(3), []
        simulator._design, simulator._engine = design, kind(design)

        async def bench(ctx, rng=rng, found=found):
            for _ in range(cycles):
                for signal in inputs:
                    if rng.random() < changes:
                        ctx.set(signal, int.from_bytes(rng.bytes(-(-len(signal) // 8)), "little"))
                    found.append(ctx.get(signal))
                *_, value = await ctx.tick().sample(inputs[0])
                found.append(value)
        simulator.add_clock(PERIOD)
        simulator.add_testbench(bench)
        simulator.run_until(0)
        seen.append([found])
        for n in range(cycles):
            simulator.run_until((n + 1) * PERIOD)
            seen[-1].append(signals(simulator))
    theirs, ours = seen
    assert ours[0] == theirs[0]
    moved = len({tuple(map(str, values.values())) for values in ours[1:]})
    assert moved > cycles * min(changes, 0.5), "nothing moves"
    for cycle, (mine, want) in enumerate(zip(ours[1:], theirs[1:], strict=True)):
        assert mine.keys() == want.keys()
        wrong = [key for key in want if mine[key] != want[key]]
        assert not wrong, f"cycle {cycle}: {len(wrong)} of {len(want)} signals"


@pytest.mark.parametrize("changes", [0.7, 0.1])
def test_every_form(changes):
    forms, button = Forms(), Signal()
    compare(ResetInserter(button)(forms), [*forms.inputs, button], 300, changes)


@pytest.mark.parametrize("net", [
    random_network("engine 2", largest=5), learner(), random_spiking("engine 3"),
    with_delays(random_learner("late 9"), "late 9")], ids=["rate", "learner", "spiking", "late"])
def test_cores(net):
    core = (NetworkCore if net.kind == "rate" else SpikingCore)(net)
    learns = [core.learning, core.halve, core.probe, core.probe_addr] if net.kind == "rate" and net.teacher else []
    inputs = [core.i.valid, core.i.payload.as_value(), core.o.ready, core.params.en, core.params.addr, core.params.data,
              core.params.bank, core.params.half, core.want_half, *learns]
    compare(core, inputs, 150)


def test_a_bench_starts_again():
    m, count = Module(), Signal(8)
    m.d.sync += count.eq(count + 1)
    simulator, seen = Simulator(m, engine=Engine), []

    async def bench(ctx):
        await ctx.tick().repeat(5)
        seen.append(ctx.get(count))
    simulator.add_clock(PERIOD)
    simulator.add_testbench(bench)
    simulator.run()
    simulator.reset()
    simulator.run()
    assert seen == [5, 5]


def test_what_prints_does_so_with_every_edge(capsys):
    m, still = Module(), Signal(8, init=7)
    m.d.sync += Print(Format("{}", still))
    simulator = Simulator(m, engine=Engine)

    async def bench(ctx):
        await ctx.tick().repeat(5)
    simulator.add_clock(PERIOD)
    simulator.add_testbench(bench)
    simulator.run()
    assert capsys.readouterr().out.split() == ["7"] * 5


def test_what_it_does_not_do():
    m, count = Module(), Signal(8)
    m.domains.sync = ClockDomain(clk_edge="neg")
    m.d.sync += count.eq(count + 1)
    with pytest.raises(NotImplementedError, match="rising edges only"):
        Simulator(m, engine=Engine)
    other = Simulator(Module(), engine=Engine)
    with pytest.raises(NotImplementedError, match="no waveforms"), other.write_vcd("a.vcd"):
        pass
