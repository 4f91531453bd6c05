"""A system that is none of the project's: y = W x, a sample of words in, a sum an output out. Everything it needs.

Installed by `install`, it has the kind "tally"; its names are those that golden/systems.py and rtl/systems.py look for.
"""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import NamedTuple

import numpy as np
from amaranth.hdl import Array, Module, Mux, Signal, signed
from amaranth.lib import data, fifo, stream, wiring
from amaranth.lib.wiring import In, Out

from golden import systems
from golden.checks import check
from golden.description import Answers, Bank, Description, Trained, Units
from golden.files import from_json, read_safetensors, to_json, write_safetensors
from golden.fixed import wrap
from rtl.host.core import CoreInfo
from rtl.inventory import Inventory
from rtl.pipeline import ParameterBus
from rtl.systems import Circuit


class Layer(NamedTuple):
    """Lines and sums; everything works at once."""

    inputs: int
    outputs: int
    lanes: int = 1


class Weights(NamedTuple):
    """Words -8..7, (outputs, inputs)."""

    weight: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Tally(Description):
    """A layer of sums."""

    kind, MARK, TENSORS, SAMPLE = "tally", "tally_network", np.int16, ("image", "output")
    name: str
    layers: tuple[Layer, ...]
    size = "some sums"

    def shape(self):
        return {"tally": 1, "layers": self.layers}

    def entry(self):
        return {"name": self.name, "layers": self.layers}

    @classmethod
    def parse(cls, entry):
        return cls(name=entry["name"], layers=tuple(Layer(*layer) for layer in entry["layers"]))

    def check(self, params):
        check(params[0].weight.shape == (self.outputs, self.inputs), "weight has another shape")

    def layout(self):
        return tuple(Bank(n, range(self.inputs)) for n in range(self.outputs))

    def pack(self, params):
        return list(params[0].weight)

    def unpack(self, words):
        return (Weights(wrap(np.asarray(words, np.int64), 18).reshape(self.outputs, self.inputs)),)

    def run(self, params, x, progress=None):
        return np.asarray(x) @ params[0].weight.T

    def units(self, x):
        return Units(np.asarray(x, np.uint32).ravel(), np.arange(1, len(x) + 1) * self.inputs, self.outputs)

    def outputs_of(self, words, x):
        return wrap(np.asarray(words, np.int64), 18).reshape(len(x), self.outputs)

    def answers(self, outputs, since=0, lengths=None):
        return Answers(outputs.argmax(1), outputs.astype(float))

    def table(self):
        return ("layer", "size"), [("0", f"{self.inputs} x {self.outputs}")]


class TallyTrained(Trained):
    """What training leaves of it."""

    kind, KEY = "tally", "tally"

    def __init__(self, name, weight, training):
        self.name, self.weight, self.training = name, weight, training

    @classmethod
    def load(cls, path):
        tensors, about = read_safetensors(path)
        return cls(about["tally"], tensors["weight"], from_json(about["training"], "training"))

    def save(self, path):
        write_safetensors(path, {"weight": self.weight}, {"tally": self.name, "training": to_json(self.training)})

    def describe(self):
        return Tally(name=self.name, layers=(Layer(self.weight.shape[1], len(self.weight)),))

    def quantize(self, net):
        return (Weights(np.rint(self.weight).astype(np.int64)),)

    def inputs_of(self, samples, net, lengths=None):
        return np.asarray(samples, np.int64) >> 4


ANSWER = data.StructLayout({"y": signed(18), "last": 1})


class TallyCore(wiring.Component):
    """A word a cycle, then the sums."""

    def __init__(self, net, *, vendor="generic"):
        self.net = net
        self.info = CoreInfo(constants={"cycles_per_tick": net.inputs, "output_ticks": 4}, settle=4, patience=99,
                             halves=1)
        word = data.StructLayout({"x": signed(18), "first": 1})
        super().__init__({
            "i": In(stream.Signature(word)), "o": Out(stream.Signature(ANSWER)), "params": In(ParameterBus()),
            "want_half": In(1), "half": Out(1), "tick": Out(1), "busy": Out(1), "stall": Out(1), "lost": Out(2 *
            len(net.layers))})

    def elaborate(self, platform):
        m, (inputs, outputs, _) = Module(), self.net.layers[0]
        weights = [Array(Signal(signed(4), name=f"w{k}_{j}") for j in range(inputs)) for k in range(outputs)]
        sums = Array(Signal(signed(18), name=f"sum{k}") for k in range(outputs))
        index, out, sending = Signal(range(inputs)), Signal(range(outputs)), Signal()
        m.d.sync += self.half.eq(self.want_half)
        for k in range(outputs):
            with m.If(self.params.en & (self.params.bank == k)):
                m.d.sync += weights[k][self.params.addr].eq(self.params.data)
        m.submodules.buffer = buffer = fifo.SyncFIFOBuffered(width=19, depth=5 * outputs)
        answer = Signal(ANSWER)
        m.d.comb += [answer.y.eq(sums[out]), answer.last.eq(out == outputs - 1), buffer.w_data.eq(answer),
                     buffer.w_en.eq(sending), self.i.ready.eq(~sending), self.o.valid.eq(buffer.r_rdy),
                     self.o.payload.eq(buffer.r_data), buffer.r_en.eq(self.o.ready), self.busy.eq(sending)]
        with m.If(self.i.valid & self.i.ready):
            m.d.comb += self.tick.eq(index == inputs - 1)
            m.d.sync += [index.eq(Mux(self.tick, 0, index + 1)), sending.eq(self.tick)]
            m.d.sync += [total.eq(Mux(index == 0, 0, total) + each[index] * self.i.p.x)
                         for total, each in zip(sums, weights, strict=True)]
        with m.If(sending & buffer.w_rdy):
            m.d.sync += [out.eq(Mux(answer.last, 0, out + 1)), sending.eq(~answer.last)]
        return m


CIRCUIT = Circuit(core=TallyCore, fold=lambda net, budget: net, inventory=lambda net: Inventory((), 0, {}),
                  pace=lambda net, clock, fmax: {}, notes=lambda net: [], chain=lambda net: iter(()))


def load(split):
    """Pictures of 4 x 4 pixels, and which half of them is the brighter one."""
    rng = np.random.default_rng(len(split))
    x = rng.integers(0, 256, (60, 4, 4), dtype=np.uint8)
    return x, (x[:, 2:].astype(int).sum((1, 2)) > x[:, :2].astype(int).sum((1, 2))).astype(int)


def install(monkeypatch, folder):
    """Make it a kind of its own, and write a trained network of it; its path."""
    def module(name, **names):
        found = ModuleType(name)
        found.__path__ = []         # a package, in which nobody finds more
        found.__dict__.update(names)
        monkeypatch.setitem(sys.modules, name, found)
    def answers(real, x, since, lengths):
        return real.describe().answers(x @ real.weight.T)
    module("golden.tally", DESCRIPTION=Tally, TRAINED=TallyTrained, TRAINER="golden.train.tally")
    module("golden.train.tally", answers=answers)
    module("rtl.tally", CIRCUIT=CIRCUIT)
    monkeypatch.setattr(systems, "KINDS", (*systems.KINDS, "tally"))
    for cached in (systems.descriptions, systems.trained_kinds):
        cached.cache_clear()
    path = folder / "halves.safetensors"
    side = np.repeat([1.0, -1.0], 8)
    TallyTrained("halves", np.array([side, -side]), {"data": "tally:load train"}).save(path)
    return path
