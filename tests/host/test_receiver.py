"""Receiver, Sender and OldHost of the host link by themselves, against firmware.protocol."""

import random

import pytest

from firmware.protocol import Request, Response, decode_request, encode_request, encode_response
from golden.frames import HELLO, OLD_ANSWER, OLD_REQUEST, READ, REQUEST_SYNC, WRITE, Status
from rtl.host.receiver import Receiver
from rtl.host.sender import OldHost, Sender
from rtl.primitives import Bank
from sim.pysim import run, stalls

IDLE = 12


def drawn(rng) -> Request:
    op = rng.choice((READ, WRITE, HELLO))
    count = 1 if op == HELLO else rng.choice((1, 2, 5, 64))
    return Request(op=op, addr=rng.getrandbits(32), count=count, fixed=rng.random() < 0.5, seq=rng.getrandbits(8),
                   chained=rng.random() < 0.5, data=[] if op == READ else [rng.getrandbits(32) for _ in range(count)])


@pytest.mark.parametrize("pattern", ["none", "random"])
def test_requests(pattern):
    """Fields and words of each, LATENCY cycles after its last byte, while it waits to be taken."""
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
            assert ctx.get(dut.hunting)
            for byte in bytes([REQUEST_SYNC - 1]) * (n % 2) + frame:
                while next(pauses):
                    await step(ctx)
                await step(ctx, byte)
            ends.append(cycle[0] - 1)
            for _ in range(6):
                await step(ctx)
            assert not ctx.get(dut.hunting)
            request = decode_request(frame)
            assert [ctx.get(getattr(dut, name)) for name in ("op", "count", "addr", "fixed", "chained", "seq")] == [
                request.op, request.count, request.addr, request.fixed, request.chained, request.seq], f"frame {n}"
            assert [words[k] for k in range(len(request.data))] == list(request.data), f"frame {n}"
            ctx.set(dut.resume, 1)
            await step(ctx)
            ctx.set(dut.resume, 0)
            await step(ctx)
    run(dut, bench, cycles=40 * sum(map(len, frames)))
    each = [[at for at, _ in found if at > end][:1] for end in ends]
    assert each == [[end + Receiver.LATENCY] for end in ends]
    assert {said for _, said in found} == {Status.OK}


@pytest.mark.parametrize("early", [1, 2, 5])
def test_bytes_before_a_frame_was_taken(early):
    """They make a bad frame of what they begin, from the cycle after the last byte on."""
    dut, frame, said = Receiver(IDLE), encode_request(Request(op=READ, addr=3, count=1)), []

    async def bench(ctx):
        for cycle in range(len(frame) + 90):
            late = len(frame) + early
            ctx.set(dut.i.valid, cycle < len(frame) or late <= cycle < late + 3)
            ctx.set(dut.i.payload, frame[cycle] if cycle < len(frame) else frame[0])
            ctx.set(dut.resume, cycle in (len(frame) + 10, len(frame) + 42))
            said.append((ctx.get(dut.done), ctx.get(dut.status)))
            await ctx.tick()
    run(dut, bench, cycles=200)
    quiet = [n for n, (done, _) in enumerate(said) if done]
    assert said[len(frame) + 9] == (1, Status.OK)
    assert said[len(frame) + 40] == (1, Status.BAD_CRC)
    assert not any(done for done, _ in said[len(frame) + 44:]), "it is refused once"
    assert len(frame) + early + 3 + IDLE <= min(n for n in quiet if said[n][1]) <= len(frame) + early + 7 + IDLE


@pytest.mark.parametrize(("damage", "status"), [
    (lambda f: f[:-1] + bytes([f[-1] ^ 1]), Status.BAD_CRC), (lambda f: f[:-2], Status.BAD_CRC),
    (lambda f: f[:1] + b"\x04" + f[2:], Status.BAD_FRAME), (lambda f: f[:1] + b"\xc0" + f[2:], Status.BAD_FRAME),
    (lambda f: f[:1] + b"\x22" + f[2:], Status.BAD_FRAME), (lambda f: f[:3] + b"\x41" + f[4:], Status.BAD_FRAME),
    (lambda f: f[:3] + b"\0" + f[4:], Status.BAD_FRAME), (lambda f: f[:1] + b"\x03\0\x02" + f[4:], Status.BAD_FRAME)],
    ids=["crc", "short", "op 4", "op 0", "bit 5", "count", "count 0", "long hello"])
