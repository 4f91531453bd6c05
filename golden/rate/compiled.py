"""golden.rate.learn compiled: the same words bit for bit, hundreds of times faster, for training and its experiments.

golden.rate.learn stays the specification. compiled.cpp works on arrays that this file lays out: the parameters, and a
block of words a stream (its Activity). The library is built once a source and compiler, under `build/compiled/`.
"""

import ctypes
import hashlib
import os
import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from golden.fixed import QFormat
from golden.programs import build_once, compiler, run
from golden.rate.engine import check_params
from golden.rate.layer import Dense
from golden.rate.learn import Activity, LearnState, Registers, registers, start
from golden.rate.loss import EXP, difference_format
from golden.rate.network import Network
from golden.rate.plastic import increment_format, tau_shift, weight_shift
from golden.units.activation import is_tabulated, table
from golden.units.dense import DenseParams
from golden.units.extrapolator import HIDDEN_RATE, HIDDEN_STATE, Predicted, Way, step_bits
from golden.units.leadlag import at_rest, integrator
from golden.units.plasticity import BITS, PERIOD, Noise
from golden.units.rows import MAX_NEURONS

SOURCE, CACHE = Path(__file__).with_suffix(".cpp"), Path("build/compiled")
_FLAGS = ("-std=c++17", "-O3", "-march=native", "-fPIC", "-fvisibility=hidden", "-shared", "-w",
          "-fwrapv")        # as numpy
#: words of a whole vector in compiled.cpp, or of several
_VECTOR = 16
#: what `run` can write down after every tick of a stream: its state, eps, and parameters that move
RECORDS = ("u", "v", "slope", "errors", "rate", "eps", "weight", "bias", "lag", "tau")


