"""PlasticLanes: rows of a weight matrix used three ways in a tick: W r, W^T eps, and W += eps r.

    pass 1, a cycle a weight     acc <- acc + w r                            sums hop out in lane order (rtl.units.mac)
    pass 2, two cycles a weight  A: back <- back of the lane before + w eps  errors of the layer below
                                 B: w <- sat(w + (eps r + noise >> shift))   plasticity, three multiplies in all

As in rtl.units.mac everything hops from lane to lane, and so does `back`: while operand i passes lane after lane, the
sum of its column grows by one product a lane, and leaves the last one complete for the rows of the fold.

The product of B comes cycles after the read for A. A lane that `holds` keeps the weight till then, in two registers, so
that pass 1 can follow as soon as pass 2 has read its last weight. Other lanes read it again; there A and B may also
come by themselves, a weight a cycle, and whoever walks the lanes keeps the reads of the bank apart.
"""

from types import SimpleNamespace
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.fixed import QFormat
from golden.units.rows import Rows
from rtl.fixed import exact, shape
from rtl.pipeline import ParameterBus, hop, join, later, merge_writes
from rtl.primitives import accumulator, bank, multiplier
from rtl.units.mac import MacLanes, bank_bits, gather, lane_bank
from rtl.units.plasticity import Plasticity


class PlasticRows(NamedTuple):
    """Rows of weights that learn.

    rows; weight, format of the weights, and error, of eps; operand, bits of the factors, which are longer than those of
    `rows` where they are scaled for steps; back, bits of the sum of a column; shift of steps, None: weights stay as
    they are; sign, what an error counts as for a step where only its sign does, None: as what it is; stride, lanes that
    an eps on its way reaches at once: where they come one a cycle, those of far lanes are as early as the walk is;
    holds, whether a lane keeps a weight from A for the B behind it.
    """

    rows: Rows
    weight: QFormat
    error: QFormat
    operand: int
    back: int
    shift: int | None
    sign: int | None = None
    stride: int = 1
    holds: bool = False


