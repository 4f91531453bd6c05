"""Board on spiking networks: images through a simulated board, and through a device in plain Python with faults."""

import os
import random
from contextlib import suppress

import numpy as np
import pytest
from device import Line, SpikingDevice, flip, one_line
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.board import Board
from firmware.learning import Learner
from firmware.loader import ATTEMPTS, IN_PLACE
from firmware.protocol import LinkError, PortError
from golden.fixed import QFormat
from golden.image import Image, build_image
from golden.programs import ToolError
from golden.regmap import INPUT, LAST_BIT, OUTPUT, VALID_BIT
from golden.spiking import engine as spiking
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import IMAGE_BIT, TICK_BIT, answers, input_words
from golden.units.weights import Ternary
from sim.harness.board import SimulatedBoard

LEAKY = {"state": QFormat(7, 6), "leak": (2, 4)}


def seeded(seed, decision="first_spike", sizes=(12, 24, 10), ticks=12, thresholds=(128, 100)):
    """Weights from `seed`; 8 lanes for the hidden neurons."""
    inputs, hidden, outputs = sizes
    return SpikingNetwork(name="seeded", ticks=ticks, decision=decision, layers=(
        SpikingLayer(inputs=inputs, outputs=hidden, weight=Ternary(plus=5, minus=3, seed=seed), delay_bits=3,
                     threshold=thresholds[0], lanes=8, **LEAKY),
        SpikingLayer(inputs=hidden, outputs=outputs, weight=Ternary(plus=4, minus=4, seed=seed + 1),
                     delay_bits=2, threshold=thresholds[1], **LEAKY)))


def tiny(seed=8, decision="first_spike"):
    """Small enough for plain Python; most images are decided before they end."""
    return seeded(seed, decision, sizes=(5, 8, 3), ticks=5, thresholds=(64, 64))


def stored():
    """One layer of stored weights, and a decision by potential."""
    return SpikingNetwork(name="stored", ticks=9, decision="potential", layers=(
        SpikingLayer(inputs=12, outputs=10, weight=QFormat(0, 5), delay_bits=3, threshold=100, **LEAKY),))


MARKS = 1 << VALID_BIT | 1 << LAST_BIT
NET, STORED = seeded(77), stored()
TINY = tiny()
OLD, NEW = (spiking.random_synapses(NET, np.random.default_rng(n)) for n in (1, 2))


def images(net, count, seed=3, rate=None):
    """Spikes, `rate` of them in each image, or a few in the first image and more and more in those behind."""
    rate = np.linspace(0.01, 0.4, count)[:, None, None] if rate is None else rate
    return np.random.default_rng(seed).random((count, net.ticks, net.inputs)) < rate


def agree(found, net, params, spikes):
    golden = spiking.run(net, params, spikes).answers
    for name, a, b in zip(golden._fields, found, golden, strict=True):
        wrong = np.flatnonzero(a != b)
        assert a.shape == b.shape, name
        assert not len(wrong), f"{name} of images {wrong[:5]}: {a[wrong[:5]]}, golden {b[wrong[:5]]}"
    return golden


def classify(board, spikes, progress=None):
    """Answers of images through a board."""
    return answers(board.run(spikes, progress))


def tool(make):
    try:
        return make()
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


class Spoilt(SimulatedBoard):
    """A board whose line damages the requests whose number `faults` names, and the first bytes that answer them."""

    def __init__(self, net):
        super().__init__(net, quick=True)
        self.frames, self.faults, self.spoil, self.left = 0, {}, None, None

    def write(self, data):
        """Send the frame, or what the line makes of it."""
        if self.left is not None:
            self.left -= len(data)
            if self.left < 0:
                raise PortError("the cable is out")
        direction, change = self.faults.pop(self.frames, (None, None))
        self.frames += 1
        self.spoil = change if direction == "response" else None
        super().write(change(data) if direction == "request" else data)

    def read(self, count, timeout):
        """Wait for bytes, of which the line may change the first ones."""
        data = super().read(count, timeout)
        if self.spoil and data:
            data, self.spoil = self.spoil(data), None
        return data


