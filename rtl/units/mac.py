"""MacLanes: rows of weights times a vector, one multiply a lane and cycle, the circuit of golden.units.rows.

    addr ----+-> [bank 0] -> w -+            +-> [bank 1] -> w -+
             |                  x -> p -> acc |                  x -> p -> acc      acc 0, acc 1, ... one a cycle,
    operand -+----------------->+    hop ----+---------------->+                    OR-ed together by a tree

Address, operand, flags and the parameter bus hop from lane to lane, one register each (systolic): no net reaches more
than one lane (docs/architecture.md). Lane k therefore runs k cycles behind
lane 0, and the sums come out one a cycle in lane order. Row j of the matrix is in lane j mod lanes, fold j // lanes.
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.units.rows import Rows
from rtl.fixed import exact
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import Bank, Multiplier, bank, multiplier


def bank_bits(rows: Rows) -> int:
    """Address bits of one half of a lane's bank."""
    return max(1, (rows.depth - 1).bit_length())


def lane_bank(rows: Rows) -> tuple[int, int]:
    """Depth and width of a lane's bank, both halves."""
    return 2 << bank_bits(rows), rows.weight


class MacLanes(wiring.Component):
    """All lanes of a matrix.

    Parameters: rows; vendor form; first_bank, number of the first lane's bank on the parameter bus.
    Members
      addr, first, last   bank address, start and end of a row, for lane 0
      operand             the factor for `addr`, OPERAND_OFFSET cycles after it
      params, params_out  parameter bus; weights are banks first_bank .. first_bank + lanes - 1
      valid, sum          a finished row, in `rows.acc` bits
    LATENCY: from the address of a row's last word to its `valid`, for lane 0; lane k is k cycles later.
    Throughput: one multiply a lane and cycle, without a gap between rows. Source: design.md 8.
    """

    OPERAND_OFFSET = Bank.LATENCY + 1
    #: from address to accumulator: bank, register, multiplier, register, accumulator
    ACC_LATENCY = OPERAND_OFFSET + Multiplier.LATENCY + 2

    def __init__(self, rows: Rows, *, vendor: str = "generic", first_bank: int = 0):
        self.rows, self.vendor, self.first_bank = rows, vendor, first_bank
        self.LATENCY = self.latency(rows)
        super().__init__({
            "addr": In(bank_bits(rows) + 1), "first": In(1), "last": In(1), "operand": In(signed(rows.operand)),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus()),
            "valid": Out(1), "sum": Out(signed(rows.acc)),
        })

    @classmethod
    def latency(cls, rows: Rows) -> int:
        """LATENCY of the lanes of `rows`."""
        return cls.ACC_LATENCY + _tree_depth(rows.lanes)

    def elaborate(self, platform):
        m = Module()
        lanes = []
        addr, operand, params = self.addr, self.operand, self.params
        first = later(m, self.first, self.ACC_LATENCY - 1, name="first")
        # tokens without reset, a net of its own over all lanes: they run out while a board holds its reset
        done = later(m, self.last, self.ACC_LATENCY, name="done")
        for n in range(self.rows.lanes):
            if n:
                addr = later(m, addr, 1, name=f"addr{n}")
                operand = later(m, operand, 1, name=f"operand{n}")
                first = later(m, first, 1, name=f"first{n}")
                done = later(m, done, 1, name=f"done{n}")
            params = hop(m, params, name=f"params{n}")
            lanes.append((done, self._lane(m, n, addr, operand, first, params)))
        join(m, self.params_out, params)
        valid, total = gather(m, lanes)
        m.d.comb += [self.valid.eq(valid), exact(self.sum, total)]
        return m

    def _lane(self, m, n, addr, operand, first, params):
        rows, (depth, width) = self.rows, lane_bank(self.rows)
        m.submodules[f"bank{n}"] = weights = bank(self.vendor, depth=depth, width=width)
        m.submodules[f"multiplier{n}"] = mul = multiplier(self.vendor, a_width=width, b_width=rows.operand)
        hit = Signal(name=f"hit{n}", reset_less=True)
        write_addr = Signal(bank_bits(rows) + 1, name=f"write_addr{n}", reset_less=True)
        write_data = Signal(width, name=f"write_data{n}", reset_less=True)
        weight = Signal(signed(width), name=f"weight{n}", reset_less=True)
        product = Signal(signed(len(mul.p)), name=f"product{n}", reset_less=True)
        acc = Signal(signed(rows.acc), name=f"acc{n}", reset_less=True)
        half = Const(rows.half, signed(rows.acc))
        m.d.sync += [
            hit.eq(params.en & (params.bank == self.first_bank + n)),
            write_addr.eq(Cat(params.addr[:bank_bits(rows)], params.half)), write_data.eq(params.data),
            weight.eq(weights.read_data), product.eq(mul.p),
            # wraps never (Rows.acc)
            acc.eq(Mux(first, half, acc) + product),
        ]
        m.d.comb += [weights.read_addr.eq(addr), mul.a.eq(weight), mul.b.eq(operand),
                     weights.write_en.eq(hit), weights.write_addr.eq(write_addr),
                     weights.write_data.eq(write_data)]
        return acc


def _tree_depth(lanes: int) -> int:
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
