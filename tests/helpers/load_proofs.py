"""What is proved of a load: what comes into force, and that nothing is written where the network reads."""

from contextlib import contextmanager
from functools import reduce
from operator import xor
from types import SimpleNamespace

from amaranth.hdl import Assert, Assume, Cat, Elaboratable, Fragment, Module, Mux, Signal
from amaranth.lib import crc, wiring
from amaranth.lib.wiring import In
from bus_proofs import Answers, control_of
from inside import Inside, driven, inner, read_by, replaced

from golden.image import parameter_words
from golden.regmap import REGISTERS
from rtl.host import control

_POLYNOMIAL, _ONES = 0xEDB88320, (1 << 32) - 1


def crc32_byte(register: int) -> int:
    """CRC-32 as it is defined: a register whose lower byte was combined with the next one, eight bits further on."""
    for _ in range(8):
        register = register >> 1 ^ (_POLYNOMIAL if register & 1 else 0)
    return register


def crc32_bits(register, byte) -> list:
    """The same of signals: what a register comes to is the XOR of what each of its bits comes to."""
    bits = [*((register[n], n) for n in reversed(range(32))), *((byte[n], n) for n in reversed(range(8)))]
    return [reduce(xor, (bit for bit, n in bits if crc32_byte(1 << n) >> k & 1)) for k in range(32)]


def follows(m, half, want_half) -> None:
    """What Control may rely on: the half in force stays, or becomes the one that is wanted."""
    before, wanted = Signal(name="half_before"), Signal(name="wanted_before")
    m.d.sync += [before.eq(half), wanted.eq(want_half)]
    m.d.comb += Assume((half == before) | (half == wanted))


class AnySum(Elaboratable):
    """In the place of a CRC processor: `crc` becomes whatever it likes with every byte and with `start`."""

    def __init__(self, parameters):
        self.start, self.valid, self.data, self.crc = Signal(), Signal(), Signal(8), Signal(32)
        self.any = Signal(32)

    def elaborate(self, platform):
        m = Module()
        with m.If(self.start | self.valid):
            m.d.sync += self.crc.eq(self.any)
        return m


@contextmanager
def loaded_by(image, control, processor):
    """Where `control` elaborates it has the loader of `image`, with another CRC processor."""
    loader = {"loader": image.loader, "waits": image.waits}
    with replaced(image, crc=SimpleNamespace(**vars(crc) | {"Processor": processor})), replaced(control, **loader):
        yield


class Crc(wiring.Component):
    """The value of the loader's checksum is CRC-32, bit by bit: behind `start`, and a byte further on.

    image: the module that the loader is in.
    """

    def __init__(self, net, *, image):
        self.net, self.image, self.found = net, image, []
        super().__init__({"start": In(1), "valid": In(1), "data": In(8)})

    def _own(self, parameters):
        self.found = [crc.Processor(parameters), crc.Processor(parameters)]
        return self.found[0]

    def elaborate(self, platform):
        m = Module()
        with loaded_by(self.image, control, self._own):
            Fragment.get(control_of(control, self.net), None)
        m.submodules.unit = unit = self.found[1]
        value, begun = Signal(32, init=_ONES), Signal(32)
        m.d.comb += [begun.eq(Mux(self.start, _ONES, value)), unit.start.eq(self.start), unit.valid.eq(self.valid),
                     unit.data.eq(self.data), Assert(unit.crc == ~value)]
        m.d.sync += value.eq(Mux(self.valid, Cat(crc32_bits(begun, self.data)), begun))
        return m