@pytest.fixture(scope="module")
def boards():
    """The simulated board of each design, each compiled once."""
    made = {}

    def get(net):
        if net.fingerprint not in made:
            made[net.fingerprint] = tool(lambda: Spoilt(net))
        line = made[net.fingerprint]
        line.faults, line.left = {}, None
        return Board(line, net, timeout=0.02, patience=2.0)

    yield get
    for line in made.values():
        line.close()


# ---- the simulated board


def test_images_equal_golden(boards):
    board = boards(NET)
    assert board.get("status") & IN_PLACE
    with pytest.raises(LinkError, match="no parameters yet: load an image first") as error:
        classify(board, images(NET, 1))
    one_line(error)
    for params in (OLD, NEW):
        board.load(build_image(NET, params))
        spikes, progress = images(NET, 30), []
        golden = agree(classify(board, spikes, progress.append), NET, params, spikes)
        assert 3 < golden.fired.sum() < 30, "images that are decided early and late"
        assert len(set(golden.label.tolist())) > 3, "too few labels to show an answer in the wrong place"
        assert sum(progress) == 30
    # no spike at all, and all lines in all ticks
    for rate in (-1.0, 2.0):
        spikes = images(NET, 3, rate=rate)
        agree(classify(board, spikes), NET, NEW, spikes)


def test_stored_weights_and_potential(boards):
    board = boards(STORED)
    for seed in (1, 2):
        params = spiking.random_synapses(STORED, np.random.default_rng(seed))
        board.load(build_image(STORED, params))
        spikes = images(STORED, 30, seed)
        assert not agree(classify(board, spikes), STORED, params, spikes).fired.any()


def test_image_of_another_seed(boards):
    """The same design: the image brings its seed, and with it other weights."""
    other, board, spikes = seeded(1234), boards(NET), images(NET, 20)
    assert other.fingerprint == NET.fingerprint
    before, after = (spiking.run(net, OLD, spikes).answers for net in (NET, other))
    assert (before.label != after.label).any()
    board.load(build_image(other, OLD))
    agree(classify(board, spikes), other, OLD, spikes)


def test_refused_images_of_spikes(boards):
    """A damaged image leaves the device without parameters; one for another design is refused before."""
    board, image = boards(NET), build_image(NET, OLD)
    board.load(image)
    wrong = build_image(STORED, spiking.random_synapses(STORED, np.random.default_rng(1)))
    with pytest.raises(ValueError, match=f"{STORED.fingerprint}.*{NET.fingerprint}") as error:
        board.load(wrong)
    one_line(error)
    spikes = images(NET, 4)
    agree(classify(board, spikes), NET, OLD, spikes)
    # a word changes behind the checksums of the frames
    sent, board._commit = board._commit, lambda crc: sent(crc ^ 1)
    with pytest.raises(LinkError, match="did not load in 3 attempts, the device has no parameters now: the device "
                                        "refused the parameters: load_crc") as error:
        board.load(image)
    one_line(error)
    with pytest.raises(LinkError, match="no parameters yet: load an image first"):
        classify(board, spikes)
    del board._commit
    board.load(image)
    agree(classify(board, spikes), NET, OLD, spikes)


def test_cable_pulled_in_mid_load(boards):
    board, spikes = boards(NET), images(NET, 4)
    board.load(build_image(NET, OLD))
    board.transport.left = 300
    with pytest.raises(PortError, match="the cable is out; the device has no parameters now"):
        board.load(build_image(NET, NEW))
    board.transport.left = None
    again = boards(NET)
    with pytest.raises(LinkError, match="no parameters yet"):
        classify(again, spikes)
    again.load(build_image(NET, NEW))
    agree(classify(again, spikes), NET, NEW, spikes)


