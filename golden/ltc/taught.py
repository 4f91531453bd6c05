"""Where the weights of a network that learns on the chip lie: all of them in lanes, a row a lane, a neuron two.

    lane i of alpha      2 H weights and the bias of its gate [u | x | 1]; then the first words of its row of x
    lane i of rho        the same of the other gate           [b | x | 1]; then the other words of that row
    lane c of the readout    2 C weights and the bias of its gate [y | z | 1]; then its row of z [s | 1]

A row of x is [in | 1 | s], inputs, bias, recurrent. It is cut in two so that both lanes of a neuron sum a part of it;
where rho has a word less, a weight that is always zero stands there.
"""

from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.description import Bank
from golden.fixed import wrap
from golden.ltc.step import LtcParams, ReadoutParams
from golden.ltc.teacher import FRESH_BIT
from golden.regmap import WORD_BITS


class Lanes(NamedTuple):
    """The three chains: weights (rows, words) of alpha, rho and readout, a row a lane."""

    alpha: np.ndarray
    rho: np.ndarray
    readout: np.ndarray


def cut(layer) -> int:
    """Words of a row of x that lie in a lane of alpha; as many are there for the others in one of rho."""
    words = layer.inputs + 1 + layer.outputs
    return max(layer.inputs + 1, -(-words // 2))


def depth(layer) -> int:
    """Words of a lane of alpha or rho."""
    return layer.gate_words + cut(layer)


def readout_depth(readout) -> int:
    """Words of a lane of the readout."""
    return readout.gate_words + readout.inputs + 1


def banks(net) -> tuple[Bank, ...]:
    """A bank a lane: alpha, rho, readout. Those that learn give their words back."""
    layer, readout = net.layers
    whole = net.teacher.scope == "all"
    sizes = [(depth(layer), whole)] * (2 * layer.outputs) + [(readout_depth(readout), True)] * readout.outputs
    return tuple(Bank(number, range(words), learns) for number, (words, learns) in enumerate(sizes))


def to_lanes(net, params) -> Lanes:
    """Parameters (LtcParams, ReadoutParams) as words of the lanes, int64."""
    layer, (p, out) = net.layers[0], params
    row = np.concatenate([p.weight, np.asarray(p.bias)[:, None], p.recurrent], 1)
    first = cut(layer)
    rest = np.zeros((layer.outputs, first), np.int64)
    rest[:, :row.shape[1] - first] = row[:, first:]
    return Lanes(np.concatenate([p.alpha, row[:, :first]], 1).astype(np.int64),
                 np.concatenate([p.rho, rest], 1).astype(np.int64),
                 np.concatenate([out.gate, out.weight, np.asarray(out.bias)[:, None]], 1).astype(np.int64))


def from_lanes(net, lanes: Lanes) -> tuple:
    """The reverse of `to_lanes`."""
    layer, readout = net.layers
    gate, inputs = layer.gate_words, layer.inputs
    words = inputs + 1 + layer.outputs
    row = np.concatenate([lanes.alpha[:, gate:], lanes.rho[:, gate:]], 1)[:, :words]
    return (LtcParams(alpha=lanes.alpha[:, :gate].copy(), rho=lanes.rho[:, :gate].copy(), weight=row[:, :inputs].copy(),
                      bias=row[:, inputs].copy(), recurrent=row[:, inputs + 1:].copy()),
            ReadoutParams(gate=lanes.readout[:, :readout.gate_words].copy(), bias=lanes.readout[:, -1].copy(),
                          weight=lanes.readout[:, readout.gate_words:-1].copy()))


def pack(net, params) -> list[np.ndarray]:
    """Words of each bank, in their order."""
    return [row for chain in to_lanes(net, params) for row in chain]


def unpack(net, words) -> tuple:
    """The parameters of an image's words (int64); ValueError where bits belong to no weight."""
    layer, readout = net.layers
    whole, found, start = wrap(np.asarray(words, np.int64), WORD_BITS), [], 0
    for rows, size in ((layer.outputs, depth(layer)), (layer.outputs, depth(layer)),
                       (readout.outputs, readout_depth(readout))):
        found.append(whole[start:start + rows * size].reshape(rows, size))
        start += rows * size
    lanes = Lanes(*found)
    params = from_lanes(net, lanes)
    check(all((a == b).all() for a, b in zip(to_lanes(net, params), lanes, strict=True)),
          "image words hold bits that belong to no weight")
    return params


def checked(net, target) -> np.ndarray:
    """Target words (ticks, streams, 1); ValueError for a label that is no output."""
    target = np.asarray(target)
    if target.dtype.kind in "iu" and target.size:
        labels = target & (1 << FRESH_BIT) - 1
        check(bool((labels < net.outputs).all()), f"targets hold a label {labels.max()}, {net.name} has {net.outputs} "
                                                  f"outputs")
    return target