class PlasticLanes(wiring.Component):
    """All lanes of rows that learn.

    Parameters: plastic, a PlasticRows; seeds, a state of the register for each lane; vendor form; first_bank as in
    MacLanes; fused, for parts that this nearly fills: accumulators are those of the vendor, and words of the parameter
    bus reach `stride` lanes at once and wait there for their turn, at least as long as the bus leaves between two.
    Members, for lane 0
      addr, first, last, operand, params, params_out, valid, sum    as in rtl.units.mac.MacLanes
      back        in the cycle of an address: its product with eps goes into the sum of its column (A)
      update      in the cycle after that: a step of the weight (B), `write`: it is kept; lanes that hold weights take
                  steps in every second cycle at most, with the address of the weight in both
      swap        with the first `back` of a fold: the eps that was loaded is now in force
      load        (valid, lane, eps): what lane `lane` takes with the next swap; it hops along, too
      reseed      the registers start again, from the next step on
      column      W^T eps over the rows of the fold, COLUMN_LATENCY cycles after its `back`
    Where lanes do not hold weights, the address comes again UPDATE_READ cycles after its `back`, by the layer's walk.
    """

    OPERAND_OFFSET = MacLanes.OPERAND_OFFSET
    ACC_LATENCY = MacLanes.ACC_LATENCY
    UPDATE_READ = 5
    #: from `back` to the cycle after its weight was written
    WRITE_LATENCY = UPDATE_READ + 7

    def __init__(self, plastic: PlasticRows, *, seeds, vendor: str = "generic", first_bank: int = 0,
                 fused: bool = False):
        self.plastic, self.seeds, self.vendor, self.first_bank = plastic, list(seeds), vendor, first_bank
        self.fused = fused
        self.rows = rows = plastic.rows
        self.LATENCY, self.COLUMN_LATENCY = MacLanes.latency(rows), self.column_latency(rows.lanes)
        super().__init__({
            "addr": In(bank_bits(rows) + rows.halves - 1), "first": In(1), "last": In(1),
            "operand": In(signed(plastic.operand)),
            "back": In(1), "update": In(1), "write": In(1), "swap": In(1), "reseed": In(1),
            "load_valid": In(1), "load_lane": In(range(max(2, rows.lanes))),
            "load_eps": In(shape(plastic.error)),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus()),
            "valid": Out(1), "sum": Out(signed(rows.acc)), "column": Out(signed(plastic.back)),
        })

    @classmethod
    def column_latency(cls, lanes: int) -> int:
        """COLUMN_LATENCY of so many lanes."""
        return cls.ACC_LATENCY + lanes - 1

    def elaborate(self, platform):
        m = Module()
        params, chain = self.params, self._controls(m)
        lanes, back = [], Const(0, signed(1))
        for n in range(self.rows.lanes):
            if n:
                chain = {name: value if name == "load" and n % self.plastic.stride else
                         later(m, value, 1, name=f"{name}{n}") for name, value in chain.items()}
            if not self.fused:
                params = hop(m, params, name=f"params{n}")
            elif n % self.plastic.stride == 0:
                params = self._held(m, params, name=f"params{n}")
            acc, back = self._lane(m, n, chain, back, params)
            lanes.append((chain["done"], acc))
        join(m, self.params_out, params)
        valid, total = gather(m, lanes)
        m.d.comb += [self.valid.eq(valid), exact(self.sum, total), self.column.eq(back)]
        return m

    @staticmethod
    def _held(m, bus, *, name: str):
        """The parameter bus one register further on; its word stays until the next one comes."""
        members = {member: Signal.like(getattr(bus, member), name=f"{name}_{member}", reset_less=True)
                   for member in ParameterBus().members}
        m.d.sync += members["en"].eq(bus.en)
        with m.If(bus.en):
            m.d.sync += [value.eq(getattr(bus, member)) for member, value in members.items() if member != "en"]
        return SimpleNamespace(**members)

    def _controls(self, m):
        """What hops along the lanes, each delayed to the stage that it acts in."""
        operate = self.OPERAND_OFFSET
        add = self.ACC_LATENCY - 1          # the cycle in which a product meets its accumulator
        chain = {"addr": self.addr, "operand": self.operand,
                 # a lane may have a register more for it
                 "first": later(m, self.first, add - self.fused, name="first"),
                 "done": later(m, self.last, add + 1, name="done"),
                 "back": later(m, self.back, operate, name="back"),
                 "swap": later(m, self.swap, operate - 1, name="swap"),
                 "load": Cat(self.load_valid, self.load_lane, self.load_eps)}
        if self.plastic.shift is not None:
            chain |= {"update": later(m, self.update, operate, name="update"),
                      "draw": later(m, self.update, add, name="draw"),
                      "keep": later(m, self.write, add + 2, name="keep"),
                      "keep_addr": later(m, self.addr, add + 2 if self.plastic.holds else self.UPDATE_READ,
                                         name="keep_addr"),
                      # behind the last number of steps that are under way
                      "reseed": later(m, self.reseed, add, name="reseeds", reset_less=False)}
            if self.plastic.holds:
                chain["held"] = later(m, self.update, operate + 2, name="held")
        return chain

    def _lane(self, m, n, chain, back, params):
        plastic, rows, error = self.plastic, self.rows, self.plastic.error
        depth, width = lane_bank(rows)
        m.submodules[f"bank{n}"] = weights = bank(self.vendor, depth=depth, width=width)
        m.submodules[f"multiplier{n}"] = mul = multiplier(
            self.vendor, a_width=max(width, error.width),
            b_width=max(len(self.operand), error.width))
        eps_next, eps = (Signal(shape(error), name=f"{name}{n}", reset_less=True) for name in ("eps_next", "eps"))
        weight = Signal(signed(width), name=f"weight{n}", reset_less=True)
        product = Signal(signed(len(mul.p)), name=f"product{n}", reset_less=True)
        column = Signal(signed(plastic.back), name=f"column{n}", reset_less=True)
        load_bits = len(self.load_lane)
        with m.If(chain["load"][0] & (chain["load"][1:1 + load_bits] == n)):
            m.d.sync += eps_next.eq(chain["load"][1 + load_bits:].as_signed())
        with m.If(chain["swap"]):
            m.d.sync += eps.eq(eps_next)
        paced = eps if plastic.sign is None else self._sign(m, n, chain["swap"], eps_next)
        # sums of a row and of a column never wrap (Rows.acc, PlasticRows.back); what other passes leave there does
        m.d.sync += [weight.eq(weights.read_data), product.eq(mul.p)]
        acc = self._accumulated(m, n, chain["first"], product)
        m.d.sync += column.eq(back + product)
        m.d.comb += [weights.read_addr.eq(chain["addr"]), mul.a.eq(weight),
                     mul.b.eq(Mux(chain["back"], eps, chain["operand"].as_signed()))]
        write = Signal(name=f"write{n}", reset_less=True)
        write_addr = Signal(len(self.addr), name=f"write_addr{n}", reset_less=True)
        write_data = Signal(width, name=f"write_data{n}", reset_less=True)
        m.d.comb += [weights.write_en.eq(write), weights.write_addr.eq(write_addr),
                     weights.write_data.eq(write_data)]
        hit = params.en & (params.bank == self.first_bank + n)
        half_loaded = [params.half] if rows.halves == 2 else []
        loaded = Cat(params.addr[:bank_bits(rows)], *half_loaded), params.data[:width]
        if plastic.shift is None:
            m.d.sync += [write.eq(hit), write_addr.eq(loaded[0]), write_data.eq(loaded[1])]
            return acc, column
        m.d.comb += mul.a.eq(Mux(chain["update"], paced, weight))
        step = self._step(m, n, chain, self._held_weight(m, n, chain, weight) if plastic.holds else weight, product)
        learnt, port = (chain["keep"], chain["keep_addr"], step), (write, write_addr, write_data)
        if self.fused:
            waits, comes = Signal(name=f"waits{n}"), Signal(name=f"comes{n}")
            m.d.comb += comes.eq(hit | waits)
            m.d.sync += [waits.eq(comes & learnt[0]), write.eq(comes | learnt[0])]
            m.d.sync += [target.eq(Mux(learnt[0], new, old))
                         for target, new, old in zip(port[1:], learnt[1:], loaded, strict=True)]
        else:
            merge_writes(m, f"lane{n}", (hit, *loaded), learnt, port)
        return acc, column

    @staticmethod
    def _held_weight(m, n, chain, weight):
        """The weight that was read for A, in the cycle in which the product of B is there; the next follows in two."""
        first, second = (Signal.like(weight, name=f"{name}{n}", reset_less=True) for name in ("held", "held_on"))
        with m.If(chain["update"]):
            m.d.sync += first.eq(weight)
        with m.If(chain["held"]):
            m.d.sync += second.eq(first)
        return second

    def _accumulated(self, m, n, first, product):
        """The sum of a row so far."""
        rows = self.rows
        if self.fused:
            # it would be the next lane's register, were their first values the same: tools make one of two
            own = Signal(name=f"own_first{n}", init=1, reset_less=True)
            m.d.sync += own.eq(first)
            m.submodules[f"acc{n}"] = unit = accumulator(self.vendor, width=rows.acc, start=rows.half,
                                                         x_width=min(len(product), rows.acc))
            m.d.comb += [unit.first.eq(own), unit.x.eq(product)]
            return unit.sum
        acc = Signal(signed(rows.acc), name=f"acc{n}", reset_less=True)
        m.d.sync += acc.eq(Mux(first, Const(rows.half, signed(rows.acc)), acc) + product)
        return acc

    def _sign(self, m, n, swap, eps):
        """Eps of the fold as golden.rate.plastic.Plastic.paced has it."""
        word, paced = self.plastic.sign, Signal(shape(self.plastic.error), name=f"paced{n}")
        with m.If(swap):
            m.d.sync += paced.eq(Mux(eps == 0, 0, Mux(eps < 0, -word, word)))
        return paced

    def _step(self, m, n, chain, weight, product):
        plastic = self.plastic
        m.submodules[f"plasticity{n}"] = unit = Plasticity(plastic.weight, len(product), shift=plastic.shift,
                                                           seed=self.seeds[n])
        m.d.comb += [unit.reseed.eq(chain["reseed"]), unit.i.valid.eq(chain["draw"]), unit.i.p.w.eq(weight),
                     unit.i.p.product.eq(product)]
        return unit.o.payload
