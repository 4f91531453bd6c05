"""Shift registers and the parameter bus: what every pipelined unit is wired with."""

from amaranth.hdl import Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

#: Bits of a bank number, an address (with the half on top) and a word on the parameter bus.
BANK_BITS, ADDR_BITS, WORD_BITS = 12, 15, 18


class ParameterBus(wiring.Signature):
    """A write to a parameter bank: `en` for one cycle; it hops along the units and is never refused."""

    def __init__(self):
        super().__init__({"en": Out(1), "bank": Out(BANK_BITS), "addr": Out(ADDR_BITS), "data": Out(WORD_BITS)})


def later(m, value, cycles: int, *, name: str, reset_less: bool = True) -> Value:
    """`value` delayed by `cycles` clock cycles. Payload registers need no reset, valid flags do."""
    value = Value.cast(value)
    for n in range(cycles):
        q = Signal(value.shape(), name=f"{name}_q{n + 1}", reset_less=reset_less)
        m.d.sync += q.eq(value)
        value = q
    return value


def hop(m, bus, *, name: str):
    """The parameter bus one register further on."""
    q = ParameterBus().create(path=(name,))
    m.d.sync += [q.en.eq(bus.en), q.bank.eq(bus.bank), q.addr.eq(bus.addr), q.data.eq(bus.data)]
    return q
