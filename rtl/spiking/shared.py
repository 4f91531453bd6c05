"""Slim lanes of spiking layers, for parts with few logic cells: ways that add, and one neuron unit that all share.

    tokens -> [SharedIssue] -> hash, addresses -> synapses -> [Way] [Way] ... -> one arrival a cycle -> [Neuron]
           -> one neuron a cycle: rtl.spiking.serial

As in rtl.spiking.engine, a spike takes a cycle for each neuron of a way. An update takes a cycle for every neuron of
the layer, and waits while there is no room for what may come of it. Sums and states are block RAM.
"""

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.spiking.layer import SpikingLayer
from golden.units.weights import BLOCK, BLOCK_ROUNDS, SOURCE_ROUNDS
from rtl.pipeline import ParameterBus, later
from rtl.primitives import in_spram, scratch, store
from rtl.spiking.engine import IMAGE_BITS, Token, addr_bits, token_layout
from rtl.spiking.lanes import Kind, Neuron
from rtl.units.weights import BlockWeights, SourceHash

#: cycles from an address to the words of synapses; weights, all rounds of the hash in a cycle, take as long
FETCH = 2


class Ways(NamedTuple):
    """`count` ways side by side, each with `steps` neurons: neuron n is that of way n % count in step n // count.

    A layer of several folds has a way a lane. One of a single fold, as the last layer is, has one way in all, which
    takes its neurons in turn: few spikes come there.
    """

    count: int
    steps: int

    @classmethod
    def of(cls, layer: SpikingLayer) -> "Ways":
        return cls(layer.lanes, layer.folds) if layer.folds > 1 else cls(1, layer.outputs)

    @property
    def neurons(self) -> int:
        """Neurons with those of the last step that nobody has."""
        return self.count * self.steps


def spacing(layer: SpikingLayer) -> int:
    """Cycles between two updates of a neuron at least: states are read a cycle ahead."""
    return Neuron.SPACING[layer.order] + 1


def updates(layer: SpikingLayer) -> int:
    """Cycles of an update: every neuron, and one in which the tick ends."""
    return max(Ways.of(layer).neurons + 1, spacing(layer))


def clears(layer: SpikingLayer) -> int:
    """Cycles of clearing: all slots of all sums of a way, and all states."""
    ways = Ways.of(layer)
    return max(ways.steps * max(ways.count, 1 << layer.delay_bits), spacing(layer))


def shared_operation(layer: SpikingLayer) -> data.StructLayout:
    """A micro-operation: kind; step, which neuron of the ways; way that is updated; slot of the ring.

    What clears all slots clears the states of all ways meanwhile: `way` counts with `slot`, beyond the last way.
    """
    ways = Ways.of(layer)
    return data.StructLayout({
        "kind": unsigned(2), "step": range(ways.steps) if ways.steps > 1 else unsigned(1),
        "way": range(max(2, ways.count, 1 << layer.delay_bits)), "slot": unsigned(layer.delay_bits)})


class SharedIssue(wiring.Component):
    """Turns tokens into micro-operations, one a cycle. Latency LATENCY.

    Members
      i                 tokens
      room              whether what comes of all operations under way can be taken, and of one more
      decided, number   image `number` is decided: drop the rest of it
      op, addr, source  micro-operation, word of the synapses, line
      last, image       the tick has ended, the image has
    """

    LATENCY = 1

    def __init__(self, layer: SpikingLayer):
        self.layer = layer
        super().__init__({
            "i": In(stream.Signature(token_layout(layer.inputs))), "room": In(1), "decided": In(1),
            "number": In(IMAGE_BITS), "op": Out(shared_operation(layer)), "addr": Out(addr_bits(layer)),
            "source": Out(token_layout(layer.inputs)["source"].shape), "last": Out(1), "image": Out(1)})

    def elaborate(self, platform):
        m = Module()
        layer, i, ways = self.layer, self.i, Ways.of(self.layer)
        count = Signal(range(max(updates(layer), clears(layer))))
        step, way, now = (Signal.like(self.op[name], name=name) for name in ("step", "way", "slot"))
        offset, number = Signal(addr_bits(layer)), Signal(IMAGE_BITS)
        # a reset does not touch memories: the first thing to do is to clear them
        begin = Signal(init=1)
        is_spike, is_tick, ends = (i.valid & ~begin & (i.payload.kind == kind) for kind in Token)
        is_image = begin | ends
        dropped, go, final = Signal(), Signal(), Signal()
        m.d.comb += [dropped.eq(self.decided & (self.number == number) & (is_spike | is_tick) & (count == 0)),
                     go.eq(is_spike | (is_tick & self.room) | (is_image & ((count != 0) | self.room | begin))),
                     final.eq(count == Mux(is_spike, ways.steps - 1, Mux(is_tick, updates(layer) - 1,
                                                                         clears(layer) - 1))),
                     i.ready.eq(~begin & (dropped | (go & final)))]
        kind = Mux(is_spike, Kind.SPIKE, Mux(is_tick, Kind.UPDATE, Kind.CLEAR))
        real = ~is_tick | (count < ways.neurons)
        runs = go & ~dropped
        m.d.sync += [self.op.kind.eq(Mux(runs & real, kind, Kind.NONE)), self.op.step.eq(step), self.op.way.eq(way),
                     self.op.slot.eq(Mux(is_image, way, now)), self.source.eq(i.payload.source),
                     self.addr.eq(i.payload.source + (offset if layer.folds > 1 else 0)),
                     self.image.eq(ends & go & (count == 0)),
                     self.last.eq(runs & is_tick & (count == ways.neurons))]
        with m.If(runs):
            m.d.sync += [count.eq(count + 1), step.eq(step + 1), offset.eq(offset + layer.inputs)]
            with m.If(is_tick & (way != ways.count - 1)):
                m.d.sync += [way.eq(way + 1), step.eq(step)]
            with m.Elif(is_tick):
                m.d.sync += way.eq(0)
            with m.Elif(step == ways.steps - 1):
                m.d.sync += [step.eq(0), way.eq(way + is_image)]
            with m.If(final):
                m.d.sync += [count.eq(0), step.eq(0), way.eq(0), offset.eq(0), now.eq(now + is_tick),
                             number.eq(number + ends), begin.eq(0)]
        return m


