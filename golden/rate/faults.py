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
from golden.rate.layout import bank_layout
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
    bits, state, outputs = stored_bits(net), reset(net, len(x)), []
    words = wrap(np.concatenate(net.pack(params)).astype(np.int64), WORD_BITS)
    for tick in range(x.shape[1]):
        here = list(at(flips, tick, "parameters"))
        for flip in here:
            words[flip.word] = turned(words[flip.word], flip.bit, int(bits[flip.word]))
        if here:
            params = net.unpack(words)
        if here := list(at(flips, tick, "membranes", "lines")):
            state = flipped_state(net, state, here)
        state, outs = network_step(state, x[:, tick], params, net)
        outputs.append(outs[-1].rate)
    return np.stack(outputs, 1)
