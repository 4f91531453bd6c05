"""A trained network in a NetworkTop: image and words of samples from a file; the words that come go into another."""

import cocotb
import numpy as np

from golden.description import Units
from golden.files import write_npz
from golden.regmap import REGISTERS
from sim.drivers import Bus, exchange, load_image, settings, start


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def runs(dut):
    """Load the image, stream the samples; who started the bench compares."""
    with np.load(settings()["data"]) as data:
        pairs, crc, words, ends = (data[name] for name in ("pairs", "crc", "words", "ends"))
    await start(dut)
    bus = Bus(dut)
    await load_image(bus, pairs, int(crc))
    assert await bus.read(REGISTERS["errors"].offset) == 0
    found = await exchange(bus, Units(words, ends, int(settings()["answers"])))
    write_npz(settings()["out"], {"words": np.array(found, np.uint32)})