class CompiledLearner:
    """A network that learns, with the state and the bits of golden.rate.learn.

    Parameters: net, a network with a teacher; params as for golden.rate.learn.start, or a `state` to go on from.
    Attributes: recorded, what the last `run` wrote down. RuntimeError where there is no C++ compiler.
    """

    def __init__(self, net: Network, params=None, *, state: LearnState | None = None):
        if (params is None) == (state is None):
            raise ValueError("params or a state, not both")
        state = start(net, params) if state is None else state
        self.net, self.recorded = net, {}
        self._library, self._structures = _library()
        self._layers = [_layer_arrays(layer) for layer in net.layers]
        self._places, self._rate, size = _places(net)
        self._streams, self._rest, self._spare = _zeros((net.streams, size)), _zeros(size), _zeros(size)
        for layer, place in zip(net.layers, self._places, strict=True):
            for ring in (place["way"]["ring"], place["way"]["history"]):
                if ring:
                    ones = ring["line"] + np.arange(ring["depth"] + 1) * place["way"]["message"]
                    self._rest[ones] = 1 << layer.operand.frac_bits
            for name, unit in (("u", layer), ("v", layer.plastic)):
                if unit is not None:
                    self._rest[place[name]:place[name] + layer.outputs] = at_rest(unit)
        # what the structures point to stays as long as they do
        self._described = [_layer(net, n, noise) | self._places[n] | self._layers[n] | self._ways(n, noise)
                           for n, noise in enumerate(registers(net))]
        layers = [_fill(self._structures, "Layer", layer) for layer in self._described]
        self._described.append(_teacher(net) | {
            "layers": (self._structures["Layer"] * len(layers))(*layers), "count": len(layers),
            "first_plastic": net.first_plastic, "streams": net.streams, "block": size, "rate": self._rate,
            "activity": self._streams, "rest": self._rest, "spare": self._spare,
            "noise": _numbers(), "period": PERIOD})
        self._network = _fill(self._structures, "Network", self._described[-1])
        self.state = state

    def _ways(self, n: int, noise: Registers | None) -> dict:
        """Messages into layer n, and errors out of it."""
        layer, arrays, place = self.net.layers[n], self._layers[n], self._places[n]

        def register(name):
            return noise.taps.get(name) if noise else None
        found = {"way": _way(layer.way, place["way"], arrays.get("taps"), arrays["lost"], register("taps"))}
        if self.net.sends_errors(n):
            found["error_way"] = _way(self.net.error_way(n), place["error_way"], arrays.get("error_taps"),
                                      arrays["error_lost"], register("error_taps"))
        return found

    def run(self, x, target, *, first: bool = False, learn=None, teach=None, halve: int = 0, record=()) -> np.ndarray:
        """Ticks with errors, the streams taking turns -> output words (ticks, streams, outputs), int32.

        x (ticks, streams, inputs) and target (ticks, streams, net.targets) words; first: all streams start from rest;
        learn, teach, halve: as golden.rate.learn.learn_tick takes them, the first two also as arrays (ticks, streams);
        record: names out of RECORDS. `recorded[name]` is then a tuple with an array (ticks, streams, ...) a layer,
        None where it has no such words: what the stream or the parameters hold after the tick.
        """
        net = self.net
        self._halve(halve)
        x = _words("x", x, (None, net.streams, net.inputs), net.layers[0].operand)
        target = self._targets(target, x.shape[:2])
        learn, teach = (np.ascontiguousarray(np.broadcast_to(True if flag is None else flag, x.shape[:2]), bool)
                        for flag in (learn, teach))
        rates = np.empty((*x.shape[:2], net.outputs), np.int32)
        found, entries = {}, []
        for name in record:
            found[name] = tuple(self._record(name, n, x.shape[:2], entries) for n in range(len(net.layers)))
        arrays = (array.ctypes.data for array in (x, target, learn, teach, rates))
        self._library.learner_run(ctypes.byref(self._network), len(x), bool(first), *arrays,
                                  (self._structures["Record"] * len(entries))(*entries), len(entries))
        self.recorded = found
        return rates

    def _halve(self, halve: int) -> None:
        """A product of `up` more bits, shifted by as many more, is one that is shifted by less."""
        for layer, entry in zip(self.net.layers, self._described[-1]["layers"], strict=True):
            if layer.plastic is not None and layer.plastic.rate is not None:
                up = layer.plastic.halvings - min(halve, layer.plastic.halvings)
                step = _step(weight_shift(layer) - up, layer.weight)
                entry.weight_step.left, entry.weight_step.right = step["left"], step["right"]

    def infer(self, x, *, first: bool = True) -> np.ndarray:
        """golden.rate.engine with the parameters as they are -> output words (ticks, sequences, outputs), int32.

        x (ticks, sequences, inputs) words, any number of sequences that start from rest; first=False: one a stream,
        going on from what the stream holds. The learner does not change.
        """
        net = self.net
        x = _words("x", x, (None, None if first else net.streams, net.inputs), net.layers[0].operand)
        rates = np.empty((*x.shape[:2], net.outputs), np.int32)
        self._library.learner_infer(ctypes.byref(self._network), *x.shape[:2], bool(first), x.ctypes.data,
                                    rates.ctypes.data)
        return rates

    @property
    def ticks(self) -> int:
        return self._network.ticks

    @property
    def overflow(self) -> tuple[bool, ...]:
        return tuple(bool(arrays["overflow"].any()) for arrays in self._layers)

    @property
    def lost(self) -> tuple[tuple[bool, bool], ...]:
        return tuple(tuple(bool(arrays[name].any()) for name in ("lost", "error_lost")) for arrays in self._layers)

    @property
    def params(self) -> tuple[DenseParams, ...]:
        """A copy, as `state` is."""
        return tuple(DenseParams(
            weight=arrays["weight"][:layer.outputs, 1:layer.inputs + 1].astype(np.int64),
            bias=arrays["weight"][:layer.outputs, 0].astype(np.int64),
            **{name: arrays[name][:layer.outputs].astype(np.int64) for name in layer.constants},
            **{name: arrays[name][:, :layer.shape(name)[0]].T.astype(np.int64) for name in layer.taps})
            for layer, arrays in zip(self.net.layers, self._layers, strict=True))

    @property
    def state(self) -> LearnState:
        return LearnState(tuple(map(self._activity, self._streams)), self.params, self.ticks, self.overflow, self.lost)

    @state.setter
    def state(self, state: LearnState):
        net = self.net
        check_params(net, state.params)
        if (len(state.streams), len(state.overflow)) != (net.streams, len(net.layers)):
            raise ValueError(f"the state has {len(state.streams)} streams and {len(state.overflow)} layers, "
                             f"{net.name} has {net.streams} and {len(net.layers)}")
        self._streams[:] = np.stack([self._block(activity) for activity in state.streams])
        for layer, arrays, p, saturated, lost in zip(net.layers, self._layers, state.params, state.overflow, state.lost,
                                                     strict=True):
            rows = arrays["weight"][:layer.outputs]
            rows[:, 0], rows[:, 1:layer.inputs + 1] = p.bias, p.weight
            for name in layer.constants:
                arrays[name][:layer.outputs] = getattr(p, name)
            for name in layer.taps:     # one predictor for all elements stands in the place of each
                arrays[name][:, :layer.inputs] = np.broadcast_to(getattr(p, name).T, (len(arrays[name]), layer.inputs))
            arrays["overflow"][:], arrays["lost"][:], arrays["error_lost"][:] = saturated, *lost
        self._network.ticks = state.ticks

    def _activity(self, block) -> Activity:
        """What a block of words holds."""
        net = self.net

        def words(at, count):
            return block[None, at:at + count].astype(np.int64)
        found = {name: tuple(words(place[name], layer.outputs)
                             for layer, place in zip(net.layers, self._places, strict=True))
                 for name in ("u", "v", "slope")}

        def ring(of, way, message):
            place = block[of["position"]] + np.arange(of["depth"] + 1)
            return tuple(words(of["line"] + at % (of["depth"] + 1) * message + 1, way.size) for at in place)

        def line(way, place):
            sent = ring(place["ring"], way, place["message"])
            return sent if way.predictor is None else Predicted(
                sent[:-1], ring(place["history"], way, place["message"]))
        lines = tuple(line(layer.way, place["way"]) for layer, place in zip(net.layers, self._places, strict=True))
        errors = tuple(line(net.error_way(n + 1), self._places[n + 1]["error_way"]) if net.sends_errors(n + 1) else ()
                       for n in range(len(net.layers)))
        return Activity(**found, lines=lines, errors=errors, rate=words(self._rate, net.outputs))

    def _block(self, activity: Activity) -> np.ndarray:
        """The reverse of `_activity`; ValueError for what does not fit."""
        block, net = self._rest.copy(), self.net

        def write(name, words, at, count, fmt):
            block[at:at + count] = _words(f"state: {name}", words, (1, count), fmt)[0]

        def write_line(name, line, way, place):
            rings = [("ring", line)] if way.predictor is None else [("ring", line.sent), ("history", line.history)]
            for kind, messages in rings:
                for age, words in enumerate(messages):
                    write(name, words, place[kind]["line"] + age * place["message"] + 1, way.size, way.fmt)
        for n, (layer, place) in enumerate(zip(net.layers, self._places, strict=True)):
            # words of a layer that does not learn are never read
            formats = dict.fromkeys(("v", "slope"), QFormat(31, 0)) | {"u": integrator(layer)}
            if layer.plastic is not None:
                formats |= {"v": integrator(layer.plastic), "slope": layer.plastic.slope}
            for name, fmt in formats.items():
                write(f"{name} of layer {n}", getattr(activity, name)[n], place[name], layer.outputs, fmt)
            write_line(f"line into layer {n}", activity.lines[n], layer.way, place["way"])
            if net.sends_errors(n):
                write_line(f"errors of layer {n - 1}", activity.errors[n - 1], net.error_way(n), place["error_way"])
        write("rate", activity.rate, self._rate, net.outputs, net.layers[-1].rate)
        return block

    def _targets(self, target, shape) -> np.ndarray:
        shape = (*shape, self.net.targets)
        if self.net.teacher.loss == "squared_error":
            return _words("target", target, shape, self.net.layers[-1].rate)
        label = np.asarray(target)
        # a label that is no output is no onehot, whatever it is
        return _words("target", np.where((label < 0) | (label >= self.net.outputs), -1, label), shape, QFormat(31, 0))

    def _record(self, name: str, n: int, shape, entries: list) -> np.ndarray | None:
        """Room for the words `name` of layer n, and a Record more in `entries`."""
        if name not in RECORDS:
            raise ValueError(f"record: {name!r} is none of {', '.join(RECORDS)}")
        layer, arrays, place = self.net.layers[n], self._layers[n], self._places[n]
        shape, entry = (*shape, layer.outputs), {"rows": 1, "length": layer.outputs, "position": -1}
        if name in ("weight", "bias"):
            count, shape = (layer.inputs, (*shape, layer.inputs)) if name == "weight" else (1, shape)
            entry |= {"source": arrays["weight"], "offset": int(name == "weight"), "rows": layer.outputs,
                      "length": count, "distance": arrays["weight"].shape[1]}
        elif name in ("lag", "tau", "eps"):
            if name != "eps" and name not in layer.constants:
                return None
            entry |= {"source": arrays[name]}
        elif name not in ("rate", "errors"):
            entry |= {"offset": place[name]}
        elif n == len(self.net.layers) - 1:
            if name == "errors":
                return None
            entry |= {"offset": self._rate}
        else:       # the newest message that the sender made
            way = self._places[n + 1]["error_way" if name == "errors" else "way"]
            if way is None:
                return None
            ring = way["history"] or way["ring"]
            entry |= {"offset": ring["line"] + 1, "position": ring["position"], "message": way["message"]}
        words = np.empty(shape, np.int32)
        entries.append(_fill(self._structures, "Record", entry | {"out": words}))
        return words


