"""Learning on the chip by FPTT: golden against the rule in plain integers, compiled against golden, bad networks."""

import re
from dataclasses import replace

import numpy as np
import pytest
from taught import Plain, random_params, taught

from golden.fixed import QFormat
from golden.ltc import learn
from golden.ltc.compiled import CompiledLearner
from golden.ltc.network import LtcNetwork
from golden.ltc.teacher import FRESH_BIT, Teacher

NETS = [{}, {"inputs": 4, "size": 9, "outputs": 3, "streams": 4, "seed": 77}, {"scope": "readout"},
        {"inputs": 6, "size": 3, "weight": QFormat(2, 15), "state": QFormat(2, 12), "error": QFormat(2, 14), "rate": 5},
        {"weight": QFormat(1, 10), "gate": QFormat(0, 6), "streams": 1, "rate": 8, "error": QFormat(1, 12)}]


def drawn(net, rng, ticks):
    """x, labels (one beyond the outputs, too), fresh, learn, teach, for all streams."""
    shape = (ticks, net.streams)
    x = rng.integers(-6000, 6000, (*shape, net.inputs)).clip(net.layers[0].operand.min, net.layers[0].operand.max)
    return (x, rng.integers(0, net.outputs + 1, shape), *(rng.random(shape) < share for share in (0.2, 0.8, 0.8)))


def played(net, params, given, halve):
    """The ticks by golden -> outputs and the last state."""
    state, noise, found = learn.start(net, params), learn.registers(net), []
    x, label, fresh, on, teach = given
    for t in range(len(x)):
        for k in range(net.streams):
            state, out = learn.learn_tick(state, k, x[t, k], int(label[t, k]), net, fresh=bool(fresh[t, k]),
                                          learn=bool(on[t, k]), teach=bool(teach[t, k]), halve=halve(t), noise=noise)
            found.append(out.y)
    return np.reshape(found, (len(x), net.streams, net.outputs)), state


@pytest.mark.parametrize("changed", NETS, ids=str)
def test_golden_equals_the_rule_and_compiled_equals_golden(changed):
    net, rng = taught(**changed), np.random.default_rng(3)
    params, given = random_params(net, rng), drawn(net, rng, 6)
    y, state = played(net, params, given, lambda t: t % 3)
    plain, quick = Plain(net, params), CompiledLearner(net, params)
    for t, (x, label, fresh, on, teach) in enumerate(zip(*given, strict=True)):
        compiled = quick.run(x[None], label[None], fresh=fresh[None], learn=on[None], teach=teach[None], halve=t % 3)
        assert (compiled[0] == y[t]).all(), t
        for k in range(net.streams):
            assert plain.tick(k, x[k], int(label[k]), fresh=fresh[k], learn=on[k], teach=teach[k],
                              halve=t % 3) == y[t, k].tolist(), (t, k)
    held = ((plain.p, plain.out), [each._asdict() for each in quick.params])
    for own, *others, first in zip(state.params, *held, params, strict=True):
        assert any((getattr(own, name) != getattr(first, name)).any() for name in own._fields) == \
            (net.teacher.scope == "all" or own is state.params[1])
        for name in own._fields:
            for other in others:
                assert np.array_equal(getattr(own, name), other[name]), name
    assert quick.state.ticks == state.ticks
    assert quick.state.overflow == state.overflow
    assert all(np.array_equal(a.y, b.y) for a, b in zip(quick.state.streams, state.streams, strict=True))
    x = given[0].swapaxes(0, 1)
    assert (quick.infer(x) == net.run(state.params, x)).all()


def test_a_learner_goes_on_from_a_state():
    net, rng = taught(), np.random.default_rng(4)
    params, given = random_params(net, rng), drawn(net, rng, 8)
    whole, _ = played(net, params, given, lambda t: 0)
    _, state = played(net, params, [each[:5] for each in given], lambda t: 0)
    x, label, fresh, on, teach = (each[5:] for each in given)
    assert (CompiledLearner(net, state=state).run(x, label, fresh=fresh, learn=on, teach=teach) == whole[5:]).all()


