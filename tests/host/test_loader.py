"""Board against a device in plain Python: identify, load and run, with the link failing in every way."""

import os
import random
import sys
from binascii import crc_hqx
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from device import Device, Line, flip, one_line
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.board import Board
from firmware.loader import ATTEMPTS
from firmware.protocol import HELLO, READ, LinkError, PortError, Request, Response, Status, encode_response
from firmware.transport import connect
from firmware.window import DAMAGED
from golden.fixed import QFormat
from golden.frames import OLD_REQUEST, version_1
from golden.image import Image, build_image
from golden.rate import engine
from golden.rate.engine import random_params
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.regmap import FIRST_BIT, INPUT, MAGIC, OUTPUT, REGISTERS, WORD_MASK, parameter_address


def network(inputs=3, outputs=2, hidden=5, lanes=2):
    fields = {"activation": "tanh", "operand": QFormat(0, 15), "weight": QFormat(2, 15), "state": QFormat(4, 12),
              "lead": QFormat(5, 12), "lag": QFormat(0, 17), "rate": QFormat(0, 15), "max_delay": 3}
    return Network(name="test", dt=1.0, layers=(
        Dense(inputs=inputs, outputs=hidden, lanes=min(lanes, inputs + 1), **fields),
        Dense(inputs=hidden, outputs=outputs, **fields)))


NET = network()
PARAMS = random_params(NET, np.random.default_rng(1))
IMAGE = build_image(NET, PARAMS)


def board(net=NET, faults=None, loaded=True, **options):
    device = Device(net, **options)
    if loaded:
        device.params = random_params(net, np.random.default_rng(1))
    return Board(Line(device, faults), net, timeout=0.01, patience=0.05), device


def inputs(net, ticks, seed=2):
    fmt = net.layers[0].operand
    return np.random.default_rng(seed).integers(fmt.min, fmt.max + 1, (ticks, net.inputs))


def expected(net, x, seed=1):
    return engine.run(net, random_params(net, np.random.default_rng(seed)), x[None])[0]


def same(params, others):
    return all(np.array_equal(a, b) for p, q in zip(params, others, strict=True) for a, b in zip(p, q, strict=True))


def test_identify():
    host, _ = board()
    found = host.identify()
    assert found.fingerprint == NET.fingerprint
    assert (found.inputs, found.outputs, found.parameter_words, found.output_ticks) == (3, 2, len(IMAGE), 4)


def test_words_and_registers():
    host, device = board()
    host.set("scratch", 0xDEADBEEF)
    assert host.get("scratch") == 0xDEADBEEF
    host.write(parameter_address(0, 0), range(150))
    assert device.received == [(parameter_address(0, n), n) for n in range(150)]
    assert host.read(OUTPUT, 130, fixed=True) == [0] * 130
    with pytest.raises(LinkError, match=r"read of 4 words at 0x00000014: no such address \(after 2 words\)"):
        host.read(REGISTERS["overflow"].offset, 4)
    with pytest.raises(ValueError, match="no register 'speed'; there are magic"):
        host.get("speed")
    with pytest.raises(ValueError, match="magic cannot be written"):
        host.set("magic", 1)
    with pytest.raises(ValueError, match="load_begin cannot be read"):
        host.get("load_begin")


def test_long_reads_count_up():
    host, device = board()
    device.read = lambda addr: addr ^ 0x5A5A
    assert host.read(0x8000_0010, 150) == [addr ^ 0x5A5A for addr in range(0x8000_0010, 0x8000_0010 + 150)]


def test_load():
    host, device = board(loaded=False)
    progress = []
    host.load(IMAGE, progress.append)
    assert device.received == [tuple(pair) for pair in IMAGE.pairs.tolist()]
    assert device.loads == 1
    assert sum(progress) == len(IMAGE)
    assert same(device.params, PARAMS)


@pytest.mark.parametrize(("field", "message"), [
    ("magic", "magic 0x4c4c4146, a board of this project with 0x4c4c4147"),
    ("version", "version 3, this program speaks 2"),
])
def test_other_device(field, message):
    host, device = board()
    device.registers[field] ^= 1
    with pytest.raises(LinkError, match=message) as error:
        host.identify()
    one_line(error)


