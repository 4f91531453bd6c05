# amaranth: UnusedElaboratable=no
"""Bank and Multiplier in their generic form: shapes, latency, words; the vendor forms are compared in test_vendor."""

import random

import pytest

from rtl.primitives import Bank, Multiplier, bank, multiplier
from rtl.vendor import ecp5
from sim.pysim import run


def test_sizes():
    assert [Bank(depth=depth, width=3).addr_bits for depth in (1, 2, 3, 4, 5, 8, 9, 1024)] == [1, 1, 2, 2, 3, 3, 4, 10]
    assert set(Bank(depth=4, width=3, writable=False).signature.members) == {"read_addr", "read_data"}
    assert len(Bank(depth=4, width=6, columns=3).write_en) == 3
    with pytest.raises(ValueError, match="7 bits are not 2 columns of equal width"):
        Bank(depth=4, width=7, columns=2)
    with pytest.raises(ValueError, match="a bank that is not written has no columns"):
        Bank(depth=4, width=6, columns=2, writable=False)
    for depth, width in ((0, 3), (3, 0)):
        with pytest.raises(ValueError, match=f"a bank needs a word and a bit, not {depth} x {width}"):
            Bank(depth=depth, width=width)


def test_forms():
    assert type(bank("ice40", depth=2, width=2)) is Bank
    assert type(multiplier("generic", a_width=2, b_width=2)) is Multiplier
    assert type(bank("ecp5", depth=2, width=2)) is ecp5.Bank
    assert type(multiplier("ecp5", a_width=2, b_width=2)) is ecp5.Multiplier
    with pytest.raises(ValueError, match="vendor must be one of generic, ecp5, ice40, not 'asic'"):
        bank("asic", depth=2, width=2)


@pytest.mark.parametrize("depth", [1, 5, 16])
def test_bank(depth):
    """A word a cycle, LATENCY cycles after its address, and what was written before that was read."""
    rng = random.Random(f"bank {depth}")
    words = [rng.randrange(1 << 7) for _ in range(depth)]
    dut, due = Bank(depth=depth, width=7, init=words), []

    async def bench(ctx):
        for cycle in range(200):
            read, write = rng.randrange(depth), rng.randrange(depth)
            en = write != read and rng.random() < 0.5
            ctx.set(dut.read_addr, read)
            ctx.set(dut.write_en, en)
            ctx.set(dut.write_addr, write)
            ctx.set(dut.write_data, data := rng.randrange(1 << 7))
            due.append(words[read])
            if en:
                words[write] = data
            await ctx.tick()
            if cycle + 1 >= dut.LATENCY:
                assert ctx.get(dut.read_data) == due[cycle + 1 - dut.LATENCY], f"cycle {cycle}"
    run(dut, bench, cycles=250)


def test_multiplier():
    """Every pair of 3 and 4 bits, a product a cycle."""
    dut, due = Multiplier(a_width=3, b_width=4), []

    async def bench(ctx):
        for cycle, (a, b) in enumerate((a, b) for a in range(-4, 4) for b in range(-8, 8)):
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            due.append(a * b)
            await ctx.tick()
            if cycle + 1 >= dut.LATENCY:
                assert ctx.get(dut.p) == due[cycle + 1 - dut.LATENCY], f"cycle {cycle}"
    run(dut, bench, cycles=200)
