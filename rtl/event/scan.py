"""Which synapses of a lane a job means: chunk by chunk in dense blocks, one after another in sparse ones."""

from amaranth.hdl import Cat, Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.event.layout import numbers
from rtl.event.finder import Finder, waiting
from rtl.event.layouts import Kind, bits, job_layout, plan, value_shape
from rtl.event.store import Store
from rtl.pipeline import ParameterBus, later


def extras(net) -> dict:
    """What an operation takes along from its job, beside where its synapse lies."""
    found = {"value": value_shape(net)} if plan(net).multiplies else {}
    return found | ({"delay": unsigned(plan(net).g.fine)} if net.axonal and Kind.DENSE in plan(net).kinds else {})


def dense_layout(net) -> data.StructLayout:
    """A synapse of a dense block: its address, its neuron in the lane."""
    g = plan(net).g
    return data.StructLayout({"addr": unsigned(bits(g.dense)), "local": unsigned(bits(g.depth))} | extras(net))


class DenseScan(wiring.Component):
    """Jobs of dense blocks to synapses, one a cycle: those of a chunk whose upper bits of the delay are the visit.

    Chunks are looked at ahead of the synapses that are found in them; one a cycle, as long as few wait.

    Parameters: net; lane; vendor. Members: params; i, jobs; o, synapses; idle.
    """

    #: chunks with synapses that may wait
    QUEUE = 16

    def __init__(self, net, *, lane: int, vendor: str):
        self.net, self.lane, self.vendor = net, lane, vendor
        super().__init__({"params": In(ParameterBus()), "i": In(stream.Signature(job_layout(net))),
                          "o": Out(stream.Signature(dense_layout(net))), "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, g = self.net, plan(self.net).g
        job, busy = Signal(job_layout(net), reset_less=True), Signal()
        tag = data.StructLayout({"chunk": unsigned(bits(g.dense_chunks)),
                                 "target": unsigned(bits(g.depth // g.chunk))} | extras(net))
        planes = [] if net.axonal else self._planes(m, job)
        wait = planes[0].latency if planes else 0
        queue = waiting(m, width=g.chunk + tag.size, depth=self.QUEUE)
        m.submodules.finder = finder = Finder(g.chunk, tag)
        step, room = Signal(), Signal()
        # what was asked for a few cycles ago may still come
        m.d.sync += room.eq(queue.level < self.QUEUE - wait - 3)
        m.d.comb += [step.eq(busy & room), self.i.ready.eq(~busy | (step & (job.chunks == 1)))]
        with m.If(self.i.ready):
            m.d.sync += [busy.eq(self.i.valid), job.eq(self.i.payload)]
        with m.Elif(step):
            m.d.sync += [job.base.eq(job.base + 1), job.target.eq(job.target + 1), job.chunks.eq(job.chunks - 1)]
        now = Signal(tag)
        m.d.comb += [now.chunk.eq(job.base), now.target.eq(job.target),
                     *(getattr(now, name).eq(getattr(job, name)) for name in extras(net))]
        found, came = self._found(m, planes, job, wait, step)
        m.d.comb += [queue.w_data.eq(Cat(found, later(m, now.as_value(), wait + bool(planes), name="tag"))),
                     queue.w_en.eq(came & found.any())]
        m.d.comb += [finder.i.valid.eq(queue.r_rdy), queue.r_en.eq(finder.i.ready),
                     finder.i.p.bits.eq(queue.r_data[:g.chunk]), finder.i.p.tag.eq(queue.r_data[g.chunk:])]
        m.d.comb += self._answer(finder)
        under_way = [later(m, step, n + 1, name=f"step{n}", reset_less=False) for n in range(wait + 1)]
        m.d.comb += self.idle.eq(~(busy | Cat(under_way).any() | queue.r_rdy | (queue.level != 0)) & finder.idle)
        return m

    def _planes(self, m, job):
        """Upper bits of delays, a plane each, read at the chunk of the job."""
        net, g, found = self.net, plan(self.net).g, []
        for k in range(net.delay_bits - g.fine):
            m.submodules[f"plane{k}"] = plane = Store(depth=g.dense_chunks, width=g.chunk, vendor=self.vendor,
                                                      bank0=numbers(net)[f"plane{k}", self.lane])
            m.d.comb += [getattr(plane.params, name).eq(getattr(self.params, name))
                         for name in ParameterBus().members]
            m.d.comb += plane.read_addr.eq(job.base)
            found.append(plane)
        return found

    def _found(self, m, planes, job, wait, step):
        """Synapses of a chunk that the visit serves, and whether there is a chunk."""
        size = plan(self.net).g.chunk
        found = Signal(size, name="found", reset_less=True)
        if not planes:
            m.d.comb += found.eq(~0)
            return found, step
        visit = later(m, job.visit, wait, name="visit")
        m.d.sync += found.eq(~Cat(Cat(plane.read_data[n] ^ visit[k] for k, plane in enumerate(planes)).any()
                                  for n in range(size)))
        return found, later(m, step, wait + 1, name="came", reset_less=False)

    def _answer(self, finder):
        o, low = self.o, finder.o.p
        return [o.valid.eq(finder.o.valid), finder.o.ready.eq(o.ready), o.p.addr.eq(Cat(low.index, low.tag.chunk)),
                o.p.local.eq(Cat(low.index, low.tag.target)),
                *(getattr(o.p, name).eq(getattr(low.tag, name)) for name in extras(self.net))]


def list_layout(net) -> data.StructLayout:
    """A sparse synapse: its address."""
    found = {"value": value_shape(net)} if plan(net).multiplies else {}
    return data.StructLayout({"addr": unsigned(bits(plan(net).g.listed))} | found)


class ListScan(wiring.Component):
    """Jobs of sparse synapses to their addresses, one a cycle: from where they begin to where the next ones do.

    Parameters: net; lane; vendor. Members: params; i, jobs; o, addresses; idle.
    """

    def __init__(self, net, *, lane: int, vendor: str):
        self.net, self.lane, self.vendor = net, lane, vendor
        super().__init__({"params": In(ParameterBus()), "i": In(stream.Signature(job_layout(net))),
                          "o": Out(stream.Signature(list_layout(net))), "idle": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, g, i, o = self.net, plan(self.net).g, self.i, self.o
        m.submodules.starts = starts = Store(depth=g.starts, width=bits(g.listed + 1), vendor=self.vendor,
                                             bank0=numbers(net)["starts", self.lane])
        m.d.comb += [getattr(starts.params, name).eq(getattr(self.params, name)) for name in ParameterBus().members]
        # the table is read twice: where they begin, where the next ones do
        step, first = Signal(range(starts.latency + 2)), Signal(bits(g.listed + 1), reset_less=True)
        next_row, end = Signal(bits(g.starts), reset_less=True), Signal(bits(g.listed + 1), reset_less=True)
        addr, valid, asked = Signal(bits(g.listed + 1), reset_less=True), Signal(), Signal()
        value = Signal(value_shape(net), reset_less=True)
        m.d.comb += [starts.read_addr.eq(Mux(step == 0, i.p.row, next_row)), asked.eq(step != 0)]
        final = Signal()
        m.d.comb += [o.valid.eq(valid), o.p.addr.eq(addr), final.eq(addr + 1 == end), self.idle.eq(~valid & ~asked)]
        if "value" in o.payload.shape().members:
            m.d.comb += o.p.value.eq(value)
        done = Signal()
        m.d.comb += done.eq(valid & o.ready & final)
        with m.If(valid & o.ready):
            m.d.sync += [addr.eq(addr + 1), valid.eq(~final)]
        with m.If((step == 0) & i.valid):
            m.d.sync += [step.eq(1), next_row.eq(i.p.row + 1)]
        with m.If(step == starts.latency):
            m.d.sync += first.eq(starts.read_data)
        last = starts.latency + 1
        with m.If((step != 0) & (step != last)):
            m.d.sync += step.eq(step + 1)
        # held at the last step until what was found before is done
        free = ~valid | done
        with m.If((step == last) & free):
            m.d.sync += [step.eq(0), addr.eq(first), end.eq(starts.read_data), valid.eq(first != starts.read_data)]
            if "value" in i.payload.shape().members:
                m.d.sync += value.eq(i.p.value)
        m.d.comb += i.ready.eq((step == last) & free)
        return m
