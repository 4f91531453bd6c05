"""Shift registers and the parameter bus: what every pipelined unit is wired with."""

from types import SimpleNamespace

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

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


class Relay(wiring.Component):
    """A stream one register further on, valid and ready both from registers: no path runs through it.

    A transfer a cycle. What comes while `o` waits is kept in a second register. Latency LATENCY.

    Parameters: shape of the payload.
    Members: i; o.
    """

    LATENCY = 1

    def __init__(self, shape):
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    def elaborate(self, platform):
        m = Module()
        i, o, full = self.i, self.o, Signal(name="full")
        kept = Signal.like(i.payload, name="kept", reset_less=True)
        m.d.comb += i.ready.eq(~full)
        with m.If(o.ready | ~o.valid):
            m.d.sync += [o.valid.eq(full | i.valid), full.eq(0)]
            with m.If(full):
                m.d.sync += o.payload.eq(kept)
            with m.Else():
                m.d.sync += o.payload.eq(i.payload)
        with m.Elif(i.valid & ~full):
            m.d.sync += full.eq(1)
        with m.If(~full):
            m.d.sync += kept.eq(i.payload)
        return m


def hop(m, bus, *, name: str) -> SimpleNamespace:
    """The parameter bus one register further on. Without reset: a board's reset outlasts the chain."""
    return SimpleNamespace(**{member: later(m, getattr(bus, member), 1, name=f"{name}_{member}")
                              for member in ParameterBus().members})


def join(m, target, source) -> None:
    """Drive one parameter bus by another."""
    for member in ParameterBus().members:
        m.d.comb += getattr(target, member).eq(getattr(source, member))


def merge_writes(m, name: str, loaded, learnt, port) -> None:
    """Two sources of writes (en, addr, data) on one registered port; what is learnt comes first, a loaded word waits.

    Words are loaded many cycles apart and steps come every second cycle at most, so none is lost.
    """
    kept = [Signal(len(value), name=f"{name}_kept{k}", reset_less=k > 0) for k, value in enumerate(loaded)]
    with m.If(loaded[0]):
        m.d.sync += [target.eq(value) for target, value in zip(kept, loaded, strict=True)]
    with m.Elif(~learnt[0]):
        m.d.sync += kept[0].eq(0)
    m.d.sync += [port[0].eq(learnt[0] | kept[0])]
    m.d.sync += [target.eq(Mux(learnt[0], new, old))
                 for target, new, old in zip(port[1:], learnt[1:], kept[1:], strict=True)]
