"""Learning through a line that fails: resets, lost links, noise, a user who stops it."""

import random
from contextlib import suppress

import numpy as np
import pytest
from device import Line
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_line import NET, PARAMS, STATES, Golden, board, data, one_line
from rate_line import same

from firmware.board import Board
from firmware.learning import EMPTY, RESET, Learner
from firmware.loader import ATTEMPTS
from firmware.protocol import LinkError, PortError, Response, Status, encode_response
from golden.image import build_image


def test_after_a_reset():
    host, device = board()
    golden, (x, target) = Golden(NET, PARAMS), data(NET, 4)
    host.load(build_image(NET, PARAMS))
    device.reset()
    assert str(Learner(host).learning_state()) == EMPTY, "nothing had moved"
    host.load(build_image(NET, PARAMS))
    Learner(host).learn(x, target)
    golden.learn(x, target)
    device.reset()
    assert Learner(host).learning_state() == STATES["reset"]
    assert str(Learner(host).learning_state()) == RESET
    for call in (lambda: Learner(host).learn(x, target),
                 lambda: Learner(host).learn(x, target, first=False), lambda: host.run(x[None])):
        with pytest.raises(LinkError, match=f"^{RESET}$"):
            call()
    found = Learner(host).read_parameters(PARAMS)
    assert same(found, golden.state.params)
    host.load(build_image(NET, found))
    golden = Golden(NET, found)
    assert np.array_equal(Learner(host).learn(x, target), golden.learn(x, target))
    assert same(Learner(host).read_parameters(found), golden.state.params)


def test_a_reset_in_mid_sequence_never_passes_unnoticed():
    x, target = data(NET, 8)
    for call in (lambda host: Learner(host).learn(x, target), lambda host: host.run(x[None])):
        host, _ = board()
        call(host)
        frames = host.transport.frames
        for n in range(frames):
            host, device = board()
            device.learnt = True

            def faults(where, number, frame, n=n, device=device):
                if where == "request" and number == n:
                    device.reset()
                return frame

            host.transport.faults = faults
            with pytest.raises(LinkError, match=f"^{RESET}$"):
                call(host)


@pytest.mark.parametrize("kind", [LinkError, PortError])
def test_link_lost_in_mid_learning(kind):
    golden, (x, target) = Golden(NET, PARAMS), data(NET, 20)
    whole = golden.learn(x, target)
    for n in range(7, 21):     # frames 0 to 6 make it ready, the others carry words
        def faults(where, number, frame, n=n):
            if number >= n and where == "response":
                if kind is PortError:
                    raise PortError("the cable is out")
                return b""
            return frame

        host, device = board(faults=faults)
        host._aligned, seen = True, []
        with pytest.raises(kind, match="^learning was cut short when .* ticks had come back: .*; the weights stay on "
                                       "the device, read them with read_parameters when the link is back$") as error:
            Learner(host).learn(x, target, progress=seen.append)
        message = one_line(error)
        assert f"when {sum(seen)} of 20 ticks" in message
        assert ("the cable is out" if kind is PortError else "no response within") in message
        golden, again = Golden(NET, PARAMS), Board(Line(device), NET, timeout=0.01, patience=0.05)
        if device.error_ticks:
            golden.learn(x, target, vectors=device.error_ticks)
        assert same(Learner(again).read_parameters(PARAMS), golden.state.params)
        host.transport.faults = lambda where, number, frame: frame
        golden.state = golden.state._replace(ticks=device.error_ticks)
        assert same(Learner(host).read_parameters(PARAMS), Learner(again).read_parameters(PARAMS)), \
            "the same host goes on as well"
        assert Learner(host).learn(x, target).shape == whole.shape


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2 ** 32))
def test_noisy_line(seed):
    """However bad the line: the right result or one line of error, and the device holds what the ticks made of it."""
    rng = random.Random(seed)

    def faults(where, number, frame):
        kind = rng.random()
        if kind < 0.03 and frame:
            bit = rng.randrange(8 * len(frame))
            return frame[:bit // 8] + bytes([frame[bit // 8] ^ 1 << bit % 8]) + frame[bit // 8 + 1:]
        if kind < 0.05:
            return frame[:rng.randrange(len(frame) + 1)]
        return rng.randbytes(rng.randrange(5)) + frame if kind < 0.06 else frame

    host, device = board(faults=faults)
    golden, (x, target), rates, found = Golden(NET, PARAMS), data(NET, 10), None, None
    with suppress(LinkError):
        rates = Learner(host).learn(x, target)
    with suppress(LinkError):
        found = Learner(host).read_parameters(PARAMS)
    want = golden.learn(x, target, vectors=device.error_ticks) if device.error_ticks else None
    assert rates is None or np.array_equal(rates.reshape(want.shape), want)
    assert found is None or same(found, golden.state.params)


def test_reads_of_parameters_are_repeated():
    refused = encode_response(Response(status=Status.BAD_CRC))
    bad = []

    def faults(where, number, frame):
        if where == "response" and number % 3:
            bad.append(number)
            return refused if number % 2 else b""
        return frame

    host, _ = board(faults=faults)
    assert same(Learner(host).read_parameters(PARAMS), PARAMS)
    assert len(bad) > ATTEMPTS


def test_interrupted_by_hand():
    """Ctrl-C in the middle of a response: the same program goes on, nothing is taken for something else."""
    x, target = data(NET, 10)
    for n in range(4, 12):
        host, device = board()
        host._aligned = True

        def faults(where, number, frame, n=n, waiting=host.transport.waiting):
            if number == n and where == "response":
                waiting += frame[:len(frame) * 2 // 3]
                raise KeyboardInterrupt
            return frame

        host.transport.faults = faults
        with pytest.raises(KeyboardInterrupt):
            Learner(host).learn(x, target)
        golden = Golden(NET, PARAMS)
        if device.error_ticks:
            golden.learn(x, target, vectors=device.error_ticks)
        assert same(Learner(host).read_parameters(PARAMS), golden.state.params)
        assert np.array_equal(host.run(x[None])[0], golden.infer(x))