class Commits(Answers):
    """An image is put in force when its load was right, in that cycle only, and never else.

    Right is a write of load_commit whose word is the checksum of all parameter words, with their addresses, that were
    acknowledged without an error since load_begin was, which are as many as the design has. Everything here counts
    what the bus acknowledges. The checksum is any function: what is claimed is which bytes it is given.
    """

    def __init__(self, net, *, image, **options):
        self.image, self.expected = image, parameter_words(net)
        super().__init__(control, net, free={"any_sum": In(32)}, **options)
        self.spies += ("loader",)

    @contextmanager
    def opening(self):
        with loaded_by(self.image, control, AnySum), super().opening():
            yield

    def claims(self, m):
        super().claims(m)
        unit, bus, load = self.unit, self.unit.bus, self.told["loader"]
        follows(m, unit.half, unit.want_half)
        m.d.comb += load.crc.any.eq(self.any_sum)
        addr, data, write = self.told["Held"]
        done, loading = Signal(name="word_done"), Signal(name="is_loading")
        count, right = Signal(range(self.expected + 2), name="words"), Signal(name="is_right")
        m.d.comb += done.eq(bus.ack & write & ~bus.error)
        begin, commit = (done & (addr == REGISTERS[name].offset) for name in ("load_begin", "load_commit"))
        m.d.comb += right.eq(commit & loading & (count == self.expected) & (data == load.crc.crc))
        with m.If(begin):
            m.d.sync += [loading.eq(1), count.eq(0)]
        with m.Elif(commit):
            m.d.sync += loading.eq(0)
        with m.Elif(done & addr[31] & loading):
            m.d.sync += count.eq(Mux(count > self.expected, count, count + 1))
        self._in_force(m, load, right, begin)
        self._summed(m, load, begin, done & addr[31] & loading, count)
        m.d.comb += [Assert(load.loading == loading), Assert(~loading | ~load.settling)]

    def _in_force(self, m, load, right, begin):
        """`settle` cycles behind a right commit the other half is wanted, and an image is in force then."""
        unit, hops = self.unit, self.unit.info.settle
        left, loaded, want = Signal(range(hops + 1)), Signal(name="is_loaded"), Signal(name="want_before")
        m.d.sync += [want.eq(unit.want_half), left.eq(Mux(right, hops, Mux(left == 0, 0, left - 1)))]
        due = Signal(name="due")
        m.d.sync += due.eq(left == 1)
        with m.If(left == 1):
            m.d.sync += loaded.eq(1)
        with m.Elif(begin & (unit.info.halves == 1)):
            m.d.sync += loaded.eq(0)
        m.d.comb += [Assert((unit.want_half != want) == due), Assert(load.loaded == loaded),
                     Assert(load.right == right)]
        settle, = (each for each in read_by(self.fragment, load.settling)
                   if each is not unit.want_half and each is not unit.half)
        m.d.comb += [Assert(settle == left), Assert((left == 0) | (unit.want_half == unit.half))]

    def _summed(self, m, load, begin, counts, count):
        """The checksum begins with load_begin, and has the bytes of each word that counts, in turn, when that is done.

        A byte is given in the cycle behind the one that it is taken from the word in.
        """
        are, held, byte = self.states.are, self.told["Held"], self.own["count"]
        most, given, word = self.expected, Signal(range(9), name="bytes_given"), Cat(held.addr, held.data)
        sending = are("parameter") & (byte != 0)
        m.d.sync += given.eq(Mux(are("parameter", "answer"), given + load.crc.valid, 0))
        m.d.comb += [Assert(load.crc.start == begin), Assert(load.crc.valid == (sending | counts)),
                     Assert(~load.crc.valid | (load.crc.data == word.word_select(given[:3], 8))),
                     Assert(~counts | (given == 7)), Assert(~sending | held.write & load.loading),
                     Assert(~are("parameter") | (given == Mux(byte == 0, 0, byte - 1))),
                     Assert(are("parameter", "answer") | (given == 0) | are("release")),
                     Assert(Mux(load.count > most, most + 1, load.count) == Mux(count > most, count, count + counts)),
                     Assert(count <= most + 1)]


class Halves(Inside):
    """No write reaches the half of a parameter bank that is in force, whatever the bus does, and any checksum is right.

    top: of a network that does not learn, whose circuit is all there, with its banks. While an image is written, the
    half in force is the one that is wanted, too.
    """

    def __init__(self, top, *, image):
        self.image = image
        super().__init__(top, module=control, spies=("Held", "loader"), any_sum=In(32))

    @contextmanager
    def opening(self):
        with loaded_by(self.image, control, AnySum), super().opening():
            yield

    def claims(self, m):
        core, load = self.unit.core, self.told["loader"]
        m.d.comb += load.crc.any.eq(self.any_sum)
        before = Signal(name="half_before")
        m.d.sync += before.eq(core.half)
        for n, layer in enumerate(self.unit.net.layers):
            self._layer(m, inner(self.fragment, "core", f"layer{n}"), layer.lanes, before)
        own = driven(inner(self.fragment, "control"))
        m.d.comb += [Assert(~load.loading | ~load.settling), Assert(~own["write_load_begin"] | ~load.settling)]

    def _layer(self, m, fragment, lanes: int, before):
        """What is written in a layer; before: the half that was in force in the last cycle."""
        half, own = self.unit.core.half, driven(fragment)
        for path in (*(("lanes", f"bank{n}") for n in range(lanes)), ("lead_bank",), ("lag_bank",)):
            port = driven(inner(fragment, *path))
            m.d.comb += Assert(~port["write__en"] | (port["write__addr"][-1] != half))
        # delays are registers
        for n in range(2):
            word, last = own[f"time0_{n}"], Signal(name=f"time_before{n}")
            m.d.sync += last.eq(word)
            m.d.comb += Assert((word == last) | (before != n))
