"""What sim.pysim makes of Amaranth's simulator gives the words that Amaranth's own gives."""

import random

import pytest
from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import memory
from amaranth.sim import Simulator, _pyrtl

from sim import pysim

CYCLES, SIGNALS = 60, 24


def value(rng, signals, depth=3):
    """A random expression of `signals`."""
    if not depth or rng.random() < 0.15:
        return rng.choice(signals)
    a, b = value(rng, signals, depth - 1), value(rng, signals, depth - 1)
    found = rng.choice([
        lambda: a + b, lambda: a - b, lambda: a[:9] * b[:9].as_signed(), lambda: a & b, lambda: a | b, lambda: a ^ b,
        lambda: ~a, lambda: -a, lambda: a >> b[:3], lambda: a << b[:2], lambda: a < b, lambda: a == b,
        lambda: Mux(a[0], a, b), lambda: Cat(a[:5], b[:4]), lambda: a.as_signed(), lambda: a.as_unsigned(),
        lambda: a // b[:4], lambda: a % b[:4].as_signed(), lambda: a.bit_select(b[:2], 4)])()
    return found[:24]


def circuit(seed):
    """Inputs, signals and a module that drives these in every way of assigning."""
    rng, m = random.Random(seed), Module()

    def signal(name):
        return Signal(rng.choice([signed, unsigned])(rng.randint(2, 20)), name=name, init=1)
    inputs = [signal(f"i{n}") for n in range(4)]
    found = list(inputs)
    for n in range(SIGNALS):
        new = signal(f"s{n}")
        domain = m.d.comb if rng.random() < 0.5 else m.d.sync
        domain += new.eq(value(rng, found).as_signed() if rng.random() < 0.5 else value(rng, found))
        with m.If(value(rng, found)[0]):
            domain += rng.choice([new[1:], new[:-1], Cat(new[0], new[1:])]).eq(value(rng, found))
        with m.Switch(found[0][:2]):
            with m.Case(1):
                domain += new.bit_select(found[1][:1], 1).eq(value(rng, found))
        found.append(new)
    m.submodules.store = store = memory.Memory(shape=signed(7), depth=8, init=[-5, 3])
    write, read = store.write_port(), store.read_port()
    m.d.comb += [write.en.eq(found[5][0]), write.addr.eq(found[6]), write.data.eq(found[7]), read.addr.eq(found[8])]
    return m, inputs, [*found, read.data]


def words(seed):
    """All signals in all cycles of random inputs."""
    m, inputs, signals = circuit(seed)
    rng, found = random.Random(seed), []

    async def bench(ctx):
        for _ in range(CYCLES):
            for port in inputs:
                low = -(1 << len(port) - 1) if port.shape().signed else 0
                ctx.set(port, rng.randrange(low, low + (1 << len(port))))
            found.append([ctx.get(each) for each in signals])
            await ctx.tick()
    simulator = Simulator(m)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return found


@pytest.mark.parametrize("seed", range(6))
def test_words_are_those_of_amaranth(monkeypatch, seed):
    made = []
    monkeypatch.setattr(_pyrtl._PythonEmitter, "flush",
                        lambda self, *args: made.append(pysim.quicker(pysim.plain_flush(self, *args))) or made[-1])
    quick = words(seed)
    code = "".join(made)
    assert ".update(" in code, "nothing was compiled"
    assert "sign(" not in code, "a sign that is still a call"
    assert code.count("if slots[") >= SIGNALS
    monkeypatch.setattr(_pyrtl._PythonEmitter, "flush", pysim.plain_flush)
    assert quick == words(seed)
    assert len({tuple(row) for row in quick}) > CYCLES // 2
