"""A spike to jobs: one for everything that its source has."""

from amaranth.hdl import Array, Cat, Const, Module, Signal, unsigned
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from golden.event.layout import numbers
from rtl.event.layouts import Item, Kind, bits, job_layout, plan, source_layout
from rtl.event.store import Store
from rtl.pipeline import ParameterBus, join


class Expander(wiring.Component):
    """Takes a spike, makes a job of each item of its region that has the source, and of those the visit serves.

    Two cycles an item, two more where the delay of a source is looked up (axonal networks).

    Parameters: net; vendor. Members: params; i, spikes; o, jobs; idle.
    """

    def __init__(self, net, *, vendor: str):
        self.net, self.vendor = net, vendor
        g, looked_up = plan(net).g, net.axonal and Kind.DENSE in plan(net).kinds
        #: the delays of sources, where dense blocks have one for each
        self.delays = Store(depth=g.rows[-1], width=net.delay_bits, vendor=vendor,
                            bank0=numbers(net)["delays", 0]) if looked_up else None
        super().__init__({"params": In(ParameterBus()), "i": In(stream.Signature(source_layout(net))),
                          "o": Out(stream.Signature(job_layout(net))), "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, p, i = self.net, plan(self.net), self.i
        items = [item for region in p.items for item in region]
        starts, total = [], 0
        for region in p.items:
            starts.append(total)
            total += len(region)
        last = [n + 1 in (*starts[1:], total) for n in range(total)]
        spike, number = Signal(source_layout(net), reset_less=True), Signal(bits(len(items) + 1), reset_less=True)
        job, fits = Signal(job_layout(net), reset_less=True), Signal(reset_less=True)
        made, here, served = self._job(m, spike, items, number)
        wait = Signal(range(4))
        m.d.comb += [self.o.payload.eq(job), self.idle.eq(0)]
        done = Signal()
        m.d.comb += done.eq(Array(map(int, last))[number] if len(items) > 1 else 1)
        with m.FSM():
            with m.State("idle"):
                m.d.comb += [i.ready.eq(1), self.idle.eq(~i.valid)]
                m.d.sync += [spike.eq(i.payload), wait.eq(0),
                             number.eq(Array(starts)[i.p.region] if len(p.items) > 1 else 0)]
                has = Array(int(bool(region)) for region in p.items)[i.p.region]
                with m.If(i.valid & has):
                    m.next = "make"
            with m.State("make"):
                m.d.sync += [wait.eq(wait + 1), job.eq(made), fits.eq(here)]
                with m.If(wait == (self.delays.latency if self.delays else 0)):
                    m.next = "send"
            with m.State("send"):
                m.d.comb += self.o.valid.eq(fits & served)
                with m.If(self.o.ready | ~(fits & served)):
                    m.d.sync += [number.eq(number + 1), wait.eq(0)]
                    m.next = "make"
                    with m.If(done):
                        m.next = "idle"
        return m

    def _job(self, m, spike, items: list[Item], number):
        """The job of an item; whether the source is among its own; whether the visit serves it, a cycle later."""
        net, p = self.net, plan(self.net)
        of = self._constants(m, items, number)
        own = Signal(len(spike.index) + 1)
        m.d.comb += own.eq(spike.index - of["first"])
        job, here = Signal(job_layout(net)), Signal()
        m.d.comb += [here.eq(own < of["count"]), job.visit.eq(spike.visit)]
        members = job.shape().members
        if "kind" in members:
            m.d.comb += job.kind.eq(of["kind"])
        if "value" in members:
            m.d.comb += job.value.eq(spike.value)
        if Kind.DENSE in p.kinds:
            m.d.comb += [job.base.eq(of["base"] + own[:-1] * of["chunks"]), job.chunks.eq(of["chunks"]),
                         job.target.eq(of["target"])]
        if Kind.LIST in p.kinds:
            row = of["start"] + spike.index
            m.d.comb += job.row.eq(Cat(spike.visit, row) if p.g.visits > 1 else row)
        if Kind.DIRECT in p.kinds:
            m.d.comb += job.neuron.eq(of["place"] + own[:-1])
        served = Const(1)
        if Kind.DIRECT in p.kinds and p.g.visits > 1:
            served = ~self._kind(of, Kind.DIRECT) | (spike.visit == 0)
        if self.delays is not None:
            m.submodules.delays = store = self.delays
            join(m, store.params, self.params)
            m.d.comb += [store.read_addr.eq(of["row"] + own[:-1]), job.delay.eq(store.read_data[:p.g.fine])]
            if p.g.visits > 1:
                right = Signal(reset_less=True)
                m.d.sync += right.eq(store.read_data[p.g.fine:] == spike.visit)
                served = served & (~self._kind(of, Kind.DENSE) | right)
        return job, here, served

    def _kind(self, of, kind: Kind):
        return of["kind"] == kind

    def _constants(self, m, items: list[Item], number) -> dict:
        """The fields of an item, by its number."""
        net = self.net
        values = {name: [int(getattr(item, name)) for item in items] for name in Item._fields}
        values["place"] = [item.target * net.folded + item.into for item in items]
        found = {}
        for name, each in values.items():
            if len(set(each)) <= 1:
                found[name] = Const(each[0] if each else 0, unsigned(max(1, max(each, default=0).bit_length())))
            else:
                signal = Signal(max(each).bit_length(), name=f"of_{name}")
                with m.Switch(number):
                    for n, value in enumerate(each):
                        with m.Case(n):
                            m.d.comb += signal.eq(value)
                found[name] = signal
        return found
