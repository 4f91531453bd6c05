"""CascadeCore against golden.cascade.engine: all words of frames, pauses of both partners, the hold rule watched."""

import cocotb
import numpy as np

from golden.cascade import words
from golden.cascade.engine import random_params
from golden.cascade.network import CascadeNetwork
from sim.drivers import PATTERNS, Stream, image_writes, load_parameters, settings, start


def _problem():
    """Network, parameters and frames: parallel and serial ones, some of which forget, and exits."""
    net = CascadeNetwork.from_json(settings()["network"])
    rng, frames = np.random.default_rng(7), []
    for told in (words.Header(net.steps), words.Header(net.steps, False, True),
                 words.Header(net.steps, False, False, "margin", settings()["margin"]),
                 words.Header(net.steps, True, True, "softmax", settings()["softmax"])):
        frames.append(net.frames(rng.integers(0, 256, (1, net.inputs)), told)[0])
    return net, random_params(net, 7), np.array(frames)


@cocotb.test(timeout_time=1, timeout_unit="sec")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Logits, and what happened, of every step; a frame that is cut short leaves nothing."""
    net, params, frames = _problem()
    expected = net.run(params, frames)
    await start(dut)
    cocotb.start_soon(Stream(dut, "o").watch_hold())
    await load_parameters(dut, image_writes(net, params), half=0, settle=net.lanes + 4 * len(net.layers) + 20)
    given = [int(word) for word in net.units(frames).words]
    given[:0] = [*given[:5], net.END]
    source = cocotb.start_soon(Stream(dut, "i").send(given, pattern=pattern))
    found, _ = await Stream(dut, "o").receive(expected.size, pattern=pattern)
    await source
    each = expected[0].size
    assert [n for n, word in enumerate(found) if word >> 18] == list(range(each - 1, len(found), each))
    wrong = np.argwhere(net.outputs_of([word & 0x3FFFF for word in found], frames) != expected)
    assert not wrong.size, f"frame, step, word {wrong[0].tolist()} differs from golden"
    assert len(set(words.split(expected).computed.sum(1))) > 1, "some frames exit early, others do not"
