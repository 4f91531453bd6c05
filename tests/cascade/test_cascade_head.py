"""Head and Source by themselves: logits, exits and what is said behind them; frames, steps and what they are told."""

import random

import numpy as np
import pytest
from amaranth.hdl import ResetInserter, Signal
from cascades import some_frames
from test_cascade_joint import CHANGES, PLAIN

from golden.cascade import engine, layout, words
from golden.cascade.layer import Block, Stem
from golden.cascade.layer import Head as HeadLayer
from golden.cascade.network import CascadeNetwork
from golden.fixed import wrap
from rtl.cascade.head import Head
from rtl.cascade.source import Source
from sim.pysim import load, receive, run, send

ONE = Block(height=1, width=1, inputs=3, outputs=3, kernel=1)
#: sums over pixels that are read again while they are written
THIN, PAIR = (Block(height=3, width=2, inputs=n, outputs=n) for n in (1, 2))


def network(block, classes=3, count=1, **head) -> CascadeNetwork:
    """A stem that gives what the block takes, the block so often, a head."""
    high, wide, channels = block.out
    stem = Stem(height=block.height, width=block.width, inputs=2, outputs=block.inputs)
    return CascadeNetwork(name="n", steps=4, pre=0, post=8, layers=(stem, *[block] * count, HeadLayer(
        inputs=channels, outputs=classes, pixels=high * wide, **({"shift": 5, "fraction": 6} | head))))


def thresholds(logits, fraction: int, rng):
    """Rules and thresholds at the edge of what a step's logits reach, just beyond, and anything."""
    top = np.sort(logits)
    edge = int(top[-1] - top[-2])
    # the least 1 / q that ends it
    low, high = 0, words.MAX_THRESHOLD
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if engine.exits(logits[None], "softmax", middle, fraction)[0] else (middle + 1, high)
    yield from (("margin", min(edge, words.MAX_THRESHOLD)), ("margin", min(edge + 1, words.MAX_THRESHOLD)),
                ("softmax", low), ("softmax", max(0, low - 1)), ("never", 0), (rng.choice(words.RULES[1:]), rng.choice(
                    (0, words.MAX_THRESHOLD))))


@pytest.mark.parametrize("pattern", ["none", "bursts"])
@pytest.mark.parametrize(("block", "classes", "head"), [
    (PLAIN, 3, {}), (CHANGES, 5, {"shift": 12, "fraction": 12}), (ONE, 2, {"shift": 1, "fraction": 4}),
    (THIN, 3, {}), (PAIR, 3, {})], ids=["plain", "five classes", "one pixel", "one channel", "two channels"])
def test_head(block, classes, head, pattern):
    """Frames with every rule at its edge: all words, the verdict with each step's, the marks of the last."""
    net, rng = network(block, classes, **head), random.Random(classes)
    # of a map of zeros all logits are the same
    params = engine.random_params(net, 1)
    own = params[-1]._replace(bias=np.full(classes, -7))
    draw = np.random.default_rng(classes)
    steps, passes, wanted = [], [], []
    for frame in range(10):
        h = draw.integers(0, 256, (3, *block.out)) if frame else np.full((3, *block.out), 255)
        h[1] *= frame not in (2, 3)
        logits = engine.head_step(h, own, net.head)
        rule, threshold = list(thresholds(logits[1], net.head.fraction, rng))[frame % 6]
        ends = engine.exits(logits, rule, threshold, net.head.fraction)
        last = rng.choice((1, 2, 2)) if frame else 0
        for t in range(last + 1):
            over = ends[t] or t == last
            steps.append({"step": t, "last": last, "blocks": t & 1, "rule": words.RULES.index(rule),
                          "threshold": threshold})
            passes.append(h[t])
            wanted += [(int(logit), 0) for logit in logits[t]]
            wanted.append((t | 16 | over << 5 | (t & 1) << 6, int(t == last)))
            if over:
                break
        for left in range(t + 1, last + 1):
            wanted += [(0, 0)] * classes + [(left, int(left == last))]
    dut, got, verdicts = Head(net, bank0=5, vendor="generic"), [], []
    pairs = [(5, n, int(word) & (1 << 18) - 1) for n, word in enumerate(net.pack((*params[:-1], own))[-1])]

    async def values(ctx):
        await load(ctx, dut.params, pairs, half=0, settle=4)
        await send(ctx, dut.i, ({"h": int(value), "first": n == 0, "new": 0, "cut": 0, "serial": 0}
                                for one in passes for n, value in enumerate(one.ravel())), pattern=pattern)

    async def told(ctx):
        await send(ctx, dut.told, steps, pattern=pattern)

    async def sink(ctx):
        got.extend(await receive(ctx, dut.o, len(wanted), pattern=pattern))

    async def watch(ctx):
        while len(verdicts) < len(steps):
            *_, verdict, ends, y = await ctx.tick().sample(dut.verdict, dut.ends, dut.o.p.y)
            if verdict:
                verdicts.append((ends, y & 0x3FFFF))
    run(dut, values, told, sink, watch, cycles=20_000)
    assert [(one.y, one.last) for one in got] == [(wrap(word, 18), last) for word, last in wanted]
    said = [word for word, _ in wanted[classes::classes + 1] if word & 16]
    assert verdicts == [(word >> 5 & 1, word) for word in said]


