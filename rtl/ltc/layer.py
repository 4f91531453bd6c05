"""Layers of a liquid-time-constant network as engines: SpikingLayer and Readout.

    spikes below --> [Former] --> x --> [Gates] --> sums --> [SpikingNeuron] --> spikes
    own spikes   -->    ^                  ^                      |
                        +------------------+---- u, b, s <--------+

A tick begins with `start`. Real inputs are walked first, then the gates; the layer's spikes leave as its folds end.
"""

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.ltc.former import Former, table_of
from rtl.ltc.gates import Gates, lane_rows, product_bits
from rtl.ltc.line import ARRIVAL
from rtl.ltc.neuron import LeakyOutput, SpikingNeuron
from rtl.pipeline import ParameterBus, join


def _connect(m, layer, former, gates, neuron) -> None:
    """X, sums and states between the parts of an engine."""
    for part in (gates, neuron):
        m.d.comb += [part.x_valid.eq(former.valid), part.pair.eq(former.pair),
                     *(port.eq(word) for port, word in zip(part.x, former.x, strict=True))]
    m.d.comb += [gates.kept.eq(neuron.kept), gates.kept_at.eq(neuron.kept_at),
                 *(port.eq(word) for port, word in zip(gates.state, neuron.state, strict=True)),
                 *(getattr(neuron, name).eq(getattr(gates, name)) for name in ("valid", "index", "is_fresh", "side")),
                 *(port.eq(word) for port, word in zip(neuron.sums, gates.sums, strict=True))]


def _params(m, unit, gates, former) -> None:
    """The parameter bus through lanes, then spike rows."""
    join(m, gates.params, unit.params)
    join(m, former.params, gates.params_out)
    join(m, unit.params_out, former.params_out)


class SpikingLayer(wiring.Component):
    """A layer of LTC neurons, golden.ltc.step.ltc_step.

    Parameters: layer, an LtcLayer; slots of its SpikeSums; halves; first_bank; pause of its Gates; vendor form.
    Members
      start, fresh            it begins a tick; of a new sequence
      told, told_fresh        the layer below begins a tick that this one has still to begin; the first layer: itself
      live                    lanes have run out since a reset
      half                    of the parameters in force
      input_index, input      as of Gates
      below                   neurons of the layer below, in order
      o                       its own
      params, params_out
    """

    def __init__(self, layer, *, slots: int, halves: int, first_bank: int = 0, pause: int = 0,
                 vendor: str = "generic"):
        self.layer = layer
        rows = lane_rows(layer, halves)
        self.gates = Gates(layer, vendor=vendor, halves=halves, first_bank=first_bank, pause=pause)
        self.former = Former(layer, table_of(layer, slots=slots, halves=halves), vendor=vendor,
                             first_bank=first_bank + layer.lanes, product_bits=product_bits(layer),
                             excess=rows.half if layer.dense else 0)
        self.neuron = SpikingNeuron(layer, vendor=vendor)
        super().__init__({
            "start": In(1), "fresh": In(1), "told": In(1), "told_fresh": In(1), "live": In(1), "half": In(1),
            "input_index": Out(len(self.gates.input_index)), "input": In(self.gates.input.shape()),
            "below": In(ARRIVAL), "o": Out(ARRIVAL), "params": In(ParameterBus()), "params_out": Out(ParameterBus())})

    def elaborate(self, platform):
        m = Module()
        gates, former, neuron = self.gates, self.former, self.neuron
        m.submodules.gates, m.submodules.former, m.submodules.neuron = gates, former, neuron
        _params(m, self, gates, former)
        _connect(m, self.layer, former, gates, neuron)
        m.d.comb += [gates.start.eq(self.start), gates.fresh.eq(self.fresh), gates.live.eq(self.live),
                     former.live.eq(self.live),
                     gates.half.eq(self.half), former.half.eq(self.half), gates.input.eq(self.input),
                     self.input_index.eq(gates.input_index), former.told.eq(self.told),
                     former.fresh.eq(self.told_fresh), former.below.eq(self.below), former.own.eq(neuron.o),
                     former.product_valid.eq(gates.product_valid), self.o.eq(neuron.o),
                     *(port.eq(word) for port, word in zip(former.product, gates.product, strict=True))]
        return m


class ReadoutLayer(wiring.Component):
    """The readout, golden.ltc.step.readout_step: its tick begins when z is there.

    Parameters as of SpikingLayer, layer a Readout. Members: told, told_fresh: the last layer begins a tick; live, half,
    below, params, params_out as of SpikingLayer; valid, y, a word of the output.
    """

    def __init__(self, layer, *, slots: int, halves: int, first_bank: int = 0, vendor: str = "generic"):
        self.layer = layer
        self.gates = Gates(layer, vendor=vendor, halves=halves, first_bank=first_bank)
        self.former = Former(layer, table_of(layer, slots=slots, halves=halves), vendor=vendor,
                             first_bank=first_bank + layer.lanes)
        self.neuron = LeakyOutput(layer, vendor=vendor)
        super().__init__({
            "told": In(1), "told_fresh": In(1), "live": In(1), "half": In(1), "below": In(ARRIVAL), "valid": Out(1),
            "y": Out(self.neuron.state[0].shape()), "params": In(ParameterBus()), "params_out": Out(ParameterBus())})

    def elaborate(self, platform):
        m = Module()
        gates, former, neuron = self.gates, self.former, self.neuron
        m.submodules.gates, m.submodules.former, m.submodules.neuron = gates, former, neuron
        _params(m, self, gates, former)
        _connect(m, self.layer, former, gates, neuron)
        start, fresh = Signal(), Signal(reset_less=True)
        # old outputs are walked first: by then more of z is there
        m.d.sync += [start.eq(former.valid & (former.pair == 0)), fresh.eq(former.is_fresh)]
        m.d.comb += [gates.start.eq(start), gates.fresh.eq(fresh), gates.live.eq(self.live),
                     former.live.eq(self.live), gates.half.eq(self.half),
                     former.half.eq(self.half), former.told.eq(self.told), former.fresh.eq(self.told_fresh),
                     former.below.eq(self.below), self.valid.eq(neuron.kept), self.y.eq(neuron.state[0])]
        return m