@pytest.mark.parametrize("length", [0, 1, 40, 12 * 12 // 2])
def test_run_cut_short_on_the_board(boards, length):
    """Words of an image that did not end, and answers that nobody read, do not reach the next run."""
    board, spikes = boards(NET), images(NET, 9)
    board.load(build_image(NET, OLD))
    for ended in (0, 3):
        words = input_words(NET, spikes[:ended]).tolist()
        board.write(INPUT, words + input_words(NET, spikes[4:5])[:length].tolist(), fixed=True)
        agree(classify(board, spikes), NET, OLD, spikes)


def test_images_that_nobody_reads(boards):
    """The board holds a queue of answers and then takes no more words; none is lost, and the next run is right."""
    board, spikes = boards(NET), images(NET, 30)
    board.load(build_image(NET, OLD))
    with pytest.raises(LinkError, match="the device did not take or give the word in time"):
        board.write(INPUT, input_words(NET, spikes).tolist(), fixed=True)
    room = board.identify().output_ticks
    words = np.array([word for word in board.read(OUTPUT, room, fixed=True) if word >> VALID_BIT & 1])
    assert len(words) == room
    agree(answers(words), NET, OLD, spikes[:room])
    agree(classify(board, spikes), NET, OLD, spikes)


def test_interrupt_and_new_parameters_in_mid_image(boards):
    """Interrupted from the keyboard in the middle, then other parameters, then right answers."""
    board, spikes = boards(NET), images(NET, 30)
    board.load(build_image(NET, OLD))

    def interrupt(n):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        classify(board, spikes, interrupt)
    board.load(build_image(NET, NEW))
    agree(classify(board, spikes), NET, NEW, spikes)


@pytest.mark.parametrize(("direction", "change"), [
    ("request", lambda frame: flip(frame, 50)), ("request", lambda frame: frame[:-3]), ("request", lambda frame: b""),
    ("response", lambda frame: flip(frame, 20)), ("response", lambda frame: frame[1:])])
def test_line_faults_on_the_board(boards, direction, change):
    """One damaged frame: a right result or one line, and always right the next time."""
    board, spikes = boards(NET), images(NET, 6)
    line = board.transport
    line.faults = {line.frames + n: (direction, change) for n in (3, 9)}
    board.load(build_image(NET, OLD))
    for n in (3, 5, 8):
        line.faults = {line.frames + n: (direction, change)}
        with suppress(LinkError):
            agree(classify(board, spikes), NET, OLD, spikes)
    agree(classify(board, spikes), NET, OLD, spikes)


# ---- a device in plain Python


def host(net=TINY, faults=None, loaded=True, **options):
    device = SpikingDevice(net, **options)
    if loaded:
        device.params = spiking.random_synapses(net, np.random.default_rng(1))
    return Board(Line(device, faults), net, timeout=0.01, patience=0.05), device


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 9), st.integers(0, 2), st.integers(0, 99), st.sampled_from([0.02, 0.3, 0.9]))
def test_run_equals_golden(count, room, slow, seed, rate):
    board, device = host(output_ticks=room, slow=slow)
    spikes, progress = images(TINY, count, seed, rate), []
    agree(classify(board, spikes, progress.append), TINY, device.params, spikes)
    assert sum(progress) == count
    agree(classify(board, spikes[::-1]), TINY, device.params, spikes[::-1])
    assert not device.outputs


@pytest.mark.parametrize("net", [TINY, tiny(decision="potential")])
@pytest.mark.parametrize("room", [1, 2, 8])
def test_images_in_the_device(room, net):
    """Never more than the answers that may wait there, and as many as may."""
    board, device = host(net, output_ticks=room)
    # an image counts from its first word until its answer is read
    sent, read, most, take, give = [], [], [], device._input, device._output

    def taken(word):
        before, done = device.inside, take(word)
        # of a first word that is offered, too; what ends an image that an earlier run may have left is one of its own
        most.append(len(sent) - len(read) + (not before))
        if done and not before:
            sent.append(word)
        return done

    def given():
        word = give()
        read.extend([word] * (word >> VALID_BIT))
        return word

    device._input, device._output = taken, given
    spikes = images(net, 30, rate=0.1)
    agree(classify(board, spikes), net, device.params, spikes)
    assert max(most) == room


def test_busy_in_mid_frame():
    """A device that is busy in the middle of a frame gets the rest later."""
    board, device = host()
    take, calls = device._input, iter(range(10 ** 6))
    device._input = lambda word: False if next(calls) % 7 == 6 else take(word)
    for count in range(1, 20):
        spikes = images(TINY, count, seed=count)
        agree(classify(board, spikes), TINY, device.params, spikes)


