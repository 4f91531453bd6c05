"""Device: a NetworkTop compiled to machine code, over whole data sets without Python in the loop."""

import ctypes
import zlib
from pathlib import Path

import numpy as np

from golden.description import Description, Units
from golden.image import read_back
from golden.regmap import ERRORS, REGISTERS
from rtl.host.top import NetworkTop
from sim.design import Mapped, design_of
from sim.verilated import build_design

STALLS = ("none", "random", "bursts")
#: bit of `status`: what was loaded is not in force yet; how often that is read
_LOADING, _SETTLES = 2, 1000
#: cycles between two reports of progress, about a tenth of a second
_CHUNK_CYCLES = 40_000
_BUS_ERROR = -2
_STATUS = {-1: "does not answer", _BUS_ERROR: "answers with a bus error",
           -3: "marks the wrong word as the last of a tick"}


class SimulationError(RuntimeError):
    """The simulated device does not do what the register map promises."""


class Device:
    """The device behind its bus: golden.regmap in C++.

    Parameters: net; vendor form of memories and multipliers (vendor models are compiled in); quick, True to compile
    sooner what runs few cycles; mapped, the netlist that tools make of the device, in its place (sim.netlist); scrubs,
    whether its parameters are held against their checksum.
    Compiling takes half a minute for 140 lanes and is cached (sim.verilated). ToolError where a tool is missing.
    Attributes: cycles, clock cycles so far; run_cycles, those of the last `run`; times, CPU seconds that each step of
    building took.
    """

    def __init__(self, net: Description, vendor: str = "generic", *, quick: bool = False,
                 mapped: Mapped | None = None, scrubs: bool = False):
        self.net, self.run_cycles = net, 0
        harness = Path(__file__).with_name("device.cpp").read_text(encoding="utf-8")
        design = design_of(NetworkTop(net, vendor=vendor, scrubs=scrubs), name="top", vendor=vendor, mapped=mapped)
        self._library, self.times = self._compile(design, harness, quick), design.times
        _declare(self._library)
        self._handle = ctypes.c_void_p(self._library.simulation_new())
        # beside those whose answers wait, one may wait for room; what has no fixed length would hold up its own end
        self._units_buffered = self.register("output_ticks") - (net.END is not None)

    def _compile(self, design, harness: str, quick: bool) -> ctypes.CDLL:
        return build_design(design, harness=harness, quick=quick)

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self._library.simulation_delete(self._handle)

    @property
    def cycles(self) -> int:
        return self._library.simulation_cycles(self._handle)

    def idle(self, cycles: int) -> None:
        """Let clock cycles go by without an access."""
        self._library.simulation_idle(self._handle, cycles)

    def read(self, addr: int) -> int:
        """Read the word at `addr`."""
        return self._access(False, addr, 0)

    def write(self, addr: int, data: int) -> None:
        """Write the word at `addr`."""
        self._access(True, addr, data)

    def register(self, name: str) -> int:
        """The value of a register, by name."""
        return self.read(REGISTERS[name].offset)

    def load(self, pairs, crc: int | None = None) -> None:
        """Write an image, (words, 2) addresses and data as `Image.pairs`, and put it in force.

        crc is that of the pairs unless given; SimulationError names the flags with which the device refuses.
        """
        pairs = np.ascontiguousarray(pairs, dtype="<u4").reshape(-1, 2)
        self.write(REGISTERS["errors"].offset, 0xFFFFFFFF)
        self.write(REGISTERS["load_begin"].offset, 1)
        self._check(self._library.simulation_write_pairs(self._handle, pairs.ctypes.data, len(pairs)), "image")
        self.write(REGISTERS["load_commit"].offset, zlib.crc32(pairs.tobytes()) if crc is None else crc)
        # the last words may still hop along the lanes, and the half changes between two ticks
        self.idle(self.net.lanes + 8 * len(self.net.layers) + 8)
        for _ in range(_SETTLES):
            if not self.register("status") & _LOADING:
                break
        flags = self.register("errors")
        if flags:
            names = ", ".join(name for name, bit in ERRORS.items() if flags >> bit & 1)
            raise SimulationError(f"{self.net.name} refuses the image: {names}")

    def run(self, x, *, stalls: str = "none", output_stalls: str = "none", seed: int = 1, progress=None) -> np.ndarray:
        """Outputs of a batch of samples, each from rest, as golden's `net.run` has them.

        stalls, output_stalls: pauses before each word in and out, one of STALLS, from `seed`;
        progress(n) is called after every n samples.
        """
        for name in (stalls, output_stalls):
            if name not in STALLS:
                raise ValueError(f"stall pattern must be one of {', '.join(STALLS)}, not {name!r}")
        x = np.asarray(x)
        units = self.net.units(x)
        if self.net.teacher is not None:
            self.write(REGISTERS["learning"].offset, 0)
        each = len(units.ends) // max(1, len(x))        # units of a sample
        found = self.stream(units, STALLS.index(stalls), STALLS.index(output_stalls), seed, each=each,
                            cycles=each * self.register("cycles_per_tick"), progress=progress)
        return self.net.outputs_of(found, x)

    def learn(self, x, target, *, first: bool = True, learn=True, teach=True, halvings: int = 0,
              progress=None) -> np.ndarray:
        """Run with errors: x (ticks, streams, inputs), target (ticks, streams, targets) -> (ticks, streams, outputs).

        first: all streams begin anew; otherwise they go on where `learn` left them. learn, teach: in which ticks the
        weights move and the teacher speaks, (ticks, streams) or one for all; progress(n) after every n ticks.
        """
        units = self.net.learning_units(x, target, first=first, learn=learn, teach=teach)
        self.write(REGISTERS["learning"].offset, 1)
        self.write(REGISTERS["halvings"].offset, halvings)
        streams = self.net.streams
        found = self.stream(units, each=streams, cycles=streams * self.register("learn_cycles"), progress=progress)
        return self.net.outputs_of(found, np.asarray(x)[None])[0]

    def read_params(self, params):
        """`params` with what the device has learnt since."""
        return read_back(self.net, params, lambda addresses: [self.read(int(addr)) for addr in addresses])

    def stream(self, units: Units, stalls: int = 0, output_stalls: int = 0, seed: int = 1, *, each: int = 1,
               cycles: int = 0, progress=None) -> np.ndarray:
        """Output words of units, in order; progress(1) for `each` of them, which take some `cycles`."""
        words, ends = np.ascontiguousarray(units.words, np.uint32), np.ascontiguousarray(units.ends, np.int64)
        before, found = self.cycles, np.zeros(len(ends) * units.answers, np.int32)
        step = each * max(1, _CHUNK_CYCLES // max(1, cycles or _CHUNK_CYCLES // 100))
        for first in range(0, len(ends), step):
            start = int(ends[first - 1]) if first else 0
            part = np.ascontiguousarray(ends[first:first + step] - start)
            y = found[first * units.answers:(first + len(part)) * units.answers]
            status = self._library.simulation_run(
                self._handle, words[start:].ctypes.data, part.ctypes.data, y.ctypes.data, len(part), units.answers,
                self._units_buffered, stalls, output_stalls, (seed + first // each) & 0x3FFFFFFF)
            self._check(status, f"run of {self.net.SAMPLE[0]} {first // each} or later")
            if progress is not None:
                progress(len(part) // each)
        self.run_cycles = self.cycles - before
        return found

    def access(self, write: bool, addr: int, data: int = 0) -> tuple[int, bool]:
        """One access: the word read, and whether there is no such address."""
        word = ctypes.c_uint32(data)
        status = self._library.simulation_access(self._handle, write, addr, ctypes.byref(word))
        if status != _BUS_ERROR:
            self._check(status, f"{'write' if write else 'read'} of 0x{addr:08x}")
        return word.value, status == _BUS_ERROR

    def _access(self, write: bool, addr: int, data: int) -> int:
        word, error = self.access(write, addr, data)
        self._check(_BUS_ERROR * error, f"{'write' if write else 'read'} of 0x{addr:08x}")
        return word

    def _check(self, status: int, what: str) -> None:
        if status:
            raise SimulationError(f"{what}: the simulated {self.net.name} {_STATUS[status]}")


def _declare(library) -> None:
    """C types of the functions in fast.cpp."""
    handle, pointer, word, long = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int64
    integer = ctypes.c_int
    for name, result, arguments in (
            ("new", handle, ()), ("delete", None, (handle,)), ("cycles", ctypes.c_uint64, (handle,)),
            ("idle", None, (handle, integer)),
            ("access", integer, (handle, integer, word, ctypes.POINTER(word))),
            ("write_pairs", integer, (handle, pointer, long)),
            ("run", integer, (handle, *(pointer,) * 3, long, *(integer,) * 4, word))):
        function = getattr(library, f"simulation_{name}")
        function.restype, function.argtypes = result, arguments
