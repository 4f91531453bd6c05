"""SpikeSums: rows of weights that spikes add up, two neurons a unit and cycle, the spiking half of golden.ltc.step.

    addr --> [bank] --> w --> (+) --+--> gather --> + bias --> sums of neurons 2q and 2q + 1, q = 0, 1, ... one a cycle
                               ^    |
                               +-[ring of `slots`]

A unit has the sums of two neurons, or of `slots` pairs in turn: they go round in a ring of registers that passes one
adder, so there is neither an address nor a multiplexer. Units lie in a chain; each works `slots` cycles behind the last
one, so that a dump which hops along finds sum after sum in the order of neurons.
"""

from dataclasses import dataclass

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.regmap import WORD_BITS
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import Bank, bank
from rtl.units.mac import gather, tree_depth

#: words of a block RAM up to which two units share one
_SHARED = 512


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of spike weights: size, neurons that a row adds to; rows, without that of the biases; weight, its bits.

    slots, pairs of neurons that a unit works on in turn, a power of two; halves of the parameters.
    """

    size: int
    rows: int
    weight: int
    slots: int = 1
    halves: int = 2

    @property
    def pairs(self) -> int:
        return -(-self.size // 2)

    @property
    def units(self) -> int:
        return -(-self.pairs // self.slots)

    @property
    def words(self) -> int:
        """Words of the parameter bus that make the weights of a pair: one where both fit."""
        return 1 if 2 * self.weight <= WORD_BITS else 2

    @property
    def banks(self) -> int:
        """Banks on the parameter bus: one a pair, or one a neuron."""
        return self.pairs if self.words == 1 else self.size

    @property
    def depth(self) -> int:
        """Words of a unit's memory, all halves."""
        depth = self.rows * self.slots
        return depth if self.halves == 1 else 2 << self.row_bits + self.slot_bits

    @property
    def row_bits(self) -> int:
        return max(1, (self.rows - 1).bit_length())

    @property
    def slot_bits(self) -> int:
        return (self.slots - 1).bit_length()

    @property
    def pair_bits(self) -> int:
        """Bits of the number of a pair."""
        return max(1, (self.units * self.slots - 1).bit_length())

    @property
    def shared(self) -> int:
        """Units that share a memory."""
        return 2 if self.depth <= _SHARED and self.units > 1 else 1

    @property
    def acc(self) -> int:
        """Bits of a sum of all rows."""
        return self.weight + self.rows.bit_length()

    def memories(self) -> list[tuple[int, int, int, int]]:
        """Depth, width, columns and number of its banks of weights, and of the one of the biases."""
        found = []
        for together, count in ((self.shared, self.units // self.shared), (1, self.units % self.shared)):
            if count:
                found.append((self.depth, 2 * self.weight * together, self.words * together, count))
        return [*found, (self.halves << self.pair_bits, 2 * self.weight, self.words, 1)]


class SpikeSums(wiring.Component):
    """All units of a table.

    Parameters: table; vendor form; first_bank, of the first pair (or neuron) on the parameter bus: word 0 is the bias,
    words 1 .. are the rows.
    Members
      row, add, first, dump   for `slots` cycles each, slot after slot: the row of which a word is read; it is added;
                              sums begin anew before; sums leave (a dump begins anew, too, and adds nothing)
      slot                    which of the slots
      half                    which half of the parameters is in force
      asked                   the pair whose sums come ASKED cycles later
      valid, sums             a pair of sums with their biases, LATENCY cycles after the `dump` of its slot; those of
                              pairs q = 0, 1, .. follow one a cycle
      params, params_out
    """

    #: from `asked` to `sums`: a memory, a register, the sum
    ASKED = Bank.LATENCY + 2

    def __init__(self, table: Table, *, vendor: str = "generic", first_bank: int = 0):
        self.table, self.vendor, self.first_bank = table, vendor, first_bank
        self.LATENCY = self.latency(table)
        super().__init__({
            "row": In(table.row_bits), "slot": In(max(1, table.slot_bits)), "add": In(1), "first": In(1),
            "dump": In(1), "half": In(1), "asked": Out(table.pair_bits), "valid": Out(1),
            "sums": Out(signed(table.acc + 1)).array(2), "params": In(ParameterBus()),
            "params_out": Out(ParameterBus())})

    @classmethod
    def latency(cls, table: Table) -> int:
        """LATENCY for a table: memory, register, tree, sum with the bias."""
        return Bank.LATENCY + 1 + tree_depth(table.units) + 1

    @staticmethod
    def settle(table: Table) -> int:
        """Cycles from a word on the bus to its place."""
        return table.units + 5

    def elaborate(self, platform):
        m = Module()
        table = self.table
        params = hop(m, self.params, name="params")
        join(m, self.params_out, params)
        write, biases = self._writes(m, params)
        row = Cat(self.slot[:table.slot_bits], self.row)
        addr = Cat(row, self.half) if table.halves == 2 else row
        chain = {"addr": addr, "add": self.add, "first": self.first, "dump": self.dump}
        pairs = []
        for n in range(0, table.units, table.shared):
            pairs += self._group(m, n, min(table.shared, table.units - n), chain, write)
            chain = {name: later(m, value, table.slots * table.shared, name=f"{name}{n}")
                     for name, value in chain.items()}
            write = {name: later(m, value, 1, name=f"write_{name}{n}") for name, value in write.items()}
        valid, even = gather(m, [(done, acc[0]) for done, acc in pairs])
        _, odd = gather(m, [(done, acc[1]) for done, acc in pairs])
        self._total(m, valid, (even, odd), biases)
        return m

    def _writes(self, m, params):
        """Words for the rows as they go to the units, and the memory of the biases."""
        table = self.table
        column = table.words - 1
        local = Signal(table.pair_bits + column, name="local", reset_less=True)
        en, is_row = Signal(name="mine", reset_less=True), Signal(reset_less=True)
        word, data = Signal(len(params.addr), reset_less=True), Signal(WORD_BITS, reset_less=True)
        half = Signal(reset_less=True, name="write_half")
        m.d.sync += [
            en.eq(params.en & (params.bank >= self.first_bank) & (params.bank < self.first_bank + table.banks)),
            local.eq(params.bank - self.first_bank), is_row.eq(params.addr != 0), word.eq(params.addr - 1),
            data.eq(params.data), half.eq(params.half)]
        which, pair = (local[:1] if column else None), local[column:]
        m.submodules.biases = biases = bank(self.vendor, depth=table.halves << table.pair_bits, width=2 * table.weight,
                                            columns=table.words)
        columns = Cat(~which, which) if column else 1
        together = table.weight * (2 if table.words == 1 else 1)
        enable = Signal(table.words, name="bias_enable", reset_less=True)
        address = Signal(biases.addr_bits, name="bias_address", reset_less=True)
        written = Signal(together, name="bias_data", reset_less=True)
        m.d.sync += [enable.eq(Mux(en & ~is_row, columns, 0)),
                     address.eq(Cat(pair, half) if table.halves == 2 else pair), written.eq(data)]
        m.d.comb += [biases.write_en.eq(enable), biases.write_addr.eq(address),
                     biases.write_data.eq(written.replicate(table.words))]
        row = {"en": Mux(en & is_row, columns, 0)[:table.words], "pair": pair, "row": word[:table.row_bits],
               "half": half, "data": data[:together]}
        return {name: later(m, value, 1, name=f"write_{name}") for name, value in row.items()}, biases

    def _group(self, m, first, count, chain, write):
        """`count` units that share a memory: (done, two sums) of each."""
        table, vendor = self.table, self.vendor
        m.submodules[f"bank{first}"] = store = bank(vendor, depth=table.depth, width=2 * table.weight * count,
                                                    columns=table.words * count)
        slots, bits = write["pair"][:table.slot_bits], table.slot_bits
        hits = [Mux(write["pair"][bits:] == first + k, write["en"], 0)[:table.words] for k in range(count)]
        hit = Signal(table.words * count, name=f"hit{first}", reset_less=True)
        addr = Signal(store.addr_bits, name=f"write_addr{first}", reset_less=True)
        data = Signal(len(write["data"]), name=f"write_word{first}", reset_less=True)
        half = [write["half"]] if table.halves == 2 else []
        m.d.sync += [hit.eq(Cat(hits)), addr.eq(Cat(slots, write["row"], *half)), data.eq(write["data"])]
        m.d.comb += [store.write_en.eq(hit), store.write_addr.eq(addr), store.read_addr.eq(chain["addr"]),
                     store.write_data.eq(data.replicate(table.words * count))]
        found = []
        for k in range(count):
            wait = k * table.slots
            flags = {name: later(m, chain[name], Bank.LATENCY + wait + (name != "add"), name=f"{name}_at{first + k}")
                     for name in ("add", "first", "dump")}
            words = later(m, store.read_data.word_select(k, 2 * table.weight), wait, name=f"words{first + k}")
            found.append((flags["dump"], self._unit(m, first + k, words, flags)))
        return found

    def _unit(self, m, n, words, flags):
        """The two sums of a unit as they pass the adder."""
        table, found = self.table, []
        for column in range(2):
            weight = Signal(signed(table.weight), name=f"weight{n}_{column}", reset_less=True)
            ring = [Signal(signed(table.acc), name=f"ring{n}_{column}_{k}", reset_less=True)
                    for k in range(table.slots)]
            m.d.sync += weight.eq(Mux(flags["add"], words.word_select(column, table.weight), 0))
            # wraps never: Table.acc
            m.d.sync += ring[0].eq(Mux(flags["first"] | flags["dump"], 0, ring[-1]) + weight)
            m.d.sync += [new.eq(old) for new, old in zip(ring[1:], ring, strict=False)]
            found.append(ring[-1])
        return found

    def _total(self, m, valid, sums, biases):
        """The pair's number, its biases in time, and the sums of both."""
        table = self.table
        asked, asking = Signal(table.pair_bits, name="asked_pair"), Signal()
        wait = self.LATENCY - self.ASKED - 1
        begin = later(m, self.dump & ~later(m, self.dump, 1, name="dump_before", reset_less=False), wait,
                      name="asked_begin", reset_less=False)
        with m.If(begin):
            m.d.sync += [asked.eq(0), asking.eq(1)]
        with m.Elif(asking):
            m.d.sync += [asked.eq(asked + 1), asking.eq(asked != table.units * table.slots - 1)]
        m.d.comb += [self.asked.eq(asked), biases.read_addr.eq(Cat(asked, self.half)[:biases.addr_bits])]
        bias = later(m, biases.read_data, 1, name="bias")
        for column in range(2):
            total = Signal(signed(table.acc + 1), name=f"total{column}", reset_less=True)
            m.d.sync += total.eq(sums[column] + bias.word_select(column, table.weight).as_signed())
            m.d.comb += self.sums[column].eq(total)
        m.d.comb += self.valid.eq(later(m, valid, 1, name="total_valid"))
