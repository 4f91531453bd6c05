"""EventSimulation: an EventCore compiled to machine code and fed as fast as it takes words."""

import ctypes
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.event.network import EventNetwork
from golden.image import build_image
from rtl.event.core import EventCore
from sim.design import Mapped
from sim.harness.device import SimulationError
from sim.verilated import build_library


class Simulated(NamedTuple):
    """What a run gave: outputs as `net.run` has them, and the cycles from the end of each tick to that of the next."""

    outputs: np.ndarray
    cycles: np.ndarray


class EventSimulation:
    """An event-driven network without the host's bus: what the engine itself takes.

    Parameters: net; vendor form of the memories; quick, True to compile sooner what runs few cycles;
    mapped, the netlist that tools make of it (sim.netlist).
    Compiling is cached (sim.verilated). ToolError where a tool is missing.
    """

    def __init__(self, net: EventNetwork, *, vendor: str = "generic", quick: bool = False,
                 mapped: Mapped | None = None):
        self.net = net
        harness = Path(__file__).with_suffix(".cpp").read_text(encoding="utf-8")
        self._library = library = build_library(EventCore(net, vendor=vendor), name="events", harness=harness,
                                                vendor=vendor, quick=quick, mapped=mapped)
        pointer, long = ctypes.c_void_p, ctypes.c_int64
        for name, result, arguments in (
                ("new", pointer, ()), ("delete", None, (pointer,)),
                ("load", None, (pointer, pointer, long, ctypes.c_int)),
                ("run", ctypes.c_int, (pointer, pointer, long, pointer, long, pointer, long))):
            function = getattr(library, f"events_{name}")
            function.restype, function.argtypes = result, arguments
        self._handle = library.events_new()

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self._library.events_delete(self._handle)

    def load(self, params) -> None:
        """Write the words of parameters."""
        pairs = np.ascontiguousarray(build_image(self.net, params).pairs, np.uint32)
        self._library.events_load(self._handle, pairs.ctypes.data, len(pairs), self.net.lanes + 64)

    def run(self, x) -> Simulated:
        """Sequences x (n, ticks, lines) from rest."""
        units = self.net.units(x)
        words, ticks = np.ascontiguousarray(units.words, np.uint32), len(units.ends)
        y, done = np.zeros(ticks * units.answers, np.int32), np.zeros(ticks, np.uint64)
        if self._library.events_run(self._handle, words.ctypes.data, len(words), y.ctypes.data, len(y),
                                    done.ctypes.data, ticks):
            raise SimulationError(f"the simulated {self.net.name} has stopped")
        return Simulated(self.net.outputs_of(y, x), np.diff(done.astype(np.int64)))
