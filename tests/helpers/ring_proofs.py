"""What is proved of sums of spikes that are under way: of any one slot, what is taken out is all that was put in."""

from types import SimpleNamespace

from amaranth.hdl import Assert, Assume, Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import memory, wiring
from amaranth.lib.wiring import In, Out
from delayed import Registers
from inside import Inside, driven, inner, replaced

from rtl.spiking.lanes import fold_bits


class Slot(Inside):
    """A unit with sums, of which one is followed: any one, `which`."""

    def followed(self, m, slots: int):
        which, began = Signal.like(self.which), Signal(name="began")
        m.d.sync += [which.eq(self.which), began.eq(1)]
        m.d.comb += [Assume(~began | (which == self.which)), Assume(self.which < slots)]
        return self.which


class Sums(Slot):
    """A ring of sums loses nothing: of any one address, what is read is all that was added since it was cleared.

    A sum is read when nothing was done to it for BEHIND cycles, as lanes do it. The definition is `totals[0]`, the sum
    with all that was done up to the last cycle; those behind it are what it was, a cycle before, two, ... The other
    assertions say which of them stands where in the ring.
    """

    def __init__(self, module, **fields):
        unit, self.banks = module.Ring(**fields, vendor="generic"), []
        super().__init__(unit, module=module, which=In(len(unit.addr)))

    def opening(self):
        return replaced(self.module, bank=self._bank)

    def _bank(self, vendor, **fields):
        self.banks.append(Registers(**fields))
        return self.banks[0]

    def claims(self, m):
        unit, own, store = self.unit, self.own, self.banks[0]
        which, width = self.followed(m, unit.depth), unit.width
        m.d.comb += Assume(unit.addr < unit.depth)
        totals = [Signal(width + unit.arrivals, name=f"total{n}") for n in range(6)]
        hits = [unit.en & (unit.addr == which), *(Signal(name=f"hit{n}") for n in range(1, 6))]

        def after(total, weight, zero):
            came = [Const(1)] if unit.arrivals else []
            return Mux(zero, 0, Cat((total[:width] + weight.as_signed())[:width], *came))

        m.d.sync += [*(late.eq(soon) for soon, late in zip(hits, hits[1:], strict=False)),
                     *(late.eq(soon) for soon, late in zip(totals, totals[1:], strict=False))]
        with m.If(hits[0]):
            m.d.sync += totals[0].eq(after(totals[0], unit.weight, unit.zero))
        # a sum that is read after a rest is the one from before its operation
        reads = hits[unit.LATENCY] & ~Cat(hits[unit.LATENCY + 1:unit.LATENCY + unit.BEHIND]).any()
        m.d.comb += Assert(~reads | (Cat(unit.sum, *([unit.came] if unit.arrivals else [])) == totals[unit.LATENCY]))
        # what the totals are to one another
        for n in range(5):
            m.d.comb += Assert(hits[n + 1] | (totals[n] == totals[n + 1]))
        for n in (1, 2):
            done = after(totals[n], own[f"weight_q{n}"], own[f"zero_q{n}"])
            m.d.comb += Assert(~hits[n] | (totals[n - 1] == done))
        self._stages(m, own, store, which, hits, totals)

    def _stages(self, m, own, store, which, hits, totals):
        """Where in the ring a total stands: in the memory, on its way there, or read from it."""
        here = [None, *(own[f"addr{n}_q1"] == which for n in range(1, 5))]
        for n in range(1, 5):
            m.d.comb += Assert(hits[n] == (here[n] & own[f"en{n}_q1"]))
        for n in (2, 3, 4):
            m.d.comb += Assert(~here[2] | (own[f"same{n}_q1"] == hits[n + 1]))
        m.d.comb += [Assert(store.words[which] == totals[3]), Assert(~here[1] | (store.fetched == totals[4])),
                     Assert(~here[2] | (store.read_data == totals[5]))]
        for n, name in enumerate(("new", "old", "older")):
            m.d.comb += Assert(~hits[n + 3] | (own[name] == totals[n + 2]))


class Watched(memory.Memory):
    """A memory with one more port, for a proof to look at a word: `watch`."""

    def __init__(self, **fields):
        super().__init__(**fields)
        self.watch = self.read_port(domain="comb")


class Membranes(wiring.Component):
    """In the place of the neurons of a lane: what they are given goes nowhere."""

    def __init__(self, layer, *, spiking: bool, ahead: bool):
        super().__init__({"en": In(1), "clear": In(1), "fold": In(fold_bits(layer)),
                          "arrived": In(signed(layer.sum_bits)), "fired": Out(1), "x": Out(signed(layer.state.width))})

    def elaborate(self, platform):
        return Module()


