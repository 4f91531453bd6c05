"""Parts of the event engine: what finds bits, adds in a ring, holds words in pages; what a network takes."""

import random

import events
import pytest
from net_events import dense_256

from boards import BOARDS
from rtl.event.finder import Finder
from rtl.event.ring import Ring
from rtl.event.store import Store, blocks, page_words
from rtl.systems import circuit
from sim.pysim import load, receive, run, send


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
def test_finder(pattern):
    rng, dut, out = random.Random("finder"), Finder(16, 8), []
    words = [rng.choice((1 << rng.randrange(16), rng.randrange(1, 1 << 16), 0xFFFF)) for _ in range(60)]
    want = [(k, n & 0xFF) for n, word in enumerate(words) for k in range(16) if word >> k & 1]

    async def drive(ctx):
        await send(ctx, dut.i, [{"bits": word, "tag": n & 0xFF} for n, word in enumerate(words)])

    async def sink(ctx):
        out.extend(await receive(ctx, dut.o, len(want), pattern=pattern))

    run(dut, drive, sink, cycles=len(want) + 3 if pattern == "none" else 6000)
    assert [(each.index, each.tag) for each in out] == want


@pytest.mark.parametrize("arrivals", [False, True])
def test_ring(arrivals):
    """Additions to few sums, one a cycle: what is on its way is not lost; what is cleared is."""
    rng, dut = random.Random("ring"), Ring(depth=16, width=9, weight=4, arrivals=arrivals, vendor="generic")
    sums, came, expected = [0] * 16, [0] * 16, {}

    async def bench(ctx):
        for addr in range(16):
            ctx.set(dut.en, 1)
            ctx.set(dut.zero, 1)
            ctx.set(dut.addr, addr)
            await ctx.tick()
        for step in range(3):
            ctx.set(dut.zero, 0)
            for _ in range(150):
                addr, weight, en = rng.randrange(3 + 4 * step), rng.randint(-8, 7), rng.random() < 0.8
                for name, value in (("addr", addr), ("weight", weight), ("en", en)):
                    ctx.set(getattr(dut, name), value)
                if en and abs(sums[addr] + weight) < 256:
                    sums[addr] += weight
                    came[addr] = 1
                else:
                    ctx.set(dut.en, 0)
                await ctx.tick()
            ctx.set(dut.en, 0)
            await ctx.tick().repeat(Ring.BEHIND)
            ctx.set(dut.zero, 1)
            ctx.set(dut.en, 1)
            for addr in range(18):
                ctx.set(dut.addr, addr % 16)
                ctx.set(dut.en, addr < 16)
                if addr >= Ring.LATENCY:
                    at = addr - Ring.LATENCY
                    assert ctx.get(dut.sum) == sums[at], (step, at)
                    assert ctx.get(dut.came) == (came[at] if arrivals else 1)
                    sums[at] = came[at] = 0
                await ctx.tick()
            expected[step] = True

    run(dut, bench, cycles=1000)
    assert len(expected) == 3


@pytest.mark.parametrize(("depth", "width"), [(5, 3), (3000, 9), (20_000, 2), (2500, 18)])
def test_store(depth, width):
    """Words at the ends of pages and banks; others of other banks do nothing."""
    dut = Store(depth=depth, width=width, bank0=7, vendor="generic")
    places = sorted({0, depth - 1, *(n for page in range(0, depth, dut.page) for n in (page, page - 1) if n > 0)})
    rng, held = random.Random("store"), {}

    async def bench(ctx):
        pairs = []
        for n in places:
            held[n] = rng.randrange(1 << width)
            pairs.append((7 + (n >> 14), n & 0x3FFF, held[n]))
        pairs += [(6, 0, ~held[0] & 1), (8 + (depth - 1 >> 14), 0, ~held[0] & 1)]
        await load(ctx, dut.params, pairs, half=0, settle=4)
        for n in places:
            ctx.set(dut.read_addr, n)
            await ctx.tick().repeat(dut.latency)
            assert ctx.get(dut.read_data) == held[n], n

    run(dut, bench, cycles=1000)
    assert len(held) == len(places)


def test_pages():
    """The fewest block RAMs, then the fewest pages."""
    assert (page_words(32_768, 9), blocks(32_768, 9, 2048)) == (2048, 16)
    assert (page_words(16_384, 4), blocks(16_384, 4, 16_384)) == (16_384, 4)
    # what is left of the last page counts
    assert [blocks(words, 18, 1024) for words in (2048, 2049, 3000)] == [2, 3, 3]
    assert page_words(900, 30) == 900


def test_lanes_that_fit():
    """Two lanes of the network with delays, four of the one whose delays are those of sources."""
    board = BOARDS["ulx3s-25f"]
    assert board.fold(dense_256()).lanes == 2
    assert board.fold(dense_256(axonal=True)).lanes == 4
    with pytest.raises(ValueError, match=r"event-256 has 262,144 synapses, which do not fit: .*block RAMs: \d+ needed"):
        board.fold(dense_256(size=512))
    for n in range(5):
        net = events.random_network(f"fits {n}")
        found = board.fold(net)
        assert found.lanes == (4 if net.dense else 1)
        assert circuit(found).notes(found)
        assert circuit(found).pace(found, 100.0, 120.0)["operations_per_s_at_fmax"] == 120_000_000 * found.lanes
