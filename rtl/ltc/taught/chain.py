"""What one chain of lanes is told and says, and the states of streams beside it."""

from amaranth.hdl import Cat, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.fixed import shape
from rtl.ltc.taught.walk import Walker
from rtl.pipeline import later
from rtl.primitives import bank
from rtl.units.mac import bank_bits
from rtl.units.plastic_lanes import PlasticRows


def chain_signature(plastic: PlasticRows) -> wiring.Signature:
    """Of who walks lanes: members are those of rtl.units.plastic_lanes.PlasticLanes."""
    rows = plastic.rows
    return wiring.Signature({
        "addr": Out(bank_bits(rows)), "first": Out(1), "last": Out(1), "operand": Out(signed(plastic.operand)),
        "back": Out(1), "update": Out(1), "write": Out(1), "swap": Out(1), "load_valid": Out(1),
        "load_lane": Out(range(max(2, rows.lanes))), "load_eps": Out(shape(plastic.error)),
        "valid": In(1), "sum": In(signed(rows.acc)), "column": In(signed(plastic.back))})


def follow(m, chain, walker: Walker, learn) -> None:
    """The lanes do what the walker says."""
    m.d.comb += [*(getattr(chain, name).eq(getattr(walker, name))
                   for name in ("addr", "first", "last", "back", "update", "swap")),
                 chain.write.eq(walker.update & learn)]


def factor(m, word, active, update, *, extra: int, halve, name: str):
    """A presynaptic word as the lanes take it, a cycle later: 0 while nothing is walked, longer for steps."""
    found = Signal(signed(len(word) + extra), name=name, reset_less=True)
    longer = Signal(signed(len(word) + extra), name=f"{name}_longer")
    m.d.comb += longer.eq((word << extra) >> halve)
    m.d.sync += found.eq(Mux(active, Mux(update, longer, word), 0))
    return found


def load(m, chains, lanes: int, sources) -> None:
    """Errors on their way to the lanes: sources (valid, word for each chain), never two at a time, each in lane order.

    The last word of one ends before the first of the next comes.
    """
    first = chains[0]
    count = Signal.like(first.load_lane, name="loaded")
    valid = Cat(*(source[0] for source in sources)).any()
    end = count == lanes - 1
    with m.If(valid):
        m.d.sync += count.eq(Mux(end, 0, count + 1))
    for n, chain in enumerate(chains):
        word = Signal.like(chain.load_eps, name=f"eps{n}")
        for source in sources:
            with m.If(source[0]):
                m.d.comb += word.eq(source[1 + n])
        m.d.sync += [chain.load_valid.eq(valid), chain.load_lane.eq(count), chain.load_eps.eq(word)]


class States:
    """Words of all streams, by what they belong to: those of the tick before last are read, those of the last written.

    Parameters: name of the bank; count of words; width; streams; vendor form.
    """

    def __init__(self, m, name: str, count: int, width: int, streams: int, vendor: str):
        self.bits = max(1, (count - 1).bit_length())
        depth = 2 * max(2, streams) << self.bits
        m.submodules[name] = self.store = bank(vendor, depth=depth, width=width)

    def read(self, m, index, stream, now):
        """The word of `index` as the stream's last tick left it, Bank.LATENCY later; now: the round of this tick."""
        m.d.comb += self.store.read_addr.eq(Cat(index[:self.bits], stream, ~now))
        return self.store.read_data

    def write(self, m, valid, index, stream, now, data) -> None:
        """What this tick leaves."""
        m.d.comb += [self.store.write_en.eq(valid), self.store.write_data.eq(data),
                     self.store.write_addr.eq(Cat(index[:self.bits], stream, now))]


def counted(m, restart, valid, count: int, *, name: str):
    """(index, turn): the number of what is valid, from `restart` on, and how often `count` of them came (0 or 1)."""
    index, turn = Signal(range(max(2, count)), name=f"{name}_index"), Signal(name=f"{name}_turn")
    end = index == count - 1
    with m.If(restart):
        m.d.sync += [index.eq(0), turn.eq(0)]
    with m.Elif(valid):
        m.d.sync += [index.eq(Mux(end, 0, index + 1)), turn.eq(turn | end)]
    return index, turn


def tag(m, walker: Walker, column: int, cycles: int, *, name: str):
    """When columns of the segments numbered `column` leave the lanes."""
    return later(m, walker.back & (walker.column == column), cycles, name=name, reset_less=False)
