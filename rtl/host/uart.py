"""UartRx, UartTx: bytes to and from a serial line, 8N1."""

from amaranth.hdl import Cat, Const, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

MIN_DIVISOR = 4


def _check(divisor):
    if not isinstance(divisor, int) or divisor < MIN_DIVISOR:
        raise ValueError(f"divisor must be an integer from {MIN_DIVISOR} on (clock cycles a bit), not {divisor!r}")


class UartRx(wiring.Component):
    """Receiver: samples in mid-bit, drops a byte whose stop bit is low, and waits for a high line after it.

    A byte that arrives while `o` still holds the last one is dropped, since the line cannot be stalled.
    LATENCY: cycles from the edge of the start bit on `rx` to `valid`.

    Parameters: divisor, clock cycles a bit, at least MIN_DIVISOR; receiver and sender may differ by 4 % in all.
    Members: rx, the line, asynchronous; o, received bytes.
    """

    SYNCHRONISER = 2

    def __init__(self, divisor: int):
        _check(divisor)
        self.divisor = divisor
        self.LATENCY = self.SYNCHRONISER + 1 + divisor // 2 + 9 * divisor
        super().__init__({"rx": In(1, init=1), "o": Out(stream.Signature(8))})

    def elaborate(self, platform):
        m = Module()
        line = self.rx
        for n in range(self.SYNCHRONISER):
            q = Signal(init=1, name=f"rx_q{n + 1}")
            m.d.sync += q.eq(line)
            line = q
        timer, index = Signal(range(self.divisor)), Signal(range(10))
        bits = Signal(8, reset_less=True)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.FSM():
            with m.State("IDLE"):
                m.d.sync += [timer.eq(self.divisor // 2 - 1), index.eq(0)]
                with m.If(~line):
                    m.next = "BITS"
            with m.State("BITS"):
                m.d.sync += timer.eq(timer - 1)
                with m.If(timer == 0):
                    m.d.sync += [timer.eq(self.divisor - 1), index.eq(index + 1)]
                    with m.If(index == 9):
                        m.next = "IDLE"
                        with m.If(~line):
                            m.next = "BREAK"
                        with m.Elif(~self.o.valid | self.o.ready):
                            m.d.sync += [self.o.valid.eq(1), self.o.payload.eq(bits)]
                    with m.Else():
                        m.d.sync += bits.eq(Cat(bits[1:], line))
                        with m.If((index == 0) & line):       # a glitch, no start bit
                            m.next = "IDLE"
            with m.State("BREAK"):
                with m.If(line):
                    m.next = "IDLE"
        return m


class UartTx(wiring.Component):
    """Sender: start bit, eight data bits from the lowest, stop bit, `divisor` cycles each.

    Throughput: a byte every 10 * divisor + 1 cycles. Reset in a byte makes a framing error at most.

    Parameters: divisor, clock cycles a bit, at least MIN_DIVISOR. Members: i, bytes to send; tx, the line.
    """

    def __init__(self, divisor: int):
        _check(divisor)
        self.divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    def elaborate(self, platform):
        m = Module()
        timer, left = Signal(range(self.divisor)), Signal(range(11))
        # idle: left is 0
        bits, idle = Signal(10, init=0x3FF), Signal(init=1)
        m.d.comb += [self.tx.eq(bits[0]), self.i.ready.eq(idle)]
        with m.If(idle):
            with m.If(self.i.valid):
                m.d.sync += [idle.eq(0), bits.eq(Cat(Const(0, 1), self.i.payload, Const(1, 1))), left.eq(10),
                             timer.eq(self.divisor - 1)]
        with m.Elif(timer == 0):
            m.d.sync += [bits.eq(Cat(bits[1:], Const(1, 1))), left.eq(left - 1), idle.eq(left == 1),
                         timer.eq(self.divisor - 1)]
        with m.Else():
            m.d.sync += timer.eq(timer - 1)
        return m
