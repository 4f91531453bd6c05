"""Random networks of every family, each from a seed and an index alone: what `leadlag bench random_networks` compares.

Every field of a description is drawn over all that it may be, its ends more often than the rest; what does not go
together is refused by the description itself and drawn again.
"""

import random
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

from golden.cascade.layer import SIDES, Block, Engine, Head, Stem
from golden.cascade.network import NORMS, CascadeNetwork
from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher, tau_shift, weight_shift
from golden.spiking.engine import Synapses
from golden.spiking.layer import Kick, SpikingLayer
from golden.spiking.network import DECISIONS, SpikingNetwork
from golden.units.activation import ACTIVATIONS
from golden.units.dense import DenseParams
from golden.units.extrapolator import Predictor
from golden.units.plasticity import PERIOD
from golden.units.weights import BLOCK, Ternary
from leadlag.bench.drawing import pick
from leadlag.bench.drawing import valid as _valid
from leadlag.bench.drawing import word_format as _format
from leadlag.bench.random_gated import gated_network, taught_network
from leadlag.bench.random_graphs import event_network
from rtl.rate.half import cut_ways

#: what network number n is of: FAMILIES[n % len(FAMILIES)]
FAMILIES = ("rate", "leaky", "linear", "learning", "alpha", "le", "learning-late", "leaky-seeded", "second-order",
            "two-boards", "alpha-seeded", "delays", "learning-tau", "neural", "learning-batch", "wide", "fir",
            "learning-nlms", "alpha-kick", "wide-spiking", "cascade", "wide-cascade", "ltc", "wide-ltc",
            "event", "wide-event")
_PREDICTORS = {"linear": "linear", "second-order": "second_order", "fir": "fir", "neural": "neural"}
#: first layer of the upper of two boards
CUT = 1
_ATTEMPTS = 20_000


def draw(family: str, rng: random.Random):
    """A description of `family`."""
    if family == "ltc" and rng.random() < 0.5:
        return _valid(lambda: taught_network(rng))
    if family.endswith("event"):
        return _valid(lambda: event_network(rng, 40 if family == "wide-event" else 9))
    if family.endswith(("cascade", "ltc")):
        return (_cascade if family.endswith("cascade") else gated_network)(family, rng)
    spiking = "spiking" in family or family.startswith(("leaky", "alpha"))
    for _ in range(_ATTEMPTS):
        try:
            return _spiking(family, rng) if spiking else _rate(family, rng)
        except ValueError:      # drawn again
            pass
    raise RuntimeError(f"no network of {family} in {_ATTEMPTS} attempts")


def _usual(rng, int_bits, frac_bits) -> QFormat:
    return QFormat(rng.randint(*int_bits), rng.randint(*frac_bits))


# rates


def _rate(family: str, rng) -> Network:
    learns = family.startswith("learning") or family == "two-boards"
    largest = 24 if family == "wide" else rng.choice((2, 4, 6))
    learns = learns or family == "wide" and rng.random() < 0.4
    fixed = rng.choice((0, 0, 1)) if learns and family != "two-boards" else 0
    count = rng.choice((1, 2, 2, 3))
    if family in ("learning-late", "learning-nlms", "two-boards", *_PREDICTORS):
        count = max(count, 2)
    count = min(count + fixed, 3)
    sizes = [1] * (count + 1) if rng.random() < 0.12 else [pick(rng, 1, largest) for _ in range(count + 1)]
    losses = ["squared_error", "cross_entropy"]
    if learns and sizes[-1] == 1 and rng.random() < 0.8:
        losses.pop()        # the softmax of one output is always right
    teacher = Teacher(loss=rng.choice(losses), beta=rng.choice((0, 0, pick(rng, 0, 6))),
                      streams=rng.choice((2, 4)) if family == "learning-batch" else 1,
                      seed=pick(rng, 1, PERIOD)) if learns else None
    extreme, layers = rng.random() < 0.3, []
    operand = _format(rng, 18) if extreme else _usual(rng, (-1, 3), (3, 11))
    for n in range(count):
        plastic = learns and n >= fixed
        # where errors are summed over folds there are four inputs
        lanes = sizes[n + 1] if plastic and sizes[n] < 4 else None
        layers.append(_valid(lambda n=n, lanes=lanes, plastic=plastic, operand=operand: _dense(
            family, rng, sizes[n:n + 2], operand, extreme, lanes, plastic,
            top=n == count - 1 and learns and teacher.loss == "cross_entropy")))
        operand = layers[-1].rate
    net = Network(name="random", dt=0.1, layers=tuple(layers), teacher=teacher)
    return _valid(lambda: _checked(with_delays(net, family, rng), family))


