"""The detector of cuts: golden against its definition; the circuit by itself and in a core, frames cut short, too."""

import random
from dataclasses import replace

import numpy as np
import pytest
from amaranth.hdl import Module
from cascades import refused, small, some_frames
from core import strict_bank
from test_cascade_engine import TALL, writes

from golden import systems
from golden.cascade import engine, words
from golden.fixed import wrap
from rtl.cascade.core import CascadeCore
from rtl.cascade.detector import Detector
from rtl.cascade.maps import Map
from sim.pysim import load, receive, run, send


def apart(a, b) -> int:
    """Sum of absolute differences of two frames' values."""
    return sum(abs(int(x) - int(y)) for x, y in zip(a[2:], b[2:], strict=True))


def scene(net, seed: int = 0):
    """Frames that say nothing of cuts: two alike, one that differs a little, others; and the sums between them."""
    frames = some_frames(net, 7, seed=seed, cut=False, serial=False)
    frames[3, 2:] = frames[2, 2:]
    frames[3, 2:5] = 255 - frames[3, 2:5]
    frames[5, 2:], frames[6, 2:] = 0, 255
    return frames, [apart(a, b) for a, b in zip(frames[1:], frames[:-1], strict=True)]


def told(frames, cuts):
    """The same frames, with a header that says a cut where `cuts` does."""
    found = frames.copy()
    found[:, 0] |= np.array(cuts, np.int64) << words.CUT_BIT
    return found


def test_golden_is_its_definition():
    """A frame is a cut where the sum is larger than the threshold, not where it is equal, or where it says so."""
    net = small()
    params = engine.random_params(net, 1)
    frames, sums = scene(net)
    assert sums[0] == 0 < sums[2] < max(sums) == sums[-1] == 255 * net.inputs
    seen = set()
    for threshold in (0, sums[2] - 1, sums[2], max(sums) - 1, max(sums)):
        cuts = [True, *(n > threshold for n in sums)]
        seen.add(tuple(cuts))
        found = replace(net, detector=threshold).run(params, frames)
        assert (found == net.run(params, told(frames, cuts))).all(), threshold
        said = told(frames, np.arange(7) == 4)
        cuts[4] = True
        assert (replace(net, detector=threshold).run(params, said) == net.run(params, told(frames, cuts))).all()
    assert len(seen) == 4
    plain = net.run(params, frames)
    assert (plain == net.run(params, told(frames, np.arange(7) == 0))).all()
    assert (plain == replace(net, detector=max(sums)).run(params, frames)).all()
    assert (plain != replace(net, detector=0).run(params, frames)).any()


def test_description():
    """Part of the design where there is one; without one JSON and fingerprint are what they were."""
    net = small()
    with_one = replace(net, detector=0)
    assert "detector" not in net.to_json()
    assert systems.parse(with_one.to_json()) == with_one
    assert len({net.fingerprint, with_one.fingerprint, replace(net, detector=1).fingerprint}) == 3
    assert replace(with_one, detector=None).fingerprint == net.fingerprint
    most = 255 * net.inputs
    for value in (-1, most + 1, True, 1.0, "1"):
        with refused(f"network: detector must be a sum of differences in 0..{most}, or none, not {value!r}"):
            replace(net, detector=value)


class Memory(Map):
    """A Map with a detector before it, both as one component for a bench."""

    def __init__(self, side: int, values: int, threshold: int):
        super().__init__(values=values, side=side, vendor="generic")
        self.unit = Detector(self, values=values, threshold=threshold)

    def elaborate(self, platform):
        m = Module()
        m.submodules.map = store = Map(values=self.unit.values, side=self.side, vendor="generic")
        m.submodules.unit = unit = self.unit
        m.d.comb += [store.write_en.eq(unit.write_en), store.write_addr.eq(unit.write_addr),
                     store.write_data.eq(unit.write_data), store.read_addr.eq(unit.read_addr),
                     unit.read_data.eq(store.read_data)]
        return m