def test_other_design():
    """Refused before anything is written, and both fingerprints are named."""
    other = network(hidden=4)
    host, device = board(loaded=False)
    with pytest.raises(ValueError, match=f"{other.fingerprint}.*{NET.fingerprint}") as error:
        host.load(build_image(other, random_params(other, np.random.default_rng(0))))
    one_line(error)
    assert not device.loading
    with pytest.raises(ValueError, match=f"the image has {len(IMAGE) - 1} words, the device takes {len(IMAGE)}"):
        host.load(Image(NET.fingerprint, IMAGE.body[:-8]))
    host.net = other
    with pytest.raises(ValueError, match=f"{other.fingerprint}.*{NET.fingerprint}"):
        host.run(inputs(NET, 1)[None])


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 80), st.integers(1, 70), st.integers(1, 9), st.integers(1, 5), st.integers(0, 2))
def test_run_equals_golden(size, outputs, ticks, room, slow):
    net = network(size, outputs, 3, 1)
    host, _ = board(net, output_ticks=room, slow=slow)
    x, progress = inputs(net, ticks), []
    assert np.array_equal(host.run(x[None], progress.append)[0], expected(net, x))
    assert sum(progress) == ticks
    assert np.array_equal(host.run(x[None])[0], expected(net, x)), "a second run starts from reset"


@pytest.mark.parametrize("room", [1, 2, 4])
def test_outstanding_ticks(room):
    """The input is never written while the output buffer might be full."""
    host, device = board(output_ticks=room)
    take, most = device._input, []

    def watched(word):
        most.append(len(device.outputs) // NET.outputs)
        assert take(word) is True, "input written while the device had no room"
        return True

    device._input = watched
    x = inputs(NET, 20)
    assert np.array_equal(host.run(x[None])[0], expected(NET, x))
    assert max(most) == room - 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 80])
def test_run_after_a_run_cut_short(size):
    """Words and outputs that an earlier program left in the device do not reach the next run."""
    net = network(size, 2, 3, 1)
    x = inputs(net, 3)
    for left in {*range(min(size, 8)), size // 2, size - 1}:
        host, device = board(net)
        for word in [5] * (2 * size + left):
            assert device.write(INPUT, word)
        assert np.array_equal(host.run(x[None])[0], expected(net, x)), f"{left} words left"


def test_run_behind_a_full_output_buffer():
    """Whole vectors of an earlier program: nothing is cut short, and with one input there is nothing to complete."""
    net = network(1, 2, 3, 1)
    params = tuple(p._replace(weight=p.weight >> 4, bias=p.bias >> 4)
                   for p in random_params(net, np.random.default_rng(1)))
    host, device = board(net)
    device.params = params
    for word in (900, -7000, 30_000, -20_000):
        assert device.write(INPUT, word & WORD_MASK)
    assert not device.write(INPUT, 0), "the buffer is not full"
    x = inputs(net, 5)
    want = engine.run(net, params, x[None])[0]
    assert len({*want.ravel().tolist(), *(word & WORD_MASK for word in device.outputs)}) > 10, "words that look alike"
    assert np.array_equal(host.run(x[None])[0], want)


def test_input_words_at_the_ends_of_their_format():
    fmt = NET.layers[0].operand
    x = np.array([[[fmt.min, fmt.max, 0]]])
    assert NET.units(x).words.tolist() == [1 << FIRST_BIT | fmt.min & WORD_MASK, fmt.max, 0]
    for word in (fmt.min - 1, fmt.max + 1):
        with pytest.raises(ValueError, match="inputs hold words outside"):
            NET.units(x * 0 + word)


def test_device_that_never_ticks():
    host, device = board()
    device._input = lambda word: True
    with pytest.raises(LinkError, match="took 3 input words and more without a tick"):
        host.run(inputs(NET, 1)[None])


def test_busy_input_is_taken_up_again():
    """A device that is busy in the middle of a frame gets the rest later."""
    host, device = board()
    take, calls = device._input, iter(range(1000))
    device._input = lambda word: False if next(calls) % 5 == 4 else take(word)
    host._aligned = True
    x = inputs(NET, 9)
    assert np.array_equal(host.run(x[None])[0], expected(NET, x))


@pytest.mark.parametrize(("spoil", "message"), [
    (lambda d: d.outputs.append(1 << 31),
     "output word 1 is not marked as the last of a tick, with 2 outputs it should be"),
    (lambda d: d.outputs.clear(), "no output for 0.05 s after 0 of 1 ticks"),
])
def test_device_out_of_step(spoil, message):
    host, device = board()
    take = device._input

    def spoiled(word):
        if len(device.vector) == NET.inputs - 1:
            spoil(device)
        result = take(word)
        if message.startswith("no output"):
            spoil(device)
        return result

    host._aligned, device._input = True, spoiled
    with pytest.raises(LinkError, match=message) as error:
        host.run(inputs(NET, 1)[None])
    one_line(error)


def test_run_refuses():
    host, device = board()
    for x in (np.zeros((1, 3, 4), int), np.zeros((1, 0, 3), int), np.zeros((3, 3), int), np.zeros((1, 2, 3))):
        with pytest.raises(ValueError, match=r"inputs are integer words of shape \(n, ticks, 3\)"):
            host.run(x)
    with pytest.raises(ValueError, match=r"outside of Q0\.15"):
        host.run(np.full((1, 1, 3), 1 << 15))
    device.params = None
    with pytest.raises(LinkError, match="no parameters yet"):
        host.run(inputs(NET, 1)[None])
    host.net = None
    with pytest.raises(ValueError, match="needs the network description"):
        host.run(inputs(NET, 1)[None])
    host.net = NET
    device.registers["output_ticks"], device.params = 0, PARAMS
    host.identify()
    with pytest.raises(LinkError, match="room for 0 ticks"):
        host.run(inputs(NET, 1)[None])


# ---- faults


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 30), st.integers(0, 2400), st.sampled_from(["request", "response"]))
def test_one_flipped_bit_in_load(n, bit, direction):
    """One flipped bit anywhere is made good, and the device has the parameters of the image."""
    def faults(where, number, frame):
        return flip(frame, bit) if (where, number) == (direction, n) and frame else frame

    host, device = board(faults=faults, loaded=False)
    progress = []
    host.load(IMAGE, progress.append)
    assert sum(progress) == len(IMAGE)
    assert same(device.params, PARAMS)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 ** 32))
