"""Images of spikes through the driver, on a device in plain Python."""

import random
from contextlib import suppress

import numpy as np
import pytest
from device import Line, SpikingDevice, flip, one_line
from hypothesis import given, settings
from hypothesis import strategies as st
from spiking_line import MARKS, NET, agree, classify, images, tiny

from firmware.board import Board
from firmware.learning import Learner
from firmware.loader import ATTEMPTS
from firmware.protocol import LinkError
from golden.image import Image, build_image
from golden.regmap import INPUT, OUTPUT, VALID_BIT
from golden.spiking import engine as spiking
from golden.spiking.words import IMAGE_BIT, TICK_BIT, input_words

TINY = tiny()


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
