"""Spiking neurons behind delayed synapses: the circuits of golden.spiking.engine.

                 +--------- Lane -----------------------------------------------------------+
    delay -------> slot = now + delay -> ring of accumulators -> membrane -> threshold -> spike
    weight ------------------------------^ one read-modify-write a cycle                     |
                 +--------------------------------------------------------------------------+

A lane takes one micro-operation a cycle, in order: `spike` adds a weight to the accumulator of the tick in which it
arrives, `update` takes what arrived in this tick into the membrane of a neuron, `clear` empties accumulators and
membrane for the next image. There is no multiplier.
"""

from enum import IntEnum

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed, unsigned
from amaranth.lib import data, memory, wiring
from amaranth.lib.wiring import In, Out

from golden.spiking.layer import SpikingLayer
from golden.units.weights import BLOCK
from rtl.fixed import saturate
from rtl.host.core import read_members
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import UNSEEN, bank, in_blocks, is_small, scratch
from rtl.spiking.readback import gather, pending
from rtl.units.weights import BlockWeights


class Kind(IntEnum):
    """What a micro-operation does."""

    NONE = 0
    SPIKE = 1
    UPDATE = 2
    CLEAR = 3


def operation(layer: SpikingLayer) -> data.StructLayout:
    """A micro-operation: kind; fold, which neuron of the lane; slot of the ring (of now, or to clear)."""
    return data.StructLayout({"kind": unsigned(2), "fold": unsigned(fold_bits(layer)),
                              "slot": unsigned(layer.delay_bits)})


def fold_bits(layer: SpikingLayer) -> int:
    return max(1, (layer.folds - 1).bit_length())


def _decay(x, leak):
    y = x
    for k in leak:
        y = y - (x >> k)
    return y


