"""SpikingSimulation: a SpikingCore compiled to machine code and fed as fast as it takes words: whole data sets."""

import ctypes
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.image import Image
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import input_words
from rtl.spiking.core import SpikingCore
from sim.design import Mapped
from sim.harness.device import SimulationError
from sim.verilated import build_library


class Simulated(NamedTuple):
    """What a run gave: output words (golden.spiking.words); cycles that each image kept the input busy; spikes.

    Those are of the first layer, rows of image, tick and neuron, or None where there is no hidden layer.
    """

    words: np.ndarray
    cycles: np.ndarray
    spikes: np.ndarray | None


class SpikingSimulation:
    """A spiking network without the host's bus: what the engine itself takes.

    Parameters: net; vendor form of the memories; stop_early, False to run every image to its end, with all spikes;
    quick, True to compile sooner what runs few cycles; mapped, the netlist that tools make of it (sim.netlist).
    Compiling is cached (sim.verilated). ToolError where a tool is missing. Attributes: cycles, clock cycles so far.
    """

    def __init__(self, net: SpikingNetwork, *, vendor: str = "generic", stop_early: bool = True, quick: bool = False,
                 mapped: Mapped | None = None):
        self.net = net
        harness = Path(__file__).with_suffix(".cpp").read_text(encoding="utf-8")
        if len(net.layers) > 1:
            harness = "#define SEEN\n" + harness
        core = SpikingCore(net, vendor=vendor, stop_early=stop_early)
        self._library = library = build_library(core, name="spikes", harness=harness, vendor=vendor, quick=quick,
                                                mapped=mapped)
        pointer, long = ctypes.c_void_p, ctypes.c_int64
        for name, result, arguments in (
                ("new", pointer, ()), ("delete", None, (pointer,)), ("cycles", ctypes.c_uint64, (pointer,)),
                ("load", None, (pointer, pointer, long, ctypes.c_int)),
                ("run", long, (pointer, pointer, long, pointer, pointer, long, pointer, long, ctypes.c_uint32))):
            function = getattr(library, f"spikes_{name}")
            function.restype, function.argtypes = result, arguments
        self._handle = library.spikes_new()

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self._library.spikes_delete(self._handle)

    @property
    def cycles(self) -> int:
        return self._library.spikes_cycles(self._handle)

    def load(self, image: Image) -> None:
        """Write an image."""
        image.check(self.net)
        pairs = np.ascontiguousarray(image.pairs, np.uint32)
        self._library.spikes_load(self._handle, pairs.ctypes.data, len(pairs), self.net.lanes + 64)

    def run(self, spikes, *, stalls: int = 0) -> Simulated:
        """Images (images, ticks, inputs) bool -> Simulated. stalls: a seed for pauses before words in and out, or 0."""
        words = np.ascontiguousarray(input_words(self.net, spikes), np.uint32)
        count = len(spikes)
        y, taken = np.zeros(count, np.int32), np.zeros(count, np.uint64)
        # an image has at most a token a neuron and tick, one for the end of each tick, and one for its own
        room = count * (self.net.ticks * (1 + self.net.layers[0].outputs) + 1) if len(self.net.layers) > 1 else 0
        seen, begin = np.zeros(room, np.uint32), self.cycles
        tokens = self._library.spikes_run(self._handle, words.ctypes.data, len(words), y.ctypes.data,
                                          taken.ctypes.data, count, seen.ctypes.data, room, stalls)
        if tokens < 0:
            raise SimulationError(f"the simulated {self.net.name} has stopped")
        cycles = np.diff(taken.astype(np.int64), prepend=begin)
        return Simulated(y.astype(np.int64), cycles, _spikes(seen[:tokens]) if room else None)


def _spikes(tokens):
    """Tokens -> rows of image, tick, neuron."""
    kind = tokens >> 16
    image = np.cumsum(kind == 2)
    tick = np.cumsum(kind == 1)
    started = np.concatenate([[0], tick[kind == 2]])
    chosen = kind == 0
    return np.column_stack([image[chosen], (tick - started[image])[chosen], tokens[chosen]])
