# amaranth: UnusedElaboratable=no
"""HostLink and UART in the simulator: good frames, every kind of bad one, faults of the bus, and the whole way."""

import random

import pytest
from device import Responder, flip
from links import ACK, GOOD, IDLE, RNG, Memory, exchange, read, simulate, words, write

from firmware import protocol
from firmware.protocol import (
    HELLO,
    READ,
    WRITE,
    Request,
    Response,
    Status,
    decode_response,
    encode_request,
    encode_response,
)
from rtl.host.link import HostLink
from rtl.host.link import Responder as Circuit
from rtl.host.master import BusMaster
from rtl.host.receiver import CRC32
from rtl.host.uart import UartRx, UartTx
from sim.pysim import receive, run


def test_same_checksum():
    assert CRC32(8).compute(b"leadlag") == protocol.crc32(b"leadlag")


@pytest.mark.parametrize("pattern", ["none", "random", "bursts"])
def test_write_then_read(pattern):
    data = words(64)
    sent = [write(7, data), read(7, 64, seq=1), write(9, data[:3], fixed=True, seq=2), read(9, seq=3),
            read(8, 5, fixed=True, seq=4)]
    answers, memory = exchange(sent, pattern=pattern if pattern != "bursts" else "none",
                               gap=5 if pattern == "bursts" else 0)
    found = [decode_response(answer) for answer in answers]
    assert found == [Response(status=Status.OK, op=WRITE, count=64),
                     Response(status=Status.OK, op=READ, count=64, data=data, seq=1),
                     Response(status=Status.OK, op=WRITE, count=3, fixed=True, seq=2),
                     Response(status=Status.OK, op=READ, count=1, data=data[2:3], seq=3),
                     Response(status=Status.OK, op=READ, count=5, data=[data[1]] * 5, fixed=True, seq=4)]
    assert memory.log[:64] == [("write", 7 + n, word) for n, word in enumerate(data)]
    assert memory.log[128:131] == [("write", 9, word) for word in data[:3]]


BAD = {
    **{f"crc {n}": (flip(GOOD, 8 * len(GOOD) - n), Status.BAD_CRC) for n in (1, 9, 17, 32)},
    "payload": (flip(GOOD, 110), Status.BAD_CRC),
    "address": (flip(GOOD, 40), Status.BAD_CRC),
    "fixed": (flip(GOOD, 15), Status.BAD_CRC),
    "chained": (flip(GOOD, 14), Status.BAD_CRC),
    "number": (flip(GOOD, 16), Status.BAD_CRC),
    "read for write": (b"\xc5\1" + GOOD[2:], Status.BAD_CRC),
    "op 0": (b"\xc5\0" + GOOD[2:], Status.BAD_FRAME),
    "op 6": (b"\xc5\6" + GOOD[2:], Status.BAD_FRAME),
    "op 0x22": (b"\xc5\x22" + GOOD[2:], Status.BAD_FRAME),
    "hello of two": (b"\xc5\3" + GOOD[2:], Status.BAD_FRAME),
    "count 0": (b"\xc5\2\0\0" + GOOD[4:], Status.BAD_FRAME),
    "count 1": (b"\xc5\2\0\1" + GOOD[4:], Status.BAD_CRC),
    "count 3": (b"\xc5\2\0\3" + GOOD[4:], Status.BAD_CRC),
    "count 65": (b"\xc5\2\0\x41" + GOOD[4:], Status.BAD_FRAME),
    "count 129": (b"\xc5\2\0\x81" + GOOD[4:], Status.BAD_FRAME),
    **{f"first {n} bytes": (GOOD[:n], Status.BAD_CRC) for n in (1, 2, 3, 4, 7, 9, len(GOOD) - 1)},
    "bad frame with a good one behind": (flip(GOOD, 110) + GOOD, Status.BAD_CRC),
}