def test_noisy_line(seed):
    """However bad the line: parameters of the image or the old ones, a right result or one line of error."""
    rng = random.Random(seed)

    def faults(where, number, frame):
        kind = rng.random()
        if kind < 0.05:
            return flip(frame, rng.randrange(2400)) if frame else frame
        if kind < 0.08:
            return frame[:rng.randrange(len(frame) + 1)]
        return rng.randbytes(rng.randrange(5)) + frame if kind < 0.1 else frame

    host, device = board(faults=faults, loaded=False)
    device.params = before = random_params(NET, np.random.default_rng(5))
    x, result = inputs(NET, 10), None
    with suppress(LinkError):
        host.load(IMAGE)
        result = host.run(x[None])[0]
    assert same(device.params, PARAMS) if device.loads else device.params is before
    assert result is None or np.array_equal(result, expected(NET, x))


@pytest.mark.parametrize("addr", [parameter_address(0, 0), parameter_address(4, 0), REGISTERS["load_commit"].offset])
def test_lost_for_good(addr):
    """A frame that never comes through: three attempts, then one line; the old parameters stay."""
    begun = []

    def faults(where, number, data):
        if where == "request" and data[1:2] + data[3:8] == b"\2\1\x0a\0\0\0":
            begun.append(number)
        return b"" if where == "request" and data[4:8] == addr.to_bytes(4, "little") and begun else data

    host, device = board(faults=faults)
    before = device.params
    message = ("did not load in 3 attempts, the device keeps those it had: write of .*"
               "(no response within 0.01 s, 3|arrived out of turn, 40) times")
    with pytest.raises(LinkError, match=message) as error:
        host.load(IMAGE)
    one_line(error)
    assert len(begun) == ATTEMPTS
    assert device.params is before


def test_words_damaged_behind_the_link():
    """What no frame CRC sees, the CRC of the image does."""
    host, device = board(loaded=False)
    write = device.write
    device.write = lambda addr, word: write(addr, word ^ (addr == parameter_address(0, 3)))
    with pytest.raises(LinkError, match="the device refused the parameters: load_crc"):
        host.load(IMAGE)
    device.write = lambda addr, word: True if addr == parameter_address(0, 3) else write(addr, word)
    with pytest.raises(LinkError, match="refused the parameters: load_count"):
        host.load(IMAGE)
    assert device.params is None
    device.write = write
    host.load(IMAGE)
    device._commit = lambda crc: None
    with pytest.raises(LinkError, match="still loading 0.05 s after the commit"):
        host.load(IMAGE)
    device._commit, device.params = lambda crc: setattr(device, "loading", False), None
    with pytest.raises(LinkError, match="neither that it loaded"):
        host.load(IMAGE)


