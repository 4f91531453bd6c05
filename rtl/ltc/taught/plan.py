"""When what happens in a tick of a network that learns on the chip: all cycles are fixed, cycle 0 follows `start`.

    lanes of the gates    x | old half | x half |              ...               | back: da, dr | steps: gates, x |
    neurons                                  spikes |
    lanes of the readout                      z      | gate |   | back: q | step | back: dz | step |
    outputs                                              y | softmax | q       dz     da, dr        dx

Every lane runs a cycle behind the one before it, words and errors alike. Inference is the tick up to y.
"""

from dataclasses import dataclass
from functools import cached_property

from golden.fixed import acc_width
from golden.ltc import taught
from golden.ltc.teacher import factor_bits, step_shift
from golden.units.rows import Rows
from rtl.ltc.taught.errors import HiddenErrors, ReadoutErrors
from rtl.ltc.taught.gate import GateUnit
from rtl.ltc.taught.neurons import SUM_LATENCY, Neurons
from rtl.ltc.taught.softmax import SoftmaxError
from rtl.ltc.taught.walk import READ, Segment
from rtl.units.mac import MacLanes
from rtl.units.plastic_lanes import PlasticLanes, PlasticRows

#: lanes that an error reaches at once on its way along them
STRIDE = 8
#: registers between the far ends of the lanes of both gates and what their columns meet in
WIRE = 2
#: numbers of what columns are made of
Q_COLUMNS, DZ_COLUMNS = 1, 2


def _rows(net, lanes: int, words: int, scope: bool) -> PlasticRows:
    layer, error = net.layers[0], net.teacher.error
    rows = Rows(count=lanes, words=max(words, lanes), lanes=lanes, weight=layer.weight.width,
                operand=layer.state.width, halves=1, held=words if words >= lanes else None)
    return PlasticRows(rows, layer.weight, error, layer.state.width + factor_bits(layer),
                       acc_width(lanes, layer.weight, error), step_shift(net) if scope else None, stride=STRIDE)


def gate_rows(net) -> PlasticRows:
    """What the lanes of alpha or of rho hold."""
    layer = net.layers[0]
    return _rows(net, layer.outputs, taught.depth(layer), net.teacher.scope == "all")


def readout_rows(net) -> PlasticRows:
    """What the lanes of the readout hold."""
    return _rows(net, net.outputs, taught.readout_depth(net.readout), True)


@dataclass(frozen=True)
class Plan:
    """Segments of both walkers, and cycles from tick to tick."""

    net: object

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Neurons, outputs, words of a row of x in a lane."""
        return self.net.layers[0].outputs, self.net.outputs, taught.cut(self.net.layers[0])

    @property
    def whole(self) -> bool:
        return self.net.teacher.scope == "all"

    @cached_property
    def gates(self) -> list[Segment]:
        """Of the lanes of alpha and rho; forward."""
        n, _, cut = self.sizes
        # x is read the cycle after its word was written
        formed = cut - 1 + MacLanes.latency(gate_rows(self.net).rows) + SUM_LATENCY + 1
        return [Segment(0, 2 * n + 1, cut, begins=True, ends=True), Segment(cut, 0, n, begins=True),
                Segment(max(cut + n, formed), n, n + 1, ends=True)]

    @property
    def spikes(self) -> int:
        """Cycle in which the first spike is written."""
        return self.gates[-1].end - 1 + MacLanes.latency(gate_rows(self.net).rows) + Neurons.LATENCY

    @cached_property
    def readout(self) -> list[Segment]:
        """Of the lanes of the readout; forward: bias and spikes, then the gate."""
        n, outputs, _ = self.sizes
        latency = MacLanes.latency(readout_rows(self.net).rows)
        begin, first = self.spikes + 1, 2 * outputs + 1
        z = begin + n - 1 + latency + SUM_LATENCY + 1
        old = begin + n
        return [Segment(begin - 1, first + n, 1, begins=True), Segment(begin, first, n, ends=True),
                Segment(old, 0, outputs, begins=True), Segment(max(old + outputs, z), outputs, outputs + 1, ends=True)]

    @property
    def answered(self) -> int:
        """Cycle of the last y."""
        latency = MacLanes.latency(readout_rows(self.net).rows)
        return self.readout[-1].end - 1 + latency + GateUnit.LATENCY + self.net.outputs - 1

    def _reach(self, first: int, lanes: int) -> int:
        """The first cycle in which errors, one a cycle from `first` on, can be in force in lane after lane.

        Each passes a register before the lanes, and is looked for two cycles after the walk began.
        """
        return first + (lanes - 1) // STRIDE

    @cached_property
    def readout_learning(self) -> list[Segment]:
        """Of the lanes of the readout, where errors run."""
        n, outputs, _ = self.sizes
        first, column = 2 * outputs + 1, PlasticLanes.column_latency(outputs)
        q = self.answered + SoftmaxError.latency(outputs) + ReadoutErrors.Q_LATENCY
        back = Segment(self._reach(q, outputs), outputs, outputs, back=True, swap=True, learning=True, column=Q_COLUMNS)
        step = Segment(back.end, 0, first, update=True, learning=True)
        dz = back.begin + column + ReadoutErrors.DZ_LATENCY
        begin = max(self._reach(dz, outputs), step.end + READ)
        if not self.whole:
            return [back, step, Segment(begin, first, n + 1, update=True, swap=True, learning=True)]
        down = Segment(begin, first, n, back=True, swap=True, learning=True, column=DZ_COLUMNS)
        return [back, step, down, Segment(down.end, first, n + 1, update=True, learning=True)]

    @cached_property
    def gates_learning(self) -> list[Segment]:
        """Of the lanes of alpha and rho, where errors run."""
        if not self.whole:
            return []
        n, outputs, cut = self.sizes
        down = next(each for each in self.readout_learning if each.column == DZ_COLUMNS)
        first = down.begin + PlasticLanes.column_latency(outputs) + HiddenErrors.D_LATENCY
        back = Segment(self._reach(first, n), n, n, back=True, swap=True, learning=True, column=1)
        step = Segment(back.end, 0, 2 * n + 1, update=True, learning=True)
        dx = back.begin + PlasticLanes.column_latency(n) + WIRE + HiddenErrors.DX_LATENCY
        return [back, step, Segment(max(step.end, self._reach(dx, n)), 2 * n + 1, cut, update=True, swap=True,
                                    learning=True)]

    @property
    def period(self) -> int:
        """Cycles from tick to tick without errors."""
        return self.answered + 2

    @property
    def learning_period(self) -> int:
        """Cycles from tick to tick with errors: the lanes' ports are free, and the first weight that moved is there."""
        last = [segments[-1] for segments in (self.gates_learning, self.readout_learning) if segments]
        # weights are read again, at the earliest, in the order in which they moved
        return max(max(segment.end + READ, segment.begin + PlasticLanes.WRITE_LATENCY + 1) for segment in last)
