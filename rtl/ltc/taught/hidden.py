"""HiddenSide: neurons, their states and their errors beside the lanes of both gates."""

from amaranth.hdl import Cat, Const, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.ltc import taught
from golden.ltc.teacher import factor_bits, peak
from golden.regmap import MAX_HALVINGS
from rtl.fixed import shape
from rtl.ltc.taught.chain import States, chain_signature, counted, factor, follow, load, tag
from rtl.ltc.taught.errors import HiddenErrors
from rtl.ltc.taught.neurons import SUM_LATENCY, Neurons, summed
from rtl.ltc.taught.plan import WIRE, Plan, gate_rows, readout_rows
from rtl.ltc.taught.walk import Walker
from rtl.pipeline import later
from rtl.primitives import Bank, bank
from rtl.units.plastic_lanes import PlasticLanes


def tick_members(streams: int) -> dict:
    """What both sides are told of a tick: start, a pulse, and the others, which hold."""
    return {"start": In(1), "errors": In(1), "learn": In(1), "fresh": In(1), "halve": In(range(MAX_HALVINGS + 1)),
            "stream": In(range(max(2, streams))), "round": In(1)}


class HiddenSide(wiring.Component):
    """Walks the lanes of alpha and rho and does all that is not a product of weights.

    Parameters: net, plan, vendor form.
    Members: those of `tick_members`; input_index and input, Bank.LATENCY later; alpha, rho, of `chain_signature`;
    spike_valid, spike, of every neuron in order; above_valid, above, columns of dz; overflow.
    """

    def __init__(self, net, plan: Plan, *, vendor: str = "generic"):
        self.net, self.plan, self.vendor = net, plan, vendor
        self.layer, self.rows = net.layers[0], gate_rows(net)
        self.whole = net.teacher.scope == "all"
        super().__init__(tick_members(net.streams) | {
            "input_index": Out(range(max(2, net.inputs))), "input": In(shape(self.layer.operand)),
            "alpha": Out(chain_signature(self.rows)), "rho": Out(chain_signature(self.rows)),
            "spike_valid": Out(1), "spike": Out(1), "above_valid": In(1),
            "above": In(signed(readout_rows(net).back)), "overflow": Out(1)})

    def elaborate(self, platform):
        m = Module()
        net, layer, n = self.net, self.layer, self.layer.outputs
        m.submodules.walker = walker = Walker(self.plan.gates + self.plan.gates_learning, taught.depth(layer))
        m.d.comb += [walker.start.eq(self.start), walker.errors.eq(self.errors)]
        for chain in (self.alpha, self.rho):
            follow(m, chain, walker, self.learn)
        # each word has the spike of its neuron above it: both chains take a part of the spikes
        states = [States(m, f"{name}_states", n, layer.state.width + 1, net.streams, self.vendor) for name in "ub"]
        m.submodules.x_words = xs = bank(self.vendor, depth=max(2, n), width=layer.state.width)
        row, turn = counted(m, self.start, self.alpha.valid, n, name="row")
        is_gate = self.alpha.valid & turn
        x = summed(m, [self.alpha.sum, self.rho.sum], layer.weight.frac_bits, layer.state, name="x_word")
        m.d.comb += [xs.write_data.eq(x), xs.write_addr.eq(later(m, row, SUM_LATENCY, name="x_row")),
                     xs.write_en.eq(later(m, self.alpha.valid & ~turn, SUM_LATENCY, name="x_valid",
                                          reset_less=False))]
        words = self._read(m, walker, states, xs, row, is_gate)
        neurons = self._neurons(m, words, states, is_gate)
        self._operands(m, walker, words)
        if self.whole:
            self._errors(m, walker, neurons)
        return m

    def _read(self, m, walker, states, xs, row, is_gate) -> dict:
        """Words that the walk asks for, or of the neuron whose gates' sums are there; Bank.LATENCY later."""
        n, bits = self.layer.outputs, states[0].bits
        position, first = walker.position, self.layer.gate_words
        line, cut = position - first, taught.cut(self.layer)
        m.d.comb += self.input_index.eq(line)
        words = {"x": xs.read_data.as_signed()}
        index = Signal(range(max(2, n)), name="x_index")
        m.d.comb += [index.eq(Mux(is_gate, row, position - n)), xs.read_addr.eq(index)]
        # where the part of a chain has its first spike
        for name, state, before in (("u", states[0], self.net.inputs + 1), ("b", states[1], self.net.inputs + 1 - cut)):
            at = Signal(bits, name=f"{name}_at")
            m.d.comb += at.eq(Mux(is_gate, row, Mux(position < n, position, line - before)))
            word = state.read(m, at, self.stream, self.round)
            words[name] = Mux(self.fresh, 0, word[:-1]).as_signed()
            words[f"{name}_spike"] = word[-1] & ~self.fresh
        return words

    def _neurons(self, m, words, states, is_gate):
        layer, n = self.layer, self.layer.outputs
        m.submodules.neurons = neurons = Neurons(layer, self.rows.rows.acc, peak=peak(self.net), vendor=self.vendor)
        m.d.comb += [neurons.valid.eq(is_gate), neurons.alpha_sum.eq(self.alpha.sum), neurons.rho_sum.eq(self.rho.sum),
                     neurons.u.eq(words["u"]), neurons.b.eq(words["b"]), neurons.x.eq(words["x"]),
                     neurons.s.eq(words["b_spike"]), self.spike_valid.eq(neurons.o_valid),
                     self.spike.eq(neurons.o_spike)]
        made, _ = counted(m, self.start, neurons.o_valid, n, name="made")
        for state, word in zip(states, (neurons.o_u, neurons.o_b), strict=True):
            state.write(m, neurons.o_valid, made, self.stream, self.round, Cat(word, neurons.o_spike))
        return neurons

    def _operands(self, m, walker, words):
        """What the lanes multiply by, a cycle after the words are there."""
        layer, n, inputs = self.layer, self.layer.outputs, self.net.inputs
        one, cut = Const(layer.one, shape(layer.state)), taught.cut(layer)
        position, first = walker.position, layer.gate_words
        line, spikes = position - first, inputs + 1 + n - cut
        # what is asked for; of the lines of rho those that there are
        asked = {"old": position < n, "x": (position >= n) & (position < 2 * n), "one": position == 2 * n,
                 "in": (line >= 0) & (line < inputs), "bias": line == inputs, "spike": line > inputs,
                 "rho_spike": (line >= 0) & (line < spikes)}
        asked = {name: later(m, value, Bank.LATENCY, name=f"asked_{name}") for name, value in asked.items()}
        active = later(m, walker.active, Bank.LATENCY, name="asked", reset_less=False)
        update = later(m, walker.update, Bank.LATENCY, name="asked_step")
        chosen = {
            "alpha": ((asked["old"], words["u"]), (asked["x"], words["x"]), (asked["one"] | asked["bias"], one),
                      (asked["in"], self.input), (asked["spike"] & words["u_spike"], one)),
            "rho": ((asked["old"], words["b"]), (asked["x"], words["x"]), (asked["one"], one),
                    (asked["rho_spike"] & words["b_spike"], one))}
        for name, parts in chosen.items():
            word = Signal(shape(layer.state), name=f"{name}_word")
            for on, value in parts:
                with m.If(on):
                    m.d.comb += word.eq(value)
            m.d.comb += getattr(self, name).operand.eq(
                factor(m, word, active, update, extra=factor_bits(layer), halve=self.halve, name=f"{name}_factor"))

    def _errors(self, m, walker, neurons):
        net, layer, n = self.net, self.layer, self.layer.outputs
        m.submodules.errors_unit = unit = HiddenErrors(
            layer, net.teacher.error, weight_bits=layer.weight.frac_bits, above_bits=len(self.above),
            column_bits=self.rows.back, vendor=self.vendor)
        m.d.comb += [
            unit.restart.eq(self.start), unit.valid.eq(neurons.o_valid), unit.kept.eq(neurons.o_kept),
            unit.above_valid.eq(self.above_valid), unit.above.eq(self.above), self.overflow.eq(unit.overflow),
            unit.column_valid.eq(tag(m, walker, 1, PlasticLanes.column_latency(n) + WIRE, name="column")),
            *(getattr(unit, f"{name}_column").eq(later(m, getattr(self, name).column, WIRE, name=f"{name}_column"))
              for name in ("alpha", "rho"))]
        load(m, (self.alpha, self.rho), n, ((unit.d_valid, unit.da, unit.dr), (unit.dx_valid, unit.dx, unit.dx)))