@pytest.mark.parametrize("direction", ["request", "response"])
@pytest.mark.parametrize("n", [0, 1, 2, 3, 6, 11])
def test_port_gone(direction, n):
    """A port that disappears ends at once with its own message; the old parameters stay."""
    def faults(where, number, frame):
        if number >= n and where == direction:
            raise PortError("port /dev/ttyUSB0 gives no bytes any more: gone")
        return frame

    host, device = board(faults=faults)
    before = device.params
    with pytest.raises(PortError, match="^port /dev/ttyUSB0 gives no bytes any more: gone$"):
        host.load(IMAGE)
    assert host.transport.frames == n + 1
    assert device.params is before


def lost(*numbers, where="response"):
    """A line that loses frames by their numbers; 0 is the hello."""
    return lambda direction, n, frame: b"" if direction == where and n in numbers else frame


@pytest.mark.parametrize("access", [lambda h: h.write(15, [7]), lambda h: h.read(OUTPUT, 1, fixed=True)])
@pytest.mark.parametrize("where", ["request", "response"])
def test_what_is_lost_is_sent_again_and_done_once(where, access):
    """A write, and a read of a FIFO, of which neither request nor response came through at first."""
    host, device = board(faults=lost(1, 2, where=where))
    device.outputs.extend([5, 6])
    done, read, write = [], device.read, device.write
    device.read = lambda addr: done.append(addr) or read(addr)
    device.write = lambda addr, word: done.append(addr) or write(addr, word)
    found = access(host)
    assert len(done) == 1
    assert found in (None, [5])
    assert host.transport.frames == 4


def test_refused_frames_are_sent_again():
    refused = encode_response(Response(status=Status.BAD_CRC))
    host, device = board(faults=lambda where, n, frame: refused if where == "response" and n == 0 else frame)
    host.write(15, [1])
    assert host.transport.frames == 3
    host, device = board(faults=lambda where, n, frame: frame if where == "request" or n < 1 else
                         encode_response(Response(status=Status.BAD_CRC, seq=host._window._waiting[0].seq)))
    with pytest.raises(LinkError, match=f"arrived with a wrong checksum or ended early, {DAMAGED} times"):
        host.write(15, [1])
    assert host.transport.frames == DAMAGED + 1


@pytest.mark.parametrize(("which", "frames"), [((2,), 4), ((1,), 4), ((1, 2), 5)])
def test_lost_responses_of_several(which, frames):
    """Two requests under way: that the second is answered tells that the response to the first is lost."""
    host, device = board(faults=lost(*which))
    host.write(parameter_address(0, 0), range(128))
    assert [word for _, word in device.received] == list(range(128))
    assert host.transport.frames == frames


def test_a_response_that_is_later_than_every_timeout():
    """What comes after all attempts, and after those of the next hello, is nobody's."""
    late = []

    def faults(where, number, frame):
        if where == "response":
            late.append(frame)
            return b""
        return frame

    host, device = board()
    device.read = lambda addr: 1000 + addr
    assert host.read(8) == [1008]
    host.transport.faults = faults
    for addr in (9, 12):
        with pytest.raises(LinkError, match="no response within"):
            host.read(addr)
    assert len(late) > 2 * ATTEMPTS
    host.transport.faults = lambda where, number, frame: frame
    for addr in (13, 15, 8, 9, 12, 13, 15):
        host.transport.waiting += late.pop(0)
        assert host.read(addr) == [1000 + addr]


def test_a_reset_between_requests_and_between_a_request_and_its_repetition():
    """A request that was refused only is done anew; one that may have been done is not."""
    host, device = board()
    assert host.read(15) == [0]
    device.reset()
    host.set("scratch", 3)
    assert host.get("scratch") == 3

    def faults(where, number, frame):
        if where == "response" and not device.resets > 1:
            device.reset()
            return b""
        return frame
    host.transport.faults = faults
    with pytest.raises(LinkError, match="write of 1 words at 0x0000000f: the device has begun anew") as error:
        host.set("scratch", 4)
    one_line(error)
    assert host.get("scratch") == 0


