"""The walk of an engine through its convolutions: pixels, then the real taps of each; padding is never issued.

    conv --> [Pixels] --> first word, run lengths --> [Taps] --> address of a weight and of an activation, each cycle

Within a row of the kernel the taps that are real and their groups of channels are neighbours, among weights as in the
map: a pixel is a few runs of consecutive addresses. Source: golden.cascade.layer.Convolution.runs.
"""

from dataclasses import dataclass

from amaranth.hdl import Array, Const, Module, Mux, Signal, unsigned
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.cascade.layer import MAX_SIDE, Engine, Task

#: pixels that wait for the lanes
QUEUE = 4


@dataclass(frozen=True)
class Program:
    """What an engine works through: its tasks, with the first word of each in a lane; words of its maps."""

    unit: Engine
    tasks: tuple[Task, ...]

    @property
    def starts(self) -> list[int]:
        """First word of each task in a lane, and the number of words behind the last one."""
        found = [0]
        for task in self.tasks:
            found.append(found[-1] + self.unit.words(task.conv))
        return found

    @property
    def map_words(self) -> int:
        """Words of the largest map that is read."""
        return max(task.conv.height * task.conv.width * self.unit.groups(task.conv) for task in self.tasks)

    @property
    def runs(self) -> list[tuple[list, list]]:
        """For each task tables of its output rows and columns, as `table_layouts` names them.

        Rows: first word of weights, runs - 1, first word of the map, last input row; columns: words of weights to skip,
        words of a run - 1, words of the map to skip.
        """
        found = []
        for task in self.tasks:
            conv, groups = task.conv, self.unit.groups(task.conv)
            found.append((
                [(tap * conv.kernel * groups, count - 1, row * conv.width * groups, row + count - 1)
                 for tap, count, row in conv.rows],
                [(tap * groups, count * groups - 1, column * groups) for tap, count, column in conv.columns]))
        return found

    def choose(self, task, values) -> Array:
        """A constant of each task, by the number of the task."""
        return Array(values)[task] if len(values) > 1 else Const(values[0])


def bits(values) -> int:
    """Bits of the largest of some values."""
    return max(1, max(values).bit_length())


def pixel_layout(program: Program) -> data.StructLayout:
    """Of a pixel: its task; first words of weights and map, runs - 1, words of a run - 1."""
    runs = program.runs
    return data.StructLayout({
        "task": unsigned(bits([len(program.tasks) - 1])), "weight": unsigned(bits([program.starts[-1] - 1])),
        "map": unsigned(bits([program.map_words - 1])),
        "runs": unsigned(bits([row[1] for rows, _ in runs for row in rows])),
        "words": unsigned(bits([column[1] for _, columns in runs for column in columns]))})


def table_layouts(program: Program) -> tuple[data.StructLayout, data.StructLayout]:
    """What is known of an output row, and of an output column: Program.runs."""
    entries = ([row for rows, _ in program.runs for row in rows], [col for _, cols in program.runs for col in cols])
    names = ("weight", "runs", "map", "need"), ("weight", "words", "map")
    return tuple(data.StructLayout({name: unsigned(bits([each[n] for each in found])) for n, name in enumerate(of)})
                 for found, of in zip(entries, names, strict=True))