def _checked(net: Network, family: str) -> Network:
    if family == "two-boards":
        cut_ways(net, CUT)
    return net


def _dense(family, rng, sizes, operand, extreme, lanes, plastic, top) -> Dense:
    inputs, outputs = sizes
    if lanes is None:
        most = min(outputs, inputs + 1)
        lanes = pick(rng, 1, most)
    if extreme and rng.random() < 0.6:
        formats = {"weight": _format(rng, 18, most_frac=20), "state": _format(rng, 17, least_int=0, least_frac=1),
                   "lead": _format(rng, 18, least_frac=1), "lag": _format(rng, 18, least_frac=1, most_frac=18)}
        rate = _format(rng, 18)
    else:
        weight = _usual(rng, (-1, 3), (4, 13))
        holds = min(max(0, weight.int_bits + operand.int_bits + rng.randint(-2, 1)), 5)     # what sums reach
        formats = {"weight": weight, "state": QFormat(holds, rng.randint(4, 11)),
                   "lead": _usual(rng, (-1, 3), (2, 14)), "lag": _usual(rng, (0, 1), (2, 16))}
        rate = _usual(rng, rng.choice(((0, 1), (0, 4), (-1, 4))), (3, 11))
    if family == "le" and formats["lead"].int_bits < 1:
        formats["lead"] = QFormat(1, 14)        # g = 1 is one of its words
    layer = Dense(inputs=inputs, outputs=outputs, operand=operand, rate=rate, lanes=lanes, **formats,
                  activation="linear" if top else rng.choice(ACTIVATIONS), guard=rng.choice((0, 0, pick(rng, 0, 8))))
    return replace(layer, plastic=_paced(_plastic(family, rng), layer, rng)) if plastic else layer


