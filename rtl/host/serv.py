"""Serv: the processor SERV behind its two buses, with its registers in a memory of ours."""

from amaranth.hdl import ClockSignal, Const, Instance, Module, ResetSignal, Signal
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out

#: bits of the registers that are read and written in a cycle, and how many words of them 32 registers are
REGISTER_BITS, REGISTER_WORDS = 2, 512


class Serv(wiring.Component):
    """SERV (Olof Kindgren, ISC licence): RV32I, a bit a cycle. Its Verilog comes with golden.keeper.processor.

    Begins at address 0 when `reset` ends. A request holds until its acknowledgement, which lasts one cycle and comes
    with the data; it falls in the next cycle.

    Members: reset; fetch, fetch_addr, fetch_data, fetch_ack, instructions; access, write, addr, w_data, mask (a bit
    a byte), r_data, ack, data.
    """

    def __init__(self):
        super().__init__({"reset": In(1), "fetch": Out(1), "fetch_addr": Out(32), "fetch_data": In(32),
                          "fetch_ack": In(1), "access": Out(1), "write": Out(1), "addr": Out(32), "w_data": Out(32),
                          "mask": Out(4), "r_data": In(32), "ack": In(1)})

    def elaborate(self, platform):
        m = Module()
        bits = (REGISTER_WORDS - 1).bit_length()
        w_addr, w_data, w_en = Signal(bits), Signal(REGISTER_BITS), Signal()
        r_addr, r_data, zero = Signal(bits), Signal(REGISTER_BITS), Signal()
        m.submodules.registers = registers = memory.Memory(shape=REGISTER_BITS, depth=REGISTER_WORDS, init=[])
        write, read = registers.write_port(), registers.read_port()
        m.d.comb += [write.addr.eq(w_addr), write.data.eq(w_data), write.en.eq(w_en), read.addr.eq(r_addr)]
        # register 0 reads as zero, whatever was written there
        m.d.sync += zero.eq(r_addr[4:] == 0)
        with m.If(~zero):
            m.d.comb += r_data.eq(read.data)
        m.submodules.cpu = Instance(
            "serv_synth_wrapper", p_WITH_CSR=0, i_clk=ClockSignal(), i_i_timer_irq=Const(0, 1),
            i_i_rst=self.reset | ResetSignal(allow_reset_less=True), o_o_ibus_adr=self.fetch_addr,
            o_o_ibus_cyc=self.fetch, i_i_ibus_rdt=self.fetch_data, i_i_ibus_ack=self.fetch_ack, o_o_dbus_adr=self.addr,
            o_o_dbus_dat=self.w_data, o_o_dbus_sel=self.mask, o_o_dbus_we=self.write, o_o_dbus_cyc=self.access,
            i_i_dbus_rdt=self.r_data, i_i_dbus_ack=self.ack, o_o_waddr=w_addr, o_o_wdata=w_data, o_o_wen=w_en,
            o_o_raddr=r_addr, i_i_rdata=r_data)
        return m
