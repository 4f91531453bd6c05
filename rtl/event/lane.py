"""A lane: every synapse of its neurons, what arrives at them, and the neurons.

jobs -> queue -> [DenseScan]  -> address -> weight, delay -\\
                  -> [ListScan]   -> address -> and target ----> (times value) -> slot -> [Ring] -> [Neurons] -> fired
-> direct ------------------ value ---------/
"""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.event.layout import dense_names, first_bank, numbers
from golden.regmap import WORD_BITS
from rtl.event.layouts import Kind, bits, job_layout, kind_is, plan, update_layout
from rtl.event.neuron import Neurons, membrane_member
from rtl.event.ring import Ring
from rtl.event.scan import DenseScan, ListScan
from rtl.event.store import Store
from rtl.pipeline import ParameterBus, hop, join, later
from rtl.primitives import multiplier
from rtl.vendor.generic import Multiplier


class Lane(wiring.Component):
    """Takes jobs one after another, a synapse a cycle; updates neurons, or clears sums, where it is told to.

    Parameters: net; number of the lane; vendor.
    Members: i_params, o_params; i, jobs; now, slot of this tick; update, with which it is idle;
    idle, nothing is under way (a cycle late); fired, and membrane where neurons do not fire, `latency` cycles after
    `update`.
    """

    def __init__(self, net, number: int, *, vendor: str):
        self.net, self.number, self.vendor = net, number, vendor
        self.neurons = Neurons(net, bank0=first_bank(net, number), vendor=vendor)
        self.latency = 1 + self.neurons.latency
        super().__init__({
            "i_params": In(ParameterBus()), "o_params": Out(ParameterBus()), "i": In(stream.Signature(job_layout(net))),
            "now": In(plan(net).g.fine), "update": In(update_layout(net)), "idle": Out(1),
            "fired": Out(1)} | membrane_member(net))

    def elaborate(self, platform):
        m = Module()
        net = self.net
        params = hop(m, self.i_params, name="params")
        join(m, self.o_params, params)
        head, there, taken = Signal(job_layout(net), reset_less=True), Signal(), Signal()
        m.d.comb += self.i.ready.eq(~there | taken)
        with m.If(self.i.ready):
            m.d.sync += [there.eq(self.i.valid), head.eq(self.i.payload)]
        scans = self._scans(m, there, taken, head, params)
        en, weight, delay, local, quiet = self._fetched(m, taken, head, scans, params)
        idle = [scan.idle for scan in scans.values()]
        m.d.sync += self.idle.eq(~self.i.valid & ~there & quiet & Cat(idle).all())
        self._sums(m, en, weight, delay, local, params)
        return m

    def _scans(self, m, there, taken, head, params) -> dict:
        """The units that walk, and the jobs that are for them."""
        net, found, takes = self.net, {}, []
        for kind, unit in ((Kind.DENSE, DenseScan), (Kind.LIST, ListScan)):
            if kind in plan(net).kinds:
                found[kind] = scan = unit(net, lane=self.number, vendor=self.vendor)
                m.submodules[f"{kind.name.lower()}_scan"] = scan
                join(m, scan.params, params)
                mine = there & kind_is(net, head, kind)
                m.d.comb += [scan.i.valid.eq(mine), scan.i.payload.eq(head)]
                takes.append(scan.i.ready & mine)
        free = Signal(name="direct_free")
        if Kind.DIRECT in plan(net).kinds:
            m.d.comb += free.eq(~Cat(scan.o.valid for scan in found.values()).any())
            takes.append(free & there & kind_is(net, head, Kind.DIRECT))
        m.d.comb += taken.eq(Cat(takes).any())
        if Kind.DENSE in found:
            m.d.comb += found[Kind.DENSE].o.ready.eq(1)
        if Kind.LIST in found:
            m.d.comb += found[Kind.LIST].o.ready.eq(~found[Kind.DENSE].o.valid if Kind.DENSE in found else 1)
        return found

    def _fetched(self, m, job_taken, head, scans, params):
        """Synapses with their words: whether there is one, weight, delay, local; and whether none is under way."""
        net, g, p = self.net, plan(self.net).g, plan(self.net)
        stores = self._stores(m, scans, params)
        wait = 1 + max((store.latency for store in stores.values()), default=0)
        ways, found = [], []
        for kind in sorted(p.kinds):
            if kind == Kind.DIRECT:
                taken, low = job_taken & kind_is(net, head, kind), head
                if net.folded > 1:
                    taken = taken & (head.neuron[:bits(net.folded)] == self.number)
            else:
                taken, low = scans[kind].o.valid & scans[kind].o.ready, scans[kind].o.p
            value = low.value if p.valued and "value" in low.shape().members else Const(1, signed(2))
            found.append(taken)
            ways.append((later(m, taken, wait, name=f"{kind.name}_here"),
                         later(m, value, wait, name=f"{kind.name}_value"), *self._word(m, kind, low, stores, wait)))
        weight = Signal(signed(max(len(way[2]) for way in ways)))
        delay, local, value = Signal(g.fine), Signal(bits(g.depth)), Signal(signed(max(2, net.input_bits)))
        for n, (here, *word) in enumerate(ways):
            with m.If(here if n else 1):
                m.d.comb += [part.eq(each) for part, each in zip((value, weight, delay, local), word, strict=True)]
        weight, cycles = self._times_value(m, value, weight)
        # until what it adds to has been written
        flow = [Cat(found).any()]
        for n in range(wait + cycles + Ring.BEHIND):
            flow.append(later(m, flow[-1], 1, name=f"flow{n}", reset_less=False))
        delay, local = later(m, delay, cycles, name="delay_kept"), later(m, local, cycles, name="local_kept")
        return flow[wait + cycles], weight, delay, local, ~Cat(flow).any()

    def _stores(self, m, scans, params) -> dict:
        """Memories of synapses, read at the addresses that were found, a register behind."""
        net, g, found = self.net, plan(self.net).g, {}
        if Kind.DENSE in scans:
            for k, name in enumerate(dense_names(net)):
                found[name] = Store(depth=g.dense, width=min(WORD_BITS, g.width - k * WORD_BITS),
                                    bank0=numbers(net)[name, self.number], vendor=self.vendor)
        if Kind.LIST in scans:
            size = sum(g.entry)
            for k, low in enumerate(range(0, size, WORD_BITS)):
                found[f"list{k}"] = Store(depth=g.listed, width=min(WORD_BITS, size - low),
                                          bank0=numbers(net)[f"list{k}", self.number], vendor=self.vendor)
        for name, store in found.items():
            m.submodules[f"{name}_store"] = store
            join(m, store.params, params)
            scan = scans[Kind.DENSE if name in dense_names(net) else Kind.LIST]
            m.d.comb += store.read_addr.eq(later(m, scan.o.p.addr, 1, name=f"{name}_addr"))
        return found

    def _word(self, m, kind, low, stores, wait):
        """Weight, delay and local of a synapse, `wait` cycles after it was found."""
        net, g, p = self.net, plan(self.net).g, plan(self.net)
        if kind == Kind.DIRECT:
            place = later(m, low.neuron[bits(net.folded):] if net.folded > 1 else low.neuron, wait, name="direct")
            value = Const(1, signed(2))
            if p.valued and not p.multiplies:
                value = later(m, low.value, wait, name="direct_value")
            return value, Const(0, g.fine), place
        if kind == Kind.DENSE:
            word = self._read(m, [name for name in stores if name in dense_names(net)], stores, wait)
            place = later(m, low.local, wait, name="local")
            if net.axonal:
                return word.as_signed(), later(m, low.delay, wait, name="delay"), place
            return word[g.fine:].as_signed(), word[:g.fine], place
        word = self._read(m, [name for name in stores if name not in dense_names(net)], stores, wait)
        first, second = g.entry[0], g.entry[0] + g.entry[1]
        return word[second:].as_signed(), word[first:second], word[:first]

    @staticmethod
    def _read(m, names, stores, wait):
        """Words of some memories side by side; one in pages takes a cycle longer than one that is not."""
        return Cat(later(m, stores[name].read_data, wait - 1 - stores[name].latency, name=f"{name}_word")
                   for name in names)

    def _times_value(self, m, value, weight):
        """What is added, the weight times the value where lines have some; and cycles that it takes."""
        p = plan(self.net)
        if not p.multiplies:
            return weight, 0
        m.submodules.multiplier = unit = multiplier(self.vendor, a_width=len(weight), b_width=len(value))
        m.d.comb += [unit.a.eq(weight), unit.b.eq(value)]
        return unit.p, Multiplier.LATENCY

    def _sums(self, m, en, weight, delay, local, params):
        """Sums of what arrives, and neurons that are updated."""
        net, g, update = self.net, plan(self.net).g, self.update
        arrivals = any(each.on_arrival for each in net.populations)
        m.submodules.ring = ring = Ring(depth=g.depth << g.fine, width=net.sum_width, weight=len(weight),
                                        arrivals=arrivals, vendor=self.vendor)
        m.submodules.neurons = neurons = self.neurons
        join(m, neurons.params, params)
        slot = Signal(g.fine)
        m.d.comb += slot.eq(self.now + delay)
        m.d.sync += [ring.en.eq(en | update.en), ring.zero.eq(update.en), ring.weight.eq(weight),
                     ring.addr.eq(Mux(update.en, Cat(update.slot, update.local), Cat(slot, local)))]
        m.d.sync += [neurons.en.eq(update.neuron), neurons.local.eq(update.local),
                     neurons.zero.eq(update.zero), neurons.population.eq(update.population)]
        m.d.comb += [neurons.arrived.eq(ring.sum), neurons.came.eq(ring.came),
                     self.fired.eq(neurons.fired)]
        if not net.spikes_alone:
            m.d.comb += self.membrane.eq(neurons.membrane)
