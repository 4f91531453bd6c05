"""FlashReader before a flash in Python; FramePlayer before a link that is played; the flash model of the harness."""

import random

import pytest

from golden.flash import ERASED, HEADER, MAGIC, Boot, content
from golden.frames import REQUEST_SYNC, Status
from rtl.host.flash import READ, WAKE, WAKE_BITS, FlashReader
from rtl.host.player import FramePlayer
from sim.pysim import run

PRINT = "0123456789abcdef"


def played(dut, memory, got, *, busy=lambda: False, count=6):
    """A bench that is the flash: what it was told (commands and addresses) and the cycles of each byte."""
    told, cycles = [], []

    async def bench(ctx):
        ctx.set(dut.start, 1)
        bits, sent, clk_before, at, cycle, awake = [], 0, 0, None, 0, False
        while len(got) < count:
            cs, clk = ctx.get(dut.cs), ctx.get(dut.clk)
            if not cs:
                bits, at, sent = [], None, 0
            elif clk and not clk_before:
                bits.append(ctx.get(dut.copi))
                if len(bits) == 8 and at is None:
                    told.append(int("".join(map(str, bits)), 2))
                    awake |= told[-1] == WAKE
                if len(bits) == 32 and at is None:
                    told.append(int("".join(map(str, bits[8:])), 2))
                    at = told[-1] if awake else None
            elif clk_before and not clk and at is not None:
                ctx.set(dut.cipo, memory[(at + sent // 8) % len(memory)] >> (7 - sent % 8) & 1)
                sent += 1
            clk_before = clk
            ctx.set(dut.o.ready, not busy())
            if ctx.get(dut.o.valid) and ctx.get(dut.o.ready):
                got.append(ctx.get(dut.o.payload))
                cycles.append(cycle)
            await ctx.tick()
            cycle += 1

    return bench, told, cycles


@pytest.mark.parametrize(("half", "address", "stalls"), [(2, 0, False), (3, 0x20, True), (2, 0xC0FFEE, True)])
def test_reader(half, address, stalls):
    rng = random.Random(f"reader {half}")
    memory, got = bytes(rng.randrange(256) for _ in range(64)), []
    dut = FlashReader(address=address, half=half)
    bench, told, cycles = played(dut, memory, got, busy=(lambda: rng.random() < 0.9) if stalls else lambda: False)
    run(dut, bench, cycles=(1 << WAKE_BITS) + 4000 * half)
    assert told == [WAKE, READ, address]
    assert got == [memory[(address + n) % 64] for n in range(6)]
    if not stalls:
        assert {b - a for a, b in zip(cycles, cycles[1:], strict=False)} == {16 * half + 2}
        assert cycles[0] > 1 << WAKE_BITS


@pytest.mark.parametrize(("fields", "message"), [
    ({"address": 1 << 24, "half": 2}, "a flash has addresses 0 to 0xFFFFFF, not 16777216"),
    ({"address": -1, "half": 2}, "a flash has addresses 0 to 0xFFFFFF, not -1"),
    ({"address": 0, "half": 1}, "half a period of the flash's clock takes 2 cycles or more, not 1")])
def test_readers_that_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        FlashReader(**fields)
    with pytest.raises(ValueError, match="a fingerprint has 16 hexadecimal digits, not '12'"):
        FramePlayer("12")


def play(memory, *, status=lambda n: Status.OK, errors=False):
    """State at the end, frames of 4 bytes that the link was given, and whether a byte came that it did not hear."""
    dut, frames, deaf = FramePlayer(PRINT), [[]], []

    async def bench(ctx):
        ctx.set(dut.errors, errors)
        place, pause, answer = 0, 0, 0
        for _ in range(30 * (len(memory) + 10)):
            offered = place < len(memory) and not pause
            ctx.set(dut.i.valid, offered)
            ctx.set(dut.i.payload, memory[min(place, len(memory) - 1)])
            # a little after its last byte the link sees that a frame is over
            ctx.set(dut.framing, bool(frames[-1]) and not 0 < answer < 38)
            ctx.set(dut.answered, answer == 1)
            ctx.set(dut.status, status(len(frames) - 1))
            answer = max(0, answer - 1)
            if ctx.get(dut.o.valid):
                deaf.append(answer > 0)
                frames[-1].append(ctx.get(dut.o.payload))
                if len(frames[-1]) == 4:
                    answer = 40
            taken = offered and ctx.get(dut.i.ready)
            pause = 3 if taken else max(0, pause - 1)
            place += taken
            if ctx.get(dut.answered):
                frames.append([])
            await ctx.tick()
        frames.append(Boot(ctx.get(dut.state)))
        assert ctx.get(dut.active) == (frames[-1] == Boot.PLAYING)

    run(dut, bench, cycles=31 * (len(memory) + 20))
    return frames[-1], [frame for frame in frames[:-1] if frame], any(deaf)


FRAMES = [bytes([REQUEST_SYNC, n, 0x00, REQUEST_SYNC]) for n in range(3)]
HELD = content(PRINT, FRAMES)


def test_player():
    assert HELD[:HEADER] == MAGIC + bytes.fromhex("efcdab8967452301")
    assert play(HELD) == (Boot.DONE, [list(frame) for frame in FRAMES], False)
    assert play(content(PRINT, [])) == (Boot.DONE, [], False)
    assert play(HELD[:-1]) == (Boot.PLAYING, [list(frame) for frame in FRAMES], False)


@pytest.mark.parametrize("where", range(HEADER))
def test_a_head_that_is_another(where):
    wrong = HELD[:where] + bytes([HELD[where] ^ 0x10]) + HELD[where + 1:]
    assert play(wrong) == (Boot.REFUSED, [], False)
    assert play(HELD[:where] + bytes([ERASED]) * 20) == (Boot.REFUSED if where else Boot.NOTHING, [], False)


def test_a_frame_that_is_refused():
    for bad in Status:
        if bad != Status.OK:
            assert play(HELD, status=lambda n, bad=bad: bad if n == 1 else Status.OK) == (
                Boot.REFUSED, [list(frame) for frame in FRAMES[:2]], False)


def test_what_is_no_frame_and_no_end():
    for byte in (0x01, ERASED, REQUEST_SYNC ^ 1):
        assert play(HELD[:-1] + bytes([byte])) == (Boot.REFUSED, [list(frame) for frame in FRAMES], False)
    assert play(HELD, errors=True) == (Boot.REFUSED, [list(frame) for frame in FRAMES], False)
