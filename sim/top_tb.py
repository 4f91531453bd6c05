"""NetworkTop against golden.engine.run, through its bus: registers, image loading and refusal, words with stalls."""

import cocotb
import numpy as np

from golden.engine import random_params, run
from golden.fixed import wrap
from golden.image import build_image
from golden.network import Network
from golden.regmap import ERRORS, FIRST_BIT, INPUT, LAST_BIT, MAGIC, OUTPUT, REGISTERS, VALID_BIT
from sim.drivers import PATTERNS, Bus, cycles, settings, start
from sim.pysim import stalls

SEQUENCES, TICKS = 2, 5


async def _pause(dut, pauses):
    while next(pauses):
        await cycles(dut)


async def _load(bus, pairs, crc):
    await bus.write(REGISTERS["load_begin"].offset, 1)
    for addr, data in pairs:
        await bus.write(int(addr), int(data))
    await bus.write(REGISTERS["load_commit"].offset, crc)


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
    await _load(bus, image.pairs, image.crc ^ 1)
    assert await bus.read(REGISTERS["errors"].offset) == 1 << ERRORS["load_crc"]
    assert not await bus.read(REGISTERS["status"].offset) & 1
    await _load(bus, image.pairs[:-1], 0)
    assert await bus.read(REGISTERS["errors"].offset) & 1 << ERRORS["load_count"]
    assert not await bus.read(REGISTERS["status"].offset) & 1


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(pattern=PATTERNS)
async def equals_golden(dut, pattern):
    """Whole sequences: every word, with pauses of the host before words in and out."""
    net, params, image, bus = await _device(dut, 2)
    rng, fmt = np.random.default_rng(3), net.layers[0].operand
    x = rng.integers(fmt.min, fmt.max + 1, (SEQUENCES, TICKS, net.inputs))
    expected = run(net, params, x).ravel()
    await _load(bus, image.pairs, image.crc)
    await cycles(dut, net.lanes + 8 * len(net.layers))
    assert await bus.read(REGISTERS["errors"].offset) == 0
    buffered = await bus.read(REGISTERS["output_ticks"].offset)
    pause_in, pause_out = stalls(pattern, "in"), stalls(pattern, "out")
    sent, found = 0, []
    while len(found) < len(expected):
        if sent < x.size and sent // net.inputs - len(found) // net.outputs <= buffered:
            await _pause(dut, pause_in)
            first = sent % (TICKS * net.inputs) == 0
            await bus.write(INPUT, int(x.flat[sent]) & 0x3FFFF | first << FIRST_BIT)
            sent += 1
            continue
        await _pause(dut, pause_out)
        word = await bus.read(OUTPUT)
        if not word >> VALID_BIT:
            continue
        n, got = len(found), wrap(word & 0x3FFFF, 18)
        where = f"word {n % net.outputs} of tick {n // net.outputs}"
        assert (word >> LAST_BIT & 1) == (n % net.outputs == net.outputs - 1), f"{where}: wrong mark of the last word"
        assert got == expected[n], f"{where}: {got}, expected {expected[n]}"
        found.append(got)
    assert await bus.read(REGISTERS["ticks"].offset) == SEQUENCES * TICKS
