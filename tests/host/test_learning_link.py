"""Learning through the host driver: a device in plain Python with faults, then the simulated board, byte by byte."""

import os
import random
from contextlib import suppress

import numpy as np
import pytest
from cases import random_network
from device import Device, Line, learner, learner_params
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.board import Board
from firmware.learning import EMPTY, RESET, Learner, LearningState
from firmware.loader import ATTEMPTS
from firmware.protocol import LinkError, PortError, Response, Status, encode_response
from golden.image import build_image, learning_addresses
from golden.programs import ToolError
from golden.rate import engine
from golden.rate.learn import learn_tick, registers, start
from golden.regmap import INPUT
from sim.harness.board import SimulatedBoard

NET = learner()
PARAMS = learner_params(NET)
STATES = {"fresh": LearningState(loaded=True, learnt=False, running=False, overflow=()),
          "reset": LearningState(loaded=False, learnt=True, running=False, overflow=())}


class Golden:
    """golden.rate.learn beside a device that was loaded with `params`: the same calls."""

    def __init__(self, net, params):
        self.net, self.state, self.noise = net, start(net, params), registers(net)

    def learn(self, x, target, *, first=True, learn=True, teach=True, halvings=0, vectors=None):
        """Rates; `vectors`: only so many, of the streams in turn, (vectors, outputs)."""
        shape = np.shape(x)[:2]
        rates, learn, teach = [], np.broadcast_to(learn, shape), np.broadcast_to(teach, shape)
        for t, s in list(np.ndindex(shape))[:vectors]:
            self.state, out = learn_tick(self.state, s, x[t, s], target[t, s], self.net, first=first and t == 0,
                                         learn=learn[t, s], teach=teach[t, s], halve=halvings, noise=self.noise)
            rates.append(out.rate)
        return np.array(rates) if vectors else np.array(rates).reshape(*shape, -1)

    def infer(self, x):
        """Rates without errors."""
        streams = engine.run(self.net, self.state.params, np.moveaxis(np.asarray(x), 1, 0))
        return np.moveaxis(streams, 0, 1)


def data(net, ticks, seed=2):
    """x, target."""
    rng, fmt, rate = np.random.default_rng(seed), net.layers[0].operand, net.layers[-1].rate
    low, high = (0, net.outputs) if net.teacher.loss == "cross_entropy" else (rate.min, rate.max + 1)
    return (rng.integers(fmt.min, fmt.max + 1, (ticks, net.streams, net.inputs)),
            rng.integers(low, high, (ticks, net.streams, net.targets)))


def board(net=NET, params=PARAMS, faults=None, **options):
    device = Device(net, **options)
    device.params = params
    return Board(Line(device, faults), net, timeout=0.01, patience=0.05), device


def same(params, others):
    return all(np.array_equal(a, b) for p, q in zip(params, others, strict=True) for a, b in zip(p, q, strict=True))


def one_line(error):
    assert "\n" not in str(error.value)
    return str(error.value)


# ---- a device in plain Python


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


# ---- resets and lost links


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


# ---- the simulated board


class Cut(SimulatedBoard):
    """A board whose cable is pulled after so many bytes, one of them in the middle of a frame."""

    left = None

    def write(self, data):
        if self.left is None:
            super().write(data)
            return
        super().write(data[:self.left])
        if len(data) > self.left:
            self.left = 0
            raise PortError("the cable is out")
        self.left -= len(data)


@pytest.fixture(scope="module")
def line():
    try:
        return Cut(NET, quick=True)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def test_the_board_learns_as_golden(line):
    host, golden = Board(line, NET), Golden(NET, PARAMS)
    host.load(build_image(NET, PARAMS))
    assert not Learner(host).learning_state().learnt
    x, target = data(NET, 40)
    flags = np.random.default_rng(4).random((2, *x.shape[:2])) < 0.8
    for options in ({"halvings": 1}, {"first": False, "learn": flags[0], "teach": flags[1]}, {"halvings": 3}):
        assert np.array_equal(Learner(host).learn(x, target, **options), golden.learn(x, target, **options)), options
        assert same(Learner(host).read_parameters(PARAMS), golden.state.params), options
    assert not same(golden.state.params, PARAMS)
    layers = tuple(n for n, layer in enumerate(golden.state.overflow) if layer)
    assert layers
    assert Learner(host).learning_state() == LearningState(loaded=True, learnt=True, running=True, overflow=layers)
    Learner(host).clear_flags()
    assert Learner(host).learning_state().overflow == ()
    assert np.array_equal(host.run(x[None])[0], golden.infer(x))
    assert np.array_equal(host.run(x[:7, 0][None])[0], golden.infer(x[:7])[:, 0])
    assert same(Learner(host).read_parameters(PARAMS), golden.state.params), "inference moves nothing"
    # the learnt parameters as an image for a device that starts anew
    found = Learner(host).read_parameters(PARAMS)
    host.load(build_image(NET, found))
    assert Learner(host).learning_state() == STATES["fresh"]
    golden = Golden(NET, found)
    assert np.array_equal(Learner(host).learn(x, target), golden.learn(x, target))
    assert same(Learner(host).read_parameters(found), golden.state.params)


def test_errors_that_fit_set_no_overflow(line):
    params = tuple(p._replace(**{name: getattr(p, name) * 0 for name in ("weight", "bias")}) for p in PARAMS)
    host, golden = Board(line, NET), Golden(NET, params)
    host.load(build_image(NET, params))
    Learner(host).clear_flags()
    x, target = data(NET, 6)
    target >>= 7
    assert np.array_equal(Learner(host).learn(x >> 5, target, halvings=3), golden.learn(x >> 5, target, halvings=3))
    assert golden.state.overflow == (False, False)
    assert Learner(host).learning_state().overflow == ()


@pytest.mark.parametrize("left", [0, 5, 33, 300, 1100, 2001, 2777])
def test_a_cable_pulled_in_mid_learning(line, left):
    """The weights stay, those of the ticks that the device had; then it aligns without moving them, and learns on."""
    host, golden = Board(line, NET), Golden(NET, PARAMS)
    host.load(build_image(NET, PARAMS))
    x, target = data(NET, 60)
    begin = host._begin

    def pulled_later(*arguments):
        room = begin(*arguments)
        host.set("ticks", 0)
        line.left = left
        return room

    host._begin = pulled_later
    with pytest.raises(PortError, match=r"^learning was cut short when \d+ of 60 ticks had come back: the cable is "
                                        "out; the weights stay on the device") as error:
        Learner(host).learn(x, target)
    line.left = None
    again = Board(line, NET)
    found = Learner(again).read_parameters(PARAMS)
    ticks = again.get("ticks")
    back = int(one_line(error).split("when ")[1].split()[0])
    assert back * NET.streams <= ticks
    assert ticks > 0 or left < 300
    if ticks:
        golden.learn(x, target, vectors=ticks)
    assert same(found, golden.state.params)
    assert Learner(again).learning_state().learnt == bool(ticks)
    assert np.array_equal(again.run(x[None])[0], golden.infer(x))
    assert same(Learner(again).read_parameters(PARAMS), golden.state.params), "aligning moves nothing"
    again.load(build_image(NET, found))
    golden = Golden(NET, found)
    assert np.array_equal(Learner(again).learn(x, target), golden.learn(x, target))
    assert same(Learner(again).read_parameters(found), golden.state.params)