class Neuron(wiring.Component):
    """Membranes of the neurons of a lane, golden.spiking.engine.neuron_step.

    The state is kept decayed, so that an update is a sum, then a comparison beside the decay of the next tick.
    Two updates of one neuron are SPACING[order] cycles apart or more. Latency LATENCY[order] from `en` to `valid`.

    Parameters: layer; spiking, False for outputs that only carry their membrane; neurons that it serves, by default
    those of a lane; ahead, whether `fold` comes a cycle before the rest: two updates of one neuron are a cycle further
    apart then; vendor form of block RAM for states that are read ahead, None for LUT RAM.
    Members: en, clear, fold, arrived (word of the weights); valid, fired, x.
    """

    SPACING = {1: 2, 2: 4}
    LATENCY = {1: 2, 2: 2}

    def __init__(self, layer: SpikingLayer, *, spiking: bool, neurons: int | None = None, ahead: bool = False,
                 vendor: str | None = None):
        self.layer, self.spiking, self.ahead, self.vendor = layer, spiking, ahead, vendor
        self.neurons = layer.folds if neurons is None else neurons
        self._fold_bits = max(1, (self.neurons - 1).bit_length())
        super().__init__({"en": In(1), "clear": In(1), "fold": In(self._fold_bits),
                          "arrived": In(signed(layer.sum_bits)),
                          "fired": Out(1), "x": Out(signed(layer.state.width))})

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        word = signed(layer.state.width)
        # one bit where a neuron spikes once an image at most
        once = layer.refractory >= 255
        rest_bits = 1 if once else layer.refractory.bit_length()
        members = {"u": word, "rest": unsigned(rest_bits)}
        if layer.order == 2:
            members |= {"p": word}
            if layer.kick is not None:
                members |= {"r_q": word, "r_p": word}
        shape = data.StructLayout(members)
        old, new = Signal(shape), Signal(shape)
        write_en, write_fold = Signal(), Signal(self._fold_bits)
        fold = later(m, self.fold, 1, name="fold") if self.ahead else self.fold
        if self.neurons == 1:
            state = Signal(shape, reset_less=True)
            m.d.comb += old.eq(state)
            with m.If(write_en):
                m.d.sync += state.eq(new)
        elif self.ahead and self.vendor is not None:
            m.submodules.state = mem = scratch(self.vendor, depth=self.neurons, width=shape.size)
            m.d.comb += [mem.read_addr.eq(self.fold), old.eq(mem.read_data), mem.write_addr.eq(write_fold),
                         mem.write_data.eq(new), mem.write_en.eq(write_en)]
        else:
            m.submodules.state = mem = memory.Memory(shape=shape.size, depth=self.neurons, init=())
            read, write = mem.read_port(domain="comb"), mem.write_port()
            m.d.comb += [read.addr.eq(self.fold), old.eq(later(m, read.data, self.ahead, name="read")),
                         write.addr.eq(write_fold), write.data.eq(new), write.en.eq(write_en)]
        silent = (old.rest != 0) if len(old.rest) else Const(0)
        arrived = Cat(Const(0, layer.shift), self.arrived).as_signed()
        x, rest = Signal(word, reset_less=True), Signal.like(old.rest, reset_less=True)
        en, clear, at = Signal(), Signal(reset_less=True), Signal.like(self.fold, reset_less=True)
        m.d.sync += [en.eq(self.en | self.clear), clear.eq(self.clear), at.eq(fold)]
        # what is silent or cleared is 0 before the threshold, which is above
        wiped, fired, left = silent | self.clear, Signal(), Signal.like(rest)
        after = rest if once else Mux(rest == 0, 0, rest - 1)
        m.d.comb += [fired.eq((x >= layer.threshold) if self.spiking else 0),
                     left.eq(Mux(fired, 1 if once else layer.refractory, after))]
        m.d.sync += [self.fired.eq(fired & en), self.x.eq(x), rest.eq(Mux(self.clear, 0, old.rest))]
        if layer.order == 1:
            m.d.sync += x.eq(Mux(wiped, 0, saturate(old.u + arrived, layer.state)))
            m.d.comb += [new.u.eq(Mux(fired, 0, _decay(x, layer.leak))), new.rest.eq(left), write_en.eq(en),
                         write_fold.eq(at)]
        else:
            self._alpha(m, old, new, Mux(wiped, 0, saturate(old.p + arrived, layer.state)), wiped, x, fired,
                        clear if layer.kick else fired)
            wait = self.SPACING[2] - 2
            m.d.comb += [new.rest.eq(later(m, left, wait, name="left")),
                         write_fold.eq(later(m, at, wait, name="at")),
                         write_en.eq(later(m, en, wait, name="en", reset_less=False))]
        return m

    def _alpha(self, m, old, new, p, wiped, x, fired, zero):
        """Two decays in a row, and the same for the refractory kernel: a sum, a decay and a saturation a cycle."""
        layer = self.layer
        fmt, kick = layer.state, layer.kick
        q1, p1 = (later(m, value, 1, name=name) for name, value in (("q", Mux(wiped, 0, old.u)), ("p", p)))
        m.d.sync += x.eq(Mux(wiped, 0, saturate(old.u - old.r_q, fmt) if kick else old.u))
        total = later(m, Mux(zero, 0, q1 + p1), 1, name="total")
        p2 = later(m, later(m, Mux(zero, 0, p1), 1, name="p_kept"), 1, name="p_late")
        m.d.comb += [new.u.eq(saturate(later(m, _decay(total, layer.leak), 1, name="q_next"), fmt)),
                     new.p.eq(_decay(p2, layer.leak))]
        if kick:
            r_q = later(m, Mux(zero, 0, later(m, old.r_q, 1, name="r_q")), 1, name="r_q_kept")
            r_p = Mux(zero, 0, saturate(later(m, old.r_p, 1, name="r_p") + Mux(fired, kick.word, 0), fmt))
            r_p = later(m, r_p, 1, name="r_p_kept")
            both = later(m, r_q + r_p, 1, name="r_both")
            m.d.comb += [new.r_q.eq(saturate(_decay(both, kick.leak), fmt)),
                         new.r_p.eq(_decay(later(m, r_p, 1, name="r_p_late"), kick.leak))]


