"""Words of a cascaded network -> words on the parameter bus, and back.

Each engine has a bank a lane, a bank of scales and a bank of biases; behind all engines come those of the head: its
lane, whose row is a bias and the weights of the channels. In a lane the convolutions of the engine's program follow one
another, in each fold after fold, tap after tap, group after group; a word holds the weights of `side` channels, the
first one in the low bits, and is sent in columns of at most 16 bits. In a bank of scales each convolution has its rows
of channels.
"""

import numpy as np

from golden.cascade.engine import BlockParams, HeadParams, StemParams
from golden.cascade.layer import HEAD_BITS, SCALE_BITS, WEIGHT_BITS, Engine, Task
from golden.checks import check
from golden.description import Bank
from golden.fixed import QFormat, wrap
from golden.regmap import WORD_MASK
from golden.units.rows import MAX_LANE_WORDS

#: weights in a word of the parameter bus; words of a bank of scales
COLUMN, MAX_SCALES = 2, 1024


def column_weights(unit: Engine) -> int:
    """Weights that a word of the bus carries into a lane."""
    return min(COLUMN, unit.side)


def columns(unit: Engine) -> int:
    """Words of the bus for a word of a lane."""
    return unit.side // column_weights(unit)


def lane_words(net, unit: Engine) -> int:
    """Words of a lane."""
    return sum(unit.words(task.conv) for task in net.program(unit))


def rows_of(net, task: Task) -> int:
    """Scales that a channel of a task's convolution has."""
    return 1 if task.role == "shortcut" else net.affine_rows(task.layer)


def affine_words(net, unit: Engine) -> int:
    """Words of a bank of scales."""
    return sum(rows_of(net, task) * task.conv.outputs for task in net.program(unit))


def smallest_engine(net, layers: tuple[int, ...]) -> Engine:
    """An engine for some layers with as few lanes as hold their weights."""
    most = min(net.layers[n].outputs for n in layers)
    for lanes in range(1, most + 1):
        unit = Engine(layers=layers, lanes=lanes)
        if lane_words(net, unit) <= MAX_LANE_WORDS:
            return unit
    raise ValueError(f"layers {', '.join(map(str, layers))}: their weights do not fit {most} lanes of one engine")


def dealt(net, dealing: str) -> tuple[Engine, ...]:
    """Engines with as few lanes as hold the weights: one a "layer"; the stem's and one for all "blocks"; "all" in one.

    ValueError where that cannot be done.
    """
    numbers = range(len(net.layers) - 1)
    groups = {"layer": [(n,) for n in numbers], "blocks": [(0,), tuple(numbers[1:])], "all": [tuple(numbers)]}
    return tuple(smallest_engine(net, group) for group in groups[dealing])


def check_engines(net) -> None:
    """ValueError where engines do not share the layers out, or one cannot work on its own."""
    dealt = sorted(n for unit in net.engines for n in unit.layers)
    check(dealt == list(range(len(net.layers) - 1)),
          f"network: engines work on layers {dealt}, each of 0..{len(net.layers) - 2} belongs to one engine")
    for number, unit in enumerate(net.engines):
        for n, _, conv in net.program(unit):
            check(conv.inputs % unit.side == 0, f"engine {number}: {conv.inputs} channels of layer {n} are no multiple "
                                                f"of its {unit.side} inputs at once")
            check(unit.lanes <= conv.outputs, f"engine {number}: {unit.lanes} lanes, and layer {n} has {conv.outputs} "
                                              f"channels")
        longest = max(conv.taps * unit.groups(conv) for _, _, conv in net.program(unit))
        check(unit.lanes <= longest, f"engine {number}: {unit.lanes} lanes, and its longest pixel has {longest} words: "
                                     f"sums leave one a cycle")
        depth, scales = lane_words(net, unit) * columns(unit), affine_words(net, unit)
        check(depth <= MAX_LANE_WORDS, f"engine {number}: a lane would hold {depth} words of the bus, "
                                       f"{MAX_LANE_WORDS} at most: more lanes")
        check(scales <= MAX_SCALES, f"engine {number}: {scales} scales, {MAX_SCALES} at most: more engines")


def first_banks(net) -> list[int]:
    """First bank of each engine, and that of the head."""
    found = [0]
    for unit in net.engines:
        found.append(found[-1] + unit.lanes + 2)
    return found


def banks(net) -> tuple[Bank, ...]:
    """Banks of the engines, then that of the head."""
    found = []
    for unit in net.engines:
        found += [range(lane_words(net, unit) * columns(unit))] * unit.lanes
        found += [range(affine_words(net, unit))] * 2
    found.append(range(net.outputs * (net.head.inputs + 1)))
    return tuple(Bank(number, each) for number, each in enumerate(found))


def _names(task: Task) -> tuple[str, str, str | None]:
    """What weights, scales and biases of a task are called in its layer's parameters."""
    if task.layer == 0:
        return "weight", "scale", "bias"
    if task.role == "shortcut":
        return "shortcut", "shortcut_scale", None
    number = "1" if task.role == "first" else "2"
    return "weight" + number, "scale" + number, "bias" + number


