"""Benches in Amaranth's own simulator: no tools needed, good for some thousand cycles."""

import random

from amaranth.sim import Simulator

from sim.engine import Engine

PERIOD = 1e-8


def run(dut, *benches, cycles: int) -> None:
    """Run `benches` (async functions of a context) to their end; AssertionError if that takes over `cycles`."""
    done = []

    def wrap(bench):
        async def body(ctx):
            await bench(ctx)
            done.append(bench)
        return body

    simulator = Simulator(dut, engine=Engine)
    simulator.add_clock(PERIOD)
    for bench in benches:
        simulator.add_testbench(wrap(bench))
    # little further than to the end of the last bench
    for end in [*range(100, cycles, 100), cycles]:
        simulator.run_until(end * PERIOD)
        if len(done) == len(benches):
            break
    waiting = len(benches) - len(done)
    assert not waiting, f"{waiting} of {len(benches)} benches still wait after {cycles} cycles"


def stalls(pattern: str, seed: str):
    """Yield booleans for ever, True for a cycle to sit out: none, random (half of them) or bursts (of up to 40)."""
    if pattern not in ("none", "random", "bursts"):
        raise ValueError(f"stall pattern must be none, random or bursts, not {pattern!r}")
    rng = random.Random(f"{pattern} {seed}")
    while True:
        if pattern == "none":
            yield False
        elif pattern == "random":
            yield rng.random() < 0.5
        else:
            yield from [False] * rng.randrange(1, 40)
            yield from [True] * rng.randrange(1, 40)


async def send(ctx, stream, payloads, *, pattern: str = "none", seed: str = "send") -> None:
    """Send `payloads` (values that the payload's layout accepts) in order."""
    pauses, valid = stalls(pattern, seed), False
    for payload in payloads:
        while next(pauses):
            if valid:
                ctx.set(stream.valid, 0)
                valid = False
            await ctx.tick()
        ctx.set(stream.payload, payload)
        if not valid:
            ctx.set(stream.valid, 1)
            valid = True
        await ctx.tick().until(stream.ready)
    ctx.set(stream.valid, 0)


async def receive(ctx, stream, count: int, *, pattern: str = "none", seed: str = "receive") -> list:
    """Take `count` payloads; asserts that a stalled payload holds."""
    pauses, taken, held = stalls(pattern, seed), [], None
    if not count:
        return taken
    ready = not next(pauses)
    ctx.set(stream.ready, ready)
    async for _, _, valid, payload in ctx.tick().sample(stream.valid, stream.payload):
        if held is not None:
            assert (valid, payload) == (1, held), f"payload {len(taken)} changed while it was stalled"
        held = payload if valid and not ready else None
        if valid and ready:
            taken.append(payload)
            if len(taken) == count:
                break
        before, ready = ready, not next(pauses)
        if ready != before:
            ctx.set(stream.ready, ready)
    ctx.set(stream.ready, 0)
    return taken


async def load(ctx, bus, pairs, *, half: int, settle: int) -> None:
    """Write (bank, word, data) triples to the parameter bus, then wait `settle` cycles for the last to arrive."""
    before = {}
    for bank, word, data in pairs:
        for member, value in (("en", 1), ("bank", bank), ("half", half), ("addr", word), ("data", data)):
            if before.get(member) != value:
                ctx.set(getattr(bus, member), value)
                before[member] = value
        await ctx.tick()
    ctx.set(bus.en, 0)
    if settle:
        await ctx.tick().repeat(settle)


def receive_all(dut, words, got: list, latency: int):
    """A bench for a unit that never stalls: drive `words` (None for a gap), collect what is valid in `got`.

    Asserts that every word comes exactly `latency` cycles after its own.
    """
    async def bench(ctx):
        for cycle in range(len(words) + latency):
            word = words[cycle] if cycle < len(words) else None
            ctx.set(dut.i.valid, word is not None)
            if word is not None:
                ctx.set(dut.i.payload, word)
            due = cycle >= latency and words[cycle - latency] is not None
            assert ctx.get(dut.o.valid) == due, f"cycle {cycle}: valid is not {due}, LATENCY is not {latency}"
            if due:
                got.append(ctx.get(dut.o.payload))
            await ctx.tick()
    return bench
