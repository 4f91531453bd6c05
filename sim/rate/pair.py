"""PairSimulation: two boards and the cables between them compiled to machine code, with a host at each."""

import ctypes
import zlib
from pathlib import Path

import numpy as np

from golden.image import build_image, read_back
from golden.rate.network import Network
from golden.regmap import BANK_SHIFT, FIRST_BIT, LEARN_BIT, REGISTERS, TEACH_BIT
from rtl.rate.half import cut_ways, learnt_here
from rtl.rate.pair import Pair
from sim.harness.device import SimulationError
from sim.verilated import build_library

_STATUS = {-1: "do not answer", -2: "answer with a bus error", -3: "have lost a word on a cable"}
_FLAGS = 1 << LEARN_BIT | 1 << TEACH_BIT


class PairSimulation:
    """Two boards behind their buses: golden.regmap twice, in C++.

    Parameters: net; cut, max_latency and cycles_per_word as of rtl.rate.pair.Pair; quick, True to compile sooner what
    runs few cycles. Compiling is cached (sim.verilated). ToolError where a tool is missing.
    Attributes: cycles, clock cycles so far; tick_cycles, those of the ticks of the last `learn`, the mean of its
    second half.
    """

    def __init__(self, net: Network, *, cut: int = 1, max_latency: int = 0, cycles_per_word: int = 1,
                 quick: bool = False):
        self.net, self.cut, self.max_latency, self.tick_cycles = net, cut, max_latency, None
        pair = Pair(net, cut=cut, max_latency=max_latency, cycles_per_word=cycles_per_word)
        harness = Path(__file__).with_suffix(".cpp").read_text(encoding="utf-8")
        self._library = build_library(pair, name="pair", harness=harness, quick=quick)
        _declare(self._library)
        self._handle = ctypes.c_void_p(self._library.pair_new())

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self._library.pair_delete(self._handle)

    @property
    def cycles(self) -> int:
        return self._library.pair_cycles(self._handle)

    def restart(self) -> None:
        """Two new boards."""
        self._library.pair_delete(self._handle)
        self._handle = ctypes.c_void_p(self._library.pair_new())

    def latency(self, cycles: int) -> None:
        """The length of both cables, while nothing is under way."""
        if not 0 <= cycles <= self.max_latency:
            raise ValueError(f"a cable has 0 to {self.max_latency} cycles, not {cycles!r}")
        self._library.pair_latency(self._handle, cycles)

    def register(self, upper: bool, name: str) -> int:
        """A register of a board, by name."""
        return self._access(upper, False, REGISTERS[name].offset)

    def load(self, net: Network, params) -> None:
        """Load both boards with the image of `net`, which may have other delays than the circuit was made for.

        ValueError where it is for another design, or its delays are none that two boards can keep.
        """
        pairs = np.ascontiguousarray(build_image(net, params).pairs, dtype="<u4")
        if net.fingerprint != self.net.fingerprint:
            raise ValueError(f"the image is for design {net.fingerprint}, the boards are design {self.net.fingerprint}")
        cut_ways(net, self.cut)
        for upper in (False, True):
            self._access(upper, True, REGISTERS["load_begin"].offset, 1)
            for addr, data in pairs.tolist():
                self._access(upper, True, addr, data)
            self._access(upper, True, REGISTERS["load_commit"].offset, zlib.crc32(pairs.tobytes()))
            self._library.pair_idle(self._handle, self.net.lanes + 8 * len(self.net.layers) + 8)
            if flags := self.register(upper, "errors"):
                raise SimulationError(f"{net.name}: a board refuses the image, flags {flags:b}")

    def learn(self, x, target, *, first: bool = True, learn=True, teach=True) -> np.ndarray:
        """As sim.harness.device.Device.learn, for one stream."""
        units, inputs = self.net.learning_units(x, target, first=first, learn=learn, teach=teach), self.net.inputs
        words = units.words.reshape(len(units.ends), -1)
        ticks = len(words)
        lower, upper = (np.ascontiguousarray(part) for part in np.split(words, [inputs], 1))
        lower[:, -1] |= upper[:, -1] & _FLAGS
        upper[0, 0] |= lower[0, 0] & 1 << FIRST_BIT
        y, at = np.zeros((ticks, self.net.outputs), np.int32), np.zeros(ticks, np.uint64)
        before = [self.register(upper, "ticks") for upper in (False, True)]
        status = self._library.pair_run(
            self._handle, lower.ctypes.data, upper.ctypes.data, y.ctypes.data, at.ctypes.data, ticks, inputs,
            self.net.targets, self.net.outputs, self.register(True, "output_ticks"))
        self._check(status, f"run of {ticks} ticks")
        for upper, was in enumerate(before):
            for _ in range(1000):       # the last vector may wait for the other board
                if self.register(bool(upper), "ticks") - was & 0xFFFFFFFF == ticks:
                    break
                self._library.pair_idle(self._handle, self.max_latency // 100 + 10)
            else:
                raise SimulationError(f"{self.net.name}: a board did not come to the end of its ticks")
        if ticks >= 8:
            # the host reads an output when the next tick has begun, at the end of a run it does so earlier
            half = ticks // 2
            self.tick_cycles = (int(at[-3]) - int(at[-3 - half])) / half
        return y[:, None].astype(np.int64)

    def read_params(self, params):
        """`params` with what the two boards have learnt since."""
        upper = learnt_here(self.net, self.cut, True)
        return read_back(self.net, params, lambda addresses: [
            self._access(addr >> BANK_SHIFT & 0xFFF in upper, False, addr) for addr in addresses.tolist()])

    def _access(self, upper: bool, write: bool, addr: int, data: int = 0) -> int:
        word = ctypes.c_uint32(data)
        status = self._library.pair_access(self._handle, upper, write, addr, ctypes.byref(word))
        self._check(status, f"{'write' if write else 'read'} of 0x{addr:08x}, {('lower', 'upper')[upper]} board")
        return word.value

    def _check(self, status: int, what: str) -> None:
        if status:
            raise SimulationError(f"{what}: the simulated boards of {self.net.name} {_STATUS[status]}")


def _declare(library) -> None:
    """C types of the functions in pair.cpp."""
    handle, pointer, word, long = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int64
    integer = ctypes.c_int
    for name, result, arguments in (
            ("new", handle, ()), ("delete", None, (handle,)), ("cycles", ctypes.c_uint64, (handle,)),
            ("idle", None, (handle, long)), ("latency", None, (handle, word)),
            ("access", integer, (handle, integer, integer, word, ctypes.POINTER(word))),
            ("run", integer, (handle, *(pointer,) * 4, long, *(integer,) * 4))):
        function = getattr(library, f"pair_{name}")
        function.restype, function.argtypes = result, arguments
