"""What compiled.cpp works on: where a layer's words are in a block, its parameters, scratch and settings as arrays."""

from functools import lru_cache

import numpy as np

from golden.fixed import QFormat
from golden.native import zeros
from golden.rate.layer import Dense
from golden.rate.learn import Registers
from golden.rate.network import Network
from golden.rate.plastic import increment_format, tau_shift, weight_shift
from golden.units.activation import is_tabulated, table
from golden.units.extrapolator import HIDDEN_RATE, HIDDEN_STATE, Way, step_bits
from golden.units.leadlag import integrator
from golden.units.plasticity import BITS, PERIOD, Noise
from golden.units.rows import MAX_NEURONS
from golden.units.softmax import EXP, difference_format

#: words of a whole vector in compiled.cpp, or of several
VECTOR = 16


def words(name: str, words, shape, fmt: QFormat) -> np.ndarray:
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


def whole(count: int) -> int:
    """So many words in whole vectors."""
    return -(-count // VECTOR) * VECTOR


def places(net: Network) -> tuple[list[dict], int, int]:
    """Where in a block of words a layer has its own, a dictionary a layer; where the outputs are; size of a block."""
    size = whole(4 * len(net.layers))      # in front, the newest messages of the rings

    def room(words):
        nonlocal size
        size += whole(words)
        return size - whole(words)

    def way(of: Way, position):
        message = whole(1 + whole(of.size))           # 1.0, then whole vectors of rates are written

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


def layer_arrays(layer: Dense) -> dict:
    """Parameters and scratch of a layer, by their names in compiled.cpp."""
    row, neurons = whole(layer.inputs + 1), whole(layer.outputs)
    taps = {name: zeros((layer.shape(name)[1], whole(layer.inputs))) for name in layer.taps}
    return {"weight": zeros((neurons, row))} | {name: zeros(neurons) for name in (*layer.constants, "eps")} | taps | {
        "lost": zeros(VECTOR, np.int64), "error_lost": zeros(VECTOR, np.int64),
        "sums": zeros(neurons, np.int64), "overflow": zeros(VECTOR, np.int64),
        "message_in": zeros(row, np.float64), "back": zeros(row + VECTOR, np.float64)}


def teacher(net: Network) -> dict:
    """What compiled.cpp knows of the teacher."""
    top, teacher = net.layers[-1], net.teacher
    squared = teacher.loss == "squared_error"
    return {"is_cross_entropy": not squared, "targets": net.targets,
            "loss_shift": (top.rate if squared else EXP).frac_bits + teacher.beta - top.plastic.error.frac_bits,
            "exponential": _tabulated("exp", difference_format(top.rate), EXP),
            "target": zeros(whole(net.outputs)), "output_error": zeros(whole(net.outputs))}


def layer(net: Network, n: int, noise: Registers | None) -> dict:
    """What compiled.cpp knows of layer n, but for words that change."""
    layer, plastic = net.layers[n], net.layers[n].plastic
    found = {"inputs": layer.inputs, "outputs": layer.outputs, "row": whole(layer.inputs + 1),
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
        place = zeros(layer.outputs, np.int64)
        place[:] = (first[row % layer.lanes] + row // layer.lanes * (layer.inputs + 1)) % PERIOD
        found |= {"weight_step": step(weight_shift(layer), layer.weight), "row_noise": place,
                  "noise_a_tick": layer.folds * (layer.inputs + 1)}
    if plastic.tau is not None:
        # each lead is made of two other words
        found["membrane"] |= {"made": plastic.tau_r.frac_bits + layer.lag.frac_bits - layer.lead.frac_bits,
                              "lead_out": layer.lead}
        if plastic.is_filtered:
            found["filter"] |= {"made": plastic.tau.frac_bits + plastic.lag.frac_bits - plastic.lead.frac_bits,
                                "lead_out": plastic.lead}
        found |= {"tau_step": step(tau_shift(layer), plastic.tau), "tau_noise": noise.tau.start,
                  "tau_min": plastic.tau_min << plastic.tau.frac_bits, "increment": increment_format(layer),
                  "tau_lag_shift": plastic.tau.frac_bits, "lag_shift": layer.lag.frac_bits,
                  "lag_one": 1 << layer.lag.frac_bits, "lag_out": layer.lag}
    return found


def way_of(way: Way, place: dict, taps, lost, noise: Noise | None) -> dict:
    """What compiled.cpp knows of the way of a message; taps: the words of `_layer_arrays`, None where fixed."""
    p, found = way.predictor, {"size": way.size, "delay": way.delay, "message": place["message"], "ring": place["ring"]}
    if p is None:
        return found
    found |= {"history": place["history"], "predicts": True, "is_neural": p.kind == "neural", "words": p.words,
              "spacing": p.spacing or way.delay, "out": way.fmt, "lost": lost, "stride": whole(way.size)}
    if taps is None:
        taps = zeros((p.words, found["stride"]))
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


def step(shift: int, fmt: QFormat) -> dict:
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
    words = zeros(len(tab.left), np.int64)
    words[:] = np.array(tab.rise) << 32 | np.array(tab.left) & 0xFFFFFFFF
    return {"table": words, "segments": len(words), "t": tab.t, "limit": tab.limit, "below": tab.low,
            "above": tab.high, "interpolate": tab.t, "out": out}


@lru_cache
def numbers() -> np.ndarray:
    """The cycle of the register, and so much again that the numbers of any row follow each other."""
    numbers = zeros(PERIOD + whole(MAX_NEURONS + 1))
    numbers[:] = Noise(1)[np.arange(len(numbers))]
    return numbers
