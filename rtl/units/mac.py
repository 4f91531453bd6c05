"""MacLanes: rows of weights times a vector, one multiply a multiplier and cycle, the circuit of golden.units.rows.

    addr ----+-> [bank 0] -> w -+            +-> [bank 1] -> w -+
             |                  x -> p -> acc |                  x -> p -> acc      acc 0, acc 1, ... one a cycle,
    operand -+----------------->+    hop ----+---------------->+                    OR-ed together by a tree

Address, operand, flags and the parameter bus hop from lane to lane, one register each (systolic): no net reaches more
than one lane (docs/architecture.md). Lane k therefore runs k cycles behind
lane 0, and the sums come out one a cycle in lane order. Row j of the matrix is in lane j mod lanes, fold j // lanes.

A lane of several multipliers (`Rows.side`) multiplies a word of weights by a word of factors, and adds the products in
a tree of registers, two a level, before its accumulator.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.units.rows import Rows
from rtl.fixed import exact
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import Bank, Multiplier, accumulator, bank, multiplier


def bank_bits(rows: Rows) -> int:
    """Address bits of one half of a lane's bank."""
    return max(1, (rows.depth - 1).bit_length())


def lane_bank(rows: Rows) -> tuple[int, int]:
    """Depth and width of a lane's bank: both halves where there are two."""
    return 2 << bank_bits(rows) if rows.halves == 2 else rows.depth, rows.side * rows.weight


