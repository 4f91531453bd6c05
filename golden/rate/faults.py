"""Flips in the memories of a network of rate neurons: what a run gives with them, by the integer model.

parameters   words of the image, but for those of delays, which are no memory
membranes    a word a neuron
lines        messages that will still be read, newest first: word age * inputs + index. Of the first layer the newest
             counts as one tick old before the next input comes, so that a line without a delay has none
"""

from collections.abc import Sequence

import numpy as np

from golden.checks import check
from golden.faults import Flip, Memory, at, turned
from golden.fixed import wrap
from golden.rate.engine import NetworkState, network_step, reset
from golden.rate.layout import bank_layout, unpack
from golden.rate.network import Network
from golden.regmap import WORD_BITS
from golden.units.leadlag import integrator


def stored_bits(net: Network) -> np.ndarray:
    """Bits that the circuit keeps in memory of each word of an image (words,)."""
    found = []
    for layer, banks in zip(net.layers, bank_layout(net), strict=True):
        named = {number: layer.format(name).width for name, number in (*banks.constants.items(), *banks.taps.items())}
        for bank in net.layout():
            if banks.lanes <= bank.number < banks.end:
                is_lane = bank.number < banks.lanes + layer.lanes
                found += [layer.weight.width if is_lane else named.get(bank.number, 0)] * len(bank.words)
    return np.array(found)


def memories(net: Network) -> list[Memory]:
    """What of a network can flip; ValueError for one that learns or predicts."""
    check(net.teacher is None and all(layer.predictor is None for layer in net.layers) and net.streams == 1,
          f"{net.name}: flips are drawn for networks of one stream that neither learn nor predict")
    found = [Memory("parameters", -1, stored_bits(net))]
    for n, layer in enumerate(net.layers):
        found.append(Memory("membranes", n, np.full(layer.outputs, integrator(layer).width)))
        messages = layer.max_delay + (n > 0)
        found.append(Memory("lines", n, np.full(messages * layer.inputs, layer.operand.width)))
    return found


def flipped_state(net: Network, state: NetworkState, flips: Sequence[Flip]) -> NetworkState:
    """The state with bits of membranes and lines turned over, of every sequence of the batch alike."""
    u, lines = [each.copy() for each in state.u], [[each.copy() for each in line] for line in state.lines]
    for flip in flips:
        layer = net.layers[flip.layer]
        if flip.part == "membranes":
            u[flip.layer][:, flip.word] = turned(u[flip.layer][:, flip.word], flip.bit, integrator(layer).width)
        else:
            age, index = divmod(flip.word, layer.inputs)
            if age >= flip.tick:        # from before the sequence: it counts as zero, whatever the memory holds
                continue
            message = lines[flip.layer][age]
            message[:, index] = turned(message[:, index], flip.bit, layer.operand.width)
    return NetworkState(tuple(u), tuple(map(tuple, lines)))


def run(net: Network, params, x, flips: Sequence[Flip]) -> np.ndarray:
    """`golden.rate.engine.run` with flips: x (batch, ticks, inputs) words -> (batch, ticks, outputs) words.

    All sequences of the batch run beside each other in time and see the same flips.
    """
    state, outputs, places = reset(net, len(x)), [], _places(net, params, [f.word for f in flips if f.layer < 0])
    params = [p._replace(**{name: np.array(getattr(p, name)) for name in layer.names})
              for layer, p in zip(net.layers, params, strict=True)]
    for tick in range(x.shape[1]):
        for flip in at(flips, tick, "parameters"):
            n, name, place = places[flip.word]
            words = getattr(params[n], name).reshape(-1)
            words[place] = turned(words[place], flip.bit, net.layers[n].format(name).width)
        if here := list(at(flips, tick, "membranes", "lines")):
            state = flipped_state(net, state, here)
        state, outs = network_step(state, x[:, tick], params, net)
        outputs.append(outs[-1].rate)
    return np.stack(outputs, 1)


def _places(net: Network, params, words) -> dict[int, tuple[int, str, int]]:
    """Layer, parameter and place in that of words of the image."""
    image, bits = wrap(np.concatenate(net.pack(params)).astype(np.int64), WORD_BITS), stored_bits(net)
    numbers = np.arange(len(bits))
    # an image whose words are their numbers, in two digits, as a word may be too short for them
    digits = (unpack(net, np.where(bits > 0, digit, image)) for digit in (numbers & 0xFFFF, numbers >> 16))
    found = {}
    for n, (layer, low, high) in enumerate(zip(net.layers, *digits, strict=True)):
        for name in layer.names:
            number = (getattr(low, name) | getattr(high, name) << 16).reshape(-1)
            found |= {int(number[place]): (n, name, int(place)) for place in np.flatnonzero(np.isin(number, words))}
    return found