@pytest.mark.parametrize("answers", [0, 1, 8])
@pytest.mark.parametrize("length", [0, 1, 2, 5])
def test_after_a_run_cut_short(answers, length):
    """Where an answer of the image that was cut short is there already, and where the queue is full, too."""
    for rate in (0.1, 0.9):
        board, device = host()
        spikes = images(TINY, 9, rate=rate)
        for word in [*input_words(TINY, spikes[:answers]).tolist(), *input_words(TINY, spikes[3:4])[:length].tolist()]:
            device.write(INPUT, word)
        agree(classify(board, spikes), TINY, device.params, spikes)


@pytest.mark.parametrize("after", [1, 30, 90, 140])
def test_reset_in_mid_run(after):
    """Noticed in one line; with an image loaded again the first answer is right, too."""
    board, device = host()
    take, count = device._input, iter(range(10 ** 6))

    def input_or_reset(word):
        if next(count) == after:
            device.reset()
        return take(word)

    device._input = input_or_reset
    spikes = images(TINY, 20)
    with pytest.raises(LinkError, match="no parameters yet: load an image first") as error:
        classify(board, spikes)
    one_line(error)
    device._input = take
    board.load(build_image(TINY, device.params))
    agree(classify(board, spikes), TINY, device.params, spikes)


def test_reset_in_mid_image_then_load():
    """What a reset leaves in the accumulators, of which the device says nothing, is cleared."""
    board, device = host()
    spikes = images(TINY, 3)
    device.write(INPUT, 1)
    device.reset()
    assert device.dirty
    board.load(build_image(TINY, device.params))
    assert not board.get("status") & 8
    take, calls = device._input, iter(range(10 ** 6))
    device._input = lambda word: next(calls) > 2 and take(word)         # busy at first
    agree(classify(board, spikes), TINY, device.params, spikes)


def test_a_device_that_gives_no_answer_or_one_too_many():
    board, device = host()
    device._output = lambda: 0
    with pytest.raises(LinkError, match="does not come to the end of an earlier image in 0.05 s") as error:
        classify(board, images(TINY, 1))
    one_line(error)
    board, device = host()
    board._end_unit = lambda: None
    device._decide = lambda ends: None
    with pytest.raises(LinkError, match="no answer for 0.05 s after 0 of 2 images") as error:
        classify(board, images(TINY, 2))
    one_line(error)
    board, device = host()
    board._end_unit = lambda: device.outputs.append(MARKS | 4 << 8)
    with pytest.raises(LinkError, match="after 2 of each: it has lost step") as error:
        classify(board, images(TINY, 2, rate=0.0))
    one_line(error)


def test_seed_of_an_image_on_the_plain_device():
    board, device = host(loaded=False)
    other = tiny(6)
    params, spikes = spiking.random_synapses(TINY, np.random.default_rng(2)), images(TINY, 20)
    board.load(build_image(other, params))
    agree(classify(board, spikes), other, params, spikes)


@pytest.mark.parametrize(("word", "said"), [
    (3 | 1 << 8 | 1 << 16, "label 3 by a spike in tick 1"), (255 | 4 << 8, "label 255 by the membranes in tick 4"),
    (5 << 8 | 1 << 16, "label 0 by a spike in tick 5"), (2 | 3 << 8, "label 2 by the membranes in tick 3"),
])
def test_answers_that_the_network_cannot_give(word, said):
    board, device = host()
    board._end_unit = lambda: None
    device._decide = lambda ends: ends and device.outputs.append(word | MARKS)
    with pytest.raises(LinkError, match=f"answer 0 is {said}, which seeded cannot give: 3 outputs, 5 ticks") as error:
        classify(board, images(TINY, 1, rate=0.0))
    one_line(error)


def test_a_spike_where_outputs_do_not_spike():
    net = tiny(decision="potential")
    board, device = host(net)
    board._end_unit = lambda: None
    device._decide = lambda ends: ends and device.outputs.append(1 | 1 << 16 | 4 << 8 | MARKS)
    with pytest.raises(LinkError, match="answer 0 is label 1 by a spike in tick 4, .* decision potential$"):
        classify(board, images(net, 1))


