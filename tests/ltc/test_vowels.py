"""How streams are dealt utterances of any length, and that a network learns from them."""

import numpy as np

from golden.data.dataset import Samples
from golden.ltc import vowels
from golden.ltc.compiled import CompiledLearner


def made(rng, count=27):
    """Utterances of nine speakers, each around a point of its own."""
    labels = np.arange(count) % vowels.SPEAKERS
    lengths = rng.integers(3, 9, count)
    points = rng.normal(0, 1, (vowels.SPEAKERS, vowels.INPUTS))
    x = points[labels][:, None] + rng.normal(0, 0.2, (count, 8, vowels.INPUTS))
    return Samples(x * (np.arange(8) < lengths[:, None])[..., None], labels, lengths)


def test_a_lesson_has_every_frame_once_and_marks_where_a_sequence_begins():
    rng = np.random.default_rng(1)
    samples, net = made(rng), vowels.network(4, streams=4)
    x = vowels.words(samples, vowels.scale_of(samples), net)
    order = vowels.balanced(samples.y, rng)
    assert sorted(order) == list(range(27))
    assert all(len(set(samples.y[order[k:k + 9]])) == 9 for k in range(0, 27, 9))
    found = vowels.lesson(x, samples.y, samples.lengths, order, 4)
    label, fresh = vowels.parts(found.target)
    assert found.on.sum() == samples.lengths.sum()
    assert fresh.sum() == 27
    heard = []
    for k in range(4):
        for t in np.flatnonzero(found.on[:, k]):
            if fresh[t, k]:
                heard.append([])
            heard[-1].append((found.x[t, k].tolist(), label[t, k]))
    spoken = [[(x[n, t].tolist(), samples.y[n]) for t in range(samples.lengths[n])] for n in range(27)]
    assert sorted(heard) == sorted(spoken)
    assert not found.x[~found.on].any()


def test_words_are_clipped_and_turns_are_taken_while_there_are_any():
    rng = np.random.default_rng(3)
    samples, net = made(rng), vowels.network(4, streams=4)
    scale, fmt = vowels.scale_of(samples), net.layers[0].operand
    samples.x[0, 0, :2] = 1e6, -1e6
    assert vowels.words(samples, scale, net)[0, 0, :2].tolist() == [fmt.max, fmt.min]
    # a speaker who has nothing more to say is passed over
    order = vowels.balanced(np.array([0, 1, 1, 1, 2]), rng)
    assert sorted(order) == [0, 1, 2, 3, 4]
    assert sorted(order[:3]) != [1, 2, 3]


def test_a_small_network_learns_to_tell_made_speakers():
    samples = made(np.random.default_rng(2), 90)
    net, scale = vowels.network(16, streams=4), vowels.scale_of(samples)
    learner, x = CompiledLearner(net, vowels.start(net, 0)), vowels.words(samples, scale, net)
    before = vowels.accuracy(learner.infer(x), samples)
    for lesson, halvings in vowels.lessons(net, samples, scale, 0, epochs=12):
        label, fresh = vowels.parts(lesson.target)
        learner.run(lesson.x, label, fresh=fresh, learn=lesson.on, teach=lesson.on, halve=halvings)
    after = vowels.accuracy(learner.infer(x), samples)
    assert before < 0.4
    assert after > 0.9
