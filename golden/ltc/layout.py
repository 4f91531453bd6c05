"""Parameters of a liquid-time-constant network -> words of its banks on the parameter bus, and back.

Layer by layer from the input upwards, the readout last; a layer takes a bank a lane, then one each of its spike rows:

    lane k of a gate's chain    for each fold f: row f * n + k of the gate, 2 H + 1 words (n lanes a chain); behind them
                                in the first layer, for each fold, the weights of real inputs of neuron f * n + k of
                                those of the chain (`LtcLayer.split`)
    bank k of spike rows        for each line, fold: the weights of `side` neurons, in two words of the bus (SpikeRows)

Chains are those of alpha, then rho; of a readout that of its gate. Lines of spike rows: the layer's own neurons, those
below where they spike, the bias.
"""

import numpy as np

from golden.checks import check
from golden.description import Bank
from golden.fixed import wrap
from golden.ltc.layer import LtcLayer, SpikeRows
from golden.ltc.step import LtcParams, ReadoutParams
from golden.regmap import WORD_BITS, WORD_MASK
from golden.units.rows import from_bus, to_bus


def banks(net) -> tuple[Bank, ...]:
    """All banks with the words that an image has for them."""
    found = []
    for layer in net.layers:
        for _, inputs in _chains(layer):
            lanes = layer.lanes // layer.chains
            found += [range(_rows(layer.outputs, lanes, k) * layer.gate_words + _rows(inputs, lanes, k) * layer.inputs)
                      for k in range(lanes)]
        rows = layer.spike_rows
        found += [range(rows.depth * rows.columns)] * rows.banks
    return tuple(Bank(number, words) for number, words in enumerate(found))


def bank_starts(net) -> list[int]:
    """First bank of each layer, and the number of banks."""
    found = [0]
    for layer in net.layers:
        found.append(found[-1] + layer.lanes + layer.spike_rows.banks)
    return found


def _chains(layer) -> list[tuple[str, int]]:
    """Its chains: the gate, and how many neurons have their real inputs there."""
    if not isinstance(layer, LtcLayer):
        return [("gate", 0)]
    split = [layer.split, layer.outputs - layer.split] if layer.dense else [0, 0]
    return list(zip(("alpha", "rho")[:layer.chains], split, strict=False))


def _rows(count: int, lanes: int, lane: int) -> int:
    """Rows of `count` that a lane has."""
    return -(-(count - lane) // lanes) if count > lane else 0


def pack(net, params) -> list[np.ndarray]:
    """Words of each bank, in their order."""
    found = []
    for layer, p in zip(net.layers, params, strict=True):
        lanes, first = layer.lanes // layer.chains, 0
        for name, inputs in _chains(layer):
            rows, dense = np.asarray(getattr(p, name)), np.asarray(p.weight)[first:first + inputs]
            found += [np.concatenate([rows[k::lanes].ravel(), dense[k::lanes].ravel()]) for k in range(lanes)]
            first += inputs
        found += _spike_words(layer, p)
    return [np.asarray(words, np.int64) for words in found]


def _spike_words(layer, p) -> list[np.ndarray]:
    """Words of the banks of spike rows."""
    lines = [np.asarray(p.bias, np.int64)[:, None]]
    if isinstance(layer, LtcLayer):
        lines = [np.asarray(p.recurrent, np.int64), *([] if layer.dense else [np.asarray(p.weight, np.int64)]), *lines]
    else:
        lines = [np.asarray(p.weight, np.int64), *lines]
    table, rows = np.concatenate(lines, 1).T, layer.spike_rows
    padded = np.zeros((rows.lines, rows.folds, rows.banks * rows.side), np.int64)
    for fold in range(rows.folds):
        part = table[:, fold * rows.adders:(fold + 1) * rows.adders]
        padded[:, fold, :part.shape[1]] = part
    return [to_bus(padded[..., k * rows.side:(k + 1) * rows.side].reshape(-1), rows) for k in range(rows.banks)]


def _spike_table(rows: SpikeRows, words) -> np.ndarray:
    """Words of the banks of spike rows -> weights (neurons, lines)."""
    parts = [from_bus(each, rows).reshape(rows.lines, rows.folds, rows.side) for each in words]
    table = np.concatenate(parts, 2)[..., :rows.adders].reshape(rows.lines, -1)
    return table[:, :rows.neurons].T.copy()


def unpack(net, words) -> tuple:
    """The parameters of an image's words (int64); ValueError where bits belong to no weight."""
    whole = np.asarray(words, np.int64)
    parts = iter(np.split(whole, np.cumsum([len(bank.words) for bank in banks(net)])[:-1]))
    found = tuple(_from_banks(layer, parts) for layer in net.layers)
    check_params(net, found)
    wrong = np.flatnonzero((np.concatenate(pack(net, found)) & WORD_MASK) != whole & WORD_MASK)
    if wrong.size:
        raise ValueError(f"image word {wrong[0]} is 0x{whole[wrong[0]] & WORD_MASK:x}, with bits that belong to no "
                         f"weight")
    return found


def _from_banks(layer, parts):
    """The parameters of a layer from the words of its banks, taken from the iterator `parts`."""
    arrays, dense, lanes = {}, [], layer.lanes // layer.chains
    for name, inputs in _chains(layer):
        rows = np.empty((layer.outputs, layer.gate_words), np.int64)
        below = np.empty((inputs, layer.inputs), np.int64)
        for k in range(lanes):
            own, end = wrap(next(parts), WORD_BITS), _rows(layer.outputs, lanes, k) * layer.gate_words
            rows[k::lanes] = own[:end].reshape(-1, layer.gate_words)
            below[k::lanes] = own[end:].reshape(-1, layer.inputs)
        arrays[name], dense = rows, [*dense, below]
    table = _spike_table(layer.spike_rows, [next(parts) for _ in range(layer.spike_rows.banks)])
    arrays["bias"], table = table[:, -1], table[:, :-1]
    if not isinstance(layer, LtcLayer):
        return ReadoutParams(weight=table, **arrays)
    own, above = table[:, :layer.outputs], table[:, layer.outputs:]
    return LtcParams(recurrent=own, weight=np.concatenate(dense) if layer.dense else above, **arrays)


def check_params(net, params) -> None:
    """ValueError where shapes or ranges of the parameter words do not fit the description."""
    check(len(params) == len(net.layers), f"{net.name} has {len(net.layers)} layers, the parameters are for "
                                          f"{len(params)}")
    for n, (layer, p) in enumerate(zip(net.layers, params, strict=True)):
        shapes = layer.shapes()
        unknown = [name for name in p._fields if name not in shapes and getattr(p, name) is not None]
        check(not unknown, f"layer {n}: has no {unknown[0] if unknown else ''}, its parameters are "
                           f"{', '.join(shapes)}")
        for name, (shape, fmt) in shapes.items():
            value = getattr(p, name, None)
            check(value is not None, f"layer {n}: {name} is missing")
            words = np.asarray(value)
            check(words.dtype.kind in "iu", f"layer {n}: {name} must be integer words, not {words.dtype}")
            check(words.shape == shape, f"layer {n}: {name} has shape {words.shape}, expected {shape}")
            check(fmt.min <= words.min() and words.max() <= fmt.max,
                  f"layer {n}: {name} holds words outside of {fmt}")
