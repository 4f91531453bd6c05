"""The vendors' forms against the generic ones, word for word, with the models of sim/models/."""

import ctypes
import os
from functools import partial

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.image import build_image
from golden.programs import ToolError
from golden.rate.engine import random_params, run
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.dense import dense_rows
from golden.units.rows import Rows
from rtl.primitives import VENDORS, Bank, accumulator, bank, multiplier
from rtl.units.mac import MacLanes
from rtl.vendor import ecp5, gowin, ice40
from rtl.vendor.blocks import PAGE, Part, narrowest, parts_of
from sim.harness.device import Device
from sim.verilated import build_library

CYCLES = 40_000
#: every width of a DP16KD and every way to put them side by side, one bit to more than two blocks; pages
BANKS = [(d, w) for d in (2, 100, 1024) for w in (1, 2, 7, 17, 18, 19, 36, 40)] + [
    (1025, 9), (2048, 17), (2048, 18), (2049, 4), (4096, 5), (4097, 2), (8192, 3), (8193, 1), (16384, 3),
    (16385, 2), (40000, 1)]
#: and those of few words
SMALL = [(2, 5), (16, 18), (33, 4), (64, 36)]
#: depth, width and columns: bytes of a block of 18 and of 36 bits, columns of two bytes, of a block and of more; pages
COLUMNS = [(216, 32, 2), (512, 36, 2), (256, 32, 4), (300, 36, 4), (100, 27, 3), (512, 40, 2), (512, 64, 8),
           (784, 32, 4), (784, 16, 2), (1000, 18, 2), (1000, 24, 3), (600, 36, 2), (700, 48, 2), (2048, 16, 2),
           (3000, 12, 2), (16385, 2, 2)]
#: width, width of what comes, what sums begin with
ACCUMULATORS = [(1, 1, 1), (2, 1, 2), (7, 7, 0), (8, 5, 1), (20, 13, 1 << 19), (33, 24, 64)]
FACTORS = [(18, 18), (17, 16), (12, 18), (2, 3)]
_STATE = {"weight": QFormat(4, 11), "state": QFormat(5, 11), "lead": QFormat(1, 14), "lag": QFormat(1, 14)}
NETWORK = Network(name="vendor", dt=0.2, layers=(
    Dense(inputs=9, outputs=8, lanes=3, activation="tanh", operand=QFormat(1, 12), rate=QFormat(1, 12), **_STATE),
    Dense(inputs=8, outputs=5, lanes=5, activation="softplus", operand=QFormat(1, 12), rate=QFormat(5, 8), delay=2,
          max_delay=3, **_STATE)))
#: the same pseudo-random word to all inputs in every cycle; returns the cycles in which forms differ, unit by unit
HARNESS = """
#include "Vpair.h"
extern "C" void pair_run(int64_t cycles, int64_t units, int64_t* differ) {
    VerilatedContext context;
    Vpair top{&context};
    uint64_t state = 0x9E3779B97F4A7C15ull;
    for (int64_t n = 0; n < cycles; n++) {
        state ^= state << 13, state ^= state >> 7, state ^= state << 17;
        top.word = state;
        top.clk = 0, top.eval();
        top.clk = 1, top.eval();
        for (int64_t k = 0; k < units; k++) differ[k] += top.differ[k / 32] >> k % 32 & 1;
        for (int64_t k = 0; k < units; k++) differ[units + k] += top.active[k / 32] >> k % 32 & 1;
    }
}
"""


def available(build, *args, **kwargs):
    """What `build` makes; without its tools the test skips, and fails on the build server."""
    try:
        return build(*args, **kwargs)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


