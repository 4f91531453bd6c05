"""Banks behind one port and block RAM whose reader never meets its writer: both forms, against what they were told."""

import ctypes

import numpy as np
import pytest
from amaranth.hdl import Fragment, Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from test_vendor import available

from rtl.primitives import Bank, in_spram, scratch, shares_neurons, store
from rtl.vendor import spram
from rtl.vendor.scratch import Ice40Scratch, Scratch, blocks
from sim.verilated import build_library

VENDOR = "up5k_spram"
#: depth, width and columns: nibbles filled and not, one block and more; every shape of a block RAM, and several
DEEP = [(1500, 4, 1), (2048, 10, 2), (12544, 64, 16), (16384, 18, 3)]
PLAIN = [(7, 40), (256, 16), (300, 9), (1024, 5), (2000, 3), (2100, 3)]
CYCLES = 6000
#: a write enable, an address to write, a word, and an address to read in every cycle; the words read
HARNESS = """
#include "Vmany.h"
extern "C" void many_run(int64_t cycles, const uint64_t* given, uint64_t* found) {
    VerilatedContext context;
    Vmany top{&context};
    for (int64_t n = 0; n < cycles; n++) {
        top.enable = given[4 * n], top.write_addr = given[4 * n + 1], top.word = given[4 * n + 2];
        top.read_addr = given[4 * n + 3];
        top.clk = 0, top.eval();
        for (int k = 0; k < UNITS; k++) found[UNITS * n + k] = (&top.found0)[k];
        top.clk = 1, top.eval();
    }
}
"""


class Many(wiring.Component):
    """Units on the same inputs, each with as much of them as it takes."""

    def __init__(self, units):
        self.units = units
        super().__init__({"enable": In(16), "write_addr": In(14), "word": In(64), "read_addr": In(14)}
                         | {f"found{n}": Out(64) for n in range(len(units))})

    def elaborate(self, platform):
        m = Module()
        for n, unit in enumerate(self.units):
            m.submodules[f"unit{n}"] = unit
            m.d.comb += [unit.write_en.eq(self.enable), unit.write_addr.eq(self.write_addr),
                         unit.write_data.eq(self.word), unit.read_addr.eq(self.read_addr),
                         getattr(self, f"found{n}").eq(unit.read_data)]
        return m


def run(units, given):
    library = available(build_library, Many(units), name="many", vendor=VENDOR, quick=True,
                        harness=f"#define UNITS {len(units)}\n{HARNESS}")
    found = np.zeros((len(given), len(units)), np.uint64)
    library.many_run.argtypes = [ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p]
    given = np.ascontiguousarray(given, np.uint64)
    library.many_run(len(given), given.ctypes.data, found.ctypes.data)
    return found


def test_words_come_back():
    """Words and columns are written, and read LATENCY cycles later where nobody writes in the reader's cycle."""
    units = [store(VENDOR, depth=depth, width=width, columns=columns) for depth, width, columns in DEEP]
    units += [scratch(VENDOR, depth=depth, width=width) for depth, width in PLAIN]
    rng = np.random.default_rng(0)
    # few words of every unit, the last ones among them: many are written twice, and all columns of some
    places = rng.integers(0, 7, (CYCLES, 2))
    deep = np.array([0, 5, 1499, 1023, 1024, 700, 3])
    given = np.zeros((CYCLES, 4), np.uint64)
    given[:, 0] = rng.integers(0, 1 << 16, CYCLES) * (rng.random(CYCLES) < 0.5)
    given[:, 1], given[:, 3] = deep[places[:, 0]], deep[places[:, 1]]
    given[:, 2] = rng.integers(0, 1 << 63, CYCLES, dtype=np.uint64) * 2 + rng.integers(0, 2, CYCLES, dtype=np.uint64)
    # a scratch memory has no reader where its word is written
    same = given[:, 1] == given[:, 3]
    found, checked = run(units, given), 0
    for k, unit in enumerate(units):
        words, column = {}, unit.width // getattr(unit, "columns", 1)
        alone = isinstance(unit, Bank)
        for n, (enable, to, word, at) in enumerate(given.tolist()):
            low = (1 << (unit.depth - 1).bit_length()) - 1
            to, at = to & low, at & low
            if n + unit.LATENCY < CYCLES and to < unit.depth > at and at in words:
                if not (enable & ((1 << getattr(unit, "columns", 1)) - 1)) or not (alone or to == at or same[n]):
                    assert int(found[n + unit.LATENCY, k]) == words[at], (k, n)
                    checked += 1
            for c in range(getattr(unit, "columns", 1)):
                if enable >> c & 1 and to < unit.depth:
                    mask = ((1 << column) - 1) << c * column
                    words[to] = words.get(to, 0) & ~mask | word & mask
    assert checked > CYCLES * len(units) // 10


def test_forms():
    assert type(scratch("generic", depth=5, width=3)) is Scratch
    assert type(scratch(VENDOR, depth=5, width=3)) is Ice40Scratch
    assert type(store(VENDOR, depth=1025, width=8)) is spram.Bank
    assert type(store(VENDOR, depth=1024, width=8)) is not spram.Bank
    assert [in_spram(VENDOR, depth) for depth in (1024, 1025, 16384, 16385)] == [False, True, True, False]
    assert not in_spram("up5k", 2000)
    assert (shares_neurons(VENDOR), shares_neurons("up5k"), shares_neurons("ice40")) == (True, False, False)
    assert [spram.Bank.blocks(*each) for each in ((4,), (17,), (64, 16), (10, 2), (65, 13))] == [1, 2, 4, 1, 7]
    assert [blocks(*each) for each in ((256, 16), (256, 17), (257, 16), (1024, 5), (2048, 2), (2049, 1))] == [
        1, 2, 2, 2, 1, 0]
    with pytest.raises(ValueError, match="1000 words are no single-port RAM of up5k_spram: they have no columns"):
        store(VENDOR, depth=1000, width=8, columns=2)
    with pytest.raises(ValueError, match="a SB_SPRAM256KA holds 16384 words, not 16385"):
        spram.Bank(depth=16385, width=4)


@pytest.mark.parametrize(("depth", "width", "count"), [(256, 16, 1), (257, 8, 1), (256, 17, 2), (2048, 3, 2),
                                                        (3, 33, 3)])
def test_blocks_of_a_scratch_memory(depth, width, count):
    """The widest shape that has the words: as many blocks are built as are counted."""
    built = Fragment.get(Ice40Scratch(depth=depth, width=width), None)
    assert len(built.subfragments) == blocks(depth, width) == count
