"""A trained network in a NetworkTop: image and samples from a file, every output word against golden's."""

import cocotb
import numpy as np

from golden import systems
from golden.description import Units
from golden.regmap import REGISTERS
from sim.drivers import Bus, exchange, load_image, settings, start


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def equals_golden(dut):
    """Load the image, stream the samples."""
    net = systems.parse(settings()["network"])
    with np.load(settings()["data"]) as data:
        pairs, x, y, crc, words, ends = (data[name] for name in ("pairs", "x", "y", "crc", "words", "ends"))
    await start(dut)
    bus = Bus(dut)
    await load_image(bus, pairs, int(crc))
    assert await bus.read(REGISTERS["errors"].offset) == 0
    found = await exchange(bus, net, Units(words, ends, int(settings()["answers"])))
    wrong = np.argwhere(net.outputs_of(found, x) != y)
    assert not len(wrong), f"{', '.join(net.SAMPLE)} {wrong[0].tolist()} is not what golden says"