def test_head_forgets_with_a_reset():
    """Pixels that came, logits that were made: none is in the answer to the next step."""
    net, button, got = network(PLAIN), Signal(), []
    params = engine.random_params(net, 2)
    h = np.random.default_rng(2).integers(0, 256, (1, *PLAIN.out))
    dut = Head(net, bank0=0, vendor="generic")
    pairs = [(0, n, int(word) & (1 << 18) - 1) for n, word in enumerate(net.pack(params)[-1])]
    step = {"step": 0, "last": 0, "blocks": 1, "rule": 0, "threshold": 0}

    async def bench(ctx):
        await load(ctx, dut.params, pairs, half=0, settle=4)
        for cycles in (3, 50):
            ctx.set(dut.told.payload, step)
            ctx.set(dut.told.valid, 1)
            await ctx.tick().repeat(2)
            for value in h.ravel()[:PLAIN.height * PLAIN.width * PLAIN.outputs if cycles > 9 else 5]:
                ctx.set(dut.i.payload, {"h": int(value), "first": 0, "new": 0, "cut": 0, "serial": 0})
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            await ctx.tick().repeat(cycles)
            ctx.set(button, 1)
            await ctx.tick()
            ctx.set(button, 0)
        await send(ctx, dut.i, ({"h": int(value), "first": 0, "new": 0, "cut": 0, "serial": 0} for value in h.ravel()))

    async def sink(ctx):
        while not ctx.get(button):
            await ctx.tick()
        while ctx.get(button) or not ctx.get(dut.o.valid):
            await ctx.tick()
        # the second reset comes while these wait
        while not ctx.get(button):
            await ctx.tick()
        await ctx.tick()
        got.extend(await receive(ctx, dut.o, 4))
    run(ResetInserter(button)(dut), bench, sink, cycles=2000)
    assert [one.y for one in got] == [*engine.head_step(h, params[-1], net.head)[0], 16 | 32 | 64]


