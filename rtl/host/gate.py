"""Gate: a second master on the bus of a device, and the registers that the two share."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.keeper import SAVED_SHIFT, SEQUENCE_SHIFT, Saved
from golden.regmap import INPUT, KEEPER_REGISTERS, REGISTERS
from rtl.host.bus import BusSignature
from rtl.host.link import BusMaster

#: cycles for which what a master has withdrawn may still be acknowledged, and more
FORGOTTEN = 2 * BusMaster.GRACE


class Gate(wiring.Component):
    """Lets one of two masters at the bus, for an access; the host first. Answers the host's KEEPER_REGISTERS itself.

    An access takes a cycle more than on the bus alone, and waits for one of the other master. One that the host
    withdraws keeps the bus for FORGOTTEN cycles, as it may be acknowledged until then.

    Members
      host, own    masters
      bus          the device
      shut         input words of the host wait
      kept         the register `kept`; while a save is asked for it says so
      every        the register `save_every`
      asked        a save is asked for, until `taken`
      another      the host has begun to load an image (only a reset forgets that)
      playing      what the host's side sends is the image in the flash, which is no other; `shut` does not count

    Parameters: keeps, whether the registers are there, `shut` to `taken` with them.
    """

    def __init__(self, *, keeps: bool = True):
        self.keeps = keeps
        super().__init__({"host": In(BusSignature()), "own": In(BusSignature()), "bus": Out(BusSignature()),
                          "shut": In(1), "kept": In(32), "every": Out(32), "asked": Out(1), "taken": In(1),
                          "another": Out(1), "playing": In(1)})

    def elaborate(self, platform):
        m = Module()
        host, own, bus = self.host, self.own, self.bus
        wants, held, forgotten = Signal(), Signal(), Signal(range(FORGOTTEN))
        numbers = {name: REGISTERS[name].offset for name in KEEPER_REGISTERS}
        here = Signal()
        ours = Cat(host.addr == n for n in numbers.values()).any() if self.keeps else 0
        m.d.comb += [wants.eq(host.read | host.write), here.eq(ours),
                     held.eq(host.write & (host.addr == INPUT) & self.shut & ~self.playing)]

        def give(master):
            m.d.comb += [bus.read.eq(master.read), bus.write.eq(master.write), master.ack.eq(bus.ack),
                         master.error.eq(bus.error)]

        m.d.comb += [bus.addr.eq(host.addr), bus.w_data.eq(host.w_data), host.r_data.eq(bus.r_data),
                     own.r_data.eq(bus.r_data)]
        with m.If(self.taken):
            m.d.sync += self.asked.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += forgotten.eq(0)
                with m.If(wants & here):
                    m.next = "HERE"
                with m.Elif(wants & ~held):
                    m.next = "HOST"
                with m.Elif(own.read | own.write):
                    m.next = "OWN"
            with m.State("HERE"):
                self._answer(m, numbers)
                m.next = "IDLE"
            with m.State("HOST"):
                give(host)
                with m.If(host.write & (host.addr == REGISTERS["load_begin"].offset) & ~self.playing):
                    m.d.sync += self.another.eq(1)
                with m.If(bus.ack):
                    m.next = "IDLE"
                with m.Elif(~wants):
                    m.next = "WITHDRAWN"
            with m.State("WITHDRAWN"):
                m.d.comb += [host.ack.eq(bus.ack), host.error.eq(bus.error)]
                m.d.sync += forgotten.eq(forgotten + 1)
                with m.If(bus.ack | (forgotten == FORGOTTEN - 1)):
                    m.next = "IDLE"
            with m.State("OWN"):
                give(own)
                m.d.comb += [bus.addr.eq(own.addr), bus.w_data.eq(own.w_data)]
                with m.If(bus.ack):
                    m.next = "IDLE"
        return m

    def _answer(self, m, numbers):
        host = self.host
        at, state = [host.addr == n for n in numbers.values()], Signal.like(self.kept)
        saving = Cat(self.kept[:SAVED_SHIFT], Const(Saved.SAVING, SEQUENCE_SHIFT - SAVED_SHIFT),
                     self.kept[SEQUENCE_SHIFT:])
        m.d.comb += [state.eq(Mux(self.asked, saving, self.kept)),
                     host.ack.eq(host.read | host.write),
                     host.r_data.eq(Mux(at[0], state, Mux(at[2], self.every, 0)))]
        with m.If(host.write):
            with m.If(at[1]):
                m.d.sync += self.asked.eq(1)
            with m.If(at[2]):
                m.d.sync += self.every.eq(host.w_data)