class Pair(wiring.Component):
    """All forms of many units on the same random words.

    Members: word; differ, active: a bit a unit, where its outputs are not all equal, where they are not zero.
    """

    def __init__(self, units: dict):
        self.units, self.turn = units, Signal()
        super().__init__({"word": In(64), "differ": Out(max(65, len(units))), "active": Out(max(65, len(units)))})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += self.turn.eq(~self.turn)
        for n, (name, make) in enumerate(self.units.items()):
            outputs = []
            for vendor in forms(name):
                m.submodules[f"{name}_{vendor}".replace(" ", "_")] = unit = make(vendor)
                outputs.append(self._drive(m, n, unit))
            m.d.comb += [self.differ[n].eq(Cat(output != outputs[0] for output in outputs[1:]).any()),
                         self.active[n].eq(outputs[0] != 0)]
        return m

    def _drive(self, m, number, unit):
        """Each input takes its own stretch of the word; addresses stay within the bank, and writes off the read row.

        What is read of a word that is being written is not told: in lanes, too, the two are odd and even by turns.
        """
        at, outputs = 7 * number, []
        for _, member, value in unit.signature.flatten(unit):
            if member.flow == Out:
                outputs.append(value)
            else:
                m.d.comb += value.eq(self.word.rotate_left(at) ^ (self.word >> at % 23))
            at += 11
        if isinstance(unit, Bank):
            def within(addr):
                return Mux(addr < unit.depth, addr, addr[:unit.addr_bits - 1])
            m.d.comb += unit.read_addr.eq(within(self.word[5:5 + unit.addr_bits]))
            if unit.writable:
                m.d.comb += unit.write_addr.eq(within(unit.read_addr ^ 1))
        if isinstance(unit, MacLanes):
            m.d.comb += [unit.params.bank.eq(self.word[40:42]), unit.addr[0].eq(self.turn),
                         unit.params.addr[(unit.rows.columns - 1).bit_length()].eq(~self.turn)]
        return Cat(*outputs)


def forms(name: str) -> list[str]:
    """The vendors whose forms of a unit are their own: it takes minutes to compile what is alike twice."""
    banks = ["generic", "ecp5", "gowin"]
    return {"bank": banks, "filled": [*banks, "ice40"], "rom": [*banks, "ice40"],
            "small": [*banks, "ecp5_small", "ice40"],
            "accumulator": ["generic", "ecp5"], "fused": ["generic", "ecp5"],
            "multiplier": ["generic", "ecp5", "ice40", "up5k", "gowin"]}.get(name.split()[0], [
                name for name in VENDORS if name not in ("gowin_small", "up5k_spram")])


def units() -> dict:
    """Name -> function of the vendor."""
    rows = [k * 2654435761 % (1 << 22) for k in range(600)]
    found = {f"bank {depth} x {width}": partial(bank, depth=depth, width=width) for depth, width in BANKS}
    for depth, width, columns in COLUMNS:
        found[f"bank {depth} x {width} by {columns}"] = partial(bank, depth=depth, width=width, columns=columns)
    found["rom"] = partial(bank, depth=len(rows), width=22, init=rows, writable=False)
    found["filled bank"] = partial(bank, depth=1024, width=18, init=[row % (1 << 18) for row in rows])
    for a, b in FACTORS:
        found[f"multiplier {a} x {b}"] = partial(multiplier, a_width=a, b_width=b)
    for width, x_width, start in ACCUMULATORS:
        found[f"accumulator {width} + {x_width} from {start}"] = partial(accumulator, width=width, x_width=x_width,
                                                                         start=start)
    found["lanes"] = lambda vendor: MacLanes(dense_rows(NETWORK.layers[0]), vendor=vendor)
    found["fused lanes"] = lambda vendor: MacLanes(dense_rows(NETWORK.layers[0]), vendor=vendor, fused=True)
    # held: random addresses stay within the bank
    for side in (2, 4):
        rows = Rows(count=9, words=7, lanes=3, weight=9, operand=9, shift=4, side=side, halves=1, held=32)
        found[f"lanes of {side}"] = lambda vendor, rows=rows: MacLanes(rows, vendor=vendor)
    for depth, width in SMALL:
        found[f"small bank {depth} x {width}"] = partial(bank, depth=depth, width=width)
    found["small rom"] = partial(bank, depth=50, width=9, init=[37 * n % 512 for n in range(50)],
                                writable=False)
    return found