@pytest.mark.parametrize("batch", range(3))
def test_bad_frames(batch):
    """Each is refused without an access to the bus, and the next good one is answered."""
    chosen = list(BAD.items())[batch::3]
    frames = [frame for n, (_, (bad, _)) in enumerate(chosen) for frame in (bad, read(batch, seq=n))]
    answers, memory = exchange(frames)
    for n, (name, (_, status)) in enumerate(chosen):
        assert answers[2 * n] == encode_response(Response(status=status, seq=n)), name
        assert decode_response(answers[2 * n + 1]).status == Status.OK, name
    assert memory.log == [("read", batch)] * len(chosen)


@pytest.mark.parametrize(("bad", "status"), [(flip(GOOD, 110), Status.BAD_CRC), (b"\xc5\2\0\x41", Status.BAD_FRAME)])
def test_rest_of_a_bad_frame(bad, status):
    """What follows a bad frame without a pause is never taken for a frame, and the response waits for its end."""
    dut, memory, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), Memory(), []
    data = bad + bytes(30) + GOOD

    async def drive(ctx):
        for byte in data:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
            assert not ctx.get(dut.o.valid)
        ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        out.extend(await receive(ctx, dut.o, 8))
        ctx.set(dut.o.ready, 1)
        for _ in range(2 * IDLE):
            await ctx.tick()
            assert not ctx.get(dut.o.valid)

    simulate(dut, drive, sink, device=memory, bus=dut.bus, cycles=1000)
    assert bytes(out) == encode_response(Response(status=status))
    assert memory.log == []


def test_garbage():
    """Bytes that are no frame are skipped, with a good frame right behind them or after a while."""
    noise = bytes(b for b in RNG.randbytes(50) if b != protocol.REQUEST_SYNC)
    answers, memory = exchange([noise + GOOD, noise, write(5, [3], seq=1)], quiet={1})
    assert [bool(answer) for answer in answers] == [True, False, True]
    assert memory.log == [("write", 3, 1), ("write", 4, 2), ("write", 5, 3)]


@pytest.mark.parametrize("op", [READ, WRITE])
@pytest.mark.parametrize(("addr", "status"), [(254, Status.BUSY), (255, Status.BUSY), (256, Status.ADDRESS)])
def test_faults_of_the_bus(op, addr, status):
    """The words before the fault are counted, those after it are not touched."""
    frame = read(addr, 4) if op == READ else write(addr, [9, 8, 7, 6])
    answers, memory = exchange([frame, read(1, seq=1)])
    done = addr == 254
    assert decode_response(answers[0]) == Response(
        status=status, op=op, count=int(done), data=[0xFE * 0x01010101] * (done and op == READ))
    assert decode_response(answers[1]).data == (0x01010101,)
    assert len(memory.log) == 2 + done


def test_wrapping_addresses():
    answers, memory = exchange([read(0xFFFFFFFF, 2)])
    assert decode_response(answers[0]).status == Status.ADDRESS
    assert memory.log == [("read", 0xFFFFFFFF)]


@pytest.mark.parametrize(("delay", "status"), [
    (0, Status.OK), (ACK - 2, Status.OK), (ACK + BusMaster.GRACE - 1, Status.OK),
    (ACK + BusMaster.GRACE + 8, Status.BUSY),
])
def test_late_acknowledge(delay, status):
    """An acknowledge within the grace time after the request was withdrawn counts as done, a later one does not."""
    dut, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), []

    async def drive(ctx):
        hello = encode_request(Request(op=HELLO, addr=0, count=1, data=(1,), seq=255))
        for frame, size in ((hello, 12), (read(1), 12 if status == Status.OK else 8)):
            for byte in frame:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
            ctx.set(dut.i.valid, 0)
            out[:] = await receive(ctx, dut.o, size)

    async def slave(ctx):
        await ctx.tick().until(dut.bus.read)
        for _ in range(delay):
            await ctx.tick()
        ctx.set(dut.bus.ack, 1)
        ctx.set(dut.bus.r_data, 77)
        await ctx.tick()
        ctx.set(dut.bus.ack, 0)

    run(dut, drive, slave, cycles=300)
    assert decode_response(bytes(out)) == Response(status=status, op=READ, count=int(status == Status.OK),
                                                   data=[77] * (status == Status.OK))