class Lane(wiring.Component):
    """Accumulators and neurons of one lane.

    Latency LATENCY cycles from an update to `fired`. Accumulators are in LUT RAM; where that is short, in block RAM,
    whose address register stands in the place of `slot`. Of several folds, two operations in a row, NONE apart, must
    be of two folds: an accumulator is written two cycles after it is addressed, one in block RAM.

    Members: op (`operation`), whether it is_spike, delay and weight of the synapse with it; fired, x.
    """

    def __init__(self, layer: SpikingLayer, *, vendor: str = "generic", spiking: bool):
        self.layer, self.vendor, self.spiking = layer, vendor, spiking
        # states are read with the accumulator where there is time for it
        self.ahead = layer.folds > Neuron.SPACING[layer.order]
        bits = 2 if layer.regenerates else layer.weight.width
        super().__init__({"op": In(operation(layer)), "is_spike": In(1), "delay": In(layer.delay_bits),
                          "weight": In(signed(bits)), "fired": Out(1), "x": Out(signed(layer.state.width))})

    LATENCY = 2 + Neuron.LATENCY[1]

    def elaborate(self, platform):
        m = Module()
        layer, op = self.layer, self.op
        depth = layer.folds << layer.delay_bits
        late, attrs = in_blocks(self.vendor, depth), {}
        # of several folds, none is read while it is written
        apart = late and layer.folds > 1
        if apart:
            attrs |= UNSEEN
        if late and self.vendor == "gowin":
            attrs["ram_style"] = "block"        # yosys takes LUT RAM while that is cheaper, and runs out of it
        m.submodules.ring = ring = memory.Memory(shape=signed(layer.sum_bits), depth=depth, init=(), attrs=attrs)
        write = ring.write_port()
        read = ring.read_port(transparent_for=[write]) if late and not apart else ring.read_port(domain="comb")
        m.submodules.neuron = neuron = Neuron(layer, spiking=self.spiking, ahead=self.ahead)
        slot, fold = Signal(layer.delay_bits, reset_less=True), Signal(fold_bits(layer), reset_less=True)
        kind, add = Signal(2), Signal(reset_less=True)
        weight = Signal.like(self.weight, reset_less=True)
        target = Signal.like(slot, name="target")
        m.d.comb += target.eq(op.slot + Mux(self.is_spike, self.delay, 0))
        m.d.sync += [slot.eq(target), fold.eq(op.fold), kind.eq(op.kind), add.eq(self.is_spike),
                     weight.eq(self.weight)]
        addr = Cat(slot, fold)[:len(read.addr)]
        arrived, at = Signal(signed(layer.sum_bits), reset_less=True), Signal.like(fold, reset_less=True)
        update, clear = Signal(), Signal()
        m.d.comb += read.addr.eq(Cat(target, op.fold) if late else addr)
        found = later(m, read.data, apart, name="found").as_signed()
        m.d.sync += [arrived.eq(found), at.eq(fold), update.eq(kind == Kind.UPDATE),
                     clear.eq(kind == Kind.CLEAR)]
        before, writes = found, kind != Kind.NONE
        if not late and layer.folds > 1:
            # reading a cycle and adding the next: no two operations in a row have one fold
            before = arrived
            writes = later(m, writes, 1, name="writes", reset_less=False)
            addr, add = later(m, addr, 1, name="addr"), later(m, add, 1, name="add")
            weight = later(m, weight, 1, name="weight").as_signed()
        m.d.comb += [write.addr.eq(addr), write.en.eq(writes), write.data.eq(Mux(add, before + weight, 0))]
        m.d.comb += [neuron.en.eq(update), neuron.clear.eq(clear), neuron.fold.eq(fold if self.ahead else at),
                     neuron.arrived.eq(arrived), self.fired.eq(neuron.fired), self.x.eq(neuron.x)]
        return m


