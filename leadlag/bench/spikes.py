"""Spiking networks without a bus, as fast as they take words: every spike compared, and cycles an image."""

import time
from dataclasses import replace

import numpy as np

from golden.fixed import QFormat
from golden.spiking.engine import run
from golden.spiking.network import CHUNK, SpikingNetwork
from leadlag import flow, ladder
from leadlag.terminal import bars


def compare_spikes(got, want, what: str) -> int:
    """Number of spikes (rows of image, tick, neuron), all equal; CheckFailed names the first that is not."""
    same = min(len(got), len(want))
    wrong = np.flatnonzero((got[:same] != want[:same]).any(1))
    if len(wrong) or len(got) != len(want):
        n = wrong[0] if len(wrong) else same
        raise flow.CheckFailed(f"{what}: spike {n} of {len(got)} is {got[n:n + 1].tolist()}, the golden model has "
                               f"{want[n:n + 1].tolist()} of {len(want)}")
    return len(want)


def compiled(case, *, stop_early: bool = True):
    """The compiled circuit with the case's image loaded (sim.spiking.core.SpikingSimulation)."""
    from sim.spiking.core import SpikingSimulation
    simulation = SpikingSimulation(case.net, stop_early=stop_early)
    simulation.load(case.image)
    return simulation


def simulate(case, simulation, x, *, progress=None):
    """Run images through the compiled circuit: Simulated of all of them."""
    found = []
    for start in range(0, len(x), CHUNK):
        part = x[start:start + CHUNK]
        ran = simulation.run(part)
        found.append(ran._replace(spikes=None if ran.spikes is None else ran.spikes + [start, 0, 0]))
        if progress is not None:
            progress(len(part))
    spikes = None if found[0].spikes is None else np.concatenate([ran.spikes for ran in found])
    words, cycles = (np.concatenate([getattr(ran, name) for ran in found]) for name in ("words", "cycles"))
    return found[0]._replace(words=words, cycles=cycles, spikes=spikes)


def climb(case, console=None):
    """Rungs as leadlag.ladder.climb has them, and what was measured on the way.

    The circuit runs twice, without a bus: to the end of every image, every spike of the first layer compared; and with
    early stop, answers and cycles. CheckFailed where anything differs from the integers.
    """
    rungs, found = ladder.climb(case, rtl=False, console=console)
    x, want = found["batch"].x, found["integers"]
    spikes = spikes_of(case, x)

    with bars(console) as bar:
        for stop_early in (False, True):
            what = "with early stop" if stop_early else "every image to its end"
            task = bar.add_task("circuit, compiling", total=len(x))
            simulation = compiled(case, stop_early=stop_early)
            bar.update(task, description=f"circuit, {what}")
            started = time.monotonic()
            ran = simulate(case, simulation, x, progress=lambda n, task=task: bar.advance(task, n))
            seconds = time.monotonic() - started
            equal = flow.compare(case, ran.words, want, f"circuit, {what}")
            remark = f"{ran.cycles.mean():.0f} cycles an image, {what}"
            if not stop_early and ran.spikes is not None:
                remark += f", {compare_spikes(ran.spikes, spikes, 'circuit'):,} spikes of layer 0 equal to golden"
            rungs.append({"rung": "RTL (Verilator)", "samples": len(x), "remark": remark}
                         | flow.judge(case, ran.words, found["batch"]))
            found |= {"equal": equal, "cycles_stopped" if stop_early else "cycles": ran.cycles,
                      "simulated_cycles": simulation.cycles, "rtl_s": seconds}
    return rungs, found


def spikes_of(case, x) -> np.ndarray:
    """Rows of image, tick and neuron of the first layer's spikes, by golden."""
    rows = [np.argwhere(run(case.net, case.params, x[n:n + CHUNK]).spikes[0]) + [n, 0, 0]
            for n in range(0, len(x), CHUNK)]
    return np.concatenate(rows)


def stored(case) -> SpikingNetwork:
    """The same network with its ternary weights in memory, 2 bits each: what regeneration saves is the difference."""
    return replace(case.net, layers=tuple(replace(layer, weight=QFormat(1, 0)) if layer.regenerates else layer
                                          for layer in case.net.layers))