@pytest.mark.parametrize("seed", range(3))
def test_random_frames_equal_the_model(seed):
    """Good and damaged frames in any order: byte for byte what the Python model answers, and the same accesses."""
    rng, frames, model = random.Random(f"link {seed}"), [], Memory()
    responder, expected, last = Responder(model), [], 0
    for n in range(32):
        addr = rng.choice([rng.randrange(200), rng.randrange(190, 260)])
        count, fixed = rng.choice([1, 2, rng.randrange(1, 12)]), rng.random() < 0.3
        options = {"seq": (last + rng.choice([1, 1, 1, 1, 0, -1, 3])) % 256, "chained": rng.random() < 0.4}
        if n == 3 or rng.random() < 0.05:
            frame = encode_request(Request(op=HELLO, addr=addr, count=1, data=words(1), **options))
        elif rng.random() < 0.5:
            frame = read(addr, count, fixed, **options)
        else:
            frame = write(addr, [rng.getrandbits(32) for _ in range(count)], fixed, **options)
        damage = rng.random()
        if damage < 0.2:
            frame = flip(frame, rng.randrange(8, 8 * len(frame)))
        elif damage < 0.3:
            frame = frame[:rng.randrange(1, len(frame))]
        frames.append(frame)
        expected.append(responder.respond(frame))
        last = (responder.turn - 1) % 256
    answers, memory = exchange(frames, pattern=("none", "random", "bursts")[seed], hello=False,
                               delays=iter(lambda: rng.randrange(ACK - 3), None), gap=0)
    for n, (answer, wanted) in enumerate(zip(answers, expected, strict=True)):
        assert answer == wanted, f"frame {n}: {frames[n].hex()}"
    assert memory.log == model.log
    assert {decode_response(answer).status for answer in answers} >= {0, 1, 5, 7}


def test_responder_waits_for_what_is_on_its_way():
    """The next read would overwrite the words that are being sent for the request before the last."""
    dut = Circuit()

    async def bench(ctx):
        ctx.set(dut.ready, 1)
        async def frame(op, seq):
            for name, value in (("op", op), ("seq", seq), ("valid", 0)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick().repeat(3)
            ctx.set(dut.valid, 1)

        async def started():
            await ctx.tick()
            assert ctx.get(dut.taken)
            return ctx.get(dut.start)

        async def done():
            assert await started()
            ctx.set(dut.valid, 0)
            await ctx.tick()
            ctx.set(dut.done, 1)
            await ctx.tick()
            ctx.set(dut.done, 0)

        await frame(HELLO, 255)
        assert not await started()
        ctx.set(dut.valid, 0)
        await frame(READ, 0)
        await done()
        assert ctx.get(dut.send)
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 1)
        await done()        # another half of the memory
        assert not ctx.get(dut.send)
        ctx.set(dut.ready, 1)
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 2)
        await done()
        ctx.set(dut.ready, 1)
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 1)        # again: it is answered as soon as that is possible
        assert not await started()
        ctx.set(dut.valid, 0)
        ctx.set(dut.ready, 1)
        assert ctx.get(dut.send)
        assert ctx.get(dut.head.op) == READ
        await ctx.tick()
        ctx.set(dut.ready, 0)
        await frame(READ, 3)
        for _ in range(5):
            assert not ctx.get(dut.taken), "its words are being sent"
            await ctx.tick()
        ctx.set(dut.ready, 1)
        assert await started()
    run(dut, bench, cycles=100)


def test_parameters():
    for idle, ack, name in ((0, 1, "idle_cycles"), (1, 0, "ack_cycles"), (1.5, 1, "idle_cycles")):
        with pytest.raises(ValueError, match=f"{name} must be a positive number of clock cycles"):
            HostLink(idle_cycles=idle, ack_cycles=ack)
    for part in (UartRx, UartTx):
        with pytest.raises(ValueError, match=r"divisor must be an integer from 4 on \(clock cycles a bit\), not 3"):
            part(3)
