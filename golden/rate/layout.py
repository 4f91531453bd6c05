"""Parameters of a network of rate neurons -> words of its banks on the parameter bus, and back.

A layer takes one bank a lane, one for each of its `Dense.constants`, one for the delays, one for the taps of each of
its predictors:

    first + lane        for each fold f: bias, then `inputs` weights of row f * lanes + lane, from word f * (inputs + 1)
    first + lanes + n   words of constant n by neuron: lead, lag, ...
    the next            the delays, see `timing`
    those behind it     taps and error_taps: `Predictor.coefficients` words for each row
"""

import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from golden.description import Bank, Description
from golden.fixed import wrap
from golden.rate.layer import Dense
from golden.regmap import WORD_BITS
from golden.units.dense import DenseParams


class LayerBanks(NamedTuple):
    """Bank numbers of one layer: the first lane, constants and taps by name, delays, and the first bank behind them."""

    lanes: int
    constants: dict[str, int]
    delay: int
    taps: dict[str, int]
    end: int


def bank_layout(net: Description) -> tuple[LayerBanks, ...]:
    """Banks of each layer, counted from 0 upwards."""
    found, first = [], 0
    for layer in net.layers:
        constants = {name: first + layer.lanes + n for n, name in enumerate(layer.constants)}
        delay = first + layer.lanes + len(constants)
        taps = {name: delay + 1 + n for n, name in enumerate(layer.taps)}
        found.append(LayerBanks(lanes=first, constants=constants, delay=delay, taps=taps, end=delay + 1 + len(taps)))
        first = found[-1].end
    return tuple(found)


def banks(net: Description) -> tuple[Bank, ...]:
    """All banks with the words that an image has for them."""
    found = []
    for layer, numbers in zip(net.layers, bank_layout(net), strict=True):
        learns, learnt = layer.plastic is not None, learnt_banks(layer, numbers)
        for lane in range(layer.lanes):
            rows = -(-(layer.outputs - lane) // layer.lanes)
            found.append(Bank(numbers.lanes + lane, range(rows * (layer.inputs + 1)), learns))
        found += [Bank(bank, range(layer.outputs), bank in learnt) for bank in numbers.constants.values()]
        found.append(Bank(numbers.delay, tuple(timing(layer))))
        found += [Bank(bank, range(math.prod(layer.shape(name))), bank in learnt)
                  for name, bank in numbers.taps.items()]
    return tuple(found)


def timing(layer: Dense) -> dict[int, int]:
    """Words of a layer's bank of delays, by address.

    0 delay, 1 error_delay; where there is a predictor, 2 the spacing of what it sees, from 4 on the taps of linear and
    second order that have a spacing of their own; for errors the same, 3 and from 8 on.
    """
    found = {0: layer.delay} | ({1: layer.error_delay} if layer.max_error_delay else {})
    for n, (p, delay) in enumerate(((layer.predictor, layer.delay), (layer.error_predictor, layer.error_delay))):
        if p is not None:
            found[2 + n] = p.spacing or delay
            if not p.has_taps and p.spacing:
                found |= {4 + 4 * n + j: a for j, a in enumerate(p.fixed_taps(delay))}
    return dict(sorted(found.items()))


def learnt_banks(layer: Dense, banks: LayerBanks) -> list[int]:
    """Banks of what a layer learns beside its weights."""
    if layer.plastic is None:
        return []
    found = [banks.constants[name] for name in ("lag", "tau") if layer.plastic.tau is not None]
    both = {"taps": layer.predictor, "error_taps": layer.error_predictor}
    return found + [banks.taps[name] for name in layer.taps if both[name].learns]


def pack(net: Description, params) -> list[np.ndarray]:
    """Words of each bank, in their order."""
    found = []
    for layer, p in zip(net.layers, params, strict=True):
        rows = np.column_stack([np.asarray(p.bias), np.asarray(p.weight)])
        found += [rows[lane::layer.lanes].ravel() for lane in range(layer.lanes)]
        found += [np.asarray(getattr(p, name)) for name in layer.constants]
        found.append(np.array(list(timing(layer).values()), np.int64))
        found += [np.asarray(getattr(p, name)).ravel() for name in layer.taps]
    return found


def split(net: Description, words) -> list[list[np.ndarray]]:
    """Signed words by layer and bank."""
    sizes = [len(bank.words) for bank in banks(net)]
    parts = iter(np.split(wrap(np.asarray(words, np.int64), WORD_BITS), np.cumsum(sizes)[:-1]))
    return [[next(parts) for _ in range(layer.lanes + len(layer.constants) + 1 + len(layer.taps))]
            for layer in net.layers]


def unpack(net: Description, words) -> tuple[DenseParams, ...]:
    """The parameters (int64 arrays) of an image's words; ValueError where its delays are none of the description's."""
    found = []
    for n, (layer, parts) in enumerate(zip(net.layers, split(net, words), strict=True)):
        rows = np.empty((layer.outputs, layer.inputs + 1), np.int64)
        for lane in range(layer.lanes):
            rows[lane::layer.lanes] = parts[lane].reshape(-1, layer.inputs + 1)
        parts = parts[layer.lanes:]
        times = dict(zip(timing(layer), parts.pop(len(layer.constants)).tolist(), strict=True))
        _check_times(n, layer, times)
        values = {name: part.reshape(layer.shape(name)).copy()
                  for name, part in zip((*layer.constants, *layer.taps), parts, strict=True)}
        found.append(DenseParams(weight=rows[:, 1:].copy(), bias=rows[:, 0].copy(), **values))
    return tuple(found)


def delays(net: Description, words) -> tuple[int, ...]:
    """The delay of each layer's messages in an image's words."""
    return tuple(int(parts[layer.lanes + len(layer.constants)][0])
                 for layer, parts in zip(net.layers, split(net, words), strict=True))


def _check_times(n: int, layer: Dense, times: dict[int, int]) -> None:
    """ValueError where words of a bank of delays are not those that the description has with some delay."""
    for word, name, most in ((0, "delay", layer.max_delay), (1, "error_delay", layer.max_error_delay)):
        value, least = times.get(word, 0), layer.least_delay if word in times else 0
        if not least <= value <= most:
            raise ValueError(f"layer {n}: {name} is {value}, the design holds {least}..{most}")
    for word, value in timing(replace(layer, delay=times[0], error_delay=times.get(1, 0))).items():
        if times[word] != value:
            raise ValueError(f"layer {n}: word {word} of the delays is {times[word]}, the description makes it {value} "
                             f"with a delay of {times[0]}, of errors of {times.get(1, 0)}")
