"""Words of frames and of answers, and which there cannot be."""

import numpy as np
import pytest
from cascades import refused, small, some_frames

from golden.cascade import engine, words
from golden.fixed import wrap


def test_headers_both_ways():
    for told in (words.Header(1), words.Header(15, False, True, "softmax", 131071),
                 words.Header(7, True, True, "margin"), words.Header(8, False, False, "never", 5)):
        assert words.header(told.words) == told
    assert words.Header(3, True, True, "margin", 77).words == (3 | 16 | 32 | 64, 77)
    assert words.Header(9, False, False, "softmax").words == (9 | 128, 0)


@pytest.mark.parametrize(("told", "message"), [
    (words.Header(0), "a frame has 1 to 15 steps, not 0"), (words.Header(16), "a frame has 1 to 15 steps, not 16"),
    (words.Header(1, rule="soon"), "rule must be one of never, margin, softmax, not 'soon'"),
    (words.Header(1, threshold=-1), "a threshold is a word of 0 to 131071, not -1"),
    (words.Header(1, threshold=131072), "a threshold is a word of 0 to 131071, not 131072")], ids=str)
def test_headers_that_are_refused(told, message):
    with pytest.raises(ValueError, match=message):
        _ = told.words


@pytest.mark.parametrize(("word", "message"), [
    (0, "0x0 is no header of a frame"), (16, "0x10 is no header of a frame"),
    (1 | 3 << 6, "a frame has a rule of 0 to 2, not 3"), (1 | 1 << 8, "0x101 is no header of a frame"),
    (1 | 1 << 17, "0x20001 is no header of a frame")])
def test_words_that_are_no_header(word, message):
    with pytest.raises(ValueError, match=message):
        words.header((word, 0))


@pytest.mark.parametrize(("rule", "value", "word"), [
    ("never", 3, 0), ("margin", 0, 0), ("margin", 1.5, 384), ("margin", 131071 / 256, 131071), ("softmax", 1, 2048),
    ("softmax", 0.5, 4096), ("softmax", 0, 131071), ("softmax", 0.01, 131071), ("softmax", 0.9, 2276)])
def test_thresholds(rule, value, word):
    assert words.threshold_word(rule, value, 8) == word


@pytest.mark.parametrize(("rule", "value", "message"), [
    ("margin", -0.1, "a margin must be in 0..511.996, not -0.1"), ("margin", 512, "a margin must be in 0..511.996"),
    ("softmax", -0.1, "a threshold of softmax must be in 0..1, not -0.1"),
    ("softmax", 1.1, "a threshold of softmax must be in 0..1, not 1.1"), ("margin", float("nan"), "a margin must be"),
    ("soon", 0, "rule must be one of never, margin, softmax, not 'soon'")])
def test_thresholds_that_are_refused(rule, value, message):
    with pytest.raises(ValueError, match=message):
        words.threshold_word(rule, value, 8)


def test_frames_have_the_header_of_the_network():
    net = small(scheme="serial", rule="margin", threshold=9)
    frames = net.frames(np.full((2, 40), 7))
    assert frames.tolist() == [[3 | 16 | 32 | 64, 9, *[7] * 40]] * 2
    assert net.frames(np.full((1, 40), 7), words.Header(2, False))[0, :2].tolist() == [2, 0]


@pytest.mark.parametrize(("images", "message"), [
    (np.zeros((2, 39), int), "small takes images of 40 values, not (39,)"),
    (np.zeros(40, int), "small takes images of 40 values"), (np.zeros((1, 4, 10), int), "small takes images of 40"),
    (np.full((1, 40), 256), "values of an image must lie in 0..255"),
    (np.full((1, 40), -1), "values of an image must lie in 0..255")], ids=str)
def test_images_that_are_refused(images, message):
    with refused(message):
        small().frames(images)


@pytest.mark.parametrize(("frames", "message"), [
    (np.zeros((0, 42), int), "frames must be (n, 42), not (0, 42)"), (np.zeros((1, 41), int), "frames must be (n, 42)"),
    (np.zeros(42, int), "frames must be (n, 42), not (42,)"), (np.zeros((1, 42), int), "0x0 is no header of a frame"),
    (np.repeat([[1], [2]], 42, 1), "frames must all have the same number of steps")], ids=str)
def test_frames_that_are_refused(frames, message):
    net = small()
    for use in (net.units, lambda x: net.run(engine.random_params(net), x)):
        with refused(message):
            use(frames)


def test_units_and_outputs():
    """Frames as words of the input register, and back what a device gives, as words of 18 bits."""
    net, params = small(), engine.random_params(small(), 2)
    frames = some_frames(net, 3, cut=False, steps=2)
    units = net.units(frames)
    assert units.words.dtype == np.uint32
    assert (units.ends.tolist(), units.answers) == ([42, 84, 126], 2 * 4)
    # the first frame forgets, whatever it is told
    assert units.words.reshape(3, -1)[:, 0].tolist() == [frames[0, 0] | 16, *frames[1:, 0]]
    assert (units.words.reshape(3, -1)[:, 1:] == frames[:, 1:]).all()
    found = net.run(params, frames)
    device = found & (1 << 18) - 1
    assert (net.outputs_of(device.ravel(), frames) == found).all()
    assert (net.outputs_of([wrap(int(word), 18) for word in device.ravel()], frames) == found).all()
    device[1, 1, -1] ^= 1
    with pytest.raises(ValueError, match=r"answer \[1, 1\] is that of another step, which small cannot give"):
        net.outputs_of(device.ravel(), frames)


def test_answers_are_of_the_last_computed_step():
    net = small()
    outputs = np.zeros((2, 3, 4), np.int64)
    outputs[0, :, 0] = 1 << 12, 2 << 12, 3 << 12
    outputs[0, :, 3] = np.arange(3) | 16
    outputs[1, :2, 1] = 5, 1 << 12
    outputs[1, :2, 3] = np.arange(2) | 16
    found = net.answers(outputs)
    assert found.label.tolist() == [0, 1]
    assert found.score.tolist() == [[3, 0, 0], [0, 1, 0]]
    assert words.split(outputs).computed.tolist() == [[True] * 3, [True, True, False]]


def test_signals_of_a_page():
    net, params = small(), engine.random_params(small(), 2)
    frame = some_frames(net, 1, cut=True, serial=False)[0]
    values = dict(net.signals(params, frame))["logits"]
    assert (values * 4096 == net.run(params, frame[None])[0, :, :-1]).all()
    assert net.tick == (1.0, "steps")


def test_drawn_frames():
    """Random frames have headers of every kind and one number of steps; some reach their thresholds, some do not."""
    net = small()
    frames = net.drawn(np.random.default_rng(0), 80)
    heads = [words.header(frame[:2]) for frame in frames]
    assert {told.steps for told in heads} == {net.steps}
    for name, values in (("cut", {False, True}), ("serial", {False, True}), ("rule", set(words.RULES))):
        assert {getattr(told, name) for told in heads} == values, name
    assert all(told.threshold == 0 for told in heads if told.rule == "never")
    said = words.split(net.run(engine.random_params(net, 1), frames))
    early = ~said.computed[:, -1]
    for rule in words.RULES[1:]:
        found = {bool(early[n]) for n, told in enumerate(heads) if told.rule == rule}
        assert found == {False, True}, rule
    assert frames[:, 2:].min() == 0
    assert frames[:, 2:].max() == 255
