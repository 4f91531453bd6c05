"""Scrubbing: the parameters in force held against the checksum of their image, a flip found, ticks not disturbed."""

import numpy as np
import pytest
from cases import random_input, random_network

from golden.fixed import wrap
from golden.image import build_image
from golden.rate import engine
from golden.rate import faults as rate_faults
from golden.faults import Flip
from golden.regmap import REGISTERS
from sim.harness.upsets import FaultyDevice
from sim.rate import cells


def scrubbed(n):
    net = random_network(f"scrub {n}", largest=9)
    rng = np.random.default_rng(n)
    params, device = engine.random_params(net, rng), FaultyDevice(net, quick=True, scrubs=True)
    return net, rng, params, device


def clear(device):
    for name in ("scrub_rounds", "scrub_flips"):
        device.write(REGISTERS[name].offset, 0)


def rounds(device, count):
    """Wait for `count` rounds; how many of them found another checksum."""
    clear(device)
    for _ in range(2000):
        device.idle(100)
        if device.register("scrub_rounds") >= count:
            return device.register("scrub_flips")
    raise AssertionError("no round ends")


@pytest.mark.parametrize("n", range(2))
def test_rounds_find_every_flip(n):
    net, rng, params, device = scrubbed(n)
    device.idle(2000)
    assert device.register("scrub_rounds") == 0, "there is nothing to scrub yet"
    for again in range(2):
        image = build_image(net, params)
        device.load(image.pairs)
        assert rounds(device, 3) == 0
        bits = rate_faults.stored_bits(net)
        for word in rng.choice(np.flatnonzero(bits), 12, replace=False):
            flip = Flip(0, "parameters", -1, int(word), int(rng.integers(bits[word])))
            where = cells.place(net, flip, half=device.register("status") >> 2 & 1, ticks=0)
            device.flip(*where, flip.bit)
            assert rounds(device, 2) >= 1, f"{flip} was not found"
            assert rounds(device, 2) == 2, f"{flip} does not stay"
            device.flip(*where, flip.bit)
            rounds(device, 1)
            assert rounds(device, 2) == 0
        params = engine.random_params(net, rng)


@pytest.mark.parametrize("n", range(2))
def test_ticks_are_not_disturbed(n):
    """Words and cycles of a run are those of the circuit without a scrubber, whenever ticks come."""
    from sim.harness.device import Device
    net, rng, params, device = scrubbed(n)
    plain = Device(net, quick=True)
    image = build_image(net, params)
    device.load(image.pairs)
    plain.load(image.pairs)
    clear(device)
    x = np.stack([random_input(net, rng, 30) for _ in range(20)])
    want = engine.run(net, params, x)
    for stalls in ("none", "random", "bursts"):
        got = device.run(x, stalls=stalls, seed=n + 1)
        plain.run(x, stalls=stalls, seed=n + 1)
        assert np.array_equal(got, want), f"network {n}, stalls {stalls}"
        assert device.run_cycles == plain.run_cycles, f"network {n}, stalls {stalls}"
    assert rounds(device, 2) == 0
