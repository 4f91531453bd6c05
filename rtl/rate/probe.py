"""Reading back what was learnt, while no tick runs."""

from functools import reduce
from operator import or_
from typing import NamedTuple

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layer import Dense
from golden.units.dense import dense_rows
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, later
from rtl.units.mac import bank_bits
from rtl.units.plastic_lanes import PlasticLanes


class Asked(NamedTuple):
    """A word that is to be read: en for one cycle; bank and addr, held until it is there."""

    en: object
    bank: object
    addr: object

    def hit(self, m, number: int, name: str):
        """Whether it is in bank `number`, a cycle later."""
        return later(m, self.en & (self.bank == number), 1, name=name, reset_less=False)


class LaneProbe(wiring.Component):
    """A weight as its product with one, by the lanes themselves.

    Parameters: layer; first_bank, number of the first lane's bank.
    Members
      en, bank, addr, half   what is asked, held until it is there, and the half in force
      ask, at                the lanes read the address `at`, a row of one word
      one                    their operand is one
      busy, valid, sum       their sums are ours; sums as they come
      o_valid, o_data        the word
    """

    def __init__(self, layer: Dense, *, first_bank: int):
        self.layer, self.first_bank, self.rows = layer, first_bank, dense_rows(layer)
        super().__init__({
            "en": In(1), "bank": In(BANK_BITS), "addr": In(ADDR_BITS), "half": In(1), "ask": Out(1),
            "at": Out(bank_bits(self.rows) + 1), "one": Out(1), "busy": Out(1), "valid": In(1),
            "sum": In(signed(self.rows.acc)), "o_valid": Out(1), "o_data": Out(signed(WORD_BITS))})

    def elaborate(self, platform):
        m = Module()
        lanes = self.layer.lanes
        number, asked = Signal(signed(BANK_BITS + 1)), Signal()
        seen, lane = Signal(range(lanes + 1)), Signal(range(max(2, lanes)))
        m.d.comb += number.eq(self.bank - self.first_bank)
        m.d.sync += asked.eq(self.en & (number >= 0) & (number < lanes))
        with m.If(asked):
            m.d.sync += [self.busy.eq(1), seen.eq(0), lane.eq(number)]
        # those of the other lanes hop out, too
        with m.If(self.busy & self.valid):
            m.d.sync += [seen.eq(seen + 1), self.busy.eq(seen != lanes - 1)]
        m.d.comb += [self.ask.eq(asked), self.at.eq(Cat(self.addr[:len(self.at) - 1], self.half)),
                     self.one.eq(later(m, asked, PlasticLanes.OPERAND_OFFSET, name="one")),
                     self.o_valid.eq(self.busy & self.valid & (seen == lane)),
                     self.o_data.eq(self.sum - self.rows.half)]
        return m


def answer(m, valid, data, found) -> None:
    """One register for all that may answer: (valid, word) each, one at a time."""
    m.d.sync += [valid.eq(Cat(there for there, _ in found).any()),
                 data.eq(reduce(or_, (Mux(there, word, 0) for there, word in found)))]
