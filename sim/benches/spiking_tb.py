"""SpikingCore against golden.spiking.engine: answers of images, with pauses of both partners, the hold rule watched."""

import cocotb
import numpy as np

from golden.image import build_image
from golden.regmap import BANK_SHIFT
from golden.spiking.engine import random_synapses, run
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import answers, input_words
from sim.drivers import PATTERNS, Stream, load_parameters, settings, start


def _problem():
    """Network, image, spikes and expected answers: random ones, or those of the file in the setting `data`."""
    net = SpikingNetwork.from_json(settings()["network"])
    if "data" in settings():
        with np.load(settings()["data"]) as data:
            return net, data["pairs"], data["spikes"], [data[name] for name in ("label", "tick", "fired")]
    rng = np.random.default_rng(7)
    params, spikes = random_synapses(net, rng), rng.random((6, net.ticks, net.inputs)) < 0.25
    return net, build_image(net, params).pairs, spikes, run(net, params, spikes).answers


@cocotb.test(timeout_time=1, timeout_unit="sec")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Label, tick and kind of decision of every image."""
    net, pairs, spikes, expected = _problem()
    await start(dut)
    cocotb.start_soon(Stream(dut, "o").watch_hold())
    writes = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data)) for addr, data in pairs]
    await load_parameters(dut, writes, half=1, settle=net.lanes + 20)
    words = [int(word) for word in input_words(net, spikes)]
    source = cocotb.start_soon(Stream(dut, "i").send(words, pattern=pattern))
    found, _ = await Stream(dut, "o").receive(len(spikes), pattern=pattern)
    await source
    for name, got, want in zip(("label", "tick", "fired"), answers(np.array(found) & 0x3FFFF), expected, strict=True):
        assert (got == want).all(), f"{name}: {got.tolist()}, expected {np.asarray(want).tolist()}"
    assert all(word >> 18 == 1 for word in found), "an answer is one word, the last"
