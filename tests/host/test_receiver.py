"""Receiver and Sender of the host link by themselves, against firmware.protocol."""

import random

import pytest

from firmware.protocol import Request, Response, decode_request, encode_request, encode_response
from golden.frames import READ, REQUEST_SYNC, WRITE, Status
from rtl.host.link import Receiver, Sender
from rtl.primitives import Bank
from sim.pysim import run, stalls

IDLE = 12


def drawn(rng) -> Request:
    op, count = rng.choice((READ, WRITE)), rng.choice((1, 2, 5, 64))
    return Request(op=op, addr=rng.getrandbits(32), count=count, fixed=rng.random() < 0.5,
                   data=[rng.getrandbits(32) for _ in range(count)] if op == WRITE else [])


@pytest.mark.parametrize("pattern", ["none", "random"])
def test_requests(pattern):
    """Fields and words of each, LATENCY cycles after its last byte; bytes before `resume` are nobody's."""
    dut, rng, ends, found = Receiver(IDLE), random.Random("receiver"), [], []
    frames = [encode_request(drawn(rng)) for _ in range(8)]
    cycle, words = [0], {}

    async def step(ctx, byte=None):
        ctx.set(dut.i.valid, byte is not None)
        ctx.set(dut.i.payload, byte or 0)
        if ctx.get(dut.write_en):
            words[ctx.get(dut.write_index)] = ctx.get(dut.write_data)
        if ctx.get(dut.done):
            found.append((cycle[0], Status(ctx.get(dut.status))))
        await ctx.tick()
        cycle[0] += 1

    async def bench(ctx):
        pauses = stalls(pattern, "bytes")
        for n, frame in enumerate(frames):
            words.clear()
            for byte in bytes([REQUEST_SYNC - 1]) * (n % 2) + frame:
                while next(pauses):
                    await step(ctx)
                await step(ctx, byte)
            ends.append(cycle[0] - 1)
            for byte in frames[0]:      # another one, too early
                await step(ctx, byte)
            request = decode_request(frame)
            assert [ctx.get(getattr(dut, name)) for name in ("op", "count", "addr", "fixed")] == [
                request.op, request.count, request.addr, request.fixed], f"frame {n}"
            assert [words[k] for k in range(len(request.data))] == list(request.data), f"frame {n}"
            ctx.set(dut.resume, 1)
            await step(ctx)
            ctx.set(dut.resume, 0)
    run(dut, bench, cycles=40 * sum(map(len, frames)))
    assert found == [(end + Receiver.LATENCY, Status.OK) for end in ends]


@pytest.mark.parametrize(("damage", "status"), [
    (lambda f: f[:-1] + bytes([f[-1] ^ 1]), Status.BAD_CRC), (lambda f: f[:-2], Status.BAD_CRC),
    (lambda f: f[:1] + b"\x03" + f[2:], Status.BAD_FRAME), (lambda f: f[:2] + b"\x41" + f[3:], Status.BAD_FRAME)],
    ids=["crc", "short", "op", "count"])
def test_bad_requests(damage, status):
    """The line has to be quiet for `idle_cycles` before anything is said."""
    dut, found, frame = Receiver(IDLE), [], damage(encode_request(Request(op=WRITE, addr=3, count=1, data=[7])))

    async def bench(ctx):
        for cycle in range(len(frame) + 2 * IDLE + 8):
            ctx.set(dut.i.valid, cycle < len(frame))
            ctx.set(dut.i.payload, frame[cycle] if cycle < len(frame) else 0)
            if ctx.get(dut.done):
                found.append((cycle - len(frame), Status(ctx.get(dut.status))))
            await ctx.tick()
    run(dut, bench, cycles=200)
    assert [said for _, said in found] == [status]
    assert IDLE <= found[0][0] <= IDLE + 4


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
def test_responses(pattern):
    """Every byte of every response, with a partner that pauses; the words are read as they are needed."""
    rng, dut, got = random.Random("sender"), Sender(), []
    answers = []
    for _ in range(6):
        request = drawn(rng)
        answers.append(Response(status=Status.OK, op=request.op, count=request.count, fixed=request.fixed,
                                data=[rng.getrandbits(32) for _ in range(request.count if request.op == READ else 0)]))
    answers.append(Response(status=Status.BAD_FRAME))

    async def bench(ctx):
        pauses = stalls(pattern, "bytes")
        for n, answer in enumerate(answers):
            ctx.set(dut.head, answer.op | answer.status << 4 | answer.fixed << 7)
            ctx.set(dut.count, answer.count)
            ctx.set(dut.payload, bool(answer.data))
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            data, index, done = bytearray(), [0] * Bank.LATENCY, False
            while not done:
                ready = not next(pauses)
                ctx.set(dut.o.ready, ready)
                index.append(ctx.get(dut.read_index))
                at = index[-1 - Bank.LATENCY]
                ctx.set(dut.read_data, answer.data[at] if at < len(answer.data) else 0)
                if ready and ctx.get(dut.o.valid):
                    data.append(ctx.get(dut.o.payload))
                await ctx.tick()
                done = ctx.get(dut.done)
            assert bytes(data) == encode_response(answer), f"response {n}"
            got.append(n)
    run(dut, bench, cycles=8000)
    assert len(got) == len(answers)
