"""Reading back the synapses of spiking neurons, in cycles in which no spike needs them, and the seeds."""

from functools import reduce
from operator import or_

from amaranth.hdl import Array, Cat, Mux, Signal


def pending(m, unit, busy):
    """Whether a unit's banks read what it was asked: once, in a cycle in which they are not `busy`."""
    waits, reads = Signal(name="read_waits"), Signal(name="reads")
    m.d.comb += reads.eq(waits & ~busy)
    m.d.sync += waits.eq(unit.read | waits & busy)
    return reads


def gather(m, unit, answers) -> None:
    """One register for all that may answer: (valid, word) each, one at a time; words are not signed."""
    m.d.sync += [unit.read_valid.eq(Cat(there for there, _ in answers).any()),
                 unit.read_data.eq(reduce(or_, (Mux(there, word, 0) for there, word in answers)))]


def hand_on(m, unit, parts, *others) -> None:
    """Hand what a unit is asked to its parts, and back what one of them, or of `others` (valid, word), answers."""
    for part in parts:
        m.d.comb += [part.read.eq(unit.read), part.read_bank.eq(unit.read_bank), part.read_addr.eq(unit.read_addr)]
    gather(m, unit, [*((part.read_valid, part.read_data.as_unsigned()) for part in parts), *others])


class _Asked:
    """What engines see of a core: `read` for a cycle only."""

    def __init__(self, core, read):
        self.read, self.read_bank, self.read_addr = read, core.read_bank, core.read_addr
        self.read_valid, self.read_data = core.read_valid, core.read_data


def answer_words(m, core, engines, seeds, seed_bank: int) -> None:
    """Ask engines once for what `core` is asked until it is there; the seeds are registers."""
    under_way, ask = Signal(name="read_under_way"), Signal(name="ask")
    m.d.comb += ask.eq(core.read & ~under_way & ~core.read_valid)
    m.d.sync += under_way.eq((under_way | ask) & ~core.read_valid)
    halves = Array(half for seed in seeds for half in (seed[:16], seed[16:]))
    index = core.read_addr[:max(1, (2 * len(seeds) - 1).bit_length())]
    hand_on(m, _Asked(core, ask), engines, (ask & (core.read_bank == seed_bank), halves[index]))