class Arrivals(Slot):
    """A lane's accumulators lose no spike: what a neuron is given in a tick is all weights that were to arrive then.

    For any one neuron and slot of the ring: an update takes what was added there since the last update or clear. Sums
    are wide enough for what may arrive, and wrap beyond.
    """

    def __init__(self, module, layer, vendor: str = "generic"):
        self.layer, self.vendor, self.memories, self.neurons = layer, vendor, [], []
        unit = module.Lane(layer, vendor=vendor, spiking=True)
        super().__init__(unit, module=module, which=In(layer.delay_bits + fold_bits(layer)))

    def _kept(self, made, make):
        def called(*args, **fields):
            made.append(make(*args, **fields))
            return made[-1]
        return called

    def opening(self):
        return replaced(self.module, memory=SimpleNamespace(Memory=self._kept(self.memories, Watched)),
                        Neuron=self._kept(self.neurons, Membranes))

    def claims(self, m):
        unit, op, kinds = self.unit, self.unit.op, self.module.Kind
        (ring,), (neuron,) = self.memories, self.neurons
        which = self.followed(m, self.layer.folds << self.layer.delay_bits)
        m.d.comb += [Assume(op.fold < self.layer.folds), Assume(unit.is_spike == (op.kind == kinds.SPIKE)),
                     ring.watch.addr.eq(which)]
        slot = Signal.like(op.slot, name="its_slot")
        m.d.comb += slot.eq(op.slot + Mux(op.kind == kinds.SPIKE, unit.delay, 0))
        # totals and hits by cycles: now, one ago, two ago
        total = [Signal(signed(self.layer.sum_bits), name=f"total{n}") for n in range(3)]
        hit = [Cat(slot, op.fold) == which, Signal(name="hit1"), Signal(name="hit2")]
        m.d.sync += [hit[1].eq(hit[0]), hit[2].eq(hit[1]), total[1].eq(total[0]), total[2].eq(total[1])]
        with m.If(hit[0] & (op.kind != kinds.NONE)):
            m.d.sync += total[0].eq(Mux(op.kind == kinds.SPIKE, total[0] + unit.weight, 0))
        m.d.comb += Assert(~(neuron.en & hit[2]) | (neuron.arrived == total[2]))
        # where they stand: operations of the last cycle, or of the last two, are about to be written
        kind = [op.kind, *(Signal.like(op.kind, name=f"kind{n}") for n in (1, 2))]
        weight = [unit.weight, *(Signal.like(unit.weight, name=f"weight{n}") for n in (1, 2))]
        for values in (kind, weight):
            m.d.sync += [late.eq(soon) for soon, late in zip(values, values[1:], strict=False)]
        in_blocks = self.module.in_blocks(self.vendor, ring.depth)
        written = 2 if self.layer.folds > 1 and not in_blocks else 1
        for n in range(1, written + 1):
            does = Mux(kind[n] == kinds.SPIKE, (total[n] + weight[n])[:len(total[n])].as_signed(), 0)
            m.d.comb += Assert(total[n - 1] == Mux(hit[n] & (kind[n] != kinds.NONE), does, total[n]))
        m.d.comb += Assert(ring.watch.data == total[written])
        if self.layer.folds > 1:
            fold = Signal.like(op.fold, name="last_fold")
            m.d.sync += fold.eq(op.fold)
            m.d.comb += Assume((op.kind == kinds.NONE) | (kind[1] == kinds.NONE) | (op.fold != fold))
        if written == 2:
            m.d.comb += Assert(~hit[2] | (kind[2] == kinds.NONE) | (neuron.arrived == total[2]))


class Turns(Inside):
    """What an engine of several folds tells its lanes: two operations in a row, NONE apart, are of two folds."""

    def claims(self, m):
        unit, own, folds, kinds = self.unit, self.own, self.unit.layer.folds, self.module.Kind
        fold, kind = Signal.like(unit.op.fold, name="last_fold"), Signal.like(unit.op.kind, name="last_kind")
        m.d.sync += [fold.eq(unit.op.fold), kind.eq(unit.op.kind)]
        m.d.comb += Assert((unit.op.kind == kinds.NONE) | (kind == kinds.NONE) | (unit.op.fold != fold))
        # the fold counts with the steps of a token, and the next operation is of that fold
        step, begin, layer = own["step"], own["begin"], unit.layer
        spacing = self.module.Neuron.SPACING[layer.order]
        cycles = {"spike": folds, "tick": max(folds, spacing), "image": max(folds << layer.delay_bits, spacing)}
        m.d.comb += [Assert(own[f"lasts_{name}"] == (step == count - 1)) for name, count in cycles.items()]
        relay = driven(inner(self.fragment, "relay"))
        token, kept = relay["o__payload"], relay["kept"]
        steps = Mux(begin | token[2], cycles["image"], Mux(token[1], cycles["tick"], cycles["spike"]))
        m.d.comb += [Assert(own["fold"] == step % folds), Assert((step == 0) | begin | token[:3].any()),
                     Assert((step == 0) | (step < steps)), Assert(own["starts"] == (step == 0)),
                     Assert(~begin | ~token[:3].any() & ~relay["full"]),
                     Assert((unit.op.kind == kinds.NONE) | (unit.op.fold != own["fold"]))]
        # a kind at most, and none where there is no token
        for bits in (token[:3], kept[:3]):
            m.d.comb += Assert((bits & (bits - 1))[:3] == 0)
        m.d.comb += Assert(relay["o__valid"] | ~token[:3].any() & ~relay["full"])