def test_what_run_refuses():
    board, device = host()
    good = images(TINY, 2)
    for spikes in (good[0], good[:, 1:], good[:, :, 1:], good.astype(np.uint8), good.astype(float), 3):
        with pytest.raises(ValueError, match=r"^spikes must be bool \(images, 5, 5\), not ") as error:
            classify(board, spikes)
        one_line(error)
    with pytest.raises(ValueError, match="seeded has no teacher"):
        Learner(board).learn(np.zeros((1, 1, 5), int), np.zeros((1, 1, 3), int))
    assert board.transport.frames == 0
    device.params = None
    with pytest.raises(LinkError, match="no parameters yet"):
        classify(board, good)
    board.net = None
    with pytest.raises(ValueError, match="this needs the network description"):
        classify(board, good)
    board.net = NET
    with pytest.raises(ValueError, match=f"{NET.fingerprint}.*{TINY.fingerprint}"):
        classify(board, images(NET, 1))


def test_load_does_not_align():
    """A device in mid-image is loaded without a word to its input; a host without the description loads, too."""
    board, device = host()
    params = spiking.random_synapses(TINY, np.random.default_rng(9))
    for word in input_words(TINY, images(TINY, 2, rate=0.9)).tolist()[:-2]:
        device.write(INPUT, word)
    seen, read, write = [], device.read, device.write
    device.read = lambda addr: (seen.append(addr), read(addr))[1]
    device.write = lambda addr, word: (seen.append(addr), write(addr, word))[1]
    Board(board.transport, timeout=0.01, patience=0.05).load(build_image(TINY, params))
    assert not {INPUT, OUTPUT} & set(seen)
    assert all(np.array_equal(a.delay, b.delay) for a, b in zip(device.params, params, strict=True))


def test_failed_loads_say_what_is_left():
    """Nothing was lost before `load_begin`; everything from there on."""
    image = build_image(TINY, spiking.random_synapses(TINY, np.random.default_rng(4)))

    def silent_from(addr):
        def faults(where, number, frame):
            return b"" if where == "request" and frame[1] & 0x3F == 2 and frame[4:8] == addr else frame
        return faults

    board, device = host(faults=silent_from(b"\x09\0\0\0"))
    with pytest.raises(LinkError, match="the device keeps those it had: ") as error:
        board.load(image)
    one_line(error)
    assert device.params is not None
    board, device = host(faults=silent_from(b"\x0b\0\0\0"))
    begun = []
    with pytest.raises(LinkError, match="in 3 attempts, the device has no parameters now: write of 1 words at "
                                        "0x0000000b: no response within") as error:
        board.load(image, begun.append)
    one_line(error)
    assert device.params is None
    assert sum(words < 0 for words in begun) == ATTEMPTS - 1
    # what the address map does not know, and too few words
    with pytest.raises(ValueError, match=f"the image has {len(image) - 1} words"):
        board.load(Image(TINY.fingerprint, image.body[:-8]))


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2 ** 32))
def test_noisy_line_to_a_spiking_device(seed):
    """However bad the line: parameters of the image or none, right answers or one line of error."""
    rng, quiet, said = random.Random(seed), [], []

    def faults(where, number, frame):
        kind = 1.0 if quiet else rng.random()
        if kind < 0.02:
            return flip(frame, rng.randrange(2400)) if frame else frame
        if kind < 0.04:
            return frame[:rng.randrange(len(frame) + 1)]
        return rng.randbytes(rng.randrange(5)) + frame if kind < 0.05 else frame

    board, device = host(faults=faults, loaded=False)
    params = spiking.random_synapses(TINY, np.random.default_rng(6))
    spikes = images(TINY, 10, seed % 100)
    with suppress(LinkError):
        board.load(build_image(TINY, params))
    for _ in range(3):
        try:
            agree(classify(board, spikes), TINY, params, spikes)
        except LinkError as error:
            said.append(str(error))
    assert not any("\n" in line for line in said), said
    quiet.append(True)
    board.load(build_image(TINY, params))
    agree(classify(board, spikes), TINY, params, spikes)


def test_input_words():
    """Pins the words that driver and device share."""
    assert (TICK_BIT, IMAGE_BIT) == (16, 17)
    spikes = np.zeros((1, 5, 5), bool)
    spikes[0, 1, [0, 4]] = True
    assert input_words(TINY, spikes).tolist() == [1 << 16, 0, 4, *[1 << 16] * 4, 1 << 17]
