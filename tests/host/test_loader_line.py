"""A driver on a bad line: what is flipped, lost, late or repeated, and devices that are none."""

import random
from binascii import crc_hqx
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from device import flip, one_line
from hypothesis import given, settings
from hypothesis import strategies as st
from rate_line import IMAGE, NET, PARAMS, board, expected, inputs, same

from firmware.loader import ATTEMPTS
from firmware.protocol import HELLO, READ, LinkError, PortError, Response, Status, encode_response
from firmware.window import DAMAGED
from golden.frames import OLD_REQUEST, version_1
from golden.rate.engine import random_params
from golden.regmap import MAGIC, OUTPUT, REGISTERS, parameter_address


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
