"""OutputSide: the readout, its states, the teacher and its errors beside the lanes of the readout."""

from amaranth.hdl import Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.ltc import taught
from golden.ltc.teacher import FRESH_BIT, factor_bits
from rtl.fixed import shape
from rtl.ltc.taught.chain import States, chain_signature, counted, factor, follow, load, tag
from rtl.ltc.taught.errors import ReadoutErrors
from rtl.ltc.taught.gate import GateUnit
from rtl.ltc.taught.hidden import tick_members
from rtl.ltc.taught.neurons import SUM_LATENCY, summed
from rtl.ltc.taught.plan import DZ_COLUMNS, Q_COLUMNS, Plan, readout_rows
from rtl.ltc.taught.softmax import SoftmaxError
from rtl.ltc.taught.walk import Walker
from rtl.pipeline import later
from rtl.primitives import Bank, bank
from rtl.units.plastic_lanes import PlasticLanes


class OutputSide(wiring.Component):
    """Walks the lanes of the readout and does all that is not a product of weights.

    Parameters: net, plan, vendor form.
    Members: those of rtl.ltc.taught.hidden.tick_members; label, mute; lanes, of `chain_signature`; spike_valid, spike;
    y_valid, y; below_valid, below, columns of dz; overflow.
    """

    def __init__(self, net, plan: Plan, *, vendor: str = "generic"):
        self.net, self.plan, self.vendor = net, plan, vendor
        self.readout, self.rows = net.readout, readout_rows(net)
        super().__init__(tick_members(net.streams) | {
            "label": In(FRESH_BIT), "mute": In(1), "lanes": Out(chain_signature(self.rows)), "spike_valid": In(1),
            "spike": In(1), "y_valid": Out(1), "y": Out(shape(self.readout.state)), "below_valid": Out(1),
            "below": Out(signed(self.rows.back)), "overflow": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, readout, lanes, count = self.net, self.readout, self.lanes, self.readout.outputs
        m.submodules.walker = walker = Walker(self.plan.readout + self.plan.readout_learning,
                                              taught.readout_depth(readout))
        m.d.comb += [walker.start.eq(self.start), walker.errors.eq(self.errors)]
        follow(m, lanes, walker, self.learn)
        m.submodules.spikes = spikes = bank(self.vendor, depth=max(2, readout.inputs), width=1)
        sent, _ = counted(m, self.start, self.spike_valid, readout.inputs, name="sent")
        m.d.comb += [spikes.write_en.eq(self.spike_valid), spikes.write_addr.eq(sent), spikes.write_data.eq(self.spike)]
        states = States(m, "y_states", count, readout.state.width, net.streams, self.vendor)
        m.submodules.z_words = zs = bank(self.vendor, depth=max(2, count), width=readout.state.width)
        row, turn = counted(m, self.start, lanes.valid, count, name="row")
        is_gate = lanes.valid & turn
        z = summed(m, [lanes.sum], readout.weight.frac_bits, readout.state, name="z_word")
        m.d.comb += [zs.write_data.eq(z), zs.write_addr.eq(later(m, row, SUM_LATENCY, name="z_row")),
                     zs.write_en.eq(later(m, lanes.valid & ~turn, SUM_LATENCY, name="z_valid", reset_less=False))]
        position = walker.position
        index, first = Signal(range(max(2, count)), name="index"), readout.gate_words
        old = Signal(range(max(2, count)), name="old_index")
        m.d.comb += [old.eq(Mux(is_gate, row, position)), index.eq(Mux(is_gate, row, position - count)),
                     zs.read_addr.eq(index), spikes.read_addr.eq(position - first)]
        y = Mux(self.fresh, 0, states.read(m, old, self.stream, self.round)).as_signed()
        m.submodules.gate_unit = gate = GateUnit(readout, self.rows.rows.acc, vendor=self.vendor)
        m.d.comb += [gate.valid.eq(is_gate), gate.sum.eq(lanes.sum), gate.old.eq(y), gate.i.eq(zs.read_data),
                     self.y_valid.eq(gate.o_valid), self.y.eq(gate.new)]
        made, _ = counted(m, self.start, gate.o_valid, count, name="made")
        states.write(m, gate.o_valid, made, self.stream, self.round, gate.new)
        self._operand(m, walker, y, zs, spikes)
        self._errors(m, walker, gate)
        return m

    def _operand(self, m, walker, y, zs, spikes):
        """What the lanes multiply by, a cycle after the words are there."""
        readout, count, position = self.readout, self.readout.outputs, walker.position
        first, one = readout.gate_words, Const(self.readout.one, shape(self.readout.state))
        asked = {"y": position < count, "z": (position >= count) & (position < 2 * count),
                 "one": (position == 2 * count) | (position == first + readout.inputs),
                 "spike": (position >= first) & (position < first + readout.inputs)}
        asked = {name: later(m, value, Bank.LATENCY, name=f"asked_{name}") for name, value in asked.items()}
        word = Signal(shape(readout.state))
        for on, value in ((asked["y"], y), (asked["z"], zs.read_data.as_signed()), (asked["one"], one),
                          (asked["spike"] & spikes.read_data[0], one)):
            with m.If(on):
                m.d.comb += word.eq(value)
        active = later(m, walker.active, Bank.LATENCY, name="asked", reset_less=False)
        update = later(m, walker.update, Bank.LATENCY, name="asked_step")
        m.d.comb += self.lanes.operand.eq(factor(m, word, active, update, extra=factor_bits(readout), halve=self.halve,
                                                 name="factor"))

    def _errors(self, m, walker, gate):
        net, readout, count = self.net, self.readout, self.readout.outputs
        error = net.teacher.error
        m.submodules.softmax = softmax = SoftmaxError(count, readout.state, error, vendor=self.vendor)
        m.submodules.errors_unit = unit = ReadoutErrors(readout, error, weight_bits=readout.weight.frac_bits,
                                                        column_bits=self.rows.back, vendor=self.vendor)
        latency = PlasticLanes.column_latency(count)
        m.d.comb += [
            softmax.start.eq(self.start), softmax.valid.eq(gate.o_valid & self.errors), softmax.y.eq(gate.new),
            softmax.label.eq(self.label), softmax.mute.eq(self.mute),
            unit.restart.eq(self.start), unit.valid.eq(gate.o_valid), unit.kept.difference.eq(gate.difference),
            unit.kept.gate.eq(gate.gate), unit.dy_valid.eq(softmax.o_valid), unit.dy.eq(softmax.o),
            unit.column_valid.eq(tag(m, walker, Q_COLUMNS, latency, name="q_column")),
            unit.column.eq(self.lanes.column),
            self.below_valid.eq(tag(m, walker, DZ_COLUMNS, latency, name="dz_column")),
            self.below.eq(self.lanes.column), self.overflow.eq(unit.overflow)]
        load(m, (self.lanes,), count, ((unit.q_valid, unit.q), (unit.dz_valid, unit.dz)))
