# amaranth: UnusedElaboratable=no
"""Bank and Multiplier in forms that any tool understands: shapes, latency, words; test_vendor compares all forms."""

import random
from itertools import product

import pytest

from rtl.primitives import (
    VENDORS,
    Accumulator,
    Bank,
    Multiplier,
    bank,
    has_multipliers,
    in_blocks,
    in_spram,
    is_small,
    multiplier,
    store,
)
from rtl.vendor import ecp5, gowin, ice40, logic, small
from sim.pysim import run


def test_which_parts_have_multipliers():
    assert [has_multipliers(vendor) for vendor in ("generic", "ecp5", "ice40")] == [True, True, False]


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


def test_where_memories_lie():
    """An iCE40 has no LUT RAM, a Gowin part few cells of it, and the UP5K large RAMs for what is deep."""
    assert [in_blocks(*each) for each in (("gowin", 16), ("gowin", 17), ("ecp5", 1000), ("generic", 17), ("ice40", 1),
                                          ("up5k_spram", 1))] == [False, True, False, False, True, True]
    assert [in_spram(*each) for each in (("up5k_spram", 1025), ("up5k_spram", 1024), ("up5k", 9999))] \
        == [True, False, False]
    assert store("generic", depth=8, width=3).write_en.shape().width == 1
    with pytest.raises(ValueError, match="^8 words are no single-port RAM of generic: they have no columns$"):
        store("generic", depth=8, width=4, columns=2)


def test_which_parts_are_small():
    """Words cross those of the iCE40 in a cycle; a Gowin part is no smaller than an ECP5 of the like."""
    assert [vendor for vendor in VENDORS if is_small(vendor)] == ["ice40", "up5k", "up5k_spram"]


def test_forms():
    assert type(bank("generic", depth=2, width=2)) is Bank
    assert type(bank("ice40", depth=2, width=2)) is type(bank("up5k_spram", depth=2, width=2)) is ice40.Bank
    assert type(multiplier("generic", a_width=2, b_width=2)) is Multiplier
    assert type(bank("ecp5", depth=2, width=2)) is ecp5.Bank
    assert type(multiplier("ecp5", a_width=2, b_width=2)) is ecp5.Multiplier
    assert type(multiplier("ice40", a_width=2, b_width=2)) is logic.Multiplier
    assert type(bank("ecp5_small", depth=64, width=2)) is type(bank("gowin_small", depth=64, width=2)) is small.Bank
    assert type(bank("ecp5_small", depth=65, width=2)) is type(bank("ecp5_small", depth=8, width=2, columns=2)) \
        is type(bank("ecp5", depth=64, width=2)) is ecp5.Bank
    assert type(bank("gowin_small", depth=65, width=2)) is type(bank("gowin", depth=64, width=2)) is gowin.Bank
    assert type(multiplier("up5k", a_width=2, b_width=2)) is ice40.Multiplier
    assert type(multiplier("gowin_small", a_width=2, b_width=2)) is gowin.Multiplier
    with pytest.raises(ValueError, match="vendor must be one of generic, ecp5, .* gowin_small, not 'asic'"):
        bank("asic", depth=2, width=2)


@pytest.mark.parametrize("form", [Bank, ice40.Bank])
@pytest.mark.parametrize("depth", [1, 5, 16])
def test_bank(depth, form):
    """A word a cycle, LATENCY cycles after its address, and what was written before that was read."""
    rng = random.Random(f"bank {depth}")
    words = [rng.randrange(1 << 7) for _ in range(depth)]
    dut, due = form(depth=depth, width=7, init=words), []

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


def factors(a_width: int, b_width: int) -> list[tuple[int, int]]:
    """Every pair of small factors; of larger ones the corners, and 300 pairs."""
    ranges = [range(-(1 << width - 1), 1 << width - 1) for width in (a_width, b_width)]
    if a_width + b_width < 10:
        return list(product(*ranges))
    rng = random.Random(f"multiplier {a_width} {b_width}")
    corners = [(values[0], values[1], -1, 0, 1, values[-2], values[-1]) for values in ranges]
    return [*product(*corners), *((rng.choice(ranges[0]), rng.choice(ranges[1])) for _ in range(300))]


@pytest.mark.parametrize("form", [Multiplier, logic.Multiplier])
@pytest.mark.parametrize(("a_width", "b_width"), [(3, 4), (2, 1), (1, 7), (8, 9), (12, 10), (5, 6), (7, 13), (18, 18)])
def test_multiplier(form, a_width, b_width):
    """A product a cycle, whether factor b is one part of it or several."""
    dut, due = form(a_width=a_width, b_width=b_width), []
    assert len(dut.p) == a_width + b_width

    async def bench(ctx):
        for cycle, (a, b) in enumerate(factors(a_width, b_width)):
            ctx.set(dut.a, a)
            ctx.set(dut.b, b)
            due.append(a * b)
            await ctx.tick()
            if cycle + 1 >= dut.LATENCY:
                assert ctx.get(dut.p) == due[cycle + 1 - dut.LATENCY], f"cycle {cycle}"
    run(dut, bench, cycles=400)


@pytest.mark.parametrize(("a_width", "b_width"), [(3, 4), (4, 3), (2, 1), (1, 2), (18, 18), (12, 17)])
def test_serial_multiplier(a_width, b_width):
    """A product LATENCY cycles behind its start, which the next start follows at once or later; factors may change."""
    dut, rng = logic.SerialMultiplier(a_width=a_width, b_width=b_width), random.Random("serial")
    pairs = factors(a_width, b_width)[:200]

    async def bench(ctx):
        for a, b in pairs:
            wait = rng.choice((0, 0, 1, 3))
            for cycle in range(dut.LATENCY + wait):
                ctx.set(dut.start, cycle == 0)
                ctx.set(dut.a, a if cycle == 0 else rng.randrange(1 << a_width))
                ctx.set(dut.b, b if cycle == 0 else -1)
                await ctx.tick()
                if cycle + 1 >= dut.LATENCY:
                    assert ctx.get(dut.p) == a * b, f"{a} * {b}, cycle {cycle}"
    assert dut.LATENCY == 1 + (b_width + 1) // 2
    run(dut, bench, cycles=4000)


@pytest.mark.parametrize("start", [0, 4])
def test_accumulator(start):
    """The sum of what has come since `first`, which begins with `start`; it wraps."""
    dut, got = Accumulator(width=6, x_width=4, start=start), []
    given = [(1, 3), (0, -8), (0, 7), (1, -1), (0, 7), (0, 7), (0, 7), (0, 7)]

    async def bench(ctx):
        for first, x in given:
            ctx.set(dut.first, first)
            ctx.set(dut.x, x)
            await ctx.tick()
            got.append(ctx.get(dut.sum))
    run(dut, bench, cycles=20)
    sums = [3, -5, 2, -1, 6, 13, 20, 27]
    assert got == [(total + start + 32) % 64 - 32 for total in sums]


@pytest.mark.parametrize(("fields", "message"), [
    ({"width": 6, "x_width": 0}, "an accumulator of 6 bits takes words of 1 to 6 bits, not 0"),
    ({"width": 6, "x_width": 7}, "an accumulator of 6 bits takes words of 1 to 6 bits, not 7"),
    ({"width": 3, "x_width": 3, "start": 8}, "begins with a power of two or zero, not 8"),
    ({"width": 3, "x_width": 3, "start": 3}, "begins with a power of two or zero, not 3"),
    ({"width": 3, "x_width": 3, "start": -2}, "begins with a power of two or zero, not -2")])
def test_accumulators_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Accumulator(**fields)
