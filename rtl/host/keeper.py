"""Keeper: the processor that keeps what a device learns (golden/keeper.py), with its memory, ports and bus.

The processor (Serv) fetches its program from a memory, which holds its stack, too. What it accesses is that memory,
the ports (flash, CRC-32, registers of the Gate), or the bus of the device.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import crc, memory, wiring
from amaranth.lib.crc.catalog import CRC32_ISO_HDLC
from amaranth.lib.wiring import In, Out

from golden.flash import Boot
from golden.keeper import ASKED_ANOTHER, ASKED_SAVE, MEMORY, PORTS, Slots, program
from golden.regmap import BANK_SHIFT, PARAMETER_BASE
from rtl.host.bus import BusSignature
from rtl.host.serv import Serv
from rtl.host.shifter import SpiShifter

WORD_BYTES = 4


class Ports(wiring.Component):
    """The words of golden.keeper.PORTS behind the processor's bus.

    A read or write holds until `ack`, which lasts one cycle: a cycle after the request, but for a byte to the flash
    and a word to the CRC-32, which take as long as they need.

    Parameters: readable, ranges of banks whose words learn; image, address in the flash of what is played; slots; half
    of rtl.host.shifter.
    Members: access, write, port, w_data, r_data, ack; select, clk, copi, cipo, pins of the flash; shut, kept, asked,
    another, taken, every of rtl.host.gate; boot, state of the player.
    """

    def __init__(self, *, readable: tuple[range, ...], image: int, slots: Slots, half: int):
        self.readable = readable
        self.constants = {"image": image, "slots": slots.address, "slot_bytes": slots.size}
        self.shifter = SpiShifter(half)
        super().__init__({"access": In(1), "write": In(1), "port": In(range(len(PORTS))), "w_data": In(32),
                          "r_data": Out(32), "ack": Out(1), "select": Out(1), "clk": Out(1), "copi": Out(1),
                          "cipo": In(1), "shut": Out(1, init=1), "kept": Out(32), "asked": In(1), "another": In(1),
                          "taken": Out(1), "every": In(32), "boot": In(Boot)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.shifter = shifter = self.shifter
        m.submodules.crc = check = crc.Processor(CRC32_ISO_HDLC(data_width=8))
        at, learns, count = Signal(32), Signal(), Signal(range(WORD_BYTES + 1))
        bank = at[BANK_SHIFT:31]
        m.d.sync += learns.eq(Cat((bank >= each.start) & (bank < each.stop) for each in self.readable).any()
                              & (at >= PARAMETER_BASE))
        m.d.comb += [shifter.sent.eq(self.w_data), shifter.cipo.eq(self.cipo), self.clk.eq(shifter.clk),
                     self.copi.eq(shifter.copi), check.data.eq(self.w_data.word_select(count[:2], 8))]
        read = {"byte": shifter.got, "crc": check.crc, "learns": learns, "every": self.every, "boot": self.boot,
                "asked": Mux(self.asked, ASKED_SAVE, 0) | Mux(self.another, ASKED_ANOTHER, 0)} | {
                    name: Const(value, 32) for name, value in self.constants.items()}
        held = {"select": self.select, "shut": self.shut, "kept": self.kept, "learns": at}
        strobes = {"crc_start": check.start, "asked": self.taken}
        begun = {"byte": shifter.start, "crc": check.valid}

        with m.FSM():
            with m.State("IDLE"):
                with m.If(self.access), m.Switch(self.port):
                    for n, name in enumerate(PORTS):
                        with m.Case(n):
                            m.next = "ACK"
                            if name in read:
                                m.d.sync += self.r_data.eq(read[name])
                            with m.If(self.write):
                                if name in held:
                                    m.d.sync += held[name].eq(self.w_data)
                                if name in strobes:
                                    m.d.comb += strobes[name].eq(1)
                                if name in begun:
                                    m.next = name.upper()
                                if name == "byte":
                                    m.d.comb += begun[name].eq(1)
            with m.State("BYTE"):
                with m.If(shifter.done):
                    m.next = "ACK"
            with m.State("CRC"):
                m.d.comb += check.valid.eq(1)
                m.d.sync += count.eq(count + 1)
                with m.If(count == WORD_BYTES - 1):
                    m.d.sync += count.eq(0)
                    m.next = "ACK"
            with m.State("ACK"):
                m.d.comb += self.ack.eq(1)
                m.next = "IDLE"
        return m


class Keeper(wiring.Component):
    """The processor with its program, from golden.keeper.program.

    Parameters: those of Ports.
    Members: bus, a master; pins of the flash; those of Ports towards the Gate; boot: it stands still while frames are
    played.
    """

    def __init__(self, *, readable: tuple[range, ...], image: int, slots: Slots, half: int):
        self.ports = Ports(readable=readable, image=image, slots=slots, half=half)
        super().__init__({"bus": Out(BusSignature()), "select": Out(1), "clk": Out(1), "copi": Out(1), "cipo": In(1),
                          "shut": Out(1), "kept": Out(32), "asked": In(1), "another": In(1), "taken": Out(1),
                          "every": In(32), "boot": In(Boot)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.cpu, m.submodules.ports = cpu, ports = Serv(), self.ports
        m.d.comb += [cpu.reset.eq(self.boot == Boot.PLAYING),
                     *(getattr(self, name).eq(getattr(ports, name))
                       for name in ("select", "clk", "copi", "shut", "kept", "taken")),
                     *(getattr(ports, name).eq(getattr(self, name))
                       for name in ("cipo", "asked", "another", "every", "boot")),
                     ports.write.eq(cpu.write), ports.port.eq(cpu.addr[2:]), ports.w_data.eq(cpu.w_data)]
        # golden.keeper.REGION by the two upper bits
        at_bus, at_ports = cpu.access & cpu.addr[31], cpu.access & (cpu.addr[30:] == 1)
        near = cpu.access & (cpu.addr[30:] == 0)
        m.d.comb += [ports.access.eq(at_ports), self.bus.read.eq(at_bus & ~cpu.write),
                     self.bus.write.eq(at_bus & cpu.write), self.bus.w_data.eq(cpu.w_data),
                     self.bus.addr.eq(Cat(cpu.addr[2:30], Const(0, 3), cpu.addr[30]))]
        answered, words = self._memory(m, cpu, near)
        m.d.comb += [cpu.fetch_data.eq(words), cpu.ack.eq(Mux(at_bus, self.bus.ack, ports.ack | answered)),
                     cpu.r_data.eq(Mux(at_bus, self.bus.r_data, Mux(at_ports, ports.r_data, words)))]
        return m

    def _memory(self, m, cpu, near):
        """What the processor fetches, and what it reads and writes there; never both in a cycle."""
        init = program()
        m.submodules.memory = store = memory.Memory(shape=32, depth=MEMORY // WORD_BYTES, init=init)
        write, read = store.write_port(granularity=8), store.read_port()
        answered = Signal()
        m.d.comb += [read.addr.eq(Mux(cpu.fetch, cpu.fetch_addr, cpu.addr)[2:]), write.addr.eq(cpu.addr[2:]),
                     write.data.eq(cpu.w_data), write.en.eq(Mux(near & cpu.write & ~answered, cpu.mask, 0))]
        m.d.sync += [answered.eq(near & ~answered), cpu.fetch_ack.eq(cpu.fetch & ~cpu.fetch_ack)]
        return answered, read.data
