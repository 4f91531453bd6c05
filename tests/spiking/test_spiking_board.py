"""Board on spiking networks: images through a simulated board, and through a device in plain Python with faults."""

import os
from contextlib import suppress

import numpy as np
import pytest
from device import flip, one_line
from spiking_line import NET, agree, classify, images, seeded, stored

from firmware.board import Board
from firmware.loader import IN_PLACE
from firmware.protocol import LinkError, PortError
from golden.image import build_image
from golden.programs import ToolError
from golden.regmap import INPUT, OUTPUT, VALID_BIT
from golden.spiking import engine as spiking
from golden.spiking.words import answers, input_words
from sim.harness.board import SimulatedBoard

STORED = stored()
OLD, NEW = (spiking.random_synapses(NET, np.random.default_rng(n)) for n in (1, 2))


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