def test_units():
    made = units()
    library = available(build_library, Pair(made), name="pair", harness=HARNESS, vendor="all", quick=True)
    counts = np.zeros((2, len(made)), np.int64)
    library.pair_run.argtypes = [ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    library.pair_run(CYCLES, len(made), counts.ctypes.data)
    for name, differ, active in zip(made, *counts, strict=True):
        assert not differ, f"{name}: the forms differ in {differ} of {CYCLES} cycles"
        assert active > CYCLES // 10, f"{name}: only {active} outputs that are not zero"


@pytest.mark.parametrize("vendor", ["ecp5", *(pytest.param(name, marks=pytest.mark.slow) for name in (
    "ecp5_small", "gowin", "gowin_small", "up5k"))])
def test_network(vendor):
    rng = np.random.default_rng(5)
    params, fmt = random_params(NETWORK, rng), NETWORK.layers[0].operand
    x = rng.integers(fmt.min, fmt.max + 1, (8, 20, NETWORK.inputs))
    device = available(Device, NETWORK, vendor=vendor)
    device.load(build_image(NETWORK, params).pairs)
    assert (device.run(x, output_stalls="bursts") == run(NETWORK, params, x)).all()


def test_shapes():
    """Depth decides the width of a DP16KD, width the number of them."""
    blocks = {depth: ecp5.Bank.blocks(depth, 18) for depth in (1, 1024, 1025, 2049, 4097, 8193, 16384)}
    assert blocks == {1: 1, 1024: 1, 1025: 2, 2049: 5, 4097: 9, 8193: 18, 16384: 18}
    # deeper ones are made of pages
    assert ecp5.Bank.blocks(16385, 1) == 2
    assert ecp5.Bank.blocks(40000, 18) == 3 * 18


def test_shapes_of_gowin():
    """The shape with the fewest blocks, of few words the wide one; columns need the ninth bit of a byte."""
    blocks = {each: gowin.Bank.blocks(*each) for each in (
        (512, 36), (513, 36), (512, 37), (1024, 18), (2048, 9), (2049, 8), (4096, 4), (16384, 1), (16385, 1), (1, 18))}
    assert list(blocks.values()) == [1, 2, 2, 1, 1, 2, 1, 1, 2, 1]
    assert gowin.Bank.blocks(512, 32, 4) == 1
    assert gowin.Bank.blocks(2048, 4, 2) == 2
    for form, name in ((gowin, "MULT18X18 takes factors of 18"), (ice40, "SB_MAC16 and what is beside it"),
                       (ecp5, "MULT18X18D takes factors of 18")):
        with pytest.raises(ValueError, match=name):
            form.Multiplier(a_width=19, b_width=2)
    with pytest.raises(ValueError, match="supported up to 2048 words without columns, not 4096 x 1"):
        gowin.Bank(depth=4096, width=4, init=[1], writable=False).elaborate(None)
    # of a word that three blocks hold, the middle one has its own bits only
    found = gowin.Bank(depth=2, width=54, init=[(1 << 54) - 1, 0], writable=False)._initial(1024, 18, slice(18, 36))
    assert (found["p_INIT_RAM_00"].value, found["p_INIT_RAM_01"].value) == ((1 << 18) - 1, 0)


def test_parts_of_a_block():
    """Without columns a part has its block for itself; columns share one where bytes do."""
    assert parts_of(36, 18, 1) == [[Part(slice(0, 18), 0, 0, 36)]]
    assert parts_of(18, 20, 1) == [[Part(slice(0, 18), 0, 0, 18)], [Part(slice(18, 20), 0, 0, 18)]]
    assert parts_of(36, 18, 2) == [[Part(slice(0, 9), 0, 0, 9), Part(slice(9, 18), 1, 9, 9)]]
    assert narrowest(((1024, 18), (2048, 9)), 1025, "block") == (2048, 9)
    with pytest.raises(ValueError, match=f"^a block holds {PAGE} words at most, not 2049$"):
        narrowest(((1024, 18), (2048, 9)), 2049, "block")


def test_shapes_of_columns():
    """What the lanes and maps of a convolution take."""
    blocks = {each: ecp5.Bank.blocks(*each) for each in COLUMNS}
    assert list(blocks.values()) == [1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 2, 2, 4, 2, 4, 4]
    # without columns the shapes are what they were
    assert ecp5.Bank.blocks(216, 32) == 2