class Frames:
    """Both neighbours of a Source: an engine that makes a stem of random words, and a head that judges."""

    def __init__(self, net, dut, side, frames, rng):
        self.net, self.dut, self.side, self.frames, self.rng = net, dut, side, frames, rng
        high, wide, channels = net.stem.out
        self.maps = np.random.default_rng(1).integers(0, 256, (len(frames), high * wide * channels))
        self.heads = [words.header(frame[:2]) for frame in frames]
        #: steps after which a frame is judged to be over
        self.passed, self.events = 0, np.zeros(3, int)
        self.length = [told.steps if told.rule == "never" else rng.randint(1, told.steps) for told in self.heads]

    async def engine(self, ctx):
        """Read the image, make the stem's map."""
        dut, side = self.dut, self.side
        for n, frame in enumerate(self.frames):
            while not ctx.get(dut.want) or self.rng.random() < 0.6:
                await ctx.tick()
            ctx.set(dut.taken, 1)
            await ctx.tick()
            ctx.set(dut.taken, 0)
            assert ctx.get(dut.arrived) >= self.net.stem.height
            for word in range(-(-self.net.inputs // side)):
                ctx.set(dut.read_addr, word)
                await ctx.tick().repeat(2)
                wanted = frame[2 + word * side:2 + (word + 1) * side].tolist()
                assert [ctx.get(dut.read_data) >> 8 * k & 255 for k in range(len(wanted))] == wanted, f"frame {n}"
            for address, value in enumerate(self.maps[n]):
                ctx.set(dut.hidden.en, 1)
                ctx.set(dut.hidden.address, address)
                ctx.set(dut.hidden.data, int(value))
                ctx.set(dut.hidden.row, (address + 1) % (len(self.maps[n]) // self.net.stem.out[0]) == 0)
                ctx.set(dut.hidden.whole, address == len(self.maps[n]) - 1)
                await ctx.tick()
                ctx.set(dut.hidden.en, 0)
                ctx.set(dut.hidden.row, 0)
                ctx.set(dut.hidden.whole, 0)
                if self.rng.random() < 0.1:
                    await ctx.tick().repeat(self.rng.choice((1, 60)))

    async def watch(self, ctx):
        """Counts what passes, step begins, frames that come and are dropped."""
        dut, size = self.dut, sum(self.length) * self.maps.shape[1]
        while self.passed < size:
            *_, valid, ready, tick, begins, drops = await ctx.tick().sample(dut.o.valid, dut.o.ready, dut.tick,
                                                                            dut.begins, dut.drops)
            self.passed += valid and ready
            self.events += np.array([tick, begins, drops])

    async def judge(self, ctx):
        """What the head is told, and its verdict some time later."""
        since, judged = [False] * (len(self.net.blocks) + 1), 0
        for n, (told, length) in enumerate(zip(self.heads, self.length, strict=True)):
            slow = self.rng.choice((0.5, 0.9, 0.998))
            for t in range(length):
                since = [t == 0, *([False] * len(self.net.blocks) if told.cut and t == 0 else since[:-1])]
                found, = await receive(ctx, self.dut.told, 1, pattern="random", seed=f"{n} {t}")
                blocks = sum(engine.works(k + 1, since, told.serial) << k for k in range(len(self.net.blocks)))
                assert (found.step, found.last, found.blocks, found.rule, found.threshold) == (
                    t, told.steps - 1, blocks, words.RULES.index(told.rule), told.threshold), f"frame {n}, step {t}"
                # a head has seen all of a step before it judges
                judged += 1
                while self.passed < judged * self.maps.shape[1] or self.rng.random() < slow:
                    await ctx.tick()
                ctx.set(self.dut.verdict, 1)
                ctx.set(self.dut.ends, t == length - 1)
                await ctx.tick()
                ctx.set(self.dut.verdict, 0)

    def values(self):
        """What passes: the stem's map in every step, told with its first value."""
        for told, length, h in zip(self.heads, self.length, self.maps, strict=True):
            for t in range(length):
                for n, value in enumerate(h):
                    yield int(value), n == 0, t == 0, told.cut and t == 0, told.serial


def drawn_frames(net, rng):
    found = []
    for n in range(8):
        rule = rng.choice(("never", *words.RULES))
        found.append(some_frames(net, 1, seed=n, rule=rule, threshold=rng.randrange(1 << 17), steps=rng.choice(
            (1, 2, 3, 6)))[0])
    return found


@pytest.mark.parametrize(("side", "out"), [(1, "none"), (2, "bursts")])
def test_source(side, out):
    """Frames cut short among others; the next frame comes in while one is refined, and waits."""
    net, rng = network(PLAIN, count=3), random.Random(side)
    dut, frames = Source(net, side=side, vendor="generic"), drawn_frames(net, rng)
    partner, got = Frames(net, dut, side, frames, rng), []
    wanted = list(partner.values())

    async def source(ctx):
        for frame in frames:
            part = [int(word) for word in frame[:rng.choice((0, len(frame) - 1, rng.randrange(len(frame))))]]
            await send(ctx, dut.i, [*part, 1 << words.END_BIT, 1 << words.END_BIT] * (rng.random() < 0.7))
            await send(ctx, dut.i, map(int, frame), pattern="random", seed=str(part))

    async def sink(ctx):
        got.extend(await receive(ctx, dut.o, len(wanted), pattern=out))

    run(dut, source, sink, partner.watch, partner.engine, partner.judge, cycles=20_000)
    assert [(one.h, one.first) for one in got] == [(h, first) for h, first, *_ in wanted]
    assert [(one.new, one.cut, one.serial) for one in got if one.first] == [
        tuple(map(int, each[2:])) for each in wanted if each[1]]
    ticks, begins, drops = partner.events
    assert (ticks, begins - drops) == (sum(partner.length), len(frames))
    assert drops


async def make_stem(ctx, dut, net):
    """Take the work, and say that row after row is there."""
    ctx.set(dut.taken, 1)
    await ctx.tick()
    ctx.set(dut.taken, 0)
    ctx.set(dut.hidden.en, 1)
    for row in range(net.stem.out[0]):
        ctx.set(dut.hidden.row, 1)
        ctx.set(dut.hidden.whole, row == net.stem.out[0] - 1)
        await ctx.tick()
        ctx.set(dut.hidden.row, 0)
        ctx.set(dut.hidden.whole, 0)
    ctx.set(dut.hidden.en, 0)


def test_a_header_that_cannot_be_ends():
    """No steps are 16, and the fourth rule is none that ends a frame: another frame can follow."""
    net, frames = network(PLAIN), []
    for steps, rule in ((0, 0), (2, 3)):
        frame = some_frames(net, 1, steps=2)[0]
        frame[0] = steps | 1 << words.CUT_BIT | rule << words.RULE_SHIFT
        frames.append(frame)
    dut, got = Source(net, side=1, vendor="generic"), []
    values = np.prod(net.stem.out)

    async def source(ctx):
        await send(ctx, dut.i, (int(word) for frame in frames for word in frame))

    async def engine_and_head(ctx):
        for _, steps in zip(frames, (16, 2), strict=True):
            while not ctx.get(dut.want):
                await ctx.tick()
            await make_stem(ctx, dut, net)
            for step in range(steps):
                told, = await receive(ctx, dut.told, 1)
                await receive(ctx, dut.o, int(values))
                got.append((told.step, told.last))
                ctx.set(dut.verdict, 1)
                ctx.set(dut.ends, step == steps - 1)
                await ctx.tick()
                ctx.set(dut.verdict, 0)
    run(dut, source, engine_and_head, cycles=4000)
    assert got == [*((n, 15) for n in range(16)), (0, 1), (1, 1)]


def test_source_forgets_with_a_reset():
    """Half of a frame, a stem that is made, a step that passes: the next frame is whole, and the first."""
    net, rng, button = network(CHANGES), random.Random(0), Signal()
    dut, frames = Source(net, side=1, vendor="generic"), drawn_frames(net, rng)[:2]
    partner, got, done = Frames(net, dut, 1, frames, rng), [], []
    wanted = list(partner.values())

    async def source(ctx):
        for count, wait in ((9, 0), (len(frames[0]), 7), (len(frames[0]), 120)):
            for word in frames[1][:count]:
                ctx.set(dut.i.payload, int(word))
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            if wait:
                await make_stem(ctx, dut, net)
            await ctx.tick().repeat(wait + 1)
            ctx.set(button, 1)
            await ctx.tick()
            ctx.set(button, 0)
        done.append(True)
        await send(ctx, dut.i, (int(word) for frame in frames for word in frame))

    def later(bench):
        async def body(ctx):
            while not done:
                await ctx.tick()
            await bench(ctx)
        return body

    async def sink(ctx):
        got.extend(await receive(ctx, dut.o, len(wanted)))
    run(ResetInserter(button)(dut), source, *map(later, (sink, partner.watch, partner.engine, partner.judge)),
        cycles=20_000)
    assert [one.h for one in got] == [each[0] for each in wanted]


def test_the_heads_bank_is_the_last():
    net = network(PLAIN)
    assert layout.first_banks(net)[-1] == net.layout()[-1].number == sum(unit.lanes + 2 for unit in net.engines)