class Way(wiring.Component):
    """Ring of accumulators of one way: block RAM that is read in a cycle and written in the next.

    Two operations in a row never read and write one word: their steps differ, or there is one step only and the memory
    hands on what is being written.

    Parameters: layer; vendor form of the memory.
    Members: op, whether it is_spike, delay and weight of the synapse with it; then, a cycle later, add and write (what
    is not added is emptied) and arrived.
    """

    def __init__(self, layer: SpikingLayer, *, vendor: str = "generic"):
        self.layer, self.vendor = layer, vendor
        bits = 2 if layer.regenerates else layer.weight.width
        super().__init__({"op": In(shared_operation(layer)), "delay": In(layer.delay_bits), "weight": In(signed(bits)),
                          "is_spike": In(1), "add": In(1), "write": In(1), "arrived": Out(signed(layer.sum_bits))})

    def elaborate(self, platform):
        m = Module()
        layer, op, steps = self.layer, self.op, Ways.of(self.layer).steps
        m.submodules.ring = ring = scratch(self.vendor, depth=steps << layer.delay_bits, width=layer.sum_bits)
        slot = Signal(layer.delay_bits)
        m.d.comb += slot.eq(Mux(self.is_spike, op.slot + self.delay, op.slot))
        addr = Cat(slot, op.step)[:len(ring.read_addr)]
        weight = later(m, self.weight, 1, name="weight").as_signed()
        before = later(m, addr, 1, name="addr")
        m.d.comb += [ring.read_addr.eq(addr), ring.write_addr.eq(before), ring.write_en.eq(self.write),
                     ring.write_data.eq(Mux(self.add, self.arrived + weight, 0)), self.arrived.eq(ring.read_data)]
        if steps == 1:
            handed_on = later(m, self.write & (addr == before), 1, name="handed_on")
            with m.If(handed_on):
                m.d.comb += self.arrived.eq(later(m, ring.write_data, 1, name="written"))
        return m


