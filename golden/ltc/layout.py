"""Parameters of a liquid-time-constant network -> words of its banks on the parameter bus, and back.

Layer by layer from the input upwards, the readout last; a layer takes a bank a lane, then those of its spike rows:

    lane k of a gate's chain    for each fold f: row f * n + k of the gate, 2 H + 1 words (n lanes a chain). Behind all
                                folds in the first layer, for each fold, a row of weights of real inputs, `inputs`
                                words: of the even neurons on the chain of alpha, of the odd ones on that of rho, and
                                of all where the threshold is fixed
    bank k of spike rows        a word a line: the weights of neurons 2 k, below, and 2 k + 1; of neuron k alone where
                                two do not fit. Lines: the bias, the layer's own neurons, those below where they spike

Chains are those of alpha, then rho; of a readout that of its gate.
"""

import numpy as np

from golden.checks import check
from golden.description import Bank
from golden.fixed import wrap
from golden.ltc.layer import LtcLayer
from golden.ltc.step import LtcParams, ReadoutParams
from golden.regmap import WORD_BITS, WORD_MASK


def banks(net) -> tuple[Bank, ...]:
    """All banks with the words that an image has for them."""
    found = []
    for layer in net.layers:
        folds, size = layer.gate_rows().depth, layer.gate_words
        for _, inputs in _chains(layer):
            for own, dense in zip(_shares(range(layer.outputs), layer), _shares(inputs, layer), strict=True):
                found.append((*range(len(own) * size), *range(folds, folds + len(dense) * layer.inputs)))
        found += [range(layer.spike_lines)] * layer.spike_banks
    return tuple(Bank(number, words) for number, words in enumerate(found))


def bank_starts(net) -> list[int]:
    """First bank of each layer, and the number of banks."""
    found = [0]
    for layer in net.layers:
        found.append(found[-1] + layer.lanes + layer.spike_banks)
    return found


def _chains(layer) -> list[tuple[str, range]]:
    """Its chains: the gate, and the neurons that have their real inputs there."""
    if not isinstance(layer, LtcLayer):
        return [("gate", range(0))]
    return [(name, range(k, layer.outputs if layer.dense else 0, layer.chains))
            for k, name in enumerate(("alpha", "rho")[:layer.chains])]


def _shares(rows: range, layer) -> list[range]:
    """What each lane of a chain has of some rows, in the order of its folds."""
    lanes = layer.lanes // layer.chains
    return [rows[k::lanes] for k in range(lanes)]


def pack(net, params) -> list[np.ndarray]:
    """Words of each bank, in their order."""
    found = []
    for layer, p in zip(net.layers, params, strict=True):
        for name, inputs in _chains(layer):
            rows, weight = np.asarray(getattr(p, name)), np.asarray(p.weight)
            found += [np.concatenate([rows[list(own)].ravel(), weight[list(dense)].ravel()]) for own, dense in
                      zip(_shares(range(layer.outputs), layer), _shares(inputs, layer), strict=True)]
        found += list(_spike_words(layer, p))
    return [np.asarray(words, np.int64) for words in found]


def _spike_words(layer, p) -> np.ndarray:
    """Words of the banks of spike rows (banks, lines)."""
    table = np.zeros((layer.spike_banks * layer.side, layer.spike_lines), np.int64)
    lines = [np.asarray(p.bias)[:, None]]
    if isinstance(layer, LtcLayer):
        lines.append(np.asarray(p.recurrent))
    if not layer.dense:
        lines.append(np.asarray(p.weight))
    table[:layer.outputs] = np.concatenate(lines, 1)
    if layer.side == 1:
        return table
    mask = (1 << layer.spike_weight.width) - 1
    return table[::2] & mask | (table[1::2] & mask) << layer.spike_weight.width


def _spike_table(layer, words: np.ndarray) -> np.ndarray:
    """Words of the banks of spike rows (banks, lines) -> weights (neurons, lines)."""
    if layer.side == 1:
        return wrap(words, WORD_BITS)
    width = layer.spike_weight.width
    table = np.stack([wrap(words, width), wrap(words >> width, width)], 1)
    return table.reshape(-1, layer.spike_lines)[:layer.outputs]


def unpack(net, words) -> tuple:
    """The parameters of an image's words (int64); ValueError where bits belong to no weight."""
    whole = np.asarray(words, np.int64) & WORD_MASK
    parts = iter(np.split(whole, np.cumsum([len(bank.words) for bank in banks(net)])[:-1]))
    found = tuple(_from_banks(layer, parts) for layer in net.layers)
    check_params(net, found)
    wrong = np.flatnonzero((np.concatenate(pack(net, found)) & WORD_MASK) != whole)
    if wrong.size:
        raise ValueError(f"image word {wrong[0]} is 0x{whole[wrong[0]]:x}, with bits that belong to no weight")
    return found


def _from_banks(layer, parts):
    """The parameters of a layer from the words of its banks, taken from the iterator `parts`."""
    arrays, weight = {}, np.empty((layer.outputs, layer.inputs), np.int64)
    for name, inputs in _chains(layer):
        arrays[name] = np.empty((layer.outputs, layer.gate_words), np.int64)
        for own, dense in zip(_shares(range(layer.outputs), layer), _shares(inputs, layer), strict=True):
            words, end = wrap(next(parts), WORD_BITS), len(own) * layer.gate_words
            arrays[name][list(own)] = words[:end].reshape(-1, layer.gate_words)
            weight[list(dense)] = words[end:].reshape(-1, layer.inputs)
    table = _spike_table(layer, np.stack([next(parts) for _ in range(layer.spike_banks)]))
    arrays["bias"], table = table[:, 0], table[:, 1:]
    if not isinstance(layer, LtcLayer):
        return ReadoutParams(weight=table, **arrays)
    own, below = table[:, :layer.outputs], table[:, layer.outputs:]
    return LtcParams(recurrent=own, weight=weight if layer.dense else below, **arrays)


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
