"""EventCore against golden.event.engine: rasters of sequences, with pauses of both partners, the hold rule watched."""

import cocotb
import numpy as np

from golden.event.network import EventNetwork
from golden.event.params import random_params
from golden.image import build_image
from golden.regmap import BANK_SHIFT, FIRST_BIT
from sim.drivers import PATTERNS, Stream, load_parameters, settings, start


@cocotb.test(timeout_time=1, timeout_unit="sec")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Every word of every tick, and which is the last one of it."""
    net = EventNetwork.from_json(settings()["network"])
    rng = np.random.default_rng(7)
    params, x = random_params(net, rng), net.drawn(rng, 2)
    await start(dut)
    cocotb.start_soon(Stream(dut, "o").watch_hold())
    writes = [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data))
              for addr, data in build_image(net, params).pairs]
    await load_parameters(dut, writes, half=1, settle=net.lanes + 20)
    units = net.units(x)
    words = [int(word) & 0x3FFFF | (int(word) >> FIRST_BIT) << 18 for word in units.words]
    source = cocotb.start_soon(Stream(dut, "i").send(words, pattern=pattern))
    found, _ = await Stream(dut, "o").receive(len(units.ends) * units.answers, pattern=pattern)
    await source
    got, want = net.outputs_of(np.array(found) & 0xFFFF, x), net.run(params, x)
    assert (got == want).all(), f"sequence, tick, output {np.argwhere(got != want)[0].tolist()}"
    lasts = [word >> 18 for word in found]
    assert lasts == [int(k == units.answers - 1) for k in range(units.answers)] * len(units.ends)
