"""CompiledLearner equals golden.rate.learn word by word, golden.rate.engine where it only infers: random networks."""

import random

import numpy as np
import pytest
from cases import corners, random_learner, random_network, with_delays

from golden.fixed import QFormat
from golden.rate import engine, learn
from golden.rate.compiled import RECORDS, CompiledLearner
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import RULES, Plastic, Teacher
from golden.units.activation import ACTIVATIONS
from golden.units.plasticity import PERIOD


def wild_learner(seed: str) -> Network:
    """Formats of 3 to 18 bits, sums of many vectors, any rate that a description allows."""
    rng = random.Random(seed)
    fixed, plastic = rng.choice((0, 0, 1)), rng.randint(1, 3)
    while True:
        try:
            return _wild(rng, fixed, plastic)
        except ValueError:      # formats that do not go together are drawn again
            pass


def _wild(rng, fixed, plastic) -> Network:
    def fmt(least, most, low=-1, high=3):
        int_bits = rng.randint(low, high)
        return QFormat(int_bits, max(rng.choice((least, most, rng.randint(least, most))) - 1 - int_bits, 1))
    sizes = [rng.choice((1, 3, 8, 15, 17, 33)) for _ in range(fixed + plastic + 1)]
    loss, operand, layers = rng.choice(("squared_error", "cross_entropy")), fmt(4, 18), []
    for n, (inputs, outputs) in enumerate(zip(sizes, sizes[1:], strict=False)):
        top, own, delay, rate = n == fixed + plastic - 1, None, rng.choice((0, 0, 1, 5)), fmt(3, 18)
        if n >= fixed:
            filtered, tau = rng.random() < 0.5, rng.random() < 0.4
            own = Plastic(
                error=fmt(3, 17), slope=fmt(3, 18, 1, 2), bias=rng.random() < 0.7, halvings=rng.choice((0, 0, 2, 7)),
                rule=rng.choice(RULES), rate=rng.choice((None, *[rng.randint(-4, 30)] * 4)),
                gamma=rng.choice((None, rng.randint(0, 12))),
                lead=fmt(4, 18) if filtered else None, lag=fmt(11, 18) if filtered else None,
                guard=rng.choice((0, 1, 8)) if filtered else 0, tau=fmt(10, 18, 4, 9) if tau else None,
                tau_r=fmt(5, 18, 1, 9) if tau else None, tau_rate=rng.randint(-8, 20), tau_min=rng.randint(1, 7))
        layers.append(Dense(
            inputs=inputs, outputs=outputs, operand=operand, weight=fmt(3, 18), state=fmt(3, 17, 0, 4), rate=rate,
            lanes=rng.randint(1, min(outputs, inputs + 1)), guard=rng.choice((0, 1, 8)), lead=fmt(4, 18),
            lag=fmt(10, 18), max_delay=delay, delay=rng.randint(0, delay), plastic=own,
            activation="linear" if top and loss == "cross_entropy" else rng.choice(ACTIVATIONS)))
        operand = rate
    return Network(name="wild", dt=0.1, layers=tuple(layers), teacher=Teacher(
        loss=loss, beta=rng.randint(0, 4), streams=rng.choice((1, 2, 4)), seed=rng.randint(1, PERIOD)))


def late_learner(seed: str) -> Network:
    return with_delays(random_learner(seed, largest=20), seed)


def late_wild_learner(seed: str) -> Network:
    return with_delays(wild_learner(seed), seed)


def words(rng, fmt, shape):
    """Random words of `fmt`, corners among them."""
    found = rng.integers(fmt.min, fmt.max + 1, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice(corners(fmt), shape), found)


def vectors(net, rng, ticks):
    """Inputs and targets."""
    shape = (ticks, net.streams)
    x = words(rng, net.layers[0].operand, (*shape, net.inputs))
    if net.teacher.loss == "cross_entropy":
        return x, rng.integers(-1, net.outputs + 2, (*shape, 1))
    return x, words(rng, net.layers[-1].rate, (*shape, net.targets))


def some_params(net, rng, bits):
    """Random words; `bits` off the weights, so that not all saturates."""
    return tuple(p._replace(weight=p.weight >> bits, bias=p.bias >> bits, **{
        name: getattr(p, name) >> bits for name in ("taps", "error_taps") if getattr(p, name) is not None})
        for p in engine.random_params(net, rng))


def golden_run(net, state, x, target, *, first=False, moves=None, taught=None, halve=0):
    """Rates, and the state and eps after every tick."""
    noise, rates, states = learn.registers(net), np.zeros((*x.shape[:2], net.outputs), np.int64), []
    for t, s in np.ndindex(x.shape[:2]):
        state, out = learn.learn_tick(state, s, x[t, s], target[t, s], net, first=first and t == 0, noise=noise,
                                      halve=halve, learn=moves is None or bool(moves[t, s]),
                                      teach=taught is None or bool(taught[t, s]))
        rates[t, s] = out.rate
        states.append((state, out.eps))
    return rates, states


