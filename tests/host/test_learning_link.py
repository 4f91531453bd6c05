"""Learning through the host driver: a device in plain Python with faults, then the simulated board, byte by byte."""


import numpy as np
import pytest
from cases import random_network
from device import Device, Line, learner
from hypothesis import given, settings
from hypothesis import strategies as st
from learning_line import NET, PARAMS, STATES, Golden, board, data, one_line
from rate_line import same

from firmware.board import Board
from firmware.learning import EMPTY, Learner, LearningState
from firmware.protocol import LinkError
from golden.image import build_image, learning_addresses
from golden.regmap import INPUT


@settings(max_examples=30, deadline=None)
@given(st.sampled_from([1, 2, 4]), st.sampled_from(["squared_error", "cross_entropy"]), st.integers(1, 25),
       st.integers(1, 5), st.integers(0, 2), st.integers(0, 7))
def test_learn_equals_golden(streams, loss, ticks, room, slow, halvings):
    net = learner(streams=streams, loss=loss)
    host, _ = board(net, output_ticks=room, slow=slow)
    golden, (x, target), progress = Golden(net, PARAMS), data(net, ticks), []
    flags = np.random.default_rng(3).random((2, *x.shape[:2])) < 0.8
    options = {"learn": flags[0], "teach": flags[1], "halvings": halvings}
    rates = Learner(host).learn(x, target, **options, progress=progress.append)
    assert rates.dtype == np.int64
    assert np.array_equal(rates, golden.learn(x, target, **options))
    assert sum(progress) == ticks
    assert np.array_equal(Learner(host).learn(x, target, first=False),
           golden.learn(x, target, first=False)), "it goes on"
    assert same(Learner(host).read_parameters(PARAMS), golden.state.params)
    assert np.array_equal(host.run(x[None])[0], golden.infer(x))
    assert np.array_equal(host.run(x[:, 0][None])[0], golden.infer(x)[:, 0]), "stream 0 answers"
    assert np.array_equal(Learner(host).learn(x, target), golden.learn(x, target)), "a new sequence starts from rest"
    assert same(Learner(host).read_parameters(PARAMS), golden.state.params)


