"""NIR in: a graph as an event-driven network, its formats chosen on a calibration run, and a report a layer.

What is exact stays exact (golden.event.quanta). Of the rest, words grow from `bits` and 16 bits of a membrane to the
longest ones until spikes agree with golden.nir.euler; agreement is the share of neurons and ticks in which both say
the same, and beside it stands the share of their spikes that both have. Of membranes that leave it is 1 less their
error as a part of their size, by root mean squares.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check, listed
from golden.event import engine
from golden.event.assemble import assemble, check_sizes
from golden.event.network import EventNetwork
from golden.event.quanta import LONGEST, Words, chosen_words, exact_unit, exact_words
from golden.event.real import Real, real
from golden.event.trained import EventTrained
from golden.nir import euler
from golden.nir.graph import Flat
from golden.nir.options import Options, stated

#: neurons and ticks, and spikes alone, that agree enough
ENOUGH, ENOUGH_SPIKES = 0.99, 0.95
#: a calibration run where none is given: samples, ticks, share of lines that spike
DRAWN = 10, 100, 0.2
#: bits of weights and membranes that are tried in turn; 13 stand beside 5 of a delay in a word of block RAM
STEPS = ((8, 16), (10, 18), (13, 18), (16, 18))
#: why there are neurons that no node has, by the kind of their layer (golden.event.real)
ADDED = {"always": "for biases that a current takes or that come late", "Delay": "for what leaves late"}


class Calibration(NamedTuple):
    """What a run of the reference shows, by population: what leaves (samples, ticks, n), reach of v and c (n,)."""

    x: np.ndarray
    left: dict[str, np.ndarray]
    v: dict[str, np.ndarray]
    c: dict[str, np.ndarray]
    scale: float
    bits: int
    rates: np.ndarray


class Imported(NamedTuple):
    """The network in words; a dict a layer for a person; lines that say what was assumed, and what fell silent.

    samples: what formats were chosen on, as golden.data.series reads it: x, and spikes a tick of outputs as targets.
    """

    trained: EventTrained
    layers: list[dict]
    notes: list[str]
    samples: dict[str, np.ndarray]


def convert(flat: Flat, name: str, options: Options | None = None, x=None, *, bits: int | None = None) -> Imported:
    """A flat graph as a network called `name`.

    x: (samples, ticks, ...) that it is run on for the choice of formats, or a dict of such by Input; by default drawn
    spikes. bits: of weights, where they are not exact; by default as many as agreement takes. ValueError names the node
    that has no equivalent, or what is too large.
    """
    check(bits is None or 2 <= bits <= LONGEST, f"weights have 2 to {LONGEST} bits, not {bits}")
    asked = options or Options()
    options = asked.of(flat)
    shape = real(flat, options)
    check_sizes(shape)
    notes, seen = stated(flat, asked), _calibrate(flat, shape, options, x)
    if x is None:
        notes.append(f"formats are chosen on drawn spikes: {DRAWN[0]} samples of {DRAWN[1]} ticks, "
                     f"{DRAWN[2]:.0%} of the lines in each")
    notes += [f"neurons that the file does not have: {layer.size}, {ADDED[layer.kind]} (layer {layer.name})"
              for layer in shape.layers.values() if layer.kind in ADDED]
    for layer in shape.layers.values():
        layer.tables = {source: table._replace(weight=table.weight * seen.scale) if source in shape.inputs else table
                        for source, table in layer.tables.items()}
    best = None
    for count, state in STEPS if bits is None else ((bits, STEPS[0][1]), (bits, STEPS[-1][1])):
        words = {each: _words(layer, seen, options, count, state) for each, layer in shape.layers.items()}
        try:
            net, params = assemble(name, shape, words, seen.bits)
        except ValueError:      # words that are too long for the circuit: those before stay
            if best is None:
                raise
            break
        left, _ = engine.advance(net, params, seen.x)
        layers = _report(shape, words, net, seen, left)
        found = min(min(row["agreement"] - ENOUGH, row["both"] - ENOUGH_SPIKES) for row in layers)
        if best is None or found > best[0]:
            best = found, net, params, layers
        if all(each.exact for each in words.values()) or found >= 0:
            break
    _, net, params, layers = best
    notes += [f"node {listed([row['layer']])} falls silent: it gave {row['before']:.3g} a neuron and tick"
              for row in layers if row["before"] and not row["after"]]
    notes += [f"node {listed([row['layer']])} is silent: nothing of the calibration moves it"
              for row in layers if not row["before"] and not row["after"]]
    origin = {"format": "nir", "dt": options.dt, "inputs": shape.inputs, "input_scale": seen.scale, "notes": notes,
              "outputs": {key: len(each) for key, (_, each) in shape.outputs.items()}}
    return Imported(EventTrained(net=net, params=params, training=origin), layers, notes,
                    samples(seen.x * seen.scale, seen.rates))


def drawn(shape) -> np.ndarray:
    """Spikes that nobody gave: (samples, ticks, *shape), the same each time."""
    return (np.random.default_rng(17).random((*DRAWN[:2], *shape)) < DRAWN[2]).astype(float)


def samples(x: np.ndarray, rates: np.ndarray) -> dict[str, np.ndarray]:
    """Half to learn from, and half to test with, where that leaves two of each; else all for both."""
    half = len(x) // 2
    first, second = (slice(half), slice(half, None)) if half > 1 else (slice(None), slice(None))
    x = x.astype(np.int16 if np.array_equal(x, np.rint(x)) else np.float32)
    return {"x_train": x[first], "y_train": rates[first], "x_test": x[second], "y_test": rates[second]}


def _words(layer, seen: Calibration, options: Options, bits: int, state: int) -> Words:
    unit = exact_unit(layer)
    v, c = (each.get(layer.name, np.ones(layer.size)) for each in (seen.v, seen.c))
    if layer.reset is not None:
        v = np.maximum(v, np.abs(layer.reset))
    far = np.abs(layer.threshold)
    v = np.maximum(v, np.where(v > 0, np.minimum(far, 2 * v), far))
    found = None if unit is None else exact_words(layer, unit, options)
    if found is not None and not layer.fires and np.any(v / unit > found.population.high):
        found = None        # what is exact, but leaves its format, is worse than what is not
    return chosen_words(layer, bits, state, options, v, c) if found is None else found


def _calibrate(flat: Flat, shape: Real, options: Options, x) -> Calibration:
    """Run the reference: what everything reaches, and which values lines carry."""
    if x is None:
        x = {name: drawn(flat.leaves[name]) for name in shape.inputs}
    x = x if isinstance(x, dict) else {next(iter(shape.inputs)): np.asarray(x) * 1.0}
    v, c = {}, {}

    def watch(name, membrane, current):
        for into, value in ((v, membrane), (c, current)):
            most = np.abs(value).reshape(len(value), -1).max(0, initial=0)
            into[name] = np.maximum(into.get(name, 0), most)

    names = [name for name in shape.layers if name in flat.nodes]
    found = euler.run(flat, x, options, record=names, watch=watch)
    lines = np.concatenate([x[name].reshape(*x[name].shape[:2], -1) for name in shape.inputs], 2)
    scale, bits = _input_scale(lines)
    for name in names:
        factor = _current(flat.nodes[name], options)
        c[name] = np.abs(np.broadcast_to(factor, flat.leaves[name]).ravel()) * c[name]
    left = {name: found[name].reshape(*found[name].shape[:2], -1) for name in names}
    left = {name: value > 0 if flat.nodes[name].SPIKES else value for name, value in left.items()}
    rates = np.concatenate([found[name].reshape(*lines.shape[:2], -1) for name in shape.outputs], 2).mean(1)
    return Calibration(np.rint(lines / scale).astype(np.int64), left, v, c, scale, bits, rates)


def _current(node, options: Options):
    """What a current of 1 adds to the membrane in a step."""
    return options.dt / node.tau_mem * node.r if hasattr(node, "tau_mem") else 0.0


def _input_scale(x: np.ndarray) -> tuple[float, int]:
    """What a word of a line is, and its bits: spikes and small integers as they are, else eight bits."""
    most = float(np.abs(x).max(initial=0))
    if np.all(np.isin(x, (0, 1))):
        return 1.0, 1
    if np.array_equal(x, np.rint(x)) and most < 1 << 15:
        return 1.0, max(2, int(most).bit_length() + 1)
    return most / 127, 8


def _report(shape: Real, words, net: EventNetwork, seen: Calibration, left) -> list[dict]:
    rows = []
    for n, (name, layer) in enumerate(shape.layers.items()):
        if name not in seen.left:
            continue
        mine, theirs, own = left[..., net.slice(n)], seen.left[name], words[name]
        most = max((np.abs(table.weight).max(initial=0) for table in layer.tables.values()), default=0) or 1.0
        off = [np.abs(own.weights[source] * own.unit[table.target] - table.weight).max(initial=0) / most
               for source, table in layer.tables.items()]
        pop = own.population
        rows.append({
            "layer": name, "node": layer.kind, "neurons": layer.size,
            "synapses": sum(len(table.source) for table in layer.tables.values()), "delays": _delays(layer),
            "words": "exact" if own.exact else f"weights {net.weight_bits}, membrane {pop.state} bits",
            "reach": float(seen.v[name].max(initial=0)), "weight error": float(max(off, default=0)),
            "saturated": int(np.count_nonzero(seen.v[name] / own.membrane > pop.high)),
            **(_spikes(mine > 0, theirs) if layer.fires else _membranes(mine * own.membrane, theirs))})
    far = _from_inputs(shape)
    return sorted(rows, key=lambda row: far[row["layer"]])


def _delays(layer) -> str:
    """The shortest and the longest of its synapses."""
    found = np.concatenate([np.zeros(0, np.int64), *(table.delay for table in layer.tables.values())])
    if not len(found):
        return "-"
    low, high = found.min(), found.max()
    return f"{low} tick{'' if low == 1 else 's'}" if low == high else f"{low} to {high} ticks"


def _from_inputs(shape: Real) -> dict[str, int]:
    """By layer, how many layers lie between the inputs and it; those that no input reaches come last."""
    far, reached = {}, set(shape.inputs)
    while len(far) < len(shape.layers):
        near = [name for name, layer in shape.layers.items() if name not in far and reached & set(layer.tables)]
        near = near or [name for name in shape.layers if name not in far]
        far |= dict.fromkeys(near, len(reached))
        reached |= set(near)
    return far


def _spikes(mine, theirs) -> dict:
    """Mean activity before and after, and what agrees."""
    return {"before": float(theirs.mean()), "after": float(mine.mean()), "agreement": float(np.mean(mine == theirs)),
            "both": float((mine & theirs).sum() / (mine | theirs).sum()) if np.any(mine | theirs) else 1.0}


def _membranes(mine, theirs) -> dict:
    """The same of real numbers: mean sizes, and 1 less the error as a part of the size, by root mean squares."""
    size = float(np.sqrt(np.mean(theirs ** 2))) or 1.0
    agreement = 1 - float(np.sqrt(np.mean((mine - theirs) ** 2))) / size
    return {"before": float(np.abs(theirs).mean()), "after": float(np.abs(mine).mean()), "agreement": agreement,
            "both": agreement}