def check(got, want, name="state"):
    """All words of two states are the same."""
    if isinstance(want, tuple):
        assert type(got) is type(want), name
        assert len(got) == len(want), name
        for n, (a, b) in enumerate(zip(got, want, strict=True)):
            check(a, b, f"{name}.{want._fields[n]}" if hasattr(want, "_fields") else f"{name}[{n}]")
    elif isinstance(want, np.ndarray):
        assert (got.shape, got.dtype) == (want.shape, want.dtype), name
        wrong = np.argwhere(got != want)
        assert not len(wrong), f"{name}{wrong[0]}: {got[tuple(wrong[0])]} != {want[tuple(wrong[0])]}"
    else:
        assert got == want, name


@pytest.mark.parametrize(("kind", "seed"), [(random_learner, n) for n in range(24)]
                         + [(wild_learner, n) for n in range(72)] + [(late_learner, n) for n in range(40)]
                         + [(late_wild_learner, n) for n in range(24)])
def test_equals_golden(kind, seed):
    net, rng, ticks = kind(f"compiled {seed}"), np.random.default_rng(seed), 8
    state = learn.start(net, some_params(net, rng, (0, 2, 4, 7)[seed % 4]))
    state = state._replace(ticks=(0, PERIOD - 3, 10**12 + 1)[seed % 3])
    learner = CompiledLearner(net, state=state)
    x, target = vectors(net, rng, ticks)
    for first in (False, True):     # the second time from where the first ended
        moves, taught = rng.random((2, ticks, net.streams)) < 0.8
        halve = int(rng.integers(0, 9))
        rates = learner.run(x, target, first=first, learn=moves, teach=taught, halve=halve)
        want, states = golden_run(net, state, x, target, first=first, moves=moves, taught=taught, halve=halve)
        state = states[-1][0]
        wrong = np.argwhere(rates != want)
        assert not len(wrong), f"tick, stream, neuron {wrong[0]} in {net}"
        check(learner.state, state, f"{net}\nstate")


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    """Many words of each function, inside and outside of its table."""
    fmt = QFormat(5, 8)
    layer = Dense(inputs=5, outputs=16, activation=name, operand=fmt, weight=QFormat(2, 8), state=QFormat(5, 10),
                  lead=QFormat(1, 8), lag=QFormat(0, 8), rate=QFormat(5, 11),
                  plastic=Plastic(error=QFormat(1, 9), slope=QFormat(1, 11), rate=4, gamma=3))
    net = Network(name="one", dt=0.1, layers=(layer,), teacher=Teacher(loss="squared_error"))
    rng = np.random.default_rng(5)
    params = some_params(net, rng, 5)
    x, target = vectors(net, rng, 250)
    x[50:] >>= 4
    learner = CompiledLearner(net, params)
    rates = learner.run(x, target, record=("slope",))
    want, states = golden_run(net, learn.start(net, params), x, target)
    assert (rates == want).all()
    slopes = np.concatenate([state.streams[0].slope[0] for state, _ in states])
    assert (learner.recorded["slope"][0][:, 0] == slopes).all()
    assert len(np.unique(rates)) > 200


@pytest.mark.parametrize("seed", range(6))
def test_goes_on_from_a_state(seed):
    net, rng = random_learner(f"compiled {seed}"), np.random.default_rng(seed)
    params = some_params(net, rng, 3)
    x, target = vectors(net, rng, 12)
    whole, half = CompiledLearner(net, params), CompiledLearner(net, params)
    rates = whole.run(x, target)
    before = half.run(x[:5], target[:5])
    saved = half.state
    half.run(x[:2], target[:2])     # what goes on does not move what was saved
    other = CompiledLearner(net, state=saved)
    check(other.state, saved)
    assert (np.concatenate([before, other.run(x[5:], target[5:])]) == rates).all()
    check(other.state, whole.state)
    half.state = saved
    assert (half.run(x[5:], target[5:]) == rates[5:]).all()
    check(whole.params, whole.state.params)
    assert (whole.ticks, whole.overflow) == (whole.state.ticks, whole.state.overflow)