class LaneGroup(wiring.Component):
    """Up to GROUP lanes with their banks of synapses, and the registers that carry operations on to the next group.

    Latency from an update at `i_op` to `fired`: a register, `fetch_cycles`, Lane.LATENCY.

    Parameters: layer; first, number of its first lane; count of lanes; vendor; number of its first bank.
    scrubs, whether words of synapses are read back (rtl.spiking.readback).
    Members: i_ / o_ op, addr of the synapses, word of the hash; params; fired, x (of every lane); with `scrubs` read,
    for a cycle, read_bank and read_addr, held until read_valid, with read_data.
    """

    def __init__(self, layer: SpikingLayer, *, first: int, count: int, bank0: int, vendor: str, spiking: bool,
                 scrubs: bool = False):
        self.layer, self.first, self.count, self.bank0 = layer, first, count, bank0
        self.vendor, self.spiking, self.scrubs = vendor, spiking, scrubs
        depth = (layer.bank_depth - 1).bit_length()
        members = {"op": operation(layer), "addr": unsigned(max(1, depth)), "word": unsigned(32)}
        super().__init__(
            {f"i_{name}": In(shape) for name, shape in members.items()} |
            {f"o_{name}": Out(shape) for name, shape in members.items()} |
            {"i_params": In(ParameterBus()), "o_params": Out(ParameterBus()), "fired": Out(count),
             "x": Out(signed(layer.state.width)).array(count)} | (read_members() if scrubs else {}))

    def elaborate(self, platform):
        m = Module()
        layer = self.layer
        held = {name: Signal.like(getattr(self, f"o_{name}"), reset_less=name != "op", name=name)
                for name in ("op", "addr", "word")}
        for name, signal in held.items():
            m.d.sync += signal.eq(getattr(self, f"i_{name}"))
            m.d.comb += getattr(self, f"o_{name}").eq(signal)
        params = hop(m, self.i_params, name="params")
        join(m, self.o_params, params)
        plus, minus = self._weights(m, held)
        words = self._banks(m, held, params)
        ahead = operation(layer)(later(m, held["op"].as_value(), fetch_cycles(layer) - 1, name="op_ahead",
                                       reset_less=False))
        op = later(m, ahead.as_value(), 1, name="op_fetched", reset_less=False)
        # a bit of its own: decoded once for all lanes behind `op`, it would be the longest path
        is_spike = later(m, ahead.kind == Kind.SPIKE, 1, name="is_spike")
        for n in range(self.count):
            m.submodules[f"lane{n}"] = lane = Lane(layer, vendor=self.vendor, spiking=self.spiking)
            word = words[n]
            m.d.comb += [lane.op.eq(op), lane.is_spike.eq(is_spike), lane.delay.eq(word[:layer.delay_bits]),
                         self.fired[n].eq(lane.fired), self.x[n].eq(lane.x)]
            m.d.comb += lane.weight.eq(Cat(plus[n] | minus[n], minus[n]).as_signed() if layer.regenerates else
                                       word[layer.delay_bits:].as_signed())
        return m

    def _weights(self, m, held):
        layer, plus, minus = self.layer, [], []
        if not layer.regenerates:
            return plus, minus
        for n in range(0, self.count, BLOCK):
            blocks = [(fold * layer.lanes + self.first + n) // BLOCK for fold in range(layer.folds)]
            m.submodules[f"weights{n}"] = unit = BlockWeights(layer.weight, blocks)
            m.d.comb += [unit.word.eq(held["word"]), unit.fold.eq(held["op"].fold)]
            spare = fetch_cycles(layer) - unit.LATENCY
            for bits, value in ((plus, unit.plus), (minus, unit.minus)):
                bits += list(later(m, value, spare, name=f"weights{n}"))
        return plus, minus

    def _banks(self, m, held, params):
        """The word of each lane's synapse, with `op_fetched`."""
        layer, words = self.layer, []
        spare = fetch_cycles(layer) - 2
        addr = later(m, held["addr"], spare, name="addr")
        # a bank's choice has a register beside the numbers that decide it, and one beside the bank, which may be far
        # away on a large part: the way between them would be the longest path
        ways = 1 if is_small(self.vendor) else 2
        write_addr = later(m, params.addr, ways, name="write_addr")
        write_data = later(m, params.data, ways, name="write_data")
        if self.scrubs:
            spikes = later(m, held["op"].kind == Kind.SPIKE, spare, name="spikes", reset_less=False)
            reads, answers = pending(m, self, spikes), []
        for n in range(-(-self.count // layer.bank_lanes)):
            lanes = min(layer.bank_lanes, self.count - n * layer.bank_lanes)
            m.submodules[f"bank{n}"] = store = bank(self.vendor, depth=layer.bank_depth,
                                                    width=lanes * layer.synapse_bits)
            chosen = later(m, params.en & (params.bank == self.bank0 + n), ways, name=f"chosen{n}", reset_less=False)
            m.d.comb += [store.read_addr.eq(addr), store.write_addr.eq(write_addr),
                         store.write_data.eq(write_data), store.write_en.eq(chosen)]
            if self.scrubs:
                mine = Signal(name=f"reads{n}")
                m.d.comb += mine.eq(reads & (self.read_bank == self.bank0 + n))
                with m.If(mine):
                    m.d.comb += store.read_addr.eq(self.read_addr)
                answers.append((later(m, mine, store.LATENCY, name=f"read{n}", reset_less=False), store.read_data))
            words += [store.read_data.word_select(k, layer.synapse_bits) for k in range(lanes)]
        if self.scrubs:
            gather(m, self, answers)
        return words


def fetch_cycles(layer: SpikingLayer) -> int:
    """Cycles from an address at a group's registers to the words of its synapses."""
    return max(2, BlockWeights.LATENCY) if layer.regenerates else 2