def _fill(structures, kind: str, values: dict):
    """A structure of compiled.cpp: integers, arrays for pointers, a QFormat for a Format, an integer for a Shift.

    `values` holds what the structure points to, and has to stay for as long.
    """
    found = structures[kind]()
    for name, of in found._fields_:
        value = values.get(name)
        if value is None:
            continue
        if of is ctypes.c_void_p:
            value = value.ctypes.data if isinstance(value, np.ndarray) else ctypes.addressof(value)
        elif isinstance(value, dict):
            value = _fill(structures, of.__name__, value)
        elif isinstance(value, QFormat):
            value = of(value.min, value.max)
        elif of is not ctypes.c_int64:      # words are of less than 62 bits: beyond, all is rounded off
            right = min(value, 62)
            value = of(max(-value, 0), 1 << right - 1 if right > 0 else 0, max(right, 0))
        setattr(found, name, value)
    return found


def _words(name: str, words, shape, fmt: QFormat) -> np.ndarray:
    """Contiguous int32 words; ValueError where they are not of `shape` (None: any) or outside of `fmt`."""
    words = np.asarray(words)
    if words.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, words.shape, strict=True)):
        expected = ", ".join("any" if n is None else str(n) for n in shape)
        raise ValueError(f"{name} has shape {words.shape}, expected ({expected})")
    if words.dtype.kind not in "iu":
        raise ValueError(f"{name} must be integer words, not {words.dtype}")
    if words.size and (words.min() < fmt.min or words.max() > fmt.max):
        raise ValueError(f"{name} holds words outside of {fmt}")
    return np.ascontiguousarray(words, np.int32)


