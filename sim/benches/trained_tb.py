"""A trained network in a NetworkTop: image and sequences from a file, every output word against golden's."""

import cocotb
import numpy as np

from golden.rate.network import Network
from golden.regmap import REGISTERS
from sim.drivers import Bus, load_image, settings, start, stream


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def equals_golden(dut):
    """Load the image, stream the sequences."""
    net = Network.from_json(settings()["network"])
    with np.load(settings()["data"]) as data:
        pairs, x, y, crc = (data[name] for name in ("pairs", "x", "y", "crc"))
    await start(dut)
    bus = Bus(dut)
    await load_image(bus, pairs, int(crc))
    assert await bus.read(REGISTERS["errors"].offset) == 0
    await stream(bus, net, x, y)
