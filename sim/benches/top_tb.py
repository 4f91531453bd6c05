"""NetworkTop against golden.rate.engine, through its bus: registers, image loading and refusal, words with stalls."""

import cocotb
import numpy as np

from golden.image import build_image
from golden.rate.engine import random_params, run
from golden.rate.network import Network
from golden.regmap import ERRORS, MAGIC, OUTPUT, REGISTERS
from sim.drivers import PATTERNS, Bus, load_image, settings, start, stream

SEQUENCES, TICKS = 2, 5


async def _device(dut, seed):
    net = Network.from_json(settings()["network"])
    params = random_params(net, np.random.default_rng(seed))
    await start(dut)
    return net, params, build_image(net, params), Bus(dut)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def registers_identify_the_design(dut):
    """Constants, the scratch register, and an address that does not exist."""
    net, _, image, bus = await _device(dut, 0)
    values = {"magic": MAGIC, "fingerprint_low": int(net.fingerprint, 16) & 0xFFFFFFFF,
              "fingerprint_high": int(net.fingerprint, 16) >> 32, "shape": net.inputs | net.outputs << 16,
              "parameter_words": len(image)}
    for name, value in values.items():
        assert await bus.read(REGISTERS[name].offset) == value, name
    await bus.write(REGISTERS["scratch"].offset, 0xA5C30F96)
    assert await bus.read(REGISTERS["scratch"].offset) == 0xA5C30F96
    _, error = await bus.access(write=False, addr=0x0000_0200)
    assert error
    assert await bus.read(REGISTERS["errors"].offset) == 1 << ERRORS["address"]
    assert await bus.read(OUTPUT) == 0


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def refuses_a_damaged_image(dut):
    """A wrong checksum or word count leaves the device without parameters and says so."""
    _, _, image, bus = await _device(dut, 1)
    await load_image(bus, image.pairs, image.crc ^ 1)
    assert await bus.read(REGISTERS["errors"].offset) == 1 << ERRORS["load_crc"]
    assert not await bus.read(REGISTERS["status"].offset) & 1
    await load_image(bus, image.pairs[:-1], 0)
    assert await bus.read(REGISTERS["errors"].offset) & 1 << ERRORS["load_count"]
    assert not await bus.read(REGISTERS["status"].offset) & 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Whole sequences: every word, with pauses of the host before words in and out."""
    net, params, image, bus = await _device(dut, 2)
    rng, fmt = np.random.default_rng(3), net.layers[0].operand
    x = rng.integers(fmt.min, fmt.max + 1, (SEQUENCES, TICKS, net.inputs))
    await load_image(bus, image.pairs, image.crc)
    assert await bus.read(REGISTERS["errors"].offset) == 0
    await stream(bus, net, x, run(net, params, x), pattern)
    assert await bus.read(REGISTERS["ticks"].offset) == SEQUENCES * TICKS
