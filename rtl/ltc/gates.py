"""Gates: the sums of a layer's gates, walked by its lanes, and behind them those of its real inputs.

    tick of alpha's lanes     | in .. in | u .. u x .. x 1 | u .. u x .. x 1 | ...        a row of weights each fold
            of rho's lanes    | in .. in | b .. b x .. x 1 | b .. b x .. x 1 | ...

The old half of a row comes first, so that x of this tick may still be forming while the lanes work. Both chains walk in
step. States lie twice in their memory, those of the last tick and those that this tick makes.
"""

from dataclasses import replace

from amaranth.hdl import Array, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.enum import IntEnum
from amaranth.lib.wiring import In, Out

from golden.units.rows import Rows
from rtl.pipeline import ParameterBus, join, later
from rtl.primitives import Bank, bank
from rtl.units.mac import MacLanes


class Kind(IntEnum, shape=2):
    """What a weight is multiplied by: an old state, x, one, a real input."""

    OLD = 0
    X = 1
    ONE = 2
    INPUT = 3


def lane_rows(layer, halves: int) -> Rows:
    """The rows of a chain of lanes: those of a gate, and behind them those of real inputs."""
    rows = layer.gate_rows(halves)
    if not layer.dense:
        return rows
    # there are half as many rows of real inputs, or as many: a sum of so many words is a bit short at most, and
    # products leave one
    words = min(max(rows.words, layer.inputs), layer.lane_depth // rows.folds)
    return replace(rows, words=words, weight=max(rows.weight, layer.input_weight.width),
                   operand=max(rows.operand, layer.operand.width), held=layer.lane_depth)


def pitch(layer) -> int:
    """Cycles from a row of real inputs to the next: sums of the lanes leave one a cycle."""
    return max(layer.inputs, lane_rows(layer, 1).lanes)


def dense_folds(layer) -> int:
    """Rows of real inputs that a lane works through."""
    return -(-dense_count(layer) // lane_rows(layer, 1).lanes) if layer.dense else 0


def dense_count(layer) -> int:
    """Rows of real inputs on the chain of alpha: of the even neurons, where there are two chains."""
    return -(-layer.outputs // layer.chains)


def lead_in(layer) -> int:
    """Cycles from a tick's start to its walk: the first sum keeps its distance from those of the tick before."""
    return pitch(layer) - layer.inputs if layer.dense else 0


def dense_cycles(layer) -> int:
    """Cycles before the walk of the gates: those of the real inputs."""
    return dense_folds(layer) * pitch(layer) if layer.dense else 0


def gate_cycles(layer) -> int:
    """Cycles of the walk of the gates."""
    rows = layer.gate_rows()
    return rows.folds * rows.words


def product_bits(layer) -> int:
    """Bits of a sum of products of real inputs, with the half that the lanes begin with."""
    if not layer.dense:
        return 1
    most = (layer.inputs << layer.input_weight.width + layer.operand.width - 2) + lane_rows(layer, 1).half
    return most.bit_length() + 1


def index_bits(layer) -> int:
    """Bits of the number of a neuron."""
    return max(1, (layer.outputs - 1).bit_length())


class Gates(wiring.Component):
    """Walk, lanes, and the memories that operands come from.

    Parameters: layer, an LtcLayer or a Readout; vendor form; halves of the parameters; first_bank of the lanes; pause,
    idle cycles behind the walk of the real inputs.
    Members
      start, fresh       a tick begins; its old states count as zero
      live               sums count: what a reset has left in the lanes does not
      half               of the parameters
      input_index, input the word of the input vector for an index, Bank.LATENCY later
      x_valid, pair, x   x of this tick as it forms
      kept, kept_at, state   states of this tick, by chain; kept_at: number of the neuron, and above it `side`
      valid, index, sums a sum of each chain for a neuron; with it `is_fresh`, and `side` that its tick writes to
      product_valid, product  sums of real inputs, one of each chain
      params, params_out
    """

    #: from the fetch of an operand to the address of its weight: one register more than a bank and its operand take
    FETCH = 2

    def __init__(self, layer, *, vendor: str = "generic", halves: int = 2, first_bank: int = 0,
                 pause: int = 0):
        self.layer, self.vendor, self.pause = layer, vendor, pause
        self.rows, self.bits = lane_rows(layer, halves), index_bits(layer)
        self.lanes = [MacLanes(self.rows, vendor=vendor, first_bank=first_bank + n * self.rows.lanes, fused=True)
                      for n in range(layer.chains)]
        word = signed(layer.state.width)
        input_bits = max(1, (layer.inputs - 1).bit_length()) if layer.dense else 1
        super().__init__({
            "start": In(1), "fresh": In(1), "live": In(1), "half": In(1), "input_index": Out(input_bits),
            "input": In(signed(layer.operand.width if layer.dense else 1)),
            "x_valid": In(1), "pair": In(max(1, self.bits - 1)), "x": In(word).array(2),
            "kept": In(1), "kept_at": In(self.bits + 1), "state": In(word).array(layer.chains),
            "valid": Out(1), "index": Out(self.bits), "sums": Out(signed(self.rows.acc)).array(layer.chains),
            "is_fresh": Out(1), "side": Out(1), "product_valid": Out(1),
            "product": Out(signed(product_bits(layer))).array(layer.chains),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus())})

    def elaborate(self, platform):
        m = Module()
        params = self.params
        walk = data.StructLayout({"address": len(self.lanes[0].addr), "kind": Kind, "index": self._index_bits(),
                                  "first": 1, "last": 1})
        now = Signal(walk)
        side, fresh = Signal(), Signal(reset_less=True, name="tick_fresh")
        start, is_fresh = (later(m, value, lead_in(self.layer), name=name, reset_less=False)
                           for name, value in (("start", self.start), ("fresh", self.fresh)))
        with m.If(start):
            m.d.sync += [side.eq(~side), fresh.eq(is_fresh)]
        self._walk(m, now, start)
        operands = self._operands(m, now, side, fresh)
        for n, (lanes, operand) in enumerate(zip(self.lanes, operands, strict=True)):
            m.submodules["lanes" if len(self.lanes) == 1 else f"lanes{n}"] = lanes
            join(m, lanes.params, params)
            params = lanes.params_out
            address = Cat(now.address[:-1], self.half) if self.rows.halves == 2 else now.address
            m.d.comb += [port.eq(later(m, value, cycles, name=f"{name}{n}", reset_less=name != "last"))
                         for name, port, value, cycles in (
                             ("address", lanes.addr, address, self.FETCH), ("last", lanes.last, now.last, self.FETCH),
                             # a lane has a register more for it
                             ("first", lanes.first, now.first, self.FETCH - 1))]
            m.d.comb += lanes.operand.eq(operand)
        join(m, self.params_out, params)
        self._results(m, side, fresh)
        return m

    def _index_bits(self) -> int:
        longest = max(self.layer.outputs, pitch(self.layer) + self.pause if self.layer.dense else 1)
        return max(1, (longest - 1).bit_length())

    def _walk(self, m, now, start):
        """Row after row from `start` on."""
        layer, rows = self.layer, self.layer.gate_rows()
        dense, folds = layer.dense, dense_folds(layer)
        active, fold, counts = Signal(), Signal(range(max(2, rows.folds, folds))), Signal(reset_less=True)
        is_end = {Kind.OLD: now.index == layer.outputs - 1, Kind.X: now.index == layer.outputs - 1, Kind.ONE: Const(1),
                  Kind.INPUT: Const(0)}
        end, address, index, kind = Signal(name="end"), now.address, now.index, now.kind
        last_fold = Signal()
        if dense:
            is_end[Kind.INPUT] = now.index == Mux(last_fold, layer.inputs + self.pause, pitch(layer)) - 1
        m.d.comb += [end.eq(Array(is_end[kind] for kind in Kind)[now.kind]),
                     last_fold.eq(fold == Mux(kind == Kind.INPUT, folds - 1 if dense else 0, rows.folds - 1))]
        more = Signal(name="inputs_last")
        m.d.comb += more.eq(dense & (kind == Kind.INPUT) & (index == layer.inputs - 1))
        m.d.sync += [now.first.eq(0), now.last.eq(0)]
        with m.If(start):
            m.d.sync += [active.eq(1), fold.eq(0), index.eq(0), address.eq(gate_cycles(layer) if dense else 0),
                         kind.eq(Kind.INPUT if dense else Kind.OLD), now.first.eq(1), counts.eq(1)]
            if dense and layer.inputs == 1:
                m.d.sync += now.last.eq(1)
        with m.Elif(active):
            m.d.sync += [index.eq(index + 1), address.eq(address + (counts | (kind != Kind.INPUT)))]
            with m.If(more):
                m.d.sync += counts.eq(0)
            if dense and layer.inputs > 1:
                m.d.sync += now.last.eq((kind == Kind.INPUT) & (index == layer.inputs - 2))
            with m.If(end):
                m.d.sync += index.eq(0)
                with m.Switch(kind):
                    with m.Case(Kind.OLD):
                        m.d.sync += kind.eq(Kind.X)
                    with m.Case(Kind.X):
                        m.d.sync += [kind.eq(Kind.ONE), now.last.eq(1)]
                    with m.Case(Kind.ONE):
                        m.d.sync += [fold.eq(fold + 1), kind.eq(Kind.OLD), now.first.eq(~last_fold),
                                     active.eq(~last_fold)]
                    with m.Case(Kind.INPUT):
                        m.d.sync += [fold.eq(fold + 1), counts.eq(1), now.first.eq(1)]
                        if layer.inputs == 1:
                            m.d.sync += now.last.eq(~last_fold)
                        with m.If(last_fold):
                            m.d.sync += [fold.eq(0), kind.eq(Kind.OLD), address.eq(0)]

    def _operands(self, m, now, side, fresh):
        """The operand of each chain, FETCH + OPERAND_OFFSET cycles behind the walk."""
        layer, width, vendor = self.layer, self.layer.state.width, self.vendor
        m.submodules.states = states = bank(vendor, depth=2 << self.bits, width=layer.chains * width,
                                            columns=layer.chains)
        m.submodules.xs = xs = bank(vendor, depth=1 << max(1, self.bits - 1), width=2 * width, columns=2)
        m.d.sync += [
            states.write_en.eq(self.kept.replicate(layer.chains)), states.write_addr.eq(self.kept_at),
            states.write_data.eq(Cat(self.state)), xs.write_en.eq(self.x_valid.replicate(2)),
            xs.write_addr.eq(self.pair), xs.write_data.eq(Cat(self.x))]
        m.d.comb += [states.read_addr.eq(Cat(now.index[:self.bits], ~side)), xs.read_addr.eq(now.index[1:]),
                     self.input_index.eq(now.index)]
        kind = later(m, now.kind, Bank.LATENCY, name="kind")
        odd = later(m, now.index[0], Bank.LATENCY, name="odd")
        old, is_fresh = Signal(reset_less=True, name="is_old"), later(m, fresh, 1, name="masks")
        m.d.sync += old.eq((later(m, now.kind, Bank.LATENCY - 1, name="kind_early") == Kind.OLD) & ~is_fresh)
        shared = Signal(signed(width), reset_less=True)
        m.d.sync += shared.eq(Mux(kind == Kind.X, Mux(odd, xs.read_data[width:], xs.read_data[:width]),
                                  Mux(kind == Kind.ONE, layer.one, 0)))
        if layer.dense:
            given = Signal.like(self.input, name="given", reset_less=True)
            m.d.sync += given.eq(Mux(kind == Kind.INPUT, self.input, 0))
        found = []
        for n in range(layer.chains):
            state = Signal(signed(width), name=f"state{n}", reset_less=True)
            m.d.sync += state.eq(Mux(old, states.read_data.word_select(n, width), 0))
            value = (shared | state).as_signed()
            operand = Signal(signed(self.rows.operand), name=f"operand{n}", reset_less=True)
            # of the three all but one are zero; signed words of other lengths are extended first
            wide = Signal(signed(self.rows.operand), name=f"wide{n}")
            m.d.comb += wide.eq(value)
            if layer.dense:
                wide_input = Signal.like(wide, name=f"wide_input{n}")
                m.d.comb += wide_input.eq(given)
                wide = wide | wide_input
            m.d.sync += operand.eq(wide)
            found.append(later(m, operand, self.FETCH + MacLanes.OPERAND_OFFSET - Bank.LATENCY - 2,
                               name=f"operand_hop{n}"))
        return found

    def _results(self, m, side, fresh):
        """Tell sums of gates from those of real inputs, number them; flags of a tick go with its first neuron."""
        layer, lanes = self.layer, self.lanes[0]
        total, neurons = self.rows.lanes * layer.gate_rows().folds, layer.outputs
        dense, given = dense_folds(layer) * self.rows.lanes, dense_count(layer)
        begins = total if not dense else dense
        count, is_gate = Signal(range(max(2, total, dense))), Signal(init=int(not dense))
        # what count says comes from registers: it stands before a chain of logic
        is_first, is_last = Signal(init=1), Signal(init=begins == 1)
        valid = lanes.valid & self.live
        with m.If(valid):
            m.d.sync += [is_first.eq(is_last), count.eq(Mux(is_last, 0, count + 1))]
            with m.If(is_last):
                m.d.sync += [is_gate.eq(~is_gate if dense else 1),
                             is_last.eq(Mux(is_gate, begins, total) == 1)]
            with m.Else():
                m.d.sync += is_last.eq(count == Mux(is_gate, total, dense) - 2)
            with m.If(is_gate & is_first):
                m.d.sync += [self.is_fresh.eq(fresh), self.side.eq(side)]
        m.d.sync += [self.valid.eq(valid & is_gate & (count < neurons)), self.index.eq(count),
                     self.product_valid.eq(valid & ~is_gate & (count < given))]
        for n, each in enumerate(self.lanes):
            total = Signal.like(each.sum, name=f"sum{n}", reset_less=True)
            m.d.sync += total.eq(each.sum)
            m.d.comb += [self.sums[n].eq(total), self.product[n].eq(total[:len(self.product[n])])]