@pytest.mark.parametrize("room", [1, 2, 4])
def test_outstanding_ticks(room):
    """The input is never written while the output buffer might be full, and nothing is aligned to go on."""
    host, device = board(output_ticks=room)
    take, most, words = device._input, [], []

    def watched(word):
        most.append(len(device.outputs) // NET.outputs)
        words.append(word)
        assert take(word) is True, "input written while the device had no room"
        return True

    device._input = watched
    x, target = data(NET, 12)
    Learner(host).learn(x, target)
    del words[:]
    Learner(host).learn(x, target, first=False)
    assert words == NET.learning_units(x, target, first=False).words.tolist()
    assert max(most) == room - 1


@pytest.mark.parametrize("errors", [True, False])
def test_after_a_sequence_cut_short(errors):
    """Words that an earlier program left in the device move no weight, and do not reach the next sequence."""
    x, target = data(NET, 3)
    size = NET.inputs + NET.targets if errors else NET.inputs
    for left in range(size):
        _, device = board()
        golden = Golden(NET, PARAMS)
        device.registers["learning"] = errors
        words = NET.learning_units(x, target, first=True).words.reshape(*x.shape[:2], -1)
        words = words[:, :, :size].ravel()[:3 * size + left]
        for word in words.tolist():
            assert device.write(INPUT, word)
        if errors:
            golden.learn(x, target, vectors=3)
        host = Board(Line(device), NET, timeout=0.01, patience=0.05)
        assert Learner(host).learning_state().running == errors
        with pytest.raises(LinkError, match=r"no sequence with errors to go on with.*begin another \(first=True\)"):
            Learner(host).learn(x, target, first=False)
        assert np.array_equal(host.run(x[None])[0], golden.infer(x)), f"{left} words left"
        assert same(Learner(host).read_parameters(PARAMS), golden.state.params), f"{left} words left"
        again = Board(Line(device), NET, timeout=0.01, patience=0.05)
        for word in words.tolist()[-left:] if left else ():
            device.write(INPUT, word & 0x3FFFF)
        golden.state = golden.state._replace(ticks=device.error_ticks)      # the registers of the noise went on
        assert np.array_equal(Learner(again).learn(x, target), golden.learn(x, target)), f"{left} words left"


def test_a_load_makes_a_new_device():
    """Also where it cuts a sequence short: golden from the start, to the last bit that is rounded."""
    x, target = data(NET, 3)
    for left in range(NET.inputs + NET.targets):
        host, device = board()
        Learner(host).learn(x, target)
        for word in [5] * left:
            device.write(INPUT, word)
        host = Board(Line(device), NET, timeout=0.01, patience=0.05)
        host.load(build_image(NET, PARAMS))
        with pytest.raises(LinkError, match="no sequence with errors to go on with"):
            Learner(host).learn(x, target, first=False)
        golden = Golden(NET, PARAMS)
        assert np.array_equal(Learner(host).learn(x, target), golden.learn(x, target)), f"{left} words left"
        assert same(Learner(host).read_parameters(PARAMS), golden.state.params), f"{left} words left"
        host.load(build_image(NET, PARAMS))
        golden.state = golden.state._replace(ticks=0, params=PARAMS)
        assert np.array_equal(Learner(host).learn(x, target, first=False),
               golden.learn(x, target, first=False)), "it goes on"


def test_nothing_to_go_on_with():
    host, _ = board()
    x, target = data(NET, 2)
    host.run(x[None])
    with pytest.raises(LinkError, match="no sequence with errors to go on with") as error:
        Learner(host).learn(x, target, first=False)
    one_line(error)


def test_frames_of_read_parameters():
    """Words that follow one another come in one frame."""
    net = learner(streams=1)
    host, _ = board(net)
    host.identify()
    before = host.transport.frames
    Learner(host).read_parameters(PARAMS)
    addresses = learning_addresses(net)
    runs = 1 + int((np.diff(addresses) != 1).sum())
    assert host.transport.frames - before == runs + 3
    read, found = [], Learner(host)._read_words(addresses)
    host.read = lambda addr, count: read.append((addr, count)) or [0] * count
    assert len(Learner(host)._read_words(addresses)) == len(found) == len(addresses)
    assert [addr + n for addr, count in read for n in range(count)] == addresses.tolist()


def test_state_and_overflow():
    host, _ = board()
    x, target = data(NET, 8)
    assert Learner(host).learning_state() == STATES["fresh"]
    assert str(Learner(host).learning_state()) == "the weights are those of the image; no errors run"
    golden = Golden(NET, PARAMS)
    Learner(host).learn(x, target)
    golden.learn(x, target)
    layers = tuple(n for n, layer in enumerate(golden.state.overflow) if layer)
    assert layers, "nothing saturates, the test is blind"
    state = Learner(host).learning_state()
    assert state == LearningState(loaded=True, learnt=True, running=True, overflow=layers)
    assert str(state).startswith("the weights have moved since the image; errors run; errors reached the end of their "
                                 f"format in layer {layers[0]}")
    Learner(host).clear_flags()
    assert Learner(host).learning_state().overflow == ()
    host.run(x[None])
    assert not Learner(host).learning_state().running


def test_learn_refuses():
    host, device = board()
    x, target = data(NET, 3)
    for options, message in (
            ({"halvings": 8}, r"halvings must be an integer in 0\.\.7, not 8"), ({"halvings": -1}, "not -1"),
            ({"halvings": 1.0}, "not 1.0"), ({"halvings": True}, "not True"),
            ({"learn": np.ones(3)}, r"learn has shape \(3,\), expected \(3, 2\)"),
            ({"teach": np.ones((2, 3))}, r"teach has shape \(2, 3\)")):
        with pytest.raises(ValueError, match=message):
            Learner(host).learn(x, target, **options)
    for a, b, message in ((x[:, :1], target, r"inputs are integer words of shape \(ticks, 2, 4\)"),
                          (x, target[:2], "3 ticks of inputs, 2 of targets"), (x + 4096, target, "inputs hold words"),
                          (x, target - 4096, "targets hold words"), (x * 0.5, target, "integer words")):
        with pytest.raises(ValueError, match=message):
            Learner(host).learn(a, b)
    for a in (x[:, :1], x[:, :, :3], x[:0], x * 0.5):
        with pytest.raises(ValueError, match=r"of shape \(n, ticks, 4\) or \(n, ticks, 2, 4\)"):
            host.run(a[None])
    assert host.transport.frames == 0, "refused before anything is sent"
    device.params = None
    for call in (lambda: Learner(host).learn(x, target), lambda: host.run(x[None]),
                 lambda: Learner(host).read_parameters(PARAMS)):
        with pytest.raises(LinkError, match=EMPTY):
            call()
    host.net = None
    with pytest.raises(ValueError, match="needs the network description"):
        Learner(host).learn(x, target)


def test_without_teacher():
    net = random_network("link", largest=3)
    host = Board(Line(Device(net)), net, timeout=0.01, patience=0.05)
    x = np.zeros((1, 1, net.inputs), int)
    for call in (lambda: Learner(host).learn(x, x), lambda: Learner(host).read_parameters(()),
                 Learner(host).clear_flags):
        with pytest.raises(ValueError, match="random has no teacher and no plastic layer: nothing in it learns"):
            call()
    assert str(Learner(host).learning_state()) == EMPTY


def test_another_design():
    host, _ = board()
    host.net = learner(streams=4)
    with pytest.raises(ValueError, match=f"{host.net.fingerprint}.*{NET.fingerprint}"):
        Learner(host).learn(*data(host.net, 1))
    with pytest.raises(ValueError, match=f"{host.net.fingerprint}.*{NET.fingerprint}"):
        Learner(host).read_parameters(PARAMS)