def _whole(count: int) -> int:
    """So many words in whole vectors."""
    return -(-count // _VECTOR) * _VECTOR


def _zeros(shape, dtype=np.int32) -> np.ndarray:
    """Zeros that begin at a line of the cache."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset:offset + size].view(dtype).reshape(shape)


def _places(net: Network) -> tuple[list[dict], int, int]:
    """Where in a block of words a layer has its own, a dictionary a layer; where the outputs are; size of a block."""
    size = _whole(4 * len(net.layers))      # in front, the newest messages of the rings

    def room(words):
        nonlocal size
        size += _whole(words)
        return size - _whole(words)

    def way(of: Way, position):
        message = _whole(1 + _whole(of.size))           # 1.0, then whole vectors of rates are written

        def ring(depth, at):
            return {"line": room(message * (depth + 1)), "depth": depth, "position": at}
        return {"message": message, "ring": ring(of.depth, position),
                "history": ring(of.predictor.history, position + 1) if of.predictor else None}
    found = [{name: room(layer.outputs) for name in ("u", "v", "slope")}
             | {"way": way(layer.way, 4 * n),
                "error_way": way(net.error_way(n), 4 * n + 2) if net.sends_errors(n) else None}
             for n, layer in enumerate(net.layers)]
    rate = room(net.outputs)
    return found, rate, size


def _layer_arrays(layer: Dense) -> dict:
    """Parameters and scratch of a layer, by their names in compiled.cpp."""
    row, neurons = _whole(layer.inputs + 1), _whole(layer.outputs)
    taps = {name: _zeros((layer.shape(name)[1], _whole(layer.inputs))) for name in layer.taps}
    return {"weight": _zeros((neurons, row))} | {name: _zeros(neurons) for name in (*layer.constants, "eps")} | taps | {
        "lost": _zeros(_VECTOR, np.int64), "error_lost": _zeros(_VECTOR, np.int64),
        "sums": _zeros(neurons, np.int64), "overflow": _zeros(_VECTOR, np.int64),
        "message_in": _zeros(row, np.float64), "back": _zeros(row + _VECTOR, np.float64)}


def _teacher(net: Network) -> dict:
    """What compiled.cpp knows of the teacher."""
    top, teacher = net.layers[-1], net.teacher
    squared = teacher.loss == "squared_error"
    return {"is_cross_entropy": not squared, "targets": net.targets,
            "loss_shift": (top.rate if squared else EXP).frac_bits + teacher.beta - top.plastic.error.frac_bits,
            "exponential": _tabulated("exp", difference_format(top.rate), EXP),
            "target": _zeros(_whole(net.outputs)), "output_error": _zeros(_whole(net.outputs))}


def _layer(net: Network, n: int, noise: Registers | None) -> dict:
    """What compiled.cpp knows of layer n, but for words that change."""
    layer, plastic = net.layers[n], net.layers[n].plastic
    found = {"inputs": layer.inputs, "outputs": layer.outputs, "row": _whole(layer.inputs + 1),
             "largest": -layer.multiplicand.min,
             "sum_shift": layer.shift, "membrane": _filter(layer),
             "rate": _activation(layer.activation, layer.state, layer.rate)}
    if plastic is None:
        return found
    found |= {"is_plastic": True, "is_filtered": plastic.is_filtered, "is_pulled": plastic.gamma is not None,
              "sends_errors": n > net.first_plastic, "learns_tau": plastic.tau is not None,
              "learns_weight": plastic.rate is not None, "learns_bias": plastic.bias,
              "sign_word": plastic.sign_word if plastic.rule == "sign" else 0, "error": plastic.error,
              "slope_shift": plastic.slope.frac_bits,
              "derivative": _derivative(layer.activation, layer.state, plastic.slope)}
    if plastic.is_filtered:
        found |= {"filter": _filter(plastic)}
    if plastic.gamma is not None:
        found |= {"pull_shift": layer.gamma_shift}
    if n > net.first_plastic:
        found |= {"back_shift": net.back_shift(n), "error_below": net.layers[n - 1].plastic.error}
    if plastic.rate is not None:
        # a row's numbers in tick 0 begin here in the cycle that all registers share
        row, first = np.arange(layer.outputs), np.array([noise.start for noise in noise.lanes])
        place = _zeros(layer.outputs, np.int64)
        place[:] = (first[row % layer.lanes] + row // layer.lanes * (layer.inputs + 1)) % PERIOD
        found |= {"weight_step": _step(weight_shift(layer), layer.weight), "row_noise": place,
                  "noise_a_tick": layer.folds * (layer.inputs + 1)}
    if plastic.tau is not None:
        # each lead is made of two other words
        found["membrane"] |= {"made": plastic.tau_r.frac_bits + layer.lag.frac_bits - layer.lead.frac_bits,
                              "lead_out": layer.lead}
        if plastic.is_filtered:
            found["filter"] |= {"made": plastic.tau.frac_bits + plastic.lag.frac_bits - plastic.lead.frac_bits,
                                "lead_out": plastic.lead}
        found |= {"tau_step": _step(tau_shift(layer), plastic.tau), "tau_noise": noise.tau.start,
                  "tau_min": plastic.tau_min << plastic.tau.frac_bits, "increment": increment_format(layer),
                  "tau_lag_shift": plastic.tau.frac_bits, "lag_shift": layer.lag.frac_bits,
                  "lag_one": 1 << layer.lag.frac_bits, "lag_out": layer.lag}
    return found


def _way(way: Way, place: dict, taps, lost, noise: Noise | None) -> dict:
    """What compiled.cpp knows of the way of a message; taps: the words of `_layer_arrays`, None where fixed."""
    p, found = way.predictor, {"size": way.size, "delay": way.delay, "message": place["message"], "ring": place["ring"]}
    if p is None:
        return found
    found |= {"history": place["history"], "predicts": True, "is_neural": p.kind == "neural", "words": p.words,
              "spacing": p.spacing or way.delay, "out": way.fmt, "lost": lost, "stride": _whole(way.size)}
    if taps is None:
        taps = _zeros((p.words, found["stride"]))
        if way.delay:
            taps[:, :way.size] = np.array(p.fixed_taps(way.delay))[:, None]
    found |= {"taps": taps, "shift": p.gain.frac_bits if p.kind == "fir" else p.fixed_bits}
    if p.kind == "fir":
        found |= {"has_taps": True, "gain": p.gain, "one": 1 << p.gain.frac_bits}
    if p.learns:
        found |= {"learns": True, "up": step_bits(p), "quiet": p.quiet, "noise": noise.start}
    if p.kind == "neural":
        frac = way.fmt.frac_bits - p.scale
        found |= {"hidden": p.hidden, "frac": frac, "rate_bits": HIDDEN_RATE.frac_bits,
                  "shift": p.gain.frac_bits + HIDDEN_RATE.frac_bits - frac, "hidden_out": HIDDEN_STATE,
                  "hidden_shift": p.gain.frac_bits + frac - HIDDEN_STATE.frac_bits,
                  "tanh": _tabulated("tanh", HIDDEN_STATE, HIDDEN_RATE)}
    return found


def _filter(p) -> dict:
    """The lead-lag unit of a Dense or a Plastic."""
    return {"lead": p.lead.frac_bits, "lag": p.lag.frac_bits - p.guard, "guard": p.guard, "x": integrator(p),
            "y": p.state}


def _step(shift: int, fmt: QFormat) -> dict:
    return {"left": max(BITS - shift, 0), "right": max(shift - BITS, 0), "out": fmt}


def _activation(name: str, state: QFormat, out: QFormat) -> dict:
    found = _tabulated(name, state, out) if is_tabulated(name) else {"out": out}
    bounds = {"linear": (state.min, state.max), "relu": (0, state.max), "hard_sigmoid": (0, 1 << state.frac_bits),
              "softplus": (0, state.max)}
    if name in bounds:
        low, high = bounds[name]
        found |= {"is_clipped": True, "clip": {"min": low, "max": high}, "shift": state.frac_bits - out.frac_bits}
    return found


def _derivative(name: str, state: QFormat, out: QFormat) -> dict:
    if is_tabulated(f"{name}_derivative"):
        return _tabulated(f"{name}_derivative", state, out)
    return {"one": 1 << out.frac_bits, "from": state.min if name == "linear" else 0,
            "to": 1 << state.frac_bits if name == "hard_sigmoid" else state.max + 1, "out": out}


def _tabulated(name: str, state: QFormat, out: QFormat) -> dict:
    tab = table(name, state, out)
    words = _zeros(len(tab.left), np.int64)
    words[:] = np.array(tab.rise) << 32 | np.array(tab.left) & 0xFFFFFFFF
    return {"table": words, "segments": len(words), "t": tab.t, "limit": tab.limit, "below": tab.low,
            "above": tab.high, "interpolate": tab.t, "out": out}


@lru_cache
def _numbers() -> np.ndarray:
    """The cycle of the register, and so much again that the numbers of any row follow each other."""
    numbers = _zeros(PERIOD + _whole(MAX_NEURONS + 1))
    numbers[:] = Noise(1)[np.arange(len(numbers))]
    return numbers


def build(source: Path, name: str) -> Path:
    """The library of a C++ file, built once a text, compiler and processor; RuntimeError where that fails."""
    text, program = source.read_text(encoding="utf-8"), compiler()
    target = run([program, "-march=native", "-dM", "-E", "-x", "c++", os.devnull]).stdout
    key = hashlib.sha256("\0".join((text, target, *_FLAGS)).encode()).hexdigest()[:16]

    def make(folder):
        run([program, *_FLAGS, str(source), "-o", str(folder / "built.so")])
        return folder / "built.so"
    return build_once((CACHE / f"{name}-{key}.so").absolute(), make)


@lru_cache
def _library():
    """compiled.cpp as a library, and the structures at its head."""
    path, text = build(SOURCE, "learner"), SOURCE.read_text(encoding="utf-8")
    library, long, pointer = ctypes.CDLL(str(path)), ctypes.c_int64, ctypes.c_void_p
    library.learner_run.argtypes = (pointer, long, long, *(pointer,) * 6, long)
    library.learner_infer.argtypes = (pointer, long, long, long, pointer, pointer)
    library.learner_run.restype = library.learner_infer.restype = None
    return library, _structures(text.partition("namespace {")[0])


def _structures(text: str) -> dict[str, type]:
    """The structures of a C++ text as ctypes has them."""
    kinds = {"int64_t": ctypes.c_int64}
    for name, body in re.findall(r"^struct (\w+) \{(.*?)\};", re.sub("//.*", "", text), re.S | re.M):
        fields = []
        for kind, names in re.findall(r"(\w+)\b([^;]+);", body):
            fields += [(field.strip(" *\n"), ctypes.c_void_p if "*" in field else kinds[kind])
                       for field in names.split(",")]
        kinds[name] = type(name, (ctypes.Structure,), {"_fields_": fields})
    return kinds

