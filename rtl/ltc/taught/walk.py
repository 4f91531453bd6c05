"""Walker: what lanes that learn read, sum, send back and step, cycle by cycle, after a fixed plan."""

from typing import NamedTuple

from amaranth.hdl import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from rtl.pipeline import later
from rtl.units.plastic_lanes import PlasticLanes

#: cycles from a step to the read of its weight
READ = PlasticLanes.UPDATE_READ - 1


class Segment(NamedTuple):
    """Words address .. address + count - 1 of every lane, one a cycle from cycle `begin` on; cycle 0 follows `start`.

    begins, ends: its first word begins a sum, its last one ends it; back: its products with eps go into columns;
    update: its words take a step; swap: with its first word the eps that were loaded are in force; learning: only where
    errors run; column: a number for what comes of it.
    """

    begin: int
    address: int
    count: int
    begins: bool = False
    ends: bool = False
    back: bool = False
    update: bool = False
    swap: bool = False
    learning: bool = False
    column: int = 0

    @property
    def end(self) -> int:
        """The cycle behind its last word."""
        return self.begin + self.count


class Walker(wiring.Component):
    """Goes through segments whose begins ascend; an address of an update comes again READ cycles later, for its read.

    Parameters: segments; depth, words of a lane.
    Members: start, errors (with it: those that learn, too); active, position, the word whose factor is asked for;
    addr, first, last, back, update, swap as PlasticLanes take them; column, of the segment under way.
    """

    def __init__(self, segments, depth: int):
        self.segments = sorted(segments)
        bits = max(1, (depth - 1).bit_length())
        self.columns = 1 + max(segment.column for segment in segments)
        super().__init__({
            "start": In(1), "errors": In(1), "active": Out(1), "position": Out(bits), "addr": Out(bits),
            "first": Out(1), "last": Out(1), "back": Out(1), "update": Out(1), "swap": Out(1),
            "column": Out(range(max(2, self.columns)))})

    def elaborate(self, platform):
        m = Module()
        end = max(segment.end for segment in self.segments)
        time, running, errors = Signal(range(end + 1)), Signal(), Signal()
        left = Signal(range(max(segment.count for segment in self.segments) + 1), reset_less=True)
        new, ends, begins, swaps = (Signal(name=name) for name in ("new", "ends", "begins", "swaps"))
        m.d.sync += [time.eq(time + 1), new.eq(0), left.eq(left - 1), self.position.eq(self.position + 1)]
        with m.If(self.active & (left == 1)):
            m.d.sync += [self.active.eq(0), self.back.eq(0), self.update.eq(0)]
        with m.If(time == end - 1):
            m.d.sync += running.eq(0)
        for segment in self.segments:
            now = self.start if segment.begin == 0 else running & (time == segment.begin - 1)
            with m.If(now & errors if segment.learning else now):
                m.d.sync += [
                    self.position.eq(segment.address), left.eq(segment.count), self.active.eq(1), new.eq(1),
                    begins.eq(segment.begins), ends.eq(segment.ends), swaps.eq(segment.swap),
                    self.back.eq(segment.back), self.update.eq(segment.update), self.column.eq(segment.column)]
        with m.If(self.start):
            m.d.sync += [time.eq(0), running.eq(1), errors.eq(self.errors)]
        again = later(m, self.update, READ, name="again", reset_less=False)
        again_addr = later(m, self.position, READ, name="again_addr")
        m.d.comb += [self.first.eq(new & begins), self.swap.eq(new & swaps),
                     self.last.eq(self.active & ends & (left == 1)), self.addr.eq(self.position)]
        with m.If(again):
            m.d.comb += self.addr.eq(again_addr)
        return m