@pytest.mark.parametrize(("side", "values"), [(1, 7), (2, 8), (4, 10), (8, 24)])
@pytest.mark.parametrize("pauses", [False, True])
def test_detector(side, values, pauses, monkeypatch):
    """The sum of every frame at its edge, words one a cycle or at odd times; no word is read while it is written."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    rng, before, wanted, got = random.Random(side), [0] * values, [], []
    # the sum at the threshold, which is none, and one beyond
    frames = [[255] * values, [0] * values, [85] * values, [171] + [170] * (values - 1)]
    frames += [[rng.randrange(256) for _ in range(values)] for _ in range(4)]
    frames += [frames[-1], [frames[-1][0] ^ 255, *frames[-1][1:]], [*frames[-1][:-1], frames[-1][-1] ^ 1]]
    threshold = 85 * values
    dut = Memory(side, values, threshold)
    unit = dut.unit
    for frame in frames:
        wanted.append(sum(abs(a - b) for a, b in zip(frame, before, strict=True)) > threshold)
        before = frame

    async def bench(ctx):
        for frame in frames:
            ctx.set(unit.clear, 1)
            await ctx.tick()
            ctx.set(unit.clear, 0)
            for address, value in enumerate(frame):
                ctx.set(unit.address, address)
                while pauses and rng.random() < 0.5:
                    await ctx.tick()
                ctx.set(unit.value, value)
                ctx.set(unit.en, 1)
                await ctx.tick()
                ctx.set(unit.en, 0)
            # the last value came in the cycle before
            await ctx.tick().repeat(Detector.LATENCY - 1)
            got.append(bool(ctx.get(unit.differs)))
            await ctx.tick().repeat(2)
            assert bool(ctx.get(unit.differs)) == got[-1], "it stays"
    run(dut, bench, cycles=20_000)
    assert got[2:] == wanted[2:]
    assert got[2:4] == [False, True]
    assert len(set(wanted[2:])) == 2
    assert (wanted[1], got[1]) == (True, True), "the largest sum that there is"


@pytest.mark.parametrize(("engines", "pattern"), [(small().engines, "none"), (TALL, "bursts")])
def test_core(engines, pattern, monkeypatch):
    """Frames of a scene, some cut short: the one behind is a cut whatever it looks like."""
    monkeypatch.setattr("rtl.primitives.Bank.elaborate", strict_bank)
    net = small(engines=engines)
    frames, sums = scene(net, 3)
    # the last two are as the one before, and the first of them says that it is a cut; frame 3 is one by the least sum
    frames = np.concatenate([frames, told(frames[-1:], [True]), frames[-1:]])
    net = replace(net, detector=sums[2] - 1)
    params, core, got = engine.random_params(net, 5), CascadeCore(net), []
    # frame 1 is as frame 0, and comes behind one that was cut short; behind frame 3 comes an end of nothing
    assert sums[0] == 0
    cuts = [True, True, *(n >= sums[2] for n in sums[1:]), True, False]
    wanted = replace(net, detector=None).run(params, told(frames, cuts))
    bare = frames & np.where(np.arange(frames.shape[1]) == 0, ~(1 << words.CUT_BIT), -1)
    for n in (1, 3, 7, 8):
        without = told(bare, [cut != (k == n) for k, cut in enumerate(cuts)])
        assert (replace(net, detector=None).run(params, without)[n] != wanted[n]).any(), f"frame {n} tells"
    sent = [*frames[0], frames[4, 0], 1 << words.END_BIT, *frames[1], *frames[2], *frames[3], 1 << words.END_BIT,
            *frames[4:].ravel()]

    async def drive(ctx):
        await load(ctx, core.params, writes(net, params), half=0, settle=core.info.settle)
        await send(ctx, core.i, [{"x": int(word), "first": 0} for word in sent], pattern=pattern)

    async def sink(ctx):
        got.extend(await receive(ctx, core.o, wanted.size))
    run(core, drive, sink, cycles=60_000)
    assert [one.y for one in got] == [wrap(int(word), 18) for word in wanted.ravel()]
