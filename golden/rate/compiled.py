"""golden.rate.learn compiled: the same words bit for bit, hundreds of times faster, for training and its experiments.

golden.rate.learn stays the specification. compiled.cpp works on arrays that this file lays out: the parameters, and a
block of words a stream (its Activity). The library is built once a source and compiler, under `build/compiled/`.
"""

import ctypes
from functools import lru_cache
from pathlib import Path

import numpy as np

from golden.fixed import QFormat
from golden.native import build, fill, structures, zeros
from golden.rate import memory
from golden.rate.engine import check_params
from golden.rate.learn import Activity, LearnState, Registers, registers, start
from golden.rate.network import Network
from golden.rate.plastic import weight_shift
from golden.units.dense import DenseParams
from golden.units.extrapolator import Predicted
from golden.units.leadlag import at_rest, integrator
from golden.units.plasticity import PERIOD

SOURCE = Path(__file__).with_suffix(".cpp")
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
        self._layers = [memory.layer_arrays(layer) for layer in net.layers]
        self._places, self._rate, size = memory.places(net)
        self._streams, self._rest, self._spare = zeros((net.streams, size)), zeros(size), zeros(size)
        for layer, place in zip(net.layers, self._places, strict=True):
            for ring in (place["way"]["ring"], place["way"]["history"]):
                if ring:
                    ones = ring["line"] + np.arange(ring["depth"] + 1) * place["way"]["message"]
                    self._rest[ones] = 1 << layer.operand.frac_bits
            for name, unit in (("u", layer), ("v", layer.plastic)):
                if unit is not None:
                    self._rest[place[name]:place[name] + layer.outputs] = at_rest(unit)
        # what the structures point to stays as long as they do
        self._described = [memory.layer(net, n, noise) | self._places[n] | self._layers[n] | self._ways(n, noise)
                           for n, noise in enumerate(registers(net))]
        layers = [fill(self._structures, "Layer", layer) for layer in self._described]
        self._described.append(memory.teacher(net) | {
            "layers": (self._structures["Layer"] * len(layers))(*layers), "count": len(layers),
            "first_plastic": net.first_plastic, "streams": net.streams, "block": size, "rate": self._rate,
            "activity": self._streams, "rest": self._rest, "spare": self._spare,
            "noise": memory.numbers(), "period": PERIOD})
        self._network = fill(self._structures, "Network", self._described[-1])
        self.state = state

    def _ways(self, n: int, noise: Registers | None) -> dict:
        """Messages into layer n, and errors out of it."""
        layer, arrays, place = self.net.layers[n], self._layers[n], self._places[n]

        def register(name):
            return noise.taps.get(name) if noise else None
        found = {"way": memory.way_of(layer.way, place["way"], arrays.get("taps"), arrays["lost"], register("taps"))}
        if self.net.sends_errors(n):
            found["error_way"] = memory.way_of(self.net.error_way(n), place["error_way"], arrays.get("error_taps"),
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
        x = memory.words("x", x, (None, net.streams, net.inputs), net.layers[0].operand)
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
                step = memory.step(weight_shift(layer) - up, layer.weight)
                entry.weight_step.left, entry.weight_step.right = step["left"], step["right"]

    def infer(self, x, *, first: bool = True) -> np.ndarray:
        """golden.rate.engine with the parameters as they are -> output words (ticks, sequences, outputs), int32.

        x (ticks, sequences, inputs) words, any number of sequences that start from rest; first=False: one a stream,
        going on from what the stream holds. The learner does not change.
        """
        net = self.net
        x = memory.words("x", x, (None, None if first else net.streams, net.inputs), net.layers[0].operand)
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
            block[at:at + count] = memory.words(f"state: {name}", words, (1, count), fmt)[0]

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
            return memory.words("target", target, shape, self.net.layers[-1].rate)
        label = np.asarray(target)
        # a label that is no output is no onehot, whatever it is
        label = np.where((label < 0) | (label >= self.net.outputs), -1, label)
        return memory.words("target", label, shape, QFormat(31, 0))

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
        entries.append(fill(self._structures, "Record", entry | {"out": words}))
        return words


@lru_cache
def _library():
    """compiled.cpp as a library, and the structures at its head."""
    path, text = build(SOURCE, "learner"), SOURCE.read_text(encoding="utf-8")
    library, long, pointer = ctypes.CDLL(str(path)), ctypes.c_int64, ctypes.c_void_p
    library.learner_run.argtypes = (pointer, long, long, *(pointer,) * 6, long)
    library.learner_infer.argtypes = (pointer, long, long, long, pointer, pointer)
    library.learner_run.restype = library.learner_infer.restype = None
    return library, structures(text.partition("namespace {")[0])