def test_bad_requests(damage, status):
    """The line has to be quiet for `idle_cycles` before anything is said."""
    dut, found, frame = Receiver(IDLE), [], damage(encode_request(Request(op=WRITE, addr=3, count=1, data=[7])))

    async def bench(ctx):
        for cycle in range(len(frame) + 2 * IDLE + 8):
            ctx.set(dut.i.valid, cycle < len(frame))
            ctx.set(dut.i.payload, frame[cycle] if cycle < len(frame) else 0)
            ctx.set(dut.resume, ctx.get(dut.done))
            if ctx.get(dut.done):
                found.append((cycle - len(frame), Status(ctx.get(dut.status))))
            await ctx.tick()
    run(dut, bench, cycles=200)
    assert [said for _, said in found] == [status]
    assert IDLE <= found[0][0] <= IDLE + 4


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
def test_responses(pattern):
    """Every byte of every response, with a partner that pauses; words come Bank.LATENCY after they are asked for."""
    rng, dut, got = random.Random("sender"), Sender(), []
    answers = []
    for _ in range(8):
        request = drawn(rng)
        answers.append(Response(status=Status.OK, op=request.op, count=request.count, fixed=request.fixed,
                                seq=request.seq, data=[] if request.op == WRITE else
                                [rng.getrandbits(32) for _ in range(request.count)]))
    answers += [Response(status=Status.BAD_FRAME, seq=7), Response(status=Status.BUSY, op=READ, seq=8)]

    async def bench(ctx):
        pauses = stalls(pattern, "bytes")
        for n, answer in enumerate(answers):
            assert ctx.get(dut.ready)
            for name, value in (("op", answer.op), ("status", answer.status), ("fixed", answer.fixed),
                                ("count", answer.count)):
                ctx.set(dut.head[name], value)
            ctx.set(dut.seq, answer.seq)
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            ctx.set(dut.seq, ~answer.seq)
            data, asked = bytearray(), [None] * Bank.LATENCY
            while not ctx.get(dut.ready):
                ready = not next(pauses)
                ctx.set(dut.o.ready, ready)
                asked.append(ctx.get(dut.read_index) if ctx.get(dut.read_en) else None)
                at = asked[-1 - Bank.LATENCY]
                ctx.set(dut.read_data, rng.getrandbits(32) if at is None else answer.data[at])
                if ready and ctx.get(dut.o.valid):
                    data.append(ctx.get(dut.o.payload))
                await ctx.tick()
            assert bytes(data) == encode_response(answer), f"response {n}"
            assert [at for at in asked if at is not None] == list(range(len(answer.data)))
            got.append(n)
    run(dut, bench, cycles=12000)
    assert len(got) == len(answers)


@pytest.mark.parametrize("pattern", ["none", "random"])
def test_a_host_of_version_1_is_answered(pattern):
    """Its first request, also behind junk, and only that, only while it is listened to."""
    dut, flipped = OldHost(), bytearray(OLD_REQUEST)
    flipped[4] ^= 1
    lines = ((OLD_REQUEST, True, OLD_ANSWER), (OLD_REQUEST[:5] + OLD_REQUEST, True, OLD_ANSWER),
             (b"\xa5" + OLD_REQUEST, True, OLD_ANSWER), (bytes(flipped), True, b""), (OLD_REQUEST[:-1], True, b""),
             (OLD_REQUEST, False, b""))

    async def bench(ctx):
        pauses = stalls(pattern, "bytes")
        ctx.set(dut.ready, 1)
        for n, (line, listen, want) in enumerate(lines):
            ctx.set(dut.listen, listen)
            for byte in line:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            data = bytearray()
            for _ in range(400):
                ready = not next(pauses)
                ctx.set(dut.o.ready, ready)
                assert ctx.get(dut.busy) == ctx.get(dut.o.valid)
                if ready and ctx.get(dut.o.valid):
                    data.append(ctx.get(dut.o.payload))
                await ctx.tick()
            assert bytes(data) == want, f"line {n}"
            ctx.set(dut.listen, 0)
            await ctx.tick()
        # where something else is being sent, it waits
        ctx.set(dut.ready, 0)
        ctx.set(dut.listen, 1)
        ctx.set(dut.i.valid, 1)
        for byte in OLD_REQUEST:
            ctx.set(dut.i.payload, byte)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        await ctx.tick().repeat(9)
        assert not ctx.get(dut.busy)
        ctx.set(dut.ready, 1)
        await ctx.tick()
        assert ctx.get(dut.busy)
    run(dut, bench, cycles=8000)
