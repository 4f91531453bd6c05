"""DenseLayer: one layer of neurons as an engine, the circuit of golden.units.dense.dense_step.

    i --> [DelayLine] --> [MacLanes] --> saturate --> [LeadLag] --> [Activation] --> o
                              ^                        ^      |
                        weights, biases       lead, lag, u <--+

A tick reads every operand once a fold and finishes one neuron a cycle when a row ends. While the last neurons drain,
the next tick may already accumulate (rtl.rate.schedule says from when on).
"""

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.rate.layer import Dense
from golden.units.dense import dense_rows
from golden.units.leadlag import integrator
from rtl.fixed import shape
from rtl.host.core import read_members
from rtl.pipeline import ParameterBus, hop, join
from rtl.primitives import Bank
from rtl.rate.readback import read_weights
from rtl.rate.rows import (
    ROW_LATENCY,
    ask,
    constant_banks,
    operand,
    row_bits,
    row_end,
    row_numbers,
    row_state,
    walk,
)
from rtl.rate.ways import arrive, line_banks
from rtl.units.activation import Activation
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes, lane_bank


class DenseLayer(wiring.Component):
    """One dense layer; see the module for its datapath.

    Parameters: layer; vendor form; first_bank, its first number on the parameter bus (golden.image.bank_layout); ahead,
    for the layer that reads the network's input; streams that take turns, each with membranes of its own; wait, cycles
    that the predictor of its messages waits for its words; scrubs, whether parameters are read
    back (rtl.rate.readback).
    Members
      start           open a tick, with
      fresh           the membranes count as zero
      restart         all streams begin anew: messages from before count as zero
      stream          whose tick it is
      half            which half of every bank is in force (writes say their own half)
      i, o            message words in neuron order; never stall
      params, params_out  parameter bus
      lost            a prediction of a message (bit 0) was not sent; bit 1 is for layers that learn
    with `scrubs`
      read, read_bank, read_addr   read a word in force, for a cycle in which no tick runs; held until it is there:
      read_valid, read_data        at most MacLanes.latency and lanes + 3 cycles later, where no tick began with `read`
    """

    def __init__(self, layer: Dense, *, vendor: str = "generic", first_bank: int = 0, ahead: bool,
                 streams: int = 1, wait: int = 0, scrubs: bool = False):
        self.layer, self.vendor, self.first_bank, self.ahead = layer, vendor, first_bank, ahead
        self.wait, self.streams, self.scrubs = wait, streams, scrubs
        self.lanes = MacLanes(dense_rows(layer), vendor=vendor, first_bank=first_bank)
        self.unit = LeadLag(layer, vendor=vendor)
        self.activation = Activation(layer.activation, layer.state, layer.rate, vendor=vendor)
        super().__init__(layer_members(layer, streams) | (read_members() if scrubs else {}))

    @classmethod
    def neuron_latency(cls, layer: Dense) -> int:
        """Cycles from the address of a row's last weight in lane 0 to the neuron's word on `o`."""
        return (MacLanes.latency(dense_rows(layer)) + ROW_LATENCY + Bank.LATENCY + LeadLag.LATENCY
                + Activation.latency(layer.activation))

    @classmethod
    def membrane_latency(cls, layer: Dense) -> int:
        """Cycles from the read of a membrane to the cycle in which its next value can be read."""
        return Bank.LATENCY + LeadLag.LATENCY + 1

    @staticmethod
    def banks(layer: Dense, *, streams: int, ahead: bool) -> list[tuple[int, int]]:
        """Depth and width of every memory of the layer."""
        rows = 1 << row_bits(layer)
        return [*[lane_bank(dense_rows(layer))] * layer.lanes,
                *((layer.halves * rows, layer.format(name).width) for name in layer.constants),
                (rows * streams, integrator(layer).width),
                *line_banks(layer.way, streams, ahead),
                *Activation.banks(layer.activation, layer.state, layer.rate)]

    def elaborate(self, platform):
        m = Module()
        layer, lanes, unit, vendor = self.layer, self.lanes, self.unit, self.vendor
        m.submodules.lanes, m.submodules.unit, m.submodules.activation = lanes, unit, self.activation
        wiring.connect(m, wiring.flipped(self.params), lanes.params)
        bus = hop(m, lanes.params_out, name="params_q")
        constants, _ = constant_banks(m, layer, bus, first=self.first_bank + layer.lanes, vendor=vendor)
        times = self.first_bank + layer.lanes + len(constants)
        line, behind = arrive(m, "line", layer.way, bus, self.half, times=times, taps=times + 1, wait=self.wait,
                              streams=self.streams, ahead=self.ahead, lost=self.lost[0], vendor=vendor)
        wiring.connect(m, wiring.flipped(self.i), line.i)
        now = walk(m, layer, Signal(name="walking"), start=self.start, half=self.half, index_bits=line.index_bits)
        m.d.comb += [line.start.eq(self.start), line.fresh.eq(self.restart)]
        bias = ask(m, line, index=now.index, bias=now.first)
        read = read_weights(m, self) if self.scrubs else None
        over = now if read is None else read.over(now)
        m.d.comb += [lanes.addr.eq(over.address), lanes.first.eq(over.first), lanes.last.eq(over.last)]
        word = operand(m, layer, line, bias)
        m.d.comb += lanes.operand.eq(word if read is None else Mux(read.probe.one, 1, word))
        join(m, self.params_out, hop(m, behind, name="params_next"))      # the next layer is a long way from here
        sum_valid = Signal()
        m.d.comb += sum_valid.eq(lanes.valid if read is None else lanes.valid & ~read.probe.busy)
        flags = {name: getattr(self, name) for name in ("fresh", "half", *(["stream"] if self.streams > 1 else []))}
        row = row_numbers(m, layer, sum_valid, start=self.start, flags=flags)
        s, u, membranes = row_state(m, layer, lanes.sum, row, streams=self.streams, vendor=vendor)
        half = [row["half"]] if layer.halves == 2 else []
        m.d.comb += [store.read_addr.eq(Cat(row["index"], *half)) for store in constants.values()]
        if read is not None:
            # below a line's delay stand the turns of streams
            read.others(m, constants, line.delay[self.streams.bit_length() - 1:])
        m.d.comb += [unit.i.p.i.eq(s), unit.i.p.x.eq(u),
                     *(unit.i.p[name].eq(store.read_data) for name, store in constants.items())]
        row_end(m, row, unit, self.activation, membranes, self.o, wait=0)
        return m


def layer_members(layer: Dense, streams: int) -> dict:
    """Members of a DenseLayer, which a layer that learns has, too."""
    return {
        "start": In(1), "fresh": In(1), "restart": In(1), "stream": In(range(max(2, streams))), "half": In(1),
        "i": In(stream.Signature(shape(layer.operand), always_ready=True)),
        "o": Out(stream.Signature(shape(layer.rate), always_ready=True)),
        "params": In(ParameterBus()), "params_out": Out(ParameterBus()), "lost": Out(2),
    }
