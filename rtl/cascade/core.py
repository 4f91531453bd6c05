"""A cascaded network as a circuit: stem, joints in a row, head; engines beside them that convolve, all at once.

frame --> [image] --> stem --> [Joint 1] --> [Joint 2] --> ... --> [Head] --> logits, verdict
|           |             |
[engine]    [engine]      [engine]
"""

from amaranth.hdl import Cat, Module, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from golden.cascade import words
from golden.cascade.layout import first_banks
from golden.cascade.network import CascadeNetwork
from rtl.cascade.answers import AnswerQueue
from rtl.cascade.engine import ConvolutionEngine
from rtl.cascade.head import Head, output_layout
from rtl.cascade.joint import Joint
from rtl.cascade.source import Source
from rtl.host.core import CoreInfo
from rtl.pipeline import ParameterBus, join, later


def input_layout() -> data.StructLayout:
    """An input word (golden.cascade.words); `first` is not used."""
    return data.StructLayout({"x": unsigned(18), "first": unsigned(1)})


def step_cycles(net) -> int:
    """Cycles of a step in which all blocks work: of the engine that takes longest, or of the head if that does."""
    engines = [sum(unit.cycles(task.conv) for task in net.program(unit) if task.layer) for unit in net.engines]
    # a value of the last map a cycle, a row a class, a word a class
    high, wide, channels = net.layers[-2].out
    return max(*engines, high * wide * channels + net.outputs * (net.head.inputs + 2))


def answers(net) -> tuple[int, int]:
    """Depth and width of the queue of answers."""
    return CascadeCore.output_ticks * net.steps * (net.outputs + 1), output_layout().size


class CascadeCore(wiring.Component):
    """All of a cascaded network.

    Members: i, o; params; half follows want_half (there is but one half of the banks); busy; tick, a step begins;
    stall; lost is never set; working, by engine: it makes products of real taps.
    """

    #: frames whose answers wait until they are read
    output_ticks = 4

    def __init__(self, net: CascadeNetwork, *, vendor: str = "generic"):
        self.net, self.vendor = net, vendor
        self.info = CoreInfo(
            constants={"cycles_per_tick": step_cycles(net), "output_ticks": self.output_ticks}, halves=1,
            settle=sum(unit.lanes for unit in net.engines) + 4 * len(net.engines) + 8, patience=self.longest_wait(net))
        super().__init__({
            "i": In(stream.Signature(input_layout())), "o": Out(stream.Signature(output_layout())),
            "params": In(ParameterBus()), "want_half": In(1), "half": Out(1), "busy": Out(1), "tick": Out(1),
            "stall": Out(1), "lost": Out(2 * len(net.layers)), "working": Out(len(net.engines))})

    @staticmethod
    def longest_wait(net) -> int:
        """Cycles for which an input word may be held while answers are read: two frames of the most steps."""
        passes = sum(layer.out[0] * layer.out[1] * layer.out[2] for layer in net.layers[:-1])
        every = sum(unit.cycles(task.conv) for unit in net.engines for task in net.program(unit))
        return 2 * words.MAX_STEPS * (every + 2 * passes + 2000)

    def elaborate(self, platform):
        m = Module()
        net = self.net
        m.submodules.source = source = Source(net, side=self._unit(0).side, vendor=self.vendor)
        m.d.comb += [source.i.valid.eq(self.i.valid), source.i.payload.eq(self.i.p.x),
                     self.i.ready.eq(source.i.ready), self.tick.eq(source.tick),
                     self.stall.eq(self.i.valid & ~self.i.ready)]
        m.d.sync += self.half.eq(self.want_half)
        stores = [source]
        for n, block in enumerate(net.blocks, 1):
            unit = self._unit(n)
            joint = Joint(block, number=n, rows=net.affine_rows(n), side=unit.side, alone=len(unit.layers) == 1,
                          vendor=self.vendor)
            m.submodules[f"joint{n}"] = joint
            wiring.connect(m, stores[-1].o, joint.i)
            stores.append(joint)
        params = wiring.flipped(self.params)
        engines = []
        for n, (unit, bank0) in enumerate(zip(net.engines, first_banks(net), strict=False)):
            engine = ConvolutionEngine(net, unit, bank0=bank0, vendor=self.vendor)
            m.submodules[f"engine{n}"] = engine
            join(m, engine.params, params)
            params = engine.params_out
            self._work(m, n, engine, stores)
            engines.append(engine)
        m.submodules.head = head = Head(net, bank0=first_banks(net)[-1], vendor=self.vendor)
        join(m, head.params, params)
        wiring.connect(m, stores[-1].o, head.i)
        wiring.connect(m, source.told, head.told)
        m.d.comb += [source.verdict.eq(head.verdict), source.ends.eq(head.ends),
                     self.working.eq(Cat(engine.busy for engine in engines))]
        self._output(m, source, head)
        return m

    def _unit(self, layer: int):
        return next(unit for unit in self.net.engines if layer in unit.layers)

    def _output(self, m, source, head):
        m.submodules.outputs = queue = AnswerQueue(output_layout(), depth=answers(self.net)[0], vendor=self.vendor)
        wiring.connect(m, head.o, queue.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        # a frame is under way from its first word to its last answer
        begun, ended = Signal(8), Signal(8)
        finished = Signal()
        m.d.sync += [finished.eq(self.o.valid & self.o.ready & self.o.p.last),
                     begun.eq(begun + source.begins - source.drops), ended.eq(ended + finished),
                     self.busy.eq((begun != ended) | self.i.valid)]

    def _work(self, m, number: int, engine, stores):
        """Join an engine to the maps of its layers: what it reads, writes, and has to do."""
        tasks, wants = engine.program.tasks, []
        for at, (first, _) in enumerate(engine.jobs):
            store, role = stores[tasks[first].layer], tasks[first].role
            want, taken = (store.want_short, store.taken_short) if role == "shortcut" else (store.want, store.taken)
            wants.append(want)
            m.d.comb += taken.eq(engine.taken[at])
        m.d.comb += engine.want.eq(Cat(wants))
        made = later(m, engine.task, Joint.LATENCY, name=f"read{number}")
        operand = Signal(len(engine.operand), name=f"operand{number}", reset_less=True)
        m.d.comb += engine.operand.eq(operand)
        with m.Switch(engine.issuing):
            for n, task in enumerate(tasks):
                with m.Case(n):
                    store = stores[task.layer]
                    m.d.comb += [engine.arrived.eq(store.inner if task.role == "second" else store.arrived),
                                 engine.row.eq(0 if task.role == "shortcut" else store.row)]
        with m.Switch(made):
            for n, task in enumerate(tasks):
                store = stores[task.layer]
                with m.Case(n):
                    m.d.sync += operand.eq(store.inner_data if task.role == "second" else store.read_data)
        with m.If(~later(m, engine.busy, Joint.LATENCY, name=f"busy{number}")):
            m.d.sync += operand.eq(0)
        for n, task in enumerate(tasks):
            store, place = stores[task.layer], engine.place
            if task.role == "second":
                m.d.comb += store.inner_addr.eq(engine.map_addr)
                write, word = store.residual, engine.residual
            elif task.role == "shortcut":
                write, word = store.sum, engine.residual
            else:
                m.d.comb += store.read_addr.eq(engine.map_addr)
                write, word = store.hidden, engine.activation
            m.d.comb += [write.en.eq(place.valid & (place.task == n)), write.address.eq(place.address),
                         write.data.eq(word), write.row.eq(place.row), write.whole.eq(place.whole)]
