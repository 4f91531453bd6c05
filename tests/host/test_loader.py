"""Board against a device in plain Python: identify, load and run, with the link failing in every way."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest
from device import one_line
from hypothesis import given, settings
from hypothesis import strategies as st
from rate_line import IMAGE, NET, PARAMS, board, expected, inputs, network, same

from firmware.protocol import LinkError, PortError, Request
from firmware.transport import connect
from golden.image import Image, build_image
from golden.rate import engine
from golden.rate.engine import random_params
from golden.regmap import FIRST_BIT, INPUT, OUTPUT, REGISTERS, WORD_MASK, parameter_address


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