class SharedEngine(wiring.Component):
    """Issue, ways and neuron unit of one layer.

    Parameters: layer; vendor; bank0, number of the first bank; spiking as for Neuron.
    Members
      i, room, decided, number   as for SharedIssue
      params, seed               loads of synapses; seed of the weights
      update, neuron             `fired` and `x` are those of a neuron
      last, image                behind all updates of the tick; the image has ended
    """

    def __init__(self, layer: SpikingLayer, *, vendor: str, bank0: int, spiking: bool):
        self.layer, self.vendor, self.bank0, self.spiking, self.ways = layer, vendor, bank0, spiking, Ways.of(layer)
        self._hashed = 1 if layer.regenerates else 0
        self.latency = self.latency_of(layer)
        super().__init__({
            "i": In(stream.Signature(token_layout(layer.inputs))), "room": In(1), "decided": In(1),
            "number": In(IMAGE_BITS), "params": In(ParameterBus()), "seed": In(32), "update": Out(1), "fired": Out(1),
            "neuron": Out(range(max(2, self.ways.neurons))), "last": Out(1), "image": Out(1),
            "x": Out(signed(layer.state.width))})

    @staticmethod
    def latency_of(layer: SpikingLayer) -> int:
        """Cycles from what SharedIssue says to what comes of it."""
        return layer.regenerates + FETCH + 2 + Neuron.LATENCY[layer.order]

    def elaborate(self, platform):
        m = Module()
        layer, ways = self.layer, self.ways
        m.submodules.issue = issue = SharedIssue(layer)
        wiring.connect(m, wiring.flipped(self.i), issue.i)
        m.d.comb += [getattr(issue, name).eq(getattr(self, name)) for name in ("room", "decided", "number")]
        hashed = shared_operation(layer)(later(m, issue.op.as_value(), self._hashed, name="op", reset_less=False))
        ahead = shared_operation(layer)(later(m, hashed.as_value(), FETCH - 1, name="ahead", reset_less=False))
        op = shared_operation(layer)(later(m, ahead.as_value(), 1, name="fetched", reset_less=False))
        weights = self._weights(m, issue, hashed, op)
        synapses = self._synapses(m, issue, op)
        # a cycle later sums are there, and are written; all ways are emptied with the last of them
        kind, step, way = (later(m, op[name], 1, name=name) for name in ("kind", "step", "way"))
        # one bit, and not two of a kind, leaves a sum with its choice within a table of four inputs
        is_spike = later(m, ahead.kind == Kind.SPIKE, 1, name="is_spike")
        add = later(m, is_spike, 1, name="add")
        write = (kind == Kind.SPIKE) | (kind == Kind.CLEAR) | ((kind == Kind.UPDATE) & (way == ways.count - 1))
        arrivals = []
        for n, (word, weight) in enumerate(zip(synapses, weights, strict=True)):
            m.submodules[f"way{n}"] = unit = Way(layer, vendor=self.vendor)
            m.d.comb += [unit.op.eq(op), unit.delay.eq(word[:layer.delay_bits]), unit.is_spike.eq(is_spike),
                         unit.add.eq(add),
                         unit.weight.eq(word[layer.delay_bits:].as_signed() if weight is None else weight),
                         unit.write.eq(write)]
            arrivals.append(unit.arrived)
        m.submodules.unit = neuron = Neuron(layer, spiking=self.spiking, neurons=ways.neurons, ahead=True,
                                            vendor=self.vendor)
        number = Signal.like(self.neuron)
        m.d.comb += [number.eq(step * ways.count + way if ways.count > 1 else step), neuron.fold.eq(number)]
        update = later(m, (kind == Kind.UPDATE) & (number < layer.outputs), 1, name="update", reset_less=False)
        clear = (kind == Kind.CLEAR) & (way < ways.count)
        m.d.comb += [neuron.en.eq(update), neuron.clear.eq(later(m, clear, 1, name="clear", reset_less=False)),
                     neuron.arrived.eq(later(m, Array(arrivals)[way], 1, name="arrived").as_signed()),
                     self.fired.eq(neuron.fired), self.x.eq(neuron.x)]
        wait = Neuron.LATENCY[layer.order]
        m.d.comb += [self.update.eq(later(m, update, wait, name="updated", reset_less=False)),
                     self.neuron.eq(later(m, number, 1 + wait, name="number"))]
        for name in ("last", "image"):
            m.d.comb += getattr(self, name).eq(later(m, getattr(issue, name), self.latency, name=name,
                                                     reset_less=False))
        return m

    def _weights(self, m, issue, hashed, op):
        """A weight a way, with `op`; None where it lies in the word of the synapse."""
        layer, ways, found = self.layer, self.ways, []
        if not layer.regenerates:
            return [None] * ways.count
        m.submodules.hash = source = SourceHash(SOURCE_ROUNDS)
        m.d.comb += [source.seed.eq(self.seed), source.source.eq(issue.source)]
        one = layer.folds == 1
        for first in range(0, ways.count, BLOCK):
            blocks = [n // BLOCK for n in range(0, ways.neurons)] if one else \
                [(step * ways.count + first) // BLOCK for step in range(ways.steps)]
            m.submodules[f"weights{first}"] = unit = BlockWeights(layer.weight, blocks, BLOCK_ROUNDS)
            m.d.comb += [unit.word.eq(source.word), unit.fold.eq(hashed.step)]
            pairs = list(zip(unit.plus, unit.minus, strict=True))
            if one:
                # one neuron of the block in turn
                at = op.step[:BLOCK.bit_length() - 1]
                pairs = [(Array(unit.plus)[at], Array(unit.minus)[at])]
            found += [Cat(plus | minus, minus).as_signed() for plus, minus in pairs]
        return found

    def _synapses(self, m, issue, op):
        """The word of each way's synapse, with `op`."""
        layer, deep = self.layer, in_spram(self.vendor, self.layer.bank_depth)
        params, addr = self.params, later(m, issue.addr, self._hashed, name="addr")
        chosen = [params.en & (params.bank == self.bank0 + n) for n in range(layer.banks)]
        first = layer.bank_first
        lanes = [end - start for start, end in zip(first, first[1:], strict=False)]
        if deep:
            # all banks in one, which is written bank by bank
            groups = [(layer.bank_lanes, lanes, Cat(chosen))]
        else:
            groups = [(count, [count], en) for count, en in zip(lanes, chosen, strict=True)]
        words = []
        for n, (most, counts, en) in enumerate(groups):
            width = most * layer.synapse_bits
            m.submodules[f"bank{n}"] = bank = store(self.vendor, depth=layer.bank_depth, width=width * len(counts),
                                                    columns=len(counts))
            m.d.comb += [bank.read_addr.eq(addr), bank.write_en.eq(en), bank.write_addr.eq(params.addr),
                         bank.write_data.eq(params.data[:width].replicate(len(counts)))]
            words += [bank.read_data[k * width:][lane * layer.synapse_bits:][:layer.synapse_bits]
                      for k, count in enumerate(counts) for lane in range(count)]
        return [Array(words)[op.step]] if layer.folds == 1 else words
