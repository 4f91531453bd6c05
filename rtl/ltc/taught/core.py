"""TaughtCore: a network that learns on the chip, the circuit of golden.ltc.learn.learn_tick."""

from functools import reduce
from operator import or_

from amaranth.hdl import Cat, Module, Mux, Signal, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.ltc import taught
from golden.ltc.learn import registers
from golden.ltc.teacher import FRESH_BIT
from golden.regmap import MAX_HALVINGS
from rtl.fixed import shape
from rtl.host.core import CoreInfo, ranges, settle_cycles
from rtl.ltc.taught.hidden import HiddenSide
from rtl.ltc.taught.output import OutputSide
from rtl.ltc.taught.plan import Plan, gate_rows, readout_rows
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS, ParameterBus, join, later
from rtl.primitives import bank
from rtl.units.plastic_lanes import PlasticLanes

#: bits of a target word: the label and FRESH_BIT
TARGET_BITS = FRESH_BIT + 1
#: cycles of a lane's latency and of what follows it, in a probe and behind a reset
SPARE = 32


def input_layout(net) -> data.StructLayout:
    """A word of the input vector; where errors run a target word ends it, with `learn` and `teach`."""
    return data.StructLayout({"x": signed(max(net.layers[0].operand.width, TARGET_BITS + 1)), "first": 1, "learn": 1,
                              "teach": 1})


def output_layout(net) -> data.StructLayout:
    """A word of the output vector; `last` marks the last of a tick."""
    return data.StructLayout({"y": shape(net.readout.state), "last": 1})


