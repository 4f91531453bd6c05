"""Neuron against golden.spiking.engine.neuron_step: all neurons of a lane in turn, as fast as its pipeline allows."""

import cocotb
import numpy as np
from cocotb.triggers import ReadOnly

from golden import systems
from golden.fixed import wrap
from golden.spiking.engine import neuron_step, rest
from sim.drivers import cycles, settings, start

IMAGES, TICKS = 4, 12


def _golden(layer, arrived):
    """Spikes and membranes, (images, ticks, neurons) each."""
    state, found = rest(layer, IMAGES), []
    for tick in range(TICKS):
        state, fired, x = neuron_step(state, arrived[:, tick], layer)
        found.append((fired, x))
    return (np.stack(each, 1) for each in zip(*found, strict=True))


def _plan(layer, spacing):
    """(clear, update, fold, image, tick) of each cycle."""
    pause = [(0, 0, 0, 0, 0)] * max(0, spacing - layer.folds)
    for image in range(IMAGES):
        yield from [(1, 0, fold, 0, 0) for fold in range(layer.folds)] + pause
        for tick in range(TICKS):
            yield from [(0, 1, fold, image, tick) for fold in range(layer.folds)] + pause


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def equals_golden(dut):
    """Spikes and membranes, LATENCY cycles after each update; nothing fires in between."""
    layer, get, rng = systems.parse(settings()["network"]).layers[0], settings(), np.random.default_rng(5)
    most = 1 << layer.sum_bits - 1
    arrived = rng.integers(-most, most, (IMAGES, TICKS, layer.outputs)) >> rng.integers(0, 4, (IMAGES, TICKS, 1))
    fired, x = _golden(layer, arrived)
    assert fired.any()
    await start(dut)
    plan, idle = list(_plan(layer, get["spacing"])), (0, 0, 0, 0, 0)
    for cycle in range(len(plan) + get["latency"]):
        clear, update, fold, image, tick = plan[cycle] if cycle < len(plan) else idle
        dut.clear.value, dut.en.value, dut.fold.value = clear, update, fold
        dut.arrived.value = int(arrived[image, tick, fold]) & ((1 << layer.sum_bits) - 1)
        await ReadOnly()
        _, due, fold, image, tick = plan[cycle - get["latency"]] if cycle >= get["latency"] else idle
        where = f"image {image}, tick {tick}, neuron {fold}"
        if cycle >= get["latency"]:
            assert dut.fired.value == int(due and fired[image, tick, fold]), where
        if due:
            assert wrap(int(dut.x.value), layer.state.width) == x[image, tick, fold], where
        await cycles(dut)
