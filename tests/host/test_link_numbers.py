"""Numbers of requests: hello, repetitions, chains, two requests under way, a host of version 1."""

from links import ACK, IDLE, Memory, exchange, read, simulate, simulate_with, words, write

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
from golden.frames import OLD_ANSWER, OLD_REQUEST
from rtl.host.link import HostLink
from sim.pysim import receive


def test_numbers():
    """Done once, answered as often as asked for; what is neither next nor one of the last two is refused."""
    data = words(3)
    frames = [write(7, data), write(7, [9]), read(8, 2, seq=1), write(7, data), read(8, 2, seq=1), read(8, 2, seq=1),
              write(8, [0], seq=2), read(8, 2, seq=1), write(7, data), read(8, seq=4), read(8, seq=3)]
    answers, memory = exchange(frames)
    first, second = Response(status=Status.OK, op=WRITE, count=3), Response(status=Status.OK, op=READ, count=2,
                                                                           data=data[1:], seq=1)
    refused = Response(status=Status.SEQUENCE, seq=3)
    assert [decode_response(answer) for answer in answers] == [
        first, first, second, first, second, second, Response(status=Status.OK, op=WRITE, count=1, seq=2), second,
        refused, refused, Response(status=Status.OK, op=READ, count=1, data=[0], seq=3)]
    assert [entry[:2] for entry in memory.log] == [
        *(("write", 7 + n) for n in range(3)), ("read", 8), ("read", 9), ("write", 8), ("read", 8)]


def test_hello():
    """Before the first all are refused; each begins the numbers anew, is done again, and what was kept is forgotten."""
    def hello(word, seq):
        return encode_request(Request(op=HELLO, addr=5, count=1, data=(word,), seq=seq))
    frames = [read(1), hello(77, 9), read(1, seq=10), hello(78, 9), read(2, seq=9), read(3, seq=10), read(2, seq=9),
              hello(79, 255), read(4), read(3, seq=255)]
    answers, memory = exchange(frames, hello=False)
    stranger, sequence = (Response(status=status, seq=turn) for status, turn in ((Status.STRANGER, 0),
                                                                                (Status.SEQUENCE, 10)))
    found = [decode_response(answer) for answer in answers]
    assert found[0] == stranger
    assert [found[n].data[0] for n in (1, 3, 7)] == [77, 78, 79]
    assert {(found[n].op, found[n].status, found[n].count, found[n].seq) for n in (1, 3)} == {(HELLO, 0, 1, 9)}
    assert found[4] == sequence
    assert [response.status for response in found] == [7, 0, 0, 0, 5, 0, 5, 0, 0, 5]
    assert memory.log == [("read", 1), ("read", 3), ("read", 4)]


def test_chained():
    """Requests that are chained to one that was not done whole are skipped, up to one that is not chained."""
    frames = [read(1, chained=True), read(254, 3, seq=1), read(2, seq=2, chained=True), read(2, seq=2),
              write(3, [1], fixed=True, seq=3, chained=True), read(4, seq=4), read(5, seq=5, chained=True),
              write(256, [1], seq=6), read(6, seq=7, chained=True), write(256, [1], seq=6)]
    answers, memory = exchange(frames)
    found = [decode_response(answer) for answer in answers]
    assert [response.status for response in found] == [0, 4, 6, 6, 6, 0, 0, 3, 6, 3]
    assert found[2] == found[3] == Response(status=Status.SKIPPED, op=READ, seq=2)
    assert found[4] == Response(status=Status.SKIPPED, op=WRITE, fixed=True, seq=3)
    assert [entry[1] for entry in memory.log] == [1, 254, 255, 4, 5, 256]


def test_two_under_way():
    """The second request comes while the first is done, and the third while the second's response goes out."""
    dut, memory, out = HostLink(idle_cycles=200, ack_cycles=ACK), Memory(), []
    frames = [encode_request(Request(op=HELLO, addr=0, count=1, data=(1,), seq=255)), read(0, 40), read(40, 40, seq=1),
              write(7, [5, 6], seq=2, chained=True), read(6, 4, seq=3, chained=True)]

    async def drive(ctx):
        for n, frame in enumerate(frames):
            # at most two, as hosts do
            while len(out) < (0, 12, 12, 12 + 168, 12 + 336)[n]:
                await ctx.tick()
            for byte in frame:
                ctx.set(dut.i.payload, byte)
                ctx.set(dut.i.valid, 1)
                await ctx.tick()
                ctx.set(dut.i.valid, 0)
                await ctx.tick().repeat(8)
        while len(out) < 12 + 2 * 168 + 8 + 24:
            await ctx.tick()

    async def sink(ctx):
        ctx.set(dut.o.ready, 1)
        while True:
            *_, valid, byte = await ctx.tick().sample(dut.o.valid, dut.o.payload)
            if valid:
                out.append(byte)
            ctx.set(dut.o.ready, 0)
            await ctx.tick().repeat(9)
            ctx.set(dut.o.ready, 1)

    simulate_with(dut, drive, sink, memory)
    data, found = bytes(out), []
    for size in (12, 168, 168, 8, 24):
        found.append(decode_response(data[:size]))
        data = data[size:]
    assert [response.status for response in found] == [0] * 5
    assert found[1].data + found[2].data == tuple(n * 0x01010101 for n in range(80))
    assert found[4].data == (6 * 0x01010101, 5, 6, 9 * 0x01010101)


def test_a_host_of_version_1():
    """It is told the version behind noise, and the bus sees nothing; hosts of today go on."""
    dut, memory, out = HostLink(idle_cycles=IDLE, ack_cycles=ACK), Memory(), []

    async def drive(ctx):
        for byte in b"\0" + OLD_REQUEST:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        out.extend(await receive(ctx, dut.o, len(OLD_ANSWER)))
        await ctx.tick().repeat(2 * IDLE)
        assert not ctx.get(dut.o.valid)
        # in a frame it is nothing special
        for byte in read(1)[:8] + OLD_REQUEST:
            ctx.set(dut.i.payload, byte)
            ctx.set(dut.i.valid, 1)
            await ctx.tick()
        ctx.set(dut.i.valid, 0)
        out.extend(await receive(ctx, dut.o, 8))

    simulate(dut, drive, device=memory, bus=dut.bus, cycles=1000)
    assert bytes(out) == OLD_ANSWER + encode_response(Response(status=Status.BAD_CRC))
    assert memory.log == []