@pytest.mark.parametrize("seed", range(12))
def test_infer(seed):
    net, rng = wild_learner(f"compiled {seed}"), np.random.default_rng(seed)
    learner = CompiledLearner(net, some_params(net, rng, seed % 5))
    x, target = vectors(net, rng, 6)
    learner.run(x, target)
    before = learner.state
    many = words(rng, net.layers[0].operand, (7, 3, net.inputs))
    want = engine.run(net, before.params, many.swapaxes(0, 1)).swapaxes(0, 1)
    assert (learner.infer(many) == want).all()
    def stacked(arrays):
        return tuple(np.concatenate(words) for words in zip(*arrays, strict=True))
    lines = tuple(stacked(line) for line in zip(*(stream.lines for stream in before.streams), strict=True))
    held = engine.NetworkState(u=stacked(stream.u for stream in before.streams), lines=lines)
    want = engine.run(net, before.params, x.swapaxes(0, 1), state=held).swapaxes(0, 1)
    assert (learner.infer(x, first=False) == want).all()
    check(learner.state, before)


@pytest.mark.parametrize("seed", range(8))
def test_record(seed):
    net, rng = random_learner(f"compiled {seed}"), np.random.default_rng(seed)
    params = some_params(net, rng, 3)
    x, target = vectors(net, rng, 5)
    learner = CompiledLearner(net, params)
    learner.run(x, target, record=RECORDS)
    _, states = golden_run(net, learn.start(net, params), x, target)
    assert set(learner.recorded) == set(RECORDS)
    for name in RECORDS:
        for n, layer in enumerate(net.layers):
            got = learner.recorded[name][n]
            if name == "tau" and (layer.plastic is None or layer.plastic.tau is None) \
                    or name == "errors" and not net.sends_errors(n + 1):
                assert got is None
                continue
            for k, (state, eps) in enumerate(states):
                stream, p = state.streams[k % net.streams], state.params[n]
                if name == "eps":
                    want = eps[n]
                elif name == "rate":
                    want = stream.lines[n + 1][0][0] if n + 1 < len(net.layers) else stream.rate[0]
                elif name == "errors":
                    want = stream.errors[n][0][0]
                else:
                    want = getattr(stream, name)[n][0] if name in stream._fields else getattr(p, name)
                assert (got[divmod(k, net.streams)] == want).all(), f"{name} of layer {n} in tick {k}"
    learner.run(x, target)
    assert learner.recorded == {}


def test_gates_are_bools_or_arrays():
    net, rng = random_learner("compiled gates"), np.random.default_rng(0)
    params = some_params(net, rng, 2)
    x, target = vectors(net, rng, 6)
    for flags in (True, False):
        one, all_ = CompiledLearner(net, params), CompiledLearner(net, params)
        one.run(x, target, learn=flags, teach=not flags)
        all_.run(x, target, learn=np.full(x.shape[:2], flags), teach=np.full(x.shape[:2], not flags))
        check(one.state, all_.state)
        assert flags or all((a.weight == b.weight).all() for a, b in zip(one.params, params, strict=True))


def test_a_learner_starts_with_nothing():
    net = random_learner("compiled 1")
    state = learn.start(net, engine.random_params(net, np.random.default_rng(0)))
    assert (state.ticks, state.overflow) == (0, (False,) * len(net.layers))
    assert state.lost == ((False, False),) * len(net.layers)
    assert len(state.streams) == net.streams
    stream = state.streams[0]
    for layer, u, v, slope in zip(net.layers, stream.u, stream.v, stream.slope, strict=True):
        assert set(u.ravel().tolist()) == {1 << layer.guard >> 1 if layer.guard else 0}
        guard = layer.plastic.guard if layer.plastic else 0
        assert set(v.ravel().tolist()) == {1 << guard >> 1 if guard else 0}
        assert not slope.any()


def test_what_does_not_fit():
    net, rng = random_learner("compiled 1"), np.random.default_rng(0)
    params = some_params(net, rng, 2)
    x, target = vectors(net, rng, 3)
    learner = CompiledLearner(net, params)
    for arguments in ({}, {"params": params, "state": learner.state}):
        with pytest.raises(ValueError, match="params or a state, not both"):
            CompiledLearner(net, **arguments)
    still = random_network("compiled", largest=4)
    with pytest.raises(ValueError, match="has no teacher"):
        CompiledLearner(still, engine.random_params(still, rng))
    with pytest.raises(ValueError, match="x has shape"):
        learner.run(x[0], target)
    with pytest.raises(ValueError, match="target has shape"):
        learner.run(x, target[:2])
    with pytest.raises(ValueError, match="x holds words outside of"):
        learner.infer(x + (1 << 18))
    with pytest.raises(ValueError, match="x must be integer words"):
        learner.infer(x * 0.5)
    with pytest.raises(ValueError, match="record: 'w' is none of"):
        learner.run(x, target, record=("w",))
    state = learner.state
    with pytest.raises(ValueError, match="the state has 0 streams"):
        learner.state = state._replace(streams=())
    stream = state.streams[0]
    with pytest.raises(ValueError, match="state: u of layer 0 holds words outside of"):
        learner.state = state._replace(streams=(stream._replace(u=(stream.u[0] + (1 << 26), *stream.u[1:])),)
                                       * net.streams)
    check(learner.state, state)