class MacLanes(wiring.Component):
    """All lanes of a matrix, or of several that are walked in turn.

    Parameters: rows; vendor form; first_bank, number of the first lane's bank on the parameter bus; fused: accumulators
    are those of the vendor, and `first` comes a cycle early, since each lane has a register of it beside its own.
    Members
      addr, first, last   bank address below rows.depth (above it the half, where there are two), start and end of a
                          row, for lane 0
      operand             the factor for `addr`, OPERAND_OFFSET cycles after it; an array of `side` where that is not 1
      params, params_out  parameter bus; weights are banks first_bank .. first_bank + lanes - 1
      valid, sum          a finished row, in `rows.acc` bits
    LATENCY: from the address of a row's last word to its `valid`, for lane 0; lane k is k cycles later.
    Throughput: one multiply a multiplier and cycle, without a gap between rows. Rows may differ in length, and cycles
    may be idle: between rows whatever is there, within a row with operands that are zero. Only the ends of rows must
    lie `lanes` cycles apart, or two sums would leave at a time.
    """

    OPERAND_OFFSET = Bank.LATENCY + 1
    #: from address to accumulator with a multiplier a lane: bank, register, multiplier, register, accumulator
    ACC_LATENCY = OPERAND_OFFSET + Multiplier.LATENCY + 2

    def __init__(self, rows: Rows, *, vendor: str = "generic", first_bank: int = 0, fused: bool = False):
        self.rows, self.vendor, self.first_bank, self.fused = rows, vendor, first_bank, fused
        self.LATENCY = self.latency(rows)
        factor = In(signed(rows.operand))
        super().__init__({
            "addr": In(bank_bits(rows) + rows.halves - 1), "first": In(1), "last": In(1),
            "operand": factor if rows.side == 1 else factor.array(rows.side),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus()),
            "valid": Out(1), "sum": Out(signed(rows.acc)),
        })

    @classmethod
    def acc_latency(cls, rows: Rows) -> int:
        """From address to accumulator: with several multipliers a lane, a tree of adders more."""
        return cls.ACC_LATENCY + rows.side.bit_length() - 1

    @classmethod
    def latency(cls, rows: Rows) -> int:
        """LATENCY of the lanes of `rows`."""
        return cls.acc_latency(rows) + tree_depth(rows.lanes)

    def elaborate(self, platform):
        m = Module()
        lanes, latency = [], self.acc_latency(self.rows)
        addr, params = self.addr, self.params
        operands = {"": self.operand} if self.rows.side == 1 else {f"_{k}": x for k, x in enumerate(self.operand)}
        first = later(m, self.first, latency - 1, name="first")
        # tokens without reset, a net of its own over all lanes: they run out while a board holds its reset
        done = later(m, self.last, latency, name="done")
        for n in range(self.rows.lanes):
            if n:
                addr = later(m, addr, 1, name=f"addr{n}")
                operands = {k: later(m, x, 1, name=f"operand{n}{k}") for k, x in operands.items()}
                first = later(m, first, 1, name=f"first{n}")
                done = later(m, done, 1, name=f"done{n}")
            params = hop(m, params, name=f"params{n}")
            lanes.append((done, self._lane(m, n, addr, operands, first, params)))
        join(m, self.params_out, params)
        valid, total = gather(m, lanes)
        m.d.comb += [self.valid.eq(valid), exact(self.sum, total)]
        return m

    def _lane(self, m, n, addr, operands, first, params):
        rows, (depth, width) = self.rows, lane_bank(self.rows)
        m.submodules[f"bank{n}"] = weights = bank(self.vendor, depth=depth, width=width, columns=rows.columns)
        hit, write_addr, write_data = self._write(m, n, params)
        m.d.comb += weights.read_addr.eq(addr)
        products = []
        for k, (suffix, operand) in enumerate(operands.items()):
            mul = multiplier(self.vendor, a_width=rows.weight, b_width=rows.operand)
            m.submodules[f"multiplier{n}{suffix}"] = mul
            weight = Signal(signed(rows.weight), name=f"weight{n}{suffix}", reset_less=True)
            product = Signal(signed(len(mul.p)), name=f"product{n}{suffix}", reset_less=True)
            m.d.sync += [weight.eq(weights.read_data[k * rows.weight:(k + 1) * rows.weight]), product.eq(mul.p)]
            m.d.comb += [mul.a.eq(weight), mul.b.eq(operand)]
            products.append(product)
        acc = self._accumulated(m, n, first, products)
        m.d.comb += [weights.write_en.eq(hit), weights.write_addr.eq(write_addr),
                     weights.write_data.eq(write_data.replicate(rows.columns))]
        return acc

    def _accumulated(self, m, n, first, products):
        """The sum of a row so far; wraps never (Rows.acc)."""
        rows = self.rows
        if self.fused:
            added = _added(m, products, name=f"added{n}")
            # it would be the next lane's register, were their first values the same: tools make one of two
            own = Signal(name=f"own_first{n}", init=1, reset_less=True)
            m.d.sync += own.eq(first)
            m.submodules[f"acc{n}"] = unit = accumulator(self.vendor, width=rows.acc, x_width=len(added),
                                                         start=rows.half)
            m.d.comb += [unit.first.eq(own), unit.x.eq(added)]
            return unit.sum
        acc = Signal(signed(rows.acc), name=f"acc{n}", reset_less=True)
        half = Const(rows.half, signed(rows.acc))
        m.d.sync += acc.eq(Mux(first, half, acc) + _added(m, products, name=f"added{n}"))
        return acc

    def _write(self, m, n, params):
        """Write port of lane n's bank, registered: a bit a column, address, word of a column."""
        rows, column = self.rows, self.rows.columns.bit_length() - 1
        hit = Signal(rows.columns, name=f"hit{n}", reset_less=True)
        write_addr = Signal(bank_bits(rows) + rows.halves - 1, name=f"write_addr{n}", reset_less=True)
        write_data = Signal(rows.side * rows.weight // rows.columns, name=f"write_data{n}", reset_less=True)
        mine = params.en & (params.bank == self.first_bank + n)
        half = [params.half] if rows.halves == 2 else []
        m.d.sync += [
            hit.eq(mine << params.addr[:column] if column else mine),
            write_addr.eq(Cat(params.addr[column:column + bank_bits(rows)], *half)), write_data.eq(params.data),
        ]
        return hit, write_addr, write_data


def _added(m, values, *, name: str):
    """The sum of 2**n values, n cycles later."""
    level = 0
    while len(values) > 1:
        level, pairs, values = level + 1, zip(values[::2], values[1::2], strict=True), []
        for k, (a, b) in enumerate(pairs):
            total = Signal.like(a + b, name=f"{name}_{level}_{k}", reset_less=True)
            m.d.sync += total.eq(a + b)
            values.append(total)
    return values[0]


def tree_depth(lanes: int) -> int:
    depth, nodes = 1, -(-lanes // 2)
    while nodes > 1:
        depth, nodes = depth + 1, -(-nodes // 4)
    return depth


def gather(m, lanes):
    """(valid, sum) of lanes given as (done, acc).

    At most one lane is done in a cycle, so gating and OR-ing is a multiplexer without a select.
    """
    level, width, ways = 0, len(lanes[0][1]), 2
    nodes = [(done, Mux(done, acc, 0)[:width]) for done, acc in lanes]
    while level == 0 or len(nodes) > 1:
        merged = []
        for n in range(0, len(nodes), ways):
            group = nodes[n:n + ways]
            valid = Signal(name=f"valid{level}_{n}", reset_less=True)
            value = Signal(width, name=f"sum{level}_{n}", reset_less=True)
            m.d.sync += [valid.eq(_any(v for v, _ in group)), value.eq(_any(x for _, x in group))]
            merged.append((valid, value))
        nodes, level, ways = merged, level + 1, 4
    valid, value = nodes[0]
    return valid, value.as_signed()


def _any(values):
    result = None
    for value in values:
        result = value if result is None else result | value
    return result
