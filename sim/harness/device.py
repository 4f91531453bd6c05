"""FastSimulation: a NetworkTop compiled to machine code, over whole data sets without Python in the loop."""

import ctypes
import zlib
from pathlib import Path

import numpy as np

from golden.image import WORD_MASK, learning_words, read_back
from golden.rate.network import Network
from golden.regmap import ERRORS, FIRST_BIT, REGISTERS
from rtl.host.top import NetworkTop
from sim.verilated import build_library

STALLS = ("none", "random", "bursts")
#: cycles between two reports of progress, about a tenth of a second
_CHUNK_CYCLES = 40_000
_BUS_ERROR = -2
_STATUS = {-1: "does not answer", _BUS_ERROR: "answers with a bus error",
           -3: "marks the wrong word as the last of a tick"}


class SimulationError(RuntimeError):
    """The simulated device does not do what the register map promises."""


class FastSimulation:
    """The device behind its bus: golden.regmap in C++.

    Parameters: net; vendor form of memories and multipliers (vendor models are compiled in); quick, True to compile
    sooner what runs few cycles.
    Compiling takes half a minute for 140 lanes and is cached (sim.verilated). ToolError where a tool is missing.
    Attributes: cycles, clock cycles so far; run_cycles, those of the last `run`.
    """

    def __init__(self, net: Network, vendor: str = "generic", *, quick: bool = False):
        self.net, self.run_cycles = net, 0
        harness = Path(__file__).with_name("device.cpp").read_text(encoding="utf-8")
        self._library = build_library(NetworkTop(net, vendor=vendor), name="top", harness=harness, vendor=vendor,
                                      quick=quick)
        _declare(self._library)
        self._handle = ctypes.c_void_p(self._library.simulation_new())
        self._ticks_buffered = self.register("output_ticks")

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
        flags = self.register("errors")
        if flags:
            names = ", ".join(name for name, bit in ERRORS.items() if flags >> bit & 1)
            raise SimulationError(f"{self.net.name} refuses the image: {names}")

    def run(self, x, *, stalls: str = "none", output_stalls: str = "none", seed: int = 1, progress=None) -> np.ndarray:
        """Words (sequences, ticks, inputs) -> words (sequences, ticks, outputs); every sequence starts afresh.

        stalls, output_stalls: pauses before each word in and out, one of STALLS, from `seed`;
        progress(n) is called after every n sequences.
        """
        x = np.array(x, dtype=np.int64)
        if x.ndim != 3 or x.shape[2] != self.net.inputs:
            raise ValueError(f"x has shape {x.shape}, expected (sequences, ticks, {self.net.inputs})")
        fmt = self.net.layers[0].operand
        if x.size and (x.min() < fmt.min or x.max() > fmt.max):
            raise ValueError(f"x holds words outside of {fmt}")
        for name in (stalls, output_stalls):
            if name not in STALLS:
                raise ValueError(f"stall pattern must be one of {', '.join(STALLS)}, not {name!r}")
        words = x & WORD_MASK
        words[:, 0, 0] |= 1 << FIRST_BIT
        if self.net.teacher is not None:
            self.write(REGISTERS["learning"].offset, 0)
        return self._stream(words, STALLS.index(stalls), STALLS.index(output_stalls), seed, progress)

    def learn(self, x, target, *, first: bool = True, learn=True, teach=True, halvings: int = 0,
              progress=None) -> np.ndarray:
        """Run with errors: x (ticks, streams, inputs), target (ticks, streams, targets) -> (ticks, streams, outputs).

        first: all streams begin anew; otherwise they go on where `learn` left them. learn, teach: in which ticks the
        weights move and the teacher speaks, (ticks, streams) or one for all; progress(n) after every n ticks.
        """
        ticks, streams, _ = np.shape(x)
        words = learning_words(self.net, x, target, first=first, learn=learn, teach=teach)
        self.write(REGISTERS["learning"].offset, 1)
        self.write(REGISTERS["halvings"].offset, halvings)
        y = self._stream(words.reshape(1, ticks * streams, -1), 0, 0, 1, progress)
        return y.reshape(ticks, streams, -1)

    def read_params(self, params):
        """`params` with what the device has learnt since."""
        return read_back(self.net, params, lambda addresses: [self.read(int(addr)) for addr in addresses])

    def _stream(self, words, stalls, output_stalls, seed, progress):
        sequences, ticks, vector = words.shape
        words = np.ascontiguousarray(words, dtype=np.uint32)
        y = np.zeros((sequences, ticks, self.net.outputs), np.int32)
        before, learning = self.cycles, self.net.teacher is not None and vector > self.net.inputs
        cycles = ticks * self.register("learn_cycles" if learning else "cycles_per_tick")
        size = max(1, _CHUNK_CYCLES // max(1, cycles))
        # one long sequence goes in parts, too
        parts = [(slice(n, n + size), slice(None)) for n in range(0, sequences, size)]
        if learning:
            step = max(1, _CHUNK_CYCLES * ticks // max(1, cycles)) * self.net.streams
            parts = [(slice(None), slice(n, n + step)) for n in range(0, ticks, step)]
        for part in parts:
            sent = np.ascontiguousarray(words[part])
            found = np.zeros((*sent.shape[:2], self.net.outputs), np.int32)
            status = self._library.simulation_run(
                self._handle, sent.ctypes.data, found.ctypes.data, sent.shape[0] * sent.shape[1], vector,
                self.net.outputs, self._ticks_buffered, stalls, output_stalls,
                (seed + (part[0].start or 0)) & 0x3FFFFFFF)
            self._check(status, f"run of sequence {part[0].start or 0} or later")
            y[part] = found
            if progress is not None:
                progress(sent.shape[1] // self.net.streams if learning else sent.shape[0])
        self.run_cycles = self.cycles - before
        return y.astype(np.int64)

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
            ("run", integer, (handle, pointer, pointer, long, *(integer,) * 5, word))):
        function = getattr(library, f"simulation_{name}")
        function.restype, function.argtypes = result, arguments