def test_errors_that_saturate_are_seen():
    net, rng = taught(weight=QFormat(5, 8), rate=-4), np.random.default_rng(5)
    params, given = random_params(net, rng, 16), drawn(net, rng, 4)
    _, state = played(net, params, given, lambda t: 0)
    quick = CompiledLearner(net, params)
    quick.run(*given[:2], fresh=given[2], learn=given[3], teach=given[4])
    assert state.overflow == quick.state.overflow
    assert any(state.overflow)


def test_words_and_description_come_back():
    net, rng = taught(), np.random.default_rng(6)
    params = random_params(net, rng)
    assert LtcNetwork.from_json(net.to_json()) == net
    words = np.concatenate(net.pack(params))
    assert [len(bank.words) for bank in net.layout()] == [len(each) for each in net.pack(params)]
    for own, back in zip(params, net.unpack(words), strict=True):
        assert all((a == b).all() for a, b in zip(own, back, strict=True))
    words[(2 * 5 + 1 + 5) * 10 - 1] = 1       # behind the last recurrent weight
    with pytest.raises(ValueError, match="belong to no weight"):
        net.unpack(words)


def test_units_have_a_target_behind_the_inputs():
    net = taught()
    x, target = np.ones((2, 2, 3), int), np.array([[[1 << FRESH_BIT], [3]], [[0], [1 << FRESH_BIT | 2]]])
    units = net.learning_units(x, target, first=True)
    assert units.answers == 4
    assert units.ends.tolist() == [4, 8, 12, 16]
    assert units.words[3] & 0x3FFFF == 1 << FRESH_BIT
    assert units.words[0] >> 31 == 1
    with pytest.raises(ValueError, match="label 4, taught has 4 outputs"):
        net.learning_units(x, target + 1, first=True)


@pytest.mark.parametrize(("change", "said"), [
    ({"halves": 2}, "halves must be 1"),
    ({"teacher": Teacher(rate=60)}, "a step is shifted by 76 bits"),
    ({"teacher": "me"}, "must be a Teacher, not str")])
def test_bad_networks_are_refused(change, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        replace(taught(), **change)


@pytest.mark.parametrize(("change", "said"), [
    ({"lanes": 2}, "takes 10 lanes, not 2"), ({"adaptive": False, "lanes": 5}, "adaptive threshold"),
    ({"spike_weight": QFormat(1, 6)}, "one format, not Q1.6, Q2.13"),
    ({"operand": QFormat(2, 9)}, "format of its states, Q3.12, not Q2.9"),
    ({"gate": QFormat(0, 7)}, "gate of what learns is one format")])
def test_layers_without_a_circuit_that_learns_are_refused(change, said):
    net = taught()
    with pytest.raises(ValueError, match=said):
        replace(net, layers=(replace(net.layers[0], **change), net.layers[1]))


@pytest.mark.parametrize(("change", "said"), [
    ({"streams": 3}, "power of two"), ({"seed": 0}, "seed must be"), ({"scope": "some"}, "scope must be one of"),
    ({"rate": 65}, "rate must be an integer in -32..64, not 65"), ({"rate": 1.5}, "rate must be an integer"),
    ({"error": QFormat(0, 15)}, "must hold 1.0"), ({"error": QFormat(4, 15)}, "in 17 bits")])
def test_bad_teachers_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        Teacher(**change)


@pytest.mark.parametrize("shape", [(2, 3), (2, 1, 3), (2, 2, 4)])
def test_ticks_of_another_shape_are_refused(shape):
    """Compiled code would read beyond them."""
    net = taught()
    learner = CompiledLearner(net, random_params(net, np.random.default_rng(0)))
    flags = {"fresh": False, "learn": False, "teach": False}
    assert learner.run(np.zeros((2, 2, 3)), np.zeros((2, 2)), **flags).shape == (2, 2, net.outputs)
    with pytest.raises(ValueError, match=re.escape("x (ticks, 2, 3) and labels (ticks, 2), not")):
        learner.run(np.zeros(shape), np.zeros((2, 2)), **flags)
    with pytest.raises(ValueError, match=re.escape("and (3, 2)")):
        learner.run(np.zeros((2, 2, 3)), np.zeros((3, 2)), **flags)