def test_response_to_something_else():
    other = Response(status=Status.OK, op=READ, count=2, data=(0, 0))
    host, _ = board()
    host.read(0)
    host.transport.faults = lambda where, n, frame: frame if where == "request" else encode_response(
        replace(other, seq=host._window._waiting[0].seq))
    with pytest.raises(LinkError, match="the response is for an op 1 of 2 words"):
        host.read(0)


class OldDevice:
    """What a board of version 1 does with bytes: CRC-16, no numbers."""

    version = 1

    def answer(self, data):
        """Its response to a read of registers; silence for the rest."""
        if data != OLD_REQUEST:
            return b""
        return version_1(0x5A, bytes([READ, 8]) + b"".join(
            word.to_bytes(4, "little") for word in (MAGIC, self.version, 0, 0, 0, 0, 0, 0)))


@pytest.mark.parametrize("answer", [OldDevice().answer, lambda data: b"", lambda data: b"\x5a\x10\0\0\0"])
def test_an_old_device_is_named(answer):
    """Three hellos, then a question as version 1 puts it: nothing is done."""
    sent = []
    host, _ = board()
    host.transport.write = lambda data: (sent.append(bytes(data)), host.transport.waiting.extend(answer(data)))
    with pytest.raises(LinkError) as error:
        host.set("scratch", 1)
    assert sent[-1] == OLD_REQUEST
    assert all(frame[1] == HELLO for frame in sent[:-1])
    old = "the device has version 1 of link and address map, this program speaks 2: build its bitstream anew"
    assert (one_line(error) == old) == (answer(OLD_REQUEST)[:2] == b"\x5a\x01")


def test_an_old_host_is_told_the_version():
    """What the model and the circuit answer to the first request of version 1, as that version reads it."""
    host, device = board()
    found = host.transport.responder.respond(b"\0" + OLD_REQUEST)
    assert found[:3] == b"\x5a\1\x08"
    assert [int.from_bytes(found[n:n + 4], "little") for n in (3, 7)] == [MAGIC, 2]
    assert crc_hqx(found[1:-2], 0xFFFF).to_bytes(2, "little") == found[-2:]


def test_endless_line():
    host, _ = board()
    host.transport.read = lambda n, timeout: b"\0" * n
    with pytest.raises(LinkError, match="sends without end"):
        host.read(0)


# ---- the serial port


def test_connect_names():
    with pytest.raises(PortError, match="no port /dev/ttyNONE9; there (are|is no)") as error:
        connect("/dev/ttyNONE9")
    one_line(error)
    with pytest.raises(ValueError, match="a port is a name like"):
        connect("")
    with pytest.raises(ValueError, match="baud must be"):
        connect("/dev/ttyUSB0", baud=0)
    with pytest.raises(PortError, match="no port /dev/ttyNONE9"):
        connect("/dev/ttyNONE9", baud=1)


def test_not_a_serial_port(tmp_path):
    pytest.importorskip("serial")
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(PortError, match="cannot be opened") as error:
        connect(str(file))
    one_line(error)


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
def test_serial_port_that_disappears():
    """A real serial device name: bytes both ways, then the other end goes away."""
    pytest.importorskip("serial")
    ours, theirs = os.openpty()
    with connect(os.ttyname(theirs)) as port:
        with pytest.raises(PortError):      # no second program beside us
            connect(os.ttyname(theirs))
        os.close(theirs)
        frame = bytes(range(256))
        port.write(frame)
        got = b""
        while len(got) < len(frame):
            got += os.read(ours, 1024)
        assert got == frame
        os.write(ours, frame)
        assert port.read(256, 1.0) == frame
        assert port.read(1, 0) == b""
        os.close(ours)
        with pytest.raises(PortError, match=f"port {port.port} gives no bytes any more: .") as error:
            port.read(1, 1.0)
        one_line(error)
        with pytest.raises(PortError, match="does not take bytes any more") as error:
            port.write(b"x")
        one_line(error)
    port.close()
    with pytest.raises(PortError, match="gives no bytes"):
        port.read(1, 0)


def test_delays_reach_the_device():
    """Delays are part of the image, not of the fingerprint."""
    host, device = board(loaded=False)
    host.load(build_image(replace(NET, layers=tuple(replace(layer, delay=2) for layer in NET.layers)), PARAMS))
    assert [word for addr, word in device.received if addr >> 16 & 0xFFF in (4, 8)] == [2, 2]


def test_context_managers():
    host, _ = board()
    with host as same:
        assert same is host
    assert host.transport.closed
    assert Request(op=1, addr=0, count=1).data == ()
