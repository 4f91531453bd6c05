"""Shift registers and the parameter bus: what every pipelined unit is wired with."""

from types import SimpleNamespace

from amaranth.hdl import Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

#: Bits of a bank number, an address and a word on the parameter bus.
BANK_BITS, ADDR_BITS, WORD_BITS = 12, 14, 18


class ParameterBus(wiring.Signature):
    """A write to word `addr` of one half of a parameter bank: `en` for one cycle.

    It hops along the units, one register each, and is never refused.
    """

    def __init__(self):
        super().__init__({"en": Out(1), "bank": Out(BANK_BITS), "half": Out(1), "addr": Out(ADDR_BITS),
                          "data": Out(WORD_BITS)})


def later(m, value, cycles: int, *, name: str, reset_less: bool = True) -> Value:
    """`value` delayed by `cycles` clock cycles. Payload registers need no reset, valid flags do."""
    value = Value.cast(value)
    for n in range(cycles):
        q = Signal(value.shape(), name=f"{name}_q{n + 1}", reset_less=reset_less)
        m.d.sync += q.eq(value)
        value = q
    return value


def hop(m, bus, *, name: str) -> SimpleNamespace:
    """The parameter bus one register further on. Without reset: a board's reset outlasts the chain."""
    return SimpleNamespace(**{member: later(m, getattr(bus, member), 1, name=f"{name}_{member}")
                              for member in ParameterBus().members})


def join(m, target, source) -> None:
    """Drive one parameter bus by another."""
    for member in ParameterBus().members:
        m.d.comb += getattr(target, member).eq(getattr(source, member))