class TaughtCore(wiring.Component):
    """A network with a teacher: an input vector a tick, an output vector a tick, streams in turns.

    A tick starts when its input vector is complete, the output queue has room and the last tick is a period old.
    Nothing stalls inside; parameters are loaded in place.

    Parameters: net; vendor form. Members as rtl.host.core says.
    """

    def __init__(self, net, *, vendor: str = "generic"):
        self.net, self.vendor, self.plan = net, vendor, Plan(net)
        self.hidden = HiddenSide(net, self.plan, vendor=vendor)
        self.output = OutputSide(net, self.plan, vendor=vendor)
        noise = registers(net)
        options = {"vendor": vendor, "fused": True}
        n = net.layers[0].outputs
        self.chains = [PlasticLanes(rows, seeds=[int(each[0]) for each in own], first_bank=first, **options)
                       for rows, own, first in ((gate_rows(net), noise.alpha, 0), (gate_rows(net), noise.rho, n),
                                                (readout_rows(net), noise.readout, 2 * n))]
        self.period, self.learning_period = self.plan.period, self.plan.learning_period
        self.output_ticks = max(4, 64 // net.outputs)
        self.drain = max(chain.rows.lanes + chain.LATENCY for chain in self.chains) + SPARE
        self.info = CoreInfo(
            constants={"cycles_per_tick": self.period, "output_ticks": self.output_ticks,
                       "learn_cycles": self.learning_period},
            settle=settle_cycles(net), patience=3 * self.learning_period, halves=1, learns=True,
            readable=ranges(each.number for each in net.layout() if each.learns))
        super().__init__({
            "i": In(stream.Signature(input_layout(net))), "o": Out(stream.Signature(output_layout(net))),
            "params": In(ParameterBus()), "want_half": In(1), "half": Out(1), "tick": Out(1), "stall": Out(1),
            "busy": Out(1), "lost": Out(2 * len(net.layers)), "learning": In(1),
            "halve": In(range(MAX_HALVINGS + 1)), "moved": Out(1), "running": Out(1), "overflow": Out(len(net.layers)),
            "probe": In(1), "probe_bank": In(BANK_BITS), "probe_addr": In(ADDR_BITS), "probe_valid": Out(1),
            "probe_data": Out(signed(WORD_BITS))})

    def elaborate(self, platform):
        m = Module()
        m.submodules.hidden, m.submodules.output = hidden, output = self.hidden, self.output
        params = self.params
        for name, chain in zip(taught.Lanes._fields, self.chains, strict=True):
            m.submodules[f"{name}_lanes"] = chain
            join(m, chain.params, params)
            params = chain.params_out
        go, hold = Signal(), Signal()
        vector = self._input_vector(m, go)
        has_room = self._output_queue(m, go)
        # what lanes still did at a reset has left them
        live, drain = Signal(), Signal(range(self.drain + 1), init=self.drain)
        m.d.sync += [live.eq(drain == 0), drain.eq(Mux(drain == 0, 0, drain - 1))]
        wait, due = Signal(range(self.learning_period)), Signal(init=1)      # due: wait is 0
        ready = vector["complete"] & ~hold & live
        period = Mux(vector["errors"], self.learning_period - 1, self.period - 1)
        m.d.comb += [go.eq(ready & has_room & due), self.busy.eq(~due | go | self.tick),
                     self.stall.eq(due & ready & ~has_room)]
        m.d.sync += [wait.eq(Mux(go, period, Mux(due, 0, wait - 1))), due.eq((wait <= 1) & ~go), self.tick.eq(go)]
        # outlives a reset, as what was learnt does: it stays readable
        half, reseed = Signal(reset_less=True), Signal()
        m.d.comb += self.half.eq(half)
        m.d.sync += reseed.eq(0)
        with m.If(due & ~go):
            m.d.sync += [half.eq(self.want_half), reseed.eq(half != self.want_half)]
        self._start(m, vector, go)
        m.d.comb += [self.overflow.eq(Cat(hidden.overflow, output.overflow)),
                     output.spike_valid.eq(hidden.spike_valid), output.spike.eq(hidden.spike),
                     hidden.above_valid.eq(output.below_valid), hidden.above.eq(output.below)]
        self._walked(m, reseed, self._probe(m, due & ~go & ~self.tick, hold))
        return m

    def _input_vector(self, m, go) -> dict:
        """Two vectors, one that fills and one that is walked; whether one is complete, and what it says."""
        net, i, hidden = self.net, self.i, self.hidden
        bits = len(hidden.input_index)
        m.submodules.vectors = store = bank(self.vendor, depth=2 << bits, width=net.layers[0].operand.width)
        names = ("complete", "first", "learn", "teach", "errors")
        vector = {name: Signal(name=f"vector_{name}") for name in names}
        vector["target"] = Signal(TARGET_BITS, name="vector_target", reset_less=True)
        index, side, taken = Signal(range(net.inputs + 1)), Signal(), Signal()
        errors = Mux(i.p.first, self.learning, vector["errors"])
        end = index == Mux(errors, net.inputs, net.inputs - 1)
        m.d.comb += [taken.eq(i.valid & i.ready), i.ready.eq(~vector["complete"]), self.running.eq(vector["errors"]),
                     hidden.input.eq(store.read_data.as_signed()),
                     store.read_addr.eq(Cat(hidden.input_index, ~side))]
        m.d.sync += [store.write_en.eq(taken & (index != net.inputs)), store.write_addr.eq(Cat(index[:bits], side)),
                     store.write_data.eq(i.p.x)]
        with m.If(go):
            m.d.sync += [vector["complete"].eq(0), vector["first"].eq(0), side.eq(~side)]
        with m.If(taken):
            m.d.sync += [index.eq(Mux(end, 0, index + 1)), vector["errors"].eq(errors),
                         vector["target"].eq(Mux(index == net.inputs, i.p.x, 0)),
                         # those of the last word count: a vector that a host had to complete with zeros moves nothing
                         vector["learn"].eq(i.p.learn), vector["teach"].eq(i.p.teach)]
            with m.If(i.p.first):
                m.d.sync += vector["first"].eq(1)
            with m.If(end):
                m.d.sync += vector["complete"].eq(1)
        return vector

    def _start(self, m, vector, go):
        """What both sides are told of a tick, in the cycle of `tick`."""
        streams = self.net.streams
        target, first = vector["target"], vector["first"]
        stream, left = Signal(range(max(2, streams))), Signal(range(max(2, streams)), name="still_fresh")
        told = {"round": Signal(name="round"), "halve": Signal.like(self.halve, name="halve_now"),
                **{name: Signal(name=name) for name in ("fresh", "errors", "learn")}}
        label, mute = Signal.like(self.output.label, name="label"), Signal(name="mute")
        last = stream == streams - 1
        with m.If(go):
            m.d.sync += [
                # all streams begin anew in their next tick, and stream 0 has this one
                stream.eq(Mux(first | last, 0, stream + 1)), told["round"].eq(told["round"] ^ (first | last)),
                left.eq(Mux(first, streams - 1, Mux(left == 0, 0, left - 1))),
                told["fresh"].eq(first | (left != 0) | target[FRESH_BIT]), told["errors"].eq(vector["errors"]),
                told["learn"].eq(vector["learn"]), told["halve"].eq(self.halve), label.eq(target),
                mute.eq(~vector["teach"])]
        m.d.comb += [self.output.label.eq(label), self.output.mute.eq(mute),
                     self.moved.eq(self.tick & told["errors"] & told["learn"])]
        for name, value in (told | {"start": self.tick, "stream": stream}).items():
            m.d.comb += [getattr(side, name).eq(value) for side in (self.hidden, self.output)]

    def _output_queue(self, m, go):
        """A FIFO for `output_ticks` vectors; whether there is room for one more."""
        size, layout, output = self.net.outputs, output_layout(self.net), self.output
        m.submodules.outputs = queue = fifo.SyncFIFOBuffered(width=layout.size, depth=self.output_ticks * size)
        word, index = Signal(layout), Signal(range(max(2, size)))
        room = Signal(range(self.output_ticks + 1), init=self.output_ticks)
        valid = later(m, output.y_valid, 1, name="y_valid", reset_less=False)
        taken = self.o.valid & self.o.ready & self.o.p.last
        m.d.comb += [queue.w_en.eq(valid), queue.w_data.eq(word), self.o.valid.eq(queue.r_rdy),
                     self.o.payload.eq(queue.r_data), queue.r_en.eq(self.o.ready & self.o.valid),
                     word.y.eq(later(m, output.y, 1, name="y")), word.last.eq(index == size - 1)]
        m.d.sync += room.eq(room + taken - go)
        with m.If(valid):
            m.d.sync += index.eq(Mux(word.last, 0, index + 1))
        return room != 0

    def _walked(self, m, reseed, probe):
        """Lanes do what their side says, or give back the word that is probed."""
        ask, addr, probing = probe
        names, sides = taught.Lanes._fields, (self.hidden.alpha, self.hidden.rho, self.output.lanes)
        for name, chain, own in zip(names, self.chains, sides, strict=True):
            one = later(m, ask, chain.OPERAND_OFFSET, name=f"{name}_one")
            m.d.comb += [
                *(getattr(chain, each).eq(getattr(own, each))
                  for each in ("back", "update", "write", "swap", "load_valid", "load_lane", "load_eps")),
                chain.addr.eq(Mux(ask, addr, own.addr)), chain.first.eq(own.first | ask), chain.last.eq(own.last | ask),
                chain.operand.eq(Mux(one, 1, own.operand)), chain.reseed.eq(reseed),
                own.valid.eq(chain.valid & ~probing), own.sum.eq(chain.sum), own.column.eq(chain.column)]

    def _probe(self, m, idle, hold):
        """A weight leaves as its product with one, when no tick is under way and the lanes are empty.

        Gives: ask, the address, and whether sums are those of a probe.
        """
        n = self.net.layers[0].outputs
        quiet, time = Signal(range(self.drain + 1)), Signal(range(self.drain + 1))
        ask, probing = Signal(), Signal()
        lane = Signal(range(max(2, 2 * n)), name="probe_lane", reset_less=True)
        m.d.sync += [quiet.eq(Mux(idle & ~probing, Mux(quiet == self.drain, self.drain, quiet + 1), 0)), ask.eq(0),
                     self.probe_valid.eq(0)]
        with m.If(hold & ~probing & (quiet == self.drain)):
            m.d.sync += [ask.eq(1), probing.eq(1), time.eq(self.drain), lane.eq(0)]
        with m.If(probing):
            m.d.sync += time.eq(time - 1)
            with m.If(time == 0):
                m.d.sync += [probing.eq(0), hold.eq(0), self.probe_valid.eq(1)]
        with m.If(self.probe):
            m.d.sync += hold.eq(1)
        found = []
        for number, chain in enumerate(self.chains):
            count = Signal(range(max(2, chain.rows.lanes + 1)), name=f"probe_count{number}")
            # registers: what is asked for is far from the lanes, and so is what they answer
            wanted = Signal.like(self.probe_bank - chain.first_bank, name=f"probe_wanted{number}", reset_less=True)
            m.d.sync += wanted.eq(self.probe_bank - chain.first_bank)
            with m.If(ask):
                m.d.sync += count.eq(0)
            with m.Elif(chain.valid):
                m.d.sync += count.eq(count + 1)
            found.append(Mux(chain.valid & (count == wanted), chain.sum[:WORD_BITS], 0))
        word = Signal(WORD_BITS, name="probe_word")
        m.d.sync += word.eq(reduce(or_, found))
        with m.If(ask):
            m.d.sync += self.probe_data.eq(0)
        with m.Elif(probing & (word != 0)):
            m.d.sync += self.probe_data.eq(word.as_signed())
        return ask, self.probe_addr, probing
