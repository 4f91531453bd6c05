"""Reading back the parameters of layers that do not learn, while they rest.

A weight is its product with one, by the lanes themselves, as where it was learnt (rtl.rate.probe); constants come from
their banks. Here no tick waits: a word that is on its way through the lanes when a tick begins comes out before the
tick's first sum, as a row has as many words as there are lanes, or more.
"""

from functools import reduce
from operator import or_
from typing import NamedTuple

from amaranth.hdl import Cat, Mux, Signal

from golden.checks import check
from golden.rate.network import Network
from rtl.pipeline import later
from rtl.primitives import Bank
from rtl.rate.probe import Asked, LaneProbe, answer
from rtl.rate.rows import Walk, row_bits


def check_readable(net: Network) -> bool:
    """True; ValueError, one line, for a network whose parameters cannot be held against their image."""
    check(net.teacher is None and all(layer.plastic is None for layer in net.layers),
          f"{net.name} learns: its parameters change, so there is no checksum to scrub them against")
    check(all(layer.predictor is None for layer in net.layers),
          f"{net.name} predicts messages: what its predictors are loaded with is not read back, so it is not scrubbed")
    return True


class Reading(NamedTuple):
    """What is read of a DenseLayer: what it was asked, and its lanes' way to answer that."""

    unit: object
    asked: Asked
    probe: LaneProbe

    def over(self, now: Walk) -> Walk:
        """What the lanes are given: a word that is asked for, or the walk of a tick."""
        return now._replace(address=Mux(self.probe.ask, self.probe.at[:len(now.address)], now.address),
                            first=now.first | self.probe.ask, last=now.last | self.probe.ask)

    def others(self, m, constants, delay) -> None:
        """Banks of constants by name, and the delay in force; and the answer to all that can be asked."""
        layer, asked = self.unit.layer, self.asked
        first, bits = self.unit.first_bank + layer.lanes, row_bits(layer)
        # of a delay there is one word, and it is a register
        found = [(self.probe.o_valid, self.probe.o_data), (asked.hit(m, first + len(constants), "wants_delay"), delay)]
        half = [self.unit.half] if layer.halves == 2 else []
        for number, (name, store) in enumerate(constants.items(), first):
            wanted = asked.hit(m, number, f"wants_{name}")
            with m.If(wanted):
                m.d.comb += store.read_addr.eq(Cat(asked.addr[:bits], *half))
            there = later(m, wanted, Bank.LATENCY, name=f"read_{name}", reset_less=False)
            found.append((there, store.read_data.as_signed()))
        answer(m, self.unit.read_valid, self.unit.read_data, found)


def read_weights(m, unit) -> Reading:
    """The weights of a DenseLayer, by its lanes."""
    # what is asked comes from far away
    asked = Asked(*(later(m, value, 1, name=name, reset_less=False) for name, value in (
        ("read_en", unit.read), ("read_bank_q", unit.read_bank), ("read_addr_q", unit.read_addr))))
    m.submodules.probe = probe = LaneProbe(unit.layer, first_bank=unit.first_bank)
    m.d.comb += [probe.en.eq(asked.en), probe.bank.eq(asked.bank), probe.addr.eq(asked.addr), probe.half.eq(unit.half),
                 probe.valid.eq(unit.lanes.valid), probe.sum.eq(unit.lanes.sum)]
    return Reading(unit, asked, probe)


def ask_layers(m, core, idle, *, go, drain: int) -> None:
    """Hand what `core` is asked to its layers when nothing has moved for `drain` cycles; anew where a tick began.

    idle: no tick runs, and none begins. An answer comes within `drain` cycles of its question. Without `scrubs` there
    is nothing to ask.
    """
    if not core.scrubs:
        return
    layers = list(core.engines.values())
    quiet, ask, under_way = Signal(range(drain + 1)), Signal(), Signal()
    most = max(each.layer.lanes for each in layers)
    m.d.sync += [quiet.eq(Mux(idle & ~ask, Mux(quiet == drain, drain, quiet + 1), 0)),
                 ask.eq(core.read & ~core.read_valid & ~under_way & ~ask & idle & (quiet == drain))]
    # behind an answer the other lanes' products still hop out: the next word waits for those alone
    with m.If(core.read_valid & idle):
        m.d.sync += quiet.eq(drain - most)
    with m.If(go | core.read_valid):
        m.d.sync += under_way.eq(0)
    with m.Elif(ask):
        m.d.sync += under_way.eq(1)
    for each in layers:
        m.d.comb += [each.read.eq(ask & ~go), each.read_bank.eq(core.read_bank), each.read_addr.eq(core.read_addr)]
    m.d.sync += [core.read_valid.eq(Cat(each.read_valid for each in layers).any() & under_way & ~go),
                 core.read_data.eq(reduce(or_, (Mux(each.read_valid, each.read_data, 0) for each in layers)))]
