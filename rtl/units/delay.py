"""DelayLine: the circuit of golden.units.delay, messages of `width` words in block RAM, delay set at run time."""

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from rtl.fixed import shape
from rtl.pipeline import later
from rtl.primitives import Bank, bank


class DelayLine(wiring.Component):
    """A ring of messages: vectors are written word by word, and read in any order `delay` ticks after the newest.

    `start` opens a tick: from the next cycle on, reads see the message of tick n - 1 - delay (n - delay where `ahead`,
    for a source that has delivered the message of tick n before the tick starts). What a tick earlier than `fresh`
    would have sent reads as zero, so nothing has to be swept clean. The newest message may still be arriving while it
    is read: a word can be asked for from the cycle after its write on.

    Messages are counted by their words, from reset on: each tick has exactly one, of `size` words, and `fresh` does not
    put right what a missing word has shifted. The first word of message n may come as soon as tick n has started, or
    with its `start`; where `ahead`, before it, when the message before is whole.

    Parameters: size, words in a message; fmt; depth, the longest delay; ahead; vendor form of the memory.
    Members: i, the words of the messages in order; start, fresh (with start: the first tick of a sequence); delay;
    read_index; read_data, LATENCY cycles after it. `delay` is taken with `start`, for the whole tick, and is `depth` at
    most; a message is `size` words, one after the other.
    """

    LATENCY = Bank.LATENCY + 1

    def __init__(self, *, size: int, fmt: QFormat, depth: int, ahead: bool = False, vendor: str = "generic",
                 **members):
        self.size, self.fmt, self.depth, self.ahead, self.vendor = size, fmt, depth, ahead, vendor
        self.slot_bits, self.index_bits = self.ring_bits(size, depth)
        super().__init__(members | {
            "i": In(stream.Signature(shape(fmt), always_ready=True)),
            "start": In(1), "fresh": In(1), "delay": In(max(1, depth.bit_length())),
            "read_index": In(self.index_bits), "read_data": Out(shape(fmt)),
        })

    @staticmethod
    def ring_bits(size: int, depth: int) -> tuple[int, int]:
        """Bits of a slot and of an index in it."""
        # one message being written beside the `depth` + 1 that can be read
        return max(1, (depth + 1).bit_length()), max(1, (size - 1).bit_length())

    @classmethod
    def banks(cls, size: int, fmt: QFormat, depth: int) -> list[tuple[int, int]]:
        """Depth and width of the ring."""
        return [(1 << sum(cls.ring_bits(size, depth)), fmt.width)]

    def elaborate(self, platform):
        m = Module()
        (depth, width), = self.banks(self.size, self.fmt, self.depth)
        m.submodules.ring = ring = bank(self.vendor, width=width, depth=depth)
        write_slot, write_index = Signal(self.slot_bits), Signal(self.index_bits)
        tick_slot = Signal(self.slot_bits)            # the slot that the message of the coming tick goes to
        age = Signal(range(self.depth + 2))           # ticks since `fresh`, as far as they matter
        read_slot, known = Signal(self.slot_bits, reset_less=True), Signal(reset_less=True, name="known")
        with m.If(self.i.valid):
            m.d.sync += write_index.eq(write_index + 1)
            with m.If(write_index == self.size - 1):
                m.d.sync += [write_index.eq(0), write_slot.eq(write_slot + 1)]
        # the message asked for exists when `age` ticks have gone by: delay (+ 1 where it comes from tick n - 1)
        now = Mux(self.fresh, 0, age)
        with m.If(self.start):
            m.d.sync += [tick_slot.eq(tick_slot + 1), age.eq(Mux(now == self.depth + 1, now, now + 1)),
                         read_slot.eq(tick_slot - self.delay - (not self.ahead)),
                         known.eq(now >= self.delay + (not self.ahead))]
        m.d.comb += [ring.write_en.eq(self.i.valid), ring.write_addr.eq(Cat(write_index, write_slot)),
                     ring.write_data.eq(self.i.payload), ring.read_addr.eq(Cat(self.read_index, read_slot))]
        word = Signal(signed(self.fmt.width), reset_less=True)
        m.d.sync += word.eq(Mux(later(m, known, Bank.LATENCY, name="known"), ring.read_data, 0).as_signed())
        m.d.comb += self.read_data.eq(word)
        return m