def pack(net, params) -> list[np.ndarray]:
    """Words of `params` by bank (int64)."""
    found = []
    for unit in net.engines:
        lanes, scales, biases = [], [], []
        for task in net.program(unit):
            weight, scale, bias = _names(task)
            own = params[task.layer]
            lanes.append(_to_lanes(np.asarray(getattr(own, weight), np.int64), unit, task.conv))
            scales.append(np.ravel(getattr(own, scale)))
            biases.append(np.zeros_like(scales[-1]) if bias is None else np.ravel(getattr(own, bias)))
        found += [*np.concatenate(lanes, 1), np.concatenate(scales), np.concatenate(biases)]
    head = params[-1]
    found.append(np.column_stack([np.asarray(head.bias, np.int64), np.asarray(head.weight, np.int64)]).ravel())
    return [np.asarray(words, np.int64) for words in found]


def _to_lanes(weight, unit: Engine, conv) -> np.ndarray:
    """Weights (outputs, kernel, kernel, inputs) -> words of the bus (lanes, words * columns)."""
    each = column_weights(unit)
    padded = np.zeros((unit.folds(conv) * unit.lanes, conv.taps * conv.inputs), np.int64)
    padded[:conv.outputs] = weight.reshape(conv.outputs, -1)
    parts = padded.reshape(unit.folds(conv), unit.lanes, -1, each) & (1 << WEIGHT_BITS) - 1
    words = (parts << WEIGHT_BITS * np.arange(each)).sum(-1)
    return words.transpose(1, 0, 2).reshape(unit.lanes, -1)


def _from_lanes(words, unit: Engine, conv) -> np.ndarray:
    each = column_weights(unit)
    parts = np.asarray(words, np.int64).reshape(unit.lanes, unit.folds(conv), -1).transpose(1, 0, 2)
    weights = wrap(parts[..., None] >> WEIGHT_BITS * np.arange(each) & (1 << WEIGHT_BITS) - 1, WEIGHT_BITS)
    return weights.reshape(unit.folds(conv) * unit.lanes, -1)[:conv.outputs].reshape(
        conv.outputs, conv.kernel, conv.kernel, conv.inputs)


def unpack(net, words) -> tuple:
    """The parameters of an image's words; ValueError where bits belong to no weight, or a shortcut has a bias."""
    whole = np.asarray(words, np.int64)
    sizes = [len(bank.words) for bank in banks(net)]
    parts = np.split(whole, np.cumsum(sizes)[:-1])
    tensors = [{} for _ in net.layers]
    for unit, first in zip(net.engines, first_banks(net), strict=False):
        lanes = np.stack(parts[first:first + unit.lanes])
        scales, biases = (wrap(part, SCALE_BITS) for part in parts[first + unit.lanes:first + unit.lanes + 2])
        at = scale_at = 0
        for task in net.program(unit):
            weight, scale, bias = _names(task)
            size, rows = unit.words(task.conv) * columns(unit), rows_of(net, task)
            many = slice(scale_at, scale_at + rows * task.conv.outputs)
            tensors[task.layer][weight] = _from_lanes(lanes[:, at:at + size], unit, task.conv)
            tensors[task.layer][scale] = scales[many].reshape(rows, -1)
            if bias is not None:
                tensors[task.layer][bias] = biases[many].reshape(rows, -1)
            at, scale_at = at + size, many.stop
    head = wrap(parts[-1], SCALE_BITS).reshape(net.outputs, -1)
    params = (StemParams(**tensors[0]), *(BlockParams(**own) for own in tensors[1:-1]),
              HeadParams(head[:, 1:], head[:, 0]))
    check_params(net, params)
    wrong = np.flatnonzero((np.concatenate(pack(net, params)) & WORD_MASK) != whole & WORD_MASK)
    if wrong.size:
        raise ValueError(f"image word {wrong[0]} is 0x{whole[wrong[0]] & WORD_MASK:x}, with bits that belong to no "
                         f"weight")
    return params


def shapes(net, n: int) -> dict[str, tuple[tuple[int, ...], QFormat]]:
    """Shape and format of every tensor of layer n."""
    layer, scale = net.layers[n], QFormat(SCALE_BITS - 1, 0)
    weight = QFormat(WEIGHT_BITS - 1, 0)
    if layer is net.head:
        return {"weight": ((layer.outputs, layer.inputs), QFormat(HEAD_BITS - 1, 0)),
                "bias": ((layer.outputs,), QFormat(HEAD_BITS - 1, 0))}
    found, rows = {}, net.affine_rows(n)
    for number, conv in enumerate(layer.main, 1):
        suffix = str(number) if n else ""
        found["weight" + suffix] = (conv.outputs, conv.kernel, conv.kernel, conv.inputs), weight
        found |= {name + suffix: ((rows, conv.outputs), scale) for name in ("scale", "bias")}
    if layer.shortcut is not None:
        found |= {"shortcut": ((layer.outputs, 1, 1, layer.inputs), weight),
                  "shortcut_scale": ((1, layer.outputs), scale)}
    return found


def check_params(net, params) -> None:
    """ValueError where shapes or ranges do not fit."""
    check(len(params) == len(net.layers), f"{net.name} has {len(net.layers)} layers, not {len(params)} of parameters")
    for n, own in enumerate(params):
        for name, (shape, fmt) in shapes(net, n).items():
            value = np.asarray(getattr(own, name, None))
            check(value.shape == shape, f"layer {n}: {name} must be {shape}, not {value.shape}")
            check(np.issubdtype(value.dtype, np.integer), f"layer {n}: {name} must be integers, not {value.dtype}")
            check(value.size == 0 or (fmt.min <= value.min() and value.max() <= fmt.max),
                  f"layer {n}: {name} must lie in {fmt.min}..{fmt.max}")