def _paced(plastic: Plastic, layer: Dense, rng) -> Plastic:
    """Rates at which words move in a few ticks, mostly."""
    slow = plastic.error.width - rng.randint(1, 8)
    own = SimpleNamespace(**vars(layer) | {"plastic": replace(plastic, rate=0)})
    if plastic.rate is not None:
        plastic = replace(plastic, rate=slow + layer.operand.width // 2 - weight_shift(own) + rng.choice((0, 0, 0, 9)))
    if plastic.tau is not None:
        plastic = replace(plastic, tau_rate=slow + 8 - tau_shift(own) + plastic.tau_rate)
    return plastic


def _plastic(family, rng) -> Plastic:
    filtered, tau = rng.random() < 0.6, family == "learning-tau" or rng.random() < 0.1
    return Plastic(
        error=_format(rng, 17) if rng.random() < 0.3 else _usual(rng, (0, 4), (7, 11)),
        slope=QFormat(rng.choice((1, 1, 3)), pick(rng, 1, 14)),
        rate=None if rng.random() < 0.1 else 0,
        rule=rng.choice(("plain", "plain", "sign")), halvings=rng.choice((0, 0, 2, 7)), bias=rng.random() < 0.8,
        gamma=rng.choice((None, rng.randint(0, 12))), lead=_usual(rng, (0, 5), (1, 12)) if filtered else None,
        lag=_usual(rng, (0, 1), (2, 15)) if filtered else None, guard=rng.choice((0, pick(rng, 0, 8))) * filtered,
        tau=(ticks := _usual(rng, (2, 9), (1, 8))) if tau else None,
        tau_r=_usual(rng, (1, 6), (1, 10)) if tau else None, tau_rate=rng.choice((0, 4)) if tau else 0,
        tau_min=pick(rng, 1, ticks.max >> ticks.frac_bits) if tau else 1)


def _predictor(kind: str | None, rng, delay: int, *, learns: bool) -> Predictor | None:
    """A predictor of `kind` that can make up for `delay` ticks, often with no word of history to spare."""
    if kind is None:
        return None
    has_taps = kind in ("fir", "neural")
    words = pick(rng, 1, rng.choice((3, 6, 16))) if has_taps else 2 + (kind == "second_order")
    spacing = rng.choice((1, 1, 2, 4)) if has_taps or rng.random() < 0.4 else None
    oldest = max(1, (words - 1) * (spacing or delay) + (delay if learns else 0))
    return Predictor(kind=kind, history=oldest + rng.choice((0, 0, 1, 3)), spacing=spacing, taps=words,
                     gain=rng.choice((QFormat(3, 14), QFormat(pick(rng, 1, 8), pick(rng, 1, 9)))),
                     quiet=pick(rng, 1, 32), rate=pick(rng, 0, 24) if learns else None,
                     hidden=pick(rng, 1, rng.choice((3, 16))), shared=rng.random() < 0.5, scale=rng.choice((0, 1, 5)))


def _late(kind, rng, least: int, *, learns: bool) -> tuple[int, int, Predictor | None]:
    """The delay in force, the longest, and what makes up for it."""
    most = max(rng.choice((1, 1, 2, 3, 5, 9, 20)), least)
    delay = rng.choice((least, *[pick(rng, least, most)] * 3))
    return delay, most, _predictor(kind, rng, rng.choice((delay, most)), learns=learns)


def with_delays(net: Network, family: str, rng) -> Network:
    """The network with messages and errors that are late, and what predicts them."""
    layers = list(net.layers)
    for n, layer in enumerate(layers):
        kind = _PREDICTORS.get(family)
        any_kind = rng.choice((None, *_PREDICTORS.values()))
        if family in ("learning-late", "two-boards", "wide"):
            kind = any_kind
        plain = family in ("rate", "le", "learning", "learning-tau") and rng.random() < 0.7
        if n == 0:
            if not plain and rng.random() < 0.4:
                layer = replace(layer, max_delay=(most := rng.choice((1, 3, 14))), delay=pick(rng, 0, most))
        elif not plain:
            least = rng.choice((0, 0, 1, 3)) if family != "two-boards" else 0
            fir = family == "learning-nlms" or kind == "fir" and layer.plastic is not None and rng.random() < 0.5
            delay, most, p = _late("fir" if fir else kind, rng, least, learns=fir and layer.plastic is not None)
            layer = replace(layer, delay=delay, max_delay=most, predictor=p, least_delay=least)
            if net.sends_errors(n) and (least or rng.random() < 0.8):
                fir = family == "learning-nlms" or any_kind == "fir" and rng.random() < 0.5
                delay, most, p = _late("fir" if fir else any_kind, rng, least, learns=fir)
                layer = replace(layer, error_delay=delay, max_error_delay=most, error_predictor=p)
        layers[n] = layer
    return replace(net, layers=tuple(layers))


def other_delays(net: Network, family: str, rng) -> Network:
    """The same circuit with other delays and spacings of its predictors, as far as their history goes."""
    def changed():
        layers = []
        for layer in net.layers:
            # at times none at all, whatever the circuit has for late ones
            least = min(layer.least_delay, layer.max_error_delay)
            new = {"delay": rng.choice((layer.least_delay, pick(rng, layer.least_delay, layer.max_delay))),
                   "error_delay": rng.choice((least, pick(rng, least, layer.max_error_delay)))}
            for name in ("predictor", "error_predictor"):
                p = getattr(layer, name)
                if p is not None and p.spacing is not None:
                    new[name] = replace(p, spacing=pick(rng, 1, 4))
            layers.append(replace(layer, **new))
        return _checked(replace(net, layers=tuple(layers)), family)
    try:
        return _valid(changed)
    except ValueError:
        return net


def rate_params(net: Network, family: str, rng: np.random.Generator) -> tuple[DenseParams, ...]:
    """Words of any size: as large as suits the layer, over the full range, at its ends."""
    found = []
    for layer in net.layers:
        mode = rng.choice(["scaled", "full", "ends", "low", "high", "zero"], p=[0.7, 0.1, 0.08, 0.05, 0.05, 0.02])
        words = {name: _words(rng, layer.format(name), layer.shape(name), mode) for name in layer.names}
        if mode == "scaled":        # sums that the state holds, or nearly
            spare = (layer.weight.width + layer.operand.width + layer.inputs.bit_length() // 2
                     - layer.shift - layer.state.width + int(rng.integers(-1, 3)))
            for name in ("weight", "bias"):
                words[name] >>= int(np.clip(spare, 0, layer.weight.width - 2))
        for name in layer.constants:        # positive, most of them at most one
            most = layer.format(name).max
            if rng.random() < 0.7:
                most = min(most, 1 << layer.format(name).frac_bits)
            if rng.random() < 0.9:
                words[name] = rng.integers(0, most + 1, layer.shape(name))
        if family == "le" and "lead" in words:
            words["lead"][:] = 1 << layer.lead.frac_bits
        if "tau" in words and rng.random() < 0.7:
            least, one = layer.plastic.tau_min << layer.plastic.tau.frac_bits, layer.lag.frac_bits
            words["tau"] = words["tau"].clip(least)
            words["lag"] = ((1 << one + layer.plastic.tau.frac_bits) // words["tau"]).clip(0, layer.lag.max)
        found.append(DenseParams(**words))
    return tuple(found)


def _words(rng, fmt: QFormat, shape, mode: str) -> np.ndarray:
    words = rng.integers(fmt.min, fmt.max + 1, shape, dtype=np.int64)
    if mode == "positive":
        words = np.where(words < 0, -1 - words, words)
    ends = {"ends": (fmt.min, fmt.max), "low": (fmt.min,), "high": (fmt.max,), "zero": (0,)}
    return rng.choice(np.array(ends[mode]), shape) if mode in ends else words


# spikes


def _spiking(family: str, rng) -> SpikingNetwork:
    wide, count = family == "wide-spiking", rng.choice((1, 2, 2, 2, 3))
    sizes = [1] * (count + 1) if rng.random() < 0.12 else [pick(rng, 1, rng.choice((3, 9))) for _ in range(count)] + [
        pick(rng, 1, rng.choice((2, 8)))]
    if wide:
        sizes = [rng.randint(1, 40) for _ in range(count)] + [pick(rng, 1, 32)]
        if count > 1:
            sizes[1] = rng.choice((33, 40, 65))     # more than a group of lanes
    layers = tuple(_valid(lambda n=n: _spiking_layer(family, rng, *sizes[n:n + 2], last=n == count - 1))
                   for n in range(count))
    return SpikingNetwork(name="random", ticks=pick(rng, rng.choice((1, 4, 4, 4)), rng.choice((6, 12))), layers=layers,
                          decision=rng.choice(DECISIONS))


def _spiking_layer(family, rng, inputs, outputs, *, last) -> SpikingLayer:
    order = 2 if family.startswith("alpha") else 1 if family.startswith("leaky") else rng.choice((1, 2))
    ternary = "seeded" in family or family in ("alpha-kick", "wide-spiking") and rng.random() < 0.5
    state = QFormat(pick(rng, 1, 12), pick(rng, 0, 11)) if rng.random() < 0.3 else _usual(rng, (4, 8), (2, 5))
    delay_bits = rng.choice((1, 1, 1, 2, 3, 4, pick(rng, 1, 8)))
    if ternary:
        plus = pick(rng, rng.choice((0, 3, 3)), 16)
        weight = Ternary(plus=plus, minus=pick(rng, 0, 16 - plus), seed=pick(rng, 0, 0xFFFFFFFF))
    else:
        weight = _format(rng, 18 - delay_bits, least_int=-1, most_frac=state.frac_bits)
    lanes = outputs if last or rng.random() < 0.4 else pick(rng, 1, outputs)
    if ternary and lanes != outputs:
        lanes = min(outputs, -(-lanes // BLOCK) * BLOCK)
    leaks = ((), (1,), (16,), (1, 2, 3), (3,), (3,), (4, 5), (4, 5), (2, 4, 7), (2, 4, 7))
    kick = None
    if order == 2 and (family == "alpha-kick" or rng.random() < 0.2):
        kick = Kick(word=pick(rng, 1, min(4 << state.frac_bits, (1 << 17) - 1)), leak=rng.choice(leaks))
    # what a spike of one line brings: thresholds that one reaches, that takes several, that nothing reaches
    one = (1 if ternary else max(1, weight.max)) << state.frac_bits - (0 if ternary else weight.frac_bits)
    threshold = rng.choice((1, one // 8, one // 4, one // 4, one // 2, one // 2, one, 2 * one, state.max)) >> order - 1
    return SpikingLayer(
        inputs=inputs, outputs=outputs, weight=weight, delay_bits=delay_bits, state=state, order=order,
        leak=rng.choice(leaks), threshold=min(max(1, threshold), state.max), lanes=lanes, kick=kick,
        refractory=0 if kick else rng.choice((0, 0, 1, 3, 254, 255)))


def synapses(net: SpikingNetwork, rng: np.random.Generator) -> tuple[SpikingNetwork, tuple[Synapses, ...]]:
    """The network with other seeds, and synapses: delays none, any or the longest, weights as of `rate_params`."""
    layers, params = [], []
    for layer in net.layers:
        shape = (layer.outputs, layer.inputs)
        most = int(rng.choice([0, layer.max_delay, 1, 2, net.ticks // 2]))
        longest = min(layer.max_delay, most)
        least = longest if rng.random() < 0.15 else 0
        weight = None
        if layer.regenerates:
            seed = int(rng.integers(0, 1 << 32)) if rng.random() < 0.7 else layer.weight.seed
            layer = replace(layer, weight=replace(layer.weight, seed=seed))
        else:
            mode = rng.choice(["full", "full", "positive", "positive", "positive", "high", "ends", "low"])
            weight = _words(rng, layer.weight, shape, mode)
        layers.append(layer)
        params.append(Synapses(rng.integers(least, longest + 1, shape), weight))
    return replace(net, layers=tuple(layers)), tuple(params)


# cascades


def _cascade(family: str, rng) -> CascadeNetwork:
    """1 to 4 blocks on maps of one pixel and more, dealt to engines in any way."""
    wide = family.startswith("wide")
    side, channels = (7, (1, 2, 3, 4, 4, 6, 8, 8, 12)) if wide else (4, (1, 2, 3, 4, 4, 8))
    flat, layers = rng.random() < 0.2, []
    shape = (1, 1, rng.choice(channels)) if flat else (rng.randint(1, side), rng.randint(1, side), rng.choice(channels))
    for n in range(rng.choice((2, 3, 3, 4, 5) if wide else (2, 2, 3, 4))):
        high, deep, inputs = shape
        layers.append((Block if n else Stem)(
            height=high, width=deep, inputs=inputs, stride=rng.choice((1, 1, 2)),
            outputs=inputs if n and rng.random() < 0.5 else rng.choice(channels),
            kernel=1 if flat else rng.choice((1, 3, 3))))
        shape = layers[-1].out
    head = Head(inputs=shape[2], outputs=rng.randint(2, 6), pixels=shape[0] * shape[1], shift=pick(rng, 1, 16),
                fraction=pick(rng, 4, 12))
    net = _valid(lambda: CascadeNetwork(
        name="random", steps=pick(rng, 1, len(layers)), layers=(*layers, head), pre=pick(rng, 0, 8),
        post=pick(rng, 4, 24), norm=rng.choice(NORMS), engines=_dealt(layers, rng)))
    # of images that are drawn anew a value differs by 85 on average
    return replace(net, detector=rng.choice((None, None, None, 0, 85 * net.inputs, pick(rng, 0, 255 * net.inputs))))


def _dealt(layers, rng) -> list[Engine]:
    """Engines: one for all, one a layer, or any parts."""
    count = rng.choice((1, len(layers), rng.randint(1, len(layers))))
    parts = [[] for _ in range(count)]
    for n in range(len(layers)):
        parts[n if count == len(layers) else rng.randrange(count)].append(n)
    convs = [(*layer.main, *filter(None, (layer.shortcut,))) for layer in layers]
    return [_engine(part, [conv for n in part for conv in convs[n]], rng) for part in filter(None, parts)]


def _engine(part, convs, rng) -> Engine:
    side = rng.choice([side for side in SIDES if not any(conv.inputs % side for conv in convs)])
    longest = max(conv.taps * conv.inputs // side for conv in convs)
    return Engine(layers=part, lanes=pick(rng, 1, min(longest, *(conv.outputs for conv in convs))), side=side)
