"""An engine: lanes that work through the convolutions of some layers, one after the other, without a gap.

wanted work --> [Walk] --> addresses --> maps (outside) --> operands --> [MacLanes] --> [Affine] --> words, places
"""

from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.cascade.layer import ACTIVATION_BITS, MAX_SIDE, RESIDUAL_BITS, WEIGHT_BITS
from golden.cascade.layout import lane_words
from golden.units.rows import Rows
from rtl.cascade.sums import Affine, Places, least_gap, place_layout
from rtl.cascade.walk import Program, Walk, pixel_layout
from rtl.pipeline import ParameterBus, join, later
from rtl.units.mac import MacLanes


def engine_rows(net, unit) -> Rows:
    """The rows of an engine's lanes: those of its convolutions one after the other."""
    longest = max(task.conv.taps * unit.groups(task.conv) for task in net.program(unit))
    return Rows(count=unit.lanes, words=longest, lanes=unit.lanes, weight=WEIGHT_BITS, operand=ACTIVATION_BITS + 1,
                side=unit.side, halves=1, held=lane_words(net, unit))


def jobs(program: Program) -> list[tuple[int, int]]:
    """What is worked on at a stretch, the most urgent first: first task, and how many."""
    found = []
    for n, task in enumerate(program.tasks):
        if task.role == "second":
            found[-1] = (n - 1, 2)
        else:
            found.append((n, 1))
    return found


class ConvolutionEngine(wiring.Component):
    """Walk, lanes and affine of an engine.

    Parameters: net; unit; bank0, its first bank; vendor.
    Members
      want, taken         by job: there is work; it begins
      issuing             the task whose pixels are made; arrived, rows of its map that may be read; row of its scales
      map_addr, task      word of a map, and whose; OPERAND_OFFSET cycles later `operand`, its activations
      place               where a word goes; with it `activation` and `residual`
      busy                a product of a real tap is made
      params, params_out
    """

    def __init__(self, net, unit, *, bank0: int, vendor: str):
        self.net, self.unit, self.bank0, self.vendor = net, unit, bank0, vendor
        self.program = Program(unit, tuple(net.program(unit)))
        self.jobs = jobs(self.program)
        self.rows = engine_rows(net, unit)
        self.lanes = MacLanes(self.rows, vendor=vendor, first_bank=bank0)
        self.walk = Walk(self.program)
        layout, count = pixel_layout(self.program), len(self.jobs)
        super().__init__({
            "want": In(count), "taken": Out(count), "issuing": Out(layout["task"].shape),
            "arrived": In(range(MAX_SIDE + 1)), "row": In(4), "map_addr": Out(layout["map"].shape),
            "task": Out(layout["task"].shape), "operand": In(unit.side * ACTIVATION_BITS),
            "place": Out(place_layout(self.program)), "activation": Out(ACTIVATION_BITS),
            "residual": Out(signed(RESIDUAL_BITS)), "busy": Out(1), "params": In(ParameterBus()),
            "params_out": Out(ParameterBus())})

    def elaborate(self, platform):
        m = Module()
        walk, lanes, unit = self.walk, self.lanes, self.unit
        m.submodules.walk, m.submodules.lanes = walk, lanes
        m.submodules.places = places = Places(self.net, self.program)
        m.submodules.affine = affine = Affine(self.net, width=self.rows.acc, words=places.words,
                                              bank0=self.bank0 + unit.lanes, vendor=self.vendor,
                                              gap=least_gap(self.program))
        self._issue(m, places)
        join(m, lanes.params, self.params)
        join(m, affine.params, lanes.params_out)
        join(m, self.params_out, affine.params_out)
        m.d.comb += [
            self.map_addr.eq(walk.map), self.task.eq(walk.task), self.busy.eq(walk.busy), lanes.addr.eq(walk.weight),
            lanes.first.eq(walk.first), lanes.last.eq(walk.last), places.valid.eq(lanes.valid),
            affine.sum.eq(lanes.sum), affine.address.eq(places.scale), self.activation.eq(affine.activation),
            self.residual.eq(affine.residual), self.place.eq(self._placed(m, places.place, affine))]
        if affine.serial:
            m.d.comb += affine.valid.eq(lanes.valid)
        ports = [lanes.operand] if unit.side == 1 else lanes.operand
        m.d.comb += [port.eq(self.operand.word_select(n, ACTIVATION_BITS)) for n, port in enumerate(ports)]
        return m

    @staticmethod
    def _placed(m, place, affine):
        """A place, when its word is there."""
        wait = affine.LATENCY - 1
        if not affine.serial:
            return later(m, place, wait, name="place", reset_less=False)
        kept, found = Signal.like(place, name="place_kept"), Signal.like(place, name="place_there")
        with m.If(place.valid):
            m.d.sync += kept.eq(place)
        there = later(m, place.valid, wait, name="place_valid", reset_less=False)
        m.d.comb += [found.eq(kept), found.valid.eq(there), found.row.eq(kept.row & there),
                     found.whole.eq(kept.whole & there)]
        return found

    def _issue(self, m, places):
        """One job after the other, the first that is wanted; its tasks in order."""
        walk, count = self.walk, len(self.jobs)
        working, task, more = Signal(), Signal.like(self.issuing), Signal()
        current, chosen, begin = Signal.like(task), Signal(range(max(2, count))), Signal()
        for n in reversed(range(count)):
            with m.If(self.want[n]):
                m.d.comb += chosen.eq(n)
        firsts, doubles = Array([first for first, _ in self.jobs]), Array([tasks == 2 for _, tasks in self.jobs])
        # a joint that is told of a new job no longer lets the last one wait for rows
        with m.If(~working & walk.idle & self.want.any()):
            m.d.sync += [working.eq(1), task.eq(firsts[chosen]), more.eq(doubles[chosen])]
            m.d.comb += self.taken.eq(1 << chosen)
        m.d.comb += [begin.eq(working & walk.idle & places.room), walk.start.eq(begin), walk.task_in.eq(task),
                     places.begin.eq(begin), places.task.eq(task), places.row.eq(self.row),
                     # the pixels that are made are those of the task begun last
                     self.issuing.eq(Mux(walk.idle, task, current)),
                     walk.arrived.eq(later(m, self.arrived, 1, name="arrived"))]
        with m.If(begin):
            m.d.sync += [current.eq(task), task.eq(task + 1), more.eq(0), working.eq(more)]