class Pixels(wiring.Component):
    """Pixels of a convolution, row after row, all folds of a row: so its words are there as soon as can be.

    Parameters: program.
    Members
      start, task   begin a convolution; only while `idle`
      idle          the last pixel has been handed on
      arrived       rows of the map that are there: a pixel waits for those that it reads
      o             the pixels
    """

    def __init__(self, program: Program):
        self.program = program
        super().__init__({
            "start": In(1), "task": In(range(max(2, len(program.tasks)))), "idle": Out(1),
            "arrived": In(range(MAX_SIDE + 1)), "o": Out(stream.Signature(pixel_layout(program)))})

    def elaborate(self, platform):
        m = Module()
        program, unit = self.program, self.program.unit
        layout, tasks = pixel_layout(program), [task.conv for task in program.tasks]
        now, running, fresh = Signal.like(self.task), Signal(), Signal()
        x, y = Signal(range(MAX_SIDE)), Signal(range(MAX_SIDE))
        fold = Signal(range(max(2, *(unit.folds(conv) for conv in tasks))))
        base, begin = Signal(layout["weight"].shape), Signal(layout["weight"].shape)
        last = {name: Signal(MAX_SIDE.bit_length() + 3, name=f"last_{name}") for name in ("x", "y", "fold")}
        each = Signal(range(max(unit.words(conv) for conv in tasks) + 1), name="words_of_fold")
        m.d.comb += self.idle.eq(~running)
        with m.If(self.start):
            m.d.sync += [now.eq(self.task), running.eq(1), fresh.eq(1), x.eq(0), y.eq(0), fold.eq(0),
                         base.eq(program.choose(self.task, program.starts[:-1])),
                         begin.eq(program.choose(self.task, program.starts[:-1]))]
        with m.If(fresh):
            m.d.sync += [fresh.eq(0), each.eq(program.choose(now, [unit.words(c) // unit.folds(c) for c in tasks])),
                         last["x"].eq(program.choose(now, [conv.out_width - 1 for conv in tasks])),
                         last["y"].eq(program.choose(now, [conv.out_height - 1 for conv in tasks])),
                         last["fold"].eq(program.choose(now, [unit.folds(conv) - 1 for conv in tasks]))]
        row, column = self._tables(m, now, x, y)
        # a register holds what the tables say of the pixel, another one adds it up
        found, ready = Signal(), Signal()
        go, taken, there = Signal(), Signal(), Signal()
        ends = {name: Signal(name=f"end_{name}") for name in last}
        # tables have seen x and y, and registers what the tables say
        seen, settled = Signal(), Signal()
        m.d.sync += [seen.eq(~(self.start | fresh | go)), settled.eq(seen & ~(self.start | fresh | go)),
                     there.eq(self.arrived > row["need"]), ends["x"].eq(x == last["x"]),
                     ends["y"].eq(y == last["y"]), ends["fold"].eq(fold == last["fold"])]
        m.d.comb += [ready.eq(~self.o.valid | self.o.ready), taken.eq(found & ready),
                     go.eq(running & settled & there & (~found | taken))]
        part = Signal(data.StructLayout({"task": layout["task"].shape, "base": base.shape(),
                                         "row": table_layouts(program)[0], "column": table_layouts(program)[1]}))
        with m.If(go):
            m.d.sync += [found.eq(1), part.task.eq(now), part.base.eq(base), part.row.eq(row), part.column.eq(column)]
            self._advance(m, x, y, fold, (base, begin, each), ends, running)
        with m.Elif(taken):
            m.d.sync += found.eq(0)
        with m.If(ready):
            o = self.o.p
            m.d.sync += [self.o.valid.eq(found), o.task.eq(part.task), o.runs.eq(part.row.runs),
                         o.words.eq(part.column.words), o.map.eq(part.row.map + part.column.map),
                         o.weight.eq(part.base + part.row.weight + part.column.weight)]
        return m

    def _tables(self, m, now, x, y):
        """What is known of output row y and of output column x, a cycle later."""
        runs = self.program.runs
        row_table, column_table = table_layouts(self.program)
        row, column = Signal(row_table), Signal(column_table)
        for target, names, at, entries in ((row, row_table.members, y, [rows for rows, _ in runs]),
                                           (column, column_table.members, x, [columns for _, columns in runs])):
            with m.Switch(now):
                for n, values in enumerate(entries):
                    with m.Case(n) if n < len(entries) - 1 else m.Default():
                        with m.Switch(at):
                            for k, value in enumerate(values):
                                with m.Case(k):
                                    m.d.sync += [target[name].eq(word)
                                                 for name, word in zip(names, value, strict=True)]
        return row, column

    @staticmethod
    def _advance(m, x, y, fold, weights, ends, running):
        base, begin, each = weights
        m.d.sync += x.eq(x + 1)
        with m.If(ends["x"]):
            m.d.sync += [x.eq(0), fold.eq(fold + 1), base.eq(base + each)]
            with m.If(ends["fold"]):
                m.d.sync += [fold.eq(0), base.eq(begin), y.eq(y + 1)]
                with m.If(ends["y"]):
                    m.d.sync += running.eq(0)


class Taps(wiring.Component):
    """The words of a pixel, one a cycle. One of fewer words than lanes is stretched to as many cycles.

    Parameters: program.
    Members
      i                 pixels
      weight, map, task  LATENCY cycles behind: addresses, and whose they are
      first, last       of the pixel
      busy              the addresses are those of a real tap; where not, operands have to be zero
    """

    LATENCY = 2

    def __init__(self, program: Program):
        self.program, layout = program, pixel_layout(program)
        super().__init__({
            "i": In(stream.Signature(layout)), "weight": Out(layout["weight"].shape), "map": Out(layout["map"].shape),
            "task": Out(layout["task"].shape), "first": Out(1), "last": Out(1), "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        program, unit, i = self.program, self.program.unit, self.i
        convs = [task.conv for task in program.tasks]
        layout = pixel_layout(program)
        p = Signal(layout)                      # of the pixel under way: what is left of it
        length, wait = Signal(layout["words"].shape), Signal(range(max(2, unit.lanes)))
        begin_weight, begin_map = Signal(layout["weight"].shape), Signal(layout["map"].shape)
        row_weight = program.choose(p.task, [conv.kernel * unit.groups(conv) for conv in convs])
        row_map = program.choose(p.task, [conv.width * unit.groups(conv) for conv in convs])
        inside, active, first, ends, over = Signal(), Signal(), Signal(), Signal(), Signal()
        # of the registers p.words, p.runs and wait: whether they are 0
        word, run, waited = Signal(), Signal(), Signal(init=1)
        m.d.comb += [ends.eq(active & word & run), over.eq((ends | ~active) & waited), i.ready.eq(over)]
        m.d.sync += [wait.eq(Mux(waited, 0, wait - 1)), waited.eq(wait <= 1), first.eq(0)]
        with m.If(active):
            m.d.sync += [p.words.eq(p.words - 1), word.eq(p.words == 1), p.weight.eq(p.weight + 1),
                         p.map.eq(p.map + 1)]
            with m.If(word):
                m.d.sync += [p.words.eq(length), word.eq(length == 0), p.runs.eq(p.runs - 1), run.eq(p.runs == 1),
                             p.weight.eq(begin_weight + row_weight),
                             p.map.eq(begin_map + row_map), begin_weight.eq(begin_weight + row_weight),
                             begin_map.eq(begin_map + row_map)]
        with m.If(ends):
            m.d.sync += active.eq(0)
        with m.If(over):
            m.d.sync += inside.eq(i.valid)
        with m.If(over & i.valid):
            m.d.sync += [active.eq(1), first.eq(1), p.eq(i.p), length.eq(i.p.words), word.eq(i.p.words == 0),
                         run.eq(i.p.runs == 0), wait.eq(unit.lanes - 1), waited.eq(unit.lanes == 1),
                         begin_weight.eq(i.p.weight), begin_map.eq(i.p.map)]
        m.d.sync += [self.weight.eq(p.weight), self.map.eq(p.map), self.task.eq(p.task), self.first.eq(active & first),
                     self.last.eq(inside & over), self.busy.eq(active)]
        return m


class Walk(wiring.Component):
    """Pixels, a queue, Taps: members of both. A start's first address comes LATENCY cycles later, if rows are there."""

    LATENCY = 10

    def __init__(self, program: Program):
        self.pixels, self.taps = Pixels(program), Taps(program)
        layout = pixel_layout(program)
        super().__init__({
            "start": In(1), "task_in": In(self.pixels.task.shape()), "idle": Out(1),
            "arrived": In(range(MAX_SIDE + 1)), "weight": Out(layout["weight"].shape),
            "map": Out(layout["map"].shape), "task": Out(layout["task"].shape), "first": Out(1), "last": Out(1),
            "busy": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.pixels, m.submodules.taps = pixels, taps = self.pixels, self.taps
        m.submodules.queue = queue = fifo.SyncFIFOBuffered(width=len(taps.i.payload.as_value()), depth=QUEUE)
        m.d.comb += [
            pixels.start.eq(self.start), pixels.task.eq(self.task_in), self.idle.eq(pixels.idle),
            pixels.arrived.eq(self.arrived), queue.w_en.eq(pixels.o.valid), pixels.o.ready.eq(queue.w_rdy),
            queue.w_data.eq(pixels.o.payload), taps.i.valid.eq(queue.r_rdy), taps.i.payload.eq(queue.r_data),
            queue.r_en.eq(taps.i.ready)]
        m.d.comb += [getattr(self, name).eq(getattr(taps, name))
                     for name in ("weight", "map", "task", "first", "last", "busy")]
        return m
