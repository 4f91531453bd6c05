"""Scrubbing: the parameters in force held against the checksum of their image, a flip found, ticks not disturbed."""

import cascades
import numpy as np
import pytest
from cases import random_input, random_network, with_delays
from device import learner
from spikes import seeded, stored

from golden.faults import Flip
from golden.image import build_image
from golden.rate import engine
from golden.rate import faults as rate_faults
from golden.regmap import REGISTERS
from golden.spiking import faults as spiking_faults
from golden.spiking.engine import random_synapses
from leadlag import flow
from rtl.host.top import SerialTop
from sim.harness.upsets import FaultyDevice
from sim.rate import cells
from sim.spiking import cells as spiking_cells


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
    for _again in range(2):
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


@pytest.mark.parametrize("make", [stored, seeded])
def test_synapses_are_scrubbed_while_images_run(make):
    net, rng = make(), np.random.default_rng(3)
    params, device = random_synapses(net, rng), FaultyDevice(net, quick=True, scrubs=True)
    device.load(build_image(net, params).pairs)
    assert rounds(device, 3) == 0
    x = rng.random((40, net.ticks, net.inputs)) < 0.4
    clear(device)
    for stalls in ("none", "random", "bursts"):
        assert np.array_equal(device.run(x, stalls=stalls, seed=5), net.run(params, x))
    assert device.register("scrub_rounds") >= 1, "no round ended while images were running"
    assert device.register("scrub_flips") == 0
    bits = spiking_faults.stored_bits(net)
    for word in rng.choice(np.flatnonzero(bits), 12, replace=False):
        flip = Flip(0, "parameters", -1, int(word), int(rng.integers(bits[word])))
        where = spiking_cells.place(net, flip)
        device.flip(*where, flip.bit)
        assert rounds(device, 2) >= 1, f"{flip} was not found"
        assert rounds(device, 2) == 2
        device.flip(*where, flip.bit)
        rounds(device, 1)
        assert rounds(device, 2) == 0


@pytest.mark.parametrize(("make", "says"), [
    (lambda: cascades.small(), "networks of this kind .cascade. are not read back, so they are not scrubbed"),
    (learner, "learns: its parameters change, so there is no checksum to scrub them against"),
    (lambda: with_delays(learner(), "scrub"), "learns")])
def test_what_is_not_scrubbed(make, says):
    with pytest.raises(ValueError, match=says):
        SerialTop(make(), divisor=4, scrubs=True)


@pytest.mark.parametrize(("name", "boots"), [("ulx3s-85f+scrub", False), ("ulx3s-85f+flash+scrub", True)])
def test_boards_that_scrub(name, boots):
    """The whole top has a scrubber, and where it plays its flash a mender; nothing of either without `+scrub`."""
    assert (flow.board(name).clock_mhz, flow.board(name.removesuffix("+scrub")).clock_mhz) == (120, 140)
    net = random_network("scrub 0", largest=3)
    for each, has in ((name, True), (name.removesuffix("+scrub"), False)):
        board = flow.board(each)
        assert (board.name, board.boots, board.scrubs) == (each, boots, has)
        text = board.platform().prepare(board.design(net), "top").files["top.il"]
        text = text if isinstance(text, str) else text.decode()
        assert ("scrubber" in text, "mender" in text) == (has, has and boots)
        assert ("flipped" in text) == has


@pytest.mark.parametrize("name", ["ulx3s-85f+learn+scrub", "ulx3s-85f+scrub+flash", "ulx3s-85f+scrub+scrub", "+scrub"])
def test_forms_of_boards_that_are_none(name):
    with pytest.raises(ValueError, match="no board"):
        flow.board(name)
