"""golden.ltc.learn compiled: the same words bit for bit, for all epochs of a training on the chip.

golden.ltc.learn stays the specification. compiled.cpp works on arrays that this file lays out. The library is built
once a source and compiler, under `build/compiled/`.
"""

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np

from golden.ltc.engine import State
from golden.ltc.layer import ADAPT, ADAPT_SHIFT
from golden.ltc.learn import LearnState, registers, start
from golden.ltc.step import LtcState
from golden.ltc.taught import Lanes, cut, from_lanes, to_lanes
from golden.ltc.teacher import factor_bits, peak, step_shift
from golden.native import build, fill, structures, zeros
from golden.units.activation import activation_step
from golden.units.plasticity import BITS, PERIOD, Noise
from golden.units.softmax import EXP, RECIPROCAL_BITS, difference_format

SOURCE = Path(__file__).with_suffix(".cpp")
_VECTORS = ("x", "gates_a", "gates_r", "theta", "ut", "spike", "z", "gate", "now", "was_u", "was_b", "was_s", "was_y",
            "scratch")


class CompiledLearner:
    """A network that learns, with the state and the bits of golden.ltc.learn.

    Parameters: net, a network with a teacher; params as for golden.ltc.learn.start, or a `state` to go on from.
    RuntimeError where there is no C++ compiler.
    """

    def __init__(self, net, params=None, *, state: LearnState | None = None):
        if (params is None) == (state is None):
            raise ValueError("params or a state, not both")
        state = start(net, params) if state is None else state
        self.net = net
        self._library, self._structures = _library()
        self._kept = self._tables() | {name: zeros(max(net.layers[0].outputs, net.outputs), np.int64)
                                       for name in _VECTORS}
        sizes = {"u": net.layers[0].outputs, "b": net.layers[0].outputs, "s": net.layers[0].outputs, "y": net.outputs}
        self._state = {name: zeros((net.streams, size)) for name, size in sizes.items()}
        self._chains = {name: self._chain(weights, numbers) for name, weights, numbers in zip(
            Lanes._fields, to_lanes(net, state.params), registers(net), strict=True)}
        self._network = fill(self._structures, "Network",
                             self._described() | self._kept | self._state | self._chains)
        self.state = state

    def _chain(self, weights, numbers) -> dict:
        rows, words = weights.shape
        place = np.array([lane.start for lane in numbers], np.int64)
        return {"rows": rows, "words": words, "weight": zeros((rows, words)), "pre": zeros(words, np.int64),
                "error": zeros(rows, np.int64), "below": zeros(rows, np.int64), "place": place}

    def _tables(self) -> dict:
        """The sigmoid for every word of a gate's sum, exp for every word below the greatest, numbers of the cycle."""
        layer, readout = self.net.layers
        sums = np.arange(layer.gate_sum.min, layer.gate_sum.max + 1)
        below = difference_format(readout.state)
        most = max(len(self._numbers(name)) for name in ("alpha", "readout"))
        cycle = Noise(1)[np.arange(PERIOD + most)]
        return {"sigmoid": activation_step(sums, "sigmoid", layer.gate_sum, layer.gate).astype(np.int32),
                "exp": activation_step(-np.arange(-below.min), "exp", below, EXP).astype(np.int32),
                "noise": np.ascontiguousarray(cycle)}

    def _numbers(self, name: str) -> range:
        """Words of a lane of a chain, each of which takes a number a tick."""
        layer, readout = self.net.layers
        return range(layer.gate_words + cut(layer) if name != "readout" else readout.gate_words + readout.inputs + 1)

    def _described(self) -> dict:
        net, layer, error = self.net, self.net.layers[0], self.net.teacher.error
        return {
            "state": layer.state, "sum": layer.gate_sum, "error": error, "weight": layer.weight,
            "inputs": net.inputs, "size": layer.outputs, "outputs": net.outputs, "streams": net.streams,
            "cut": cut(layer), "state_bits": layer.state.frac_bits, "gate_bits": layer.gate.frac_bits,
            "gate_shift": layer.gate_shift, "row_shift": layer.weight.frac_bits, "weight_bits": layer.weight.frac_bits,
            "error_bits": error.frac_bits, "exp_bits": EXP.frac_bits, "reciprocal_bits": RECIPROCAL_BITS,
            "threshold": layer.threshold, "adapt": ADAPT, "adapt_shift": ADAPT_SHIFT, "peak": peak(net),
            "step_shift": step_shift(net), "factor_bits": factor_bits(layer), "noise_bits": BITS, "period": PERIOD,
            "whole": int(net.teacher.scope == "all"), "exp_depth": len(self._kept["exp"])}

    def run(self, x, target, *, fresh=False, learn=True, teach=True, halve: int = 0) -> np.ndarray:
        """Ticks with errors, the streams taking turns -> output words (ticks, streams, outputs), int32.

        x (ticks, streams, inputs) words; target, labels (ticks, streams); fresh, learn, teach: as
        golden.ltc.learn.learn_tick takes them, one for all or (ticks, streams).
        """
        net = self.net
        x, label = np.ascontiguousarray(x, np.int32), np.ascontiguousarray(target, np.int32)
        if x.ndim != 3 or x.shape[1:] != (net.streams, net.inputs) or label.shape != x.shape[:2]:
            raise ValueError(f"x (ticks, {net.streams}, {net.inputs}) and labels (ticks, {net.streams}), not {x.shape} "
                             f"and {label.shape}")
        flags = [np.ascontiguousarray(np.broadcast_to(flag, label.shape), bool) for flag in (fresh, learn, teach)]
        found = np.empty((*label.shape, net.outputs), np.int32)
        self._library.ltc_learn(ctypes.byref(self._network), len(x), x.ctypes.data, label.ctypes.data,
                                *(flag.ctypes.data for flag in flags), halve, found.ctypes.data)
        return found

    def infer(self, x) -> np.ndarray:
        """Golden's `run` with the parameters as they are: x (n, ticks, inputs) words, each from rest."""
        x = np.ascontiguousarray(x, np.int32)
        found = np.empty((*x.shape[:2], self.net.outputs), np.int32)
        self._library.ltc_infer(ctypes.byref(self._network), *x.shape[:2], x.ctypes.data, found.ctypes.data)
        return found

    @property
    def params(self) -> tuple:
        """A copy, as `state` is."""
        return from_lanes(self.net, Lanes(*(chain["weight"].astype(np.int64) for chain in self._chains.values())))

    @property
    def state(self) -> LearnState:
        words = {name: array.astype(np.int64) for name, array in self._state.items()}
        streams = tuple(State((LtcState(*(words[name][None, k] for name in LtcState._fields)),), words["y"][None, k])
                        for k in range(self.net.streams))
        network = self._network
        return LearnState(streams, self.params, network.ticks,
                          (bool(network.overflow_hidden), bool(network.overflow_readout)))

    @state.setter
    def state(self, state: LearnState):
        for chain, weights in zip(self._chains.values(), to_lanes(self.net, state.params), strict=True):
            chain["weight"][:] = weights
        for k, stream in enumerate(state.streams):
            for name in LtcState._fields:
                self._state[name][k] = getattr(stream.layers[0], name)[0]
            self._state["y"][k] = stream.y[0]
        self._network.ticks = state.ticks
        self._network.overflow_hidden, self._network.overflow_readout = map(int, state.overflow)


@lru_cache
def _library():
    """compiled.cpp as a library, and the structures at its head."""
    path, text = build(SOURCE, "ltc"), SOURCE.read_text(encoding="utf-8")
    library, long, pointer = ctypes.CDLL(str(path)), ctypes.c_int64, ctypes.c_void_p
    library.ltc_learn.argtypes = (pointer, long, *(pointer,) * 5, long, pointer)
    library.ltc_infer.argtypes = (pointer, long, long, pointer, pointer)
    library.ltc_learn.restype = library.ltc_infer.restype = None
    return library, structures(text)
