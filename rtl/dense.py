"""DenseLayer: one layer of neurons as an engine, the circuit of golden.dense.dense_step.

    i --> [DelayLine] --> [MacLanes] --> saturate --> [LeadLag] --> [Activation] --> o
                              ^                        ^      |
                        weights, biases       lead, lag, u <--+

A tick reads every operand once a fold and finishes one neuron a cycle when a row ends. While the last neurons drain,
the next tick may already accumulate (rtl.schedule says from when on).
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.network import Dense
from rtl.activation import Activation
from rtl.delay import DelayLine
from rtl.fixed import exact, saturate, shape
from rtl.leadlag import LeadLag
from rtl.mac import MacLanes, bank_bits
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import Bank, bank


class DenseLayer(wiring.Component):
    """One dense layer; see the module for its datapath.

    Parameters: layer; vendor form; first_bank, its first number on the parameter bus (`layer.lanes + 3` are taken:
    weights by lane, lead, lag, delay); ahead, for the layer that reads the network's input.
    Members
      start, fresh    open a tick; with `fresh` the membranes count as zero
      half            which half of every bank is in force (writes say their own half)
      i, o            message words in neuron order; never stall
      params, params_out  parameter bus
    ROW_LATENCY: from a finished sum to the read of its neuron's membrane and constants.
    MEMBRANE_LATENCY: from the read of a membrane to the cycle in which its next value can be read.
    """

    ROW_LATENCY = 1
    MEMBRANE_LATENCY = Bank.LATENCY + LeadLag.LATENCY + 1

    def __init__(self, layer: Dense, *, vendor: str = "generic", first_bank: int = 0, ahead: bool = False):
        self.layer, self.vendor, self.first_bank, self.ahead = layer, vendor, first_bank, ahead
        super().__init__({
            "start": In(1), "fresh": In(1), "half": In(1),
            "i": In(stream.Signature(shape(layer.operand), always_ready=True)),
            "o": Out(stream.Signature(shape(layer.rate), always_ready=True)),
            "params": In(ParameterBus()), "params_out": Out(ParameterBus()),
        })

    @staticmethod
    def neuron_latency(layer: Dense) -> int:
        """Cycles from the address of a row's last weight in lane 0 to the neuron's word on `o`."""
        return (MacLanes.latency(layer) + DenseLayer.ROW_LATENCY + Bank.LATENCY + LeadLag.LATENCY
                + Activation.latency(layer.activation))

    @staticmethod
    def banks(layer: Dense) -> list[tuple[int, int]]:
        """Depth and width of every memory of the layer."""
        rows = 1 << _row_bits(layer)
        return [*[(2 << bank_bits(layer), layer.weight.width)] * layer.lanes,
                (2 * rows, layer.lead.width), (2 * rows, layer.lag.width), (rows, layer.state.width),
                *DelayLine.banks(layer.inputs, layer.operand, layer.max_delay),
                *Activation.banks(layer.activation, layer.state, layer.rate)]

    def elaborate(self, platform):
        m = Module()
        layer, vendor = self.layer, self.vendor
        m.submodules.lanes = self.lanes = MacLanes(layer, vendor=vendor, first_bank=self.first_bank)
        m.submodules.unit = self.unit = LeadLag(layer, vendor=vendor)
        m.submodules.activation = self.activation = Activation(layer.activation, layer.state, layer.rate,
                                                               vendor=vendor)
        params = self._parameters(m)
        self._sums(m, params["delay"])
        row = self._rows(m)
        self._neurons(m, row, params)
        return m

    def _parameters(self, m):
        """Banks of lead and lag behind the lanes on the bus, and the delay, two of each for the two halves."""
        layer, lanes = self.layer, self.lanes
        wiring.connect(m, wiring.flipped(self.params), lanes.params)
        bus = hop(m, lanes.params_out, name="params_q")
        join(m, self.params_out, bus)
        found, first = {}, self.first_bank + layer.lanes
        for n, name in enumerate(("lead", "lag")):
            fmt = layer.format(name)
            m.submodules[f"{name}_bank"] = found[name] = store = bank(
                self.vendor, depth=2 << _row_bits(self.layer), width=fmt.width)
            write = later(m, Cat(bus.en & (bus.bank == first + n), bus.addr[:_row_bits(self.layer)], bus.half,
                                 bus.data[:fmt.width]), 1, name=f"{name}_write")
            m.d.comb += Cat(store.write_en, store.write_addr, store.write_data).eq(write)
        delays = [Signal(max(1, layer.max_delay.bit_length()), name=f"delay_{half}") for half in range(2)]
        if layer.max_delay:
            for half, delay in enumerate(delays):
                with m.If(bus.en & (bus.bank == first + 2) & (bus.half == half)):
                    m.d.sync += delay.eq(bus.data)
        found["delay"] = Mux(self.half, delays[1], delays[0])
        return found

    def _sums(self, m, delay):
        """The walk of a tick: bias, then every operand, for each fold."""
        layer, lanes = self.layer, self.lanes
        m.submodules.line = line = DelayLine(size=layer.inputs, fmt=layer.operand, depth=layer.max_delay,
                                             ahead=self.ahead, vendor=self.vendor)
        wiring.connect(m, wiring.flipped(self.i), line.i)
        active = Signal()
        position = Signal(range(layer.inputs + 1), reset_less=True)
        index = Signal(line.index_bits, reset_less=True)          # position - 1, where there is an operand
        address = Signal(bank_bits(layer), reset_less=True)
        half = Signal(reset_less=True)
        last_position, last_address = position == layer.inputs, address == layer.folds * (layer.inputs + 1) - 1
        with m.If(self.start):
            m.d.sync += [active.eq(1), position.eq(0), address.eq(0), half.eq(self.half)]
        with m.Elif(active):
            m.d.sync += [active.eq(~last_address), address.eq(address + 1),
                         position.eq(Mux(last_position, 0, position + 1)), index.eq(position)]
        is_bias = position == 0
        m.d.comb += [line.start.eq(self.start), line.fresh.eq(self.fresh), line.delay.eq(delay),
                     line.read_index.eq(index),
                     lanes.addr.eq(Cat(address, half)), lanes.first.eq(is_bias),
                     lanes.last.eq(active & last_position)]
        one = Const(1 << layer.operand.frac_bits, shape(layer.multiplicand))
        bias_now = later(m, is_bias, line.LATENCY, name="is_bias")
        m.d.comb += lanes.operand.eq(Mux(bias_now, one, line.read_data))

    def _rows(self, m):
        """Number of the row that leaves the lanes, whether it exists, and what its tick started with; a cycle later."""
        layer, lanes = self.layer, self.lanes
        rows = layer.folds * layer.lanes
        row, exists = Signal(range(max(2, rows))), Signal()
        # what a tick starts with is taken over by its first row: rows of two ticks never cross (rtl.schedule)
        started, held = Signal(2, reset_less=True), Signal(2, reset_less=True)
        with m.If(self.start):
            m.d.sync += started.eq(Cat(self.fresh, self.half))
        with m.If(lanes.valid):
            m.d.sync += row.eq(Mux(row == rows - 1, 0, row + 1))
            with m.If(row == 0):
                m.d.sync += held.eq(started)
        m.d.sync += exists.eq(lanes.valid & (row < layer.outputs))
        fresh, half = held
        return {"index": later(m, row[:_row_bits(self.layer)], 1, name="row"), "valid": exists, "fresh": fresh,
                "half": half}

    def _neurons(self, m, row, params):
        layer, unit, activation = self.layer, self.unit, self.activation
        m.submodules.membranes = membranes = bank(self.vendor, depth=1 << _row_bits(layer), width=layer.state.width)
        s = Signal(shape(layer.state), reset_less=True)
        m.d.sync += exact(s, saturate(self.lanes.sum.shift_right(layer.shift), layer.state))
        s = later(m, s, Bank.LATENCY + self.ROW_LATENCY - 1, name="s")
        m.d.comb += membranes.read_addr.eq(row["index"])
        for name in ("lead", "lag"):
            m.d.comb += [params[name].read_addr.eq(Cat(row["index"], row["half"])),
                         unit.i.p[name].eq(params[name].read_data)]
        fresh = later(m, row["fresh"], Bank.LATENCY, name="fresh")
        m.d.comb += [
            unit.i.valid.eq(later(m, row["valid"], Bank.LATENCY, name="row_valid", reset_less=False)),
            unit.i.p.i.eq(s), unit.i.p.x.eq(Mux(fresh, 0, membranes.read_data).as_signed()),
            activation.i.valid.eq(unit.o.valid), activation.i.payload.eq(unit.o.p.y),
            membranes.write_en.eq(unit.o.valid), membranes.write_data.eq(unit.o.p.x),
            membranes.write_addr.eq(later(m, row["index"], Bank.LATENCY + unit.LATENCY, name="index")),
        ]
        wiring.connect(m, activation.o, wiring.flipped(self.o))


def _row_bits(layer: Dense) -> int:
    return max(1, (layer.outputs - 1).bit_length())
