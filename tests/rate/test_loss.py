"""Output errors: known answers, the softmax against floats, labels that are no output, rtl against golden."""

import random

import numpy as np
import pytest
from cases import corners

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.loss import cross_entropy_error, output_error, squared_error
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.units.activation import activation_step
from golden.units.softmax import EXP, difference_format, softmax
from rtl.rate.loss import OutputError, target_format
from sim.pysim import run


def test_squared_error_known_answers():
    fmt, error = QFormat(2, 8), QFormat(1, 10)
    rate, target = np.array([[0, 256, -512, 1000]]), np.array([[256, 0, 511, -1000]])
    assert squared_error(rate, target, fmt, error, 0).tolist() == [[1024, -1024, 2047, -2048]]
    # half of it, a quarter: ties up
    assert squared_error(rate, target, fmt, QFormat(1, 7), 1).tolist() == [[64, -64, 255, -256]]


def softmax_error(words, fmt):
    """Largest error of a probability, of each row of words."""
    z = words * fmt.lsb
    want = np.exp(z - z.max(1, keepdims=True))
    got = softmax(words, fmt) / 2.0 ** 15
    assert (got >= 0).all()
    assert (got <= 1).all()
    return np.abs(got - want / want.sum(1, keepdims=True)).max(1)


def attack(fmt, outputs, rng):
    """The worst error that is found: from outputs that all lie one distance below the largest, the best are changed."""
    distance = np.clip([*np.linspace(0, 10 / fmt.lsb, 400).astype(int), 8 / fmt.lsb, 8 / fmt.lsb + 1], 0,
                       fmt.max - fmt.min)
    words = np.full((len(distance), outputs), fmt.max)
    words[:, 1:] -= distance.astype(int)[:, None]
    best = words
    for _ in range(60):
        best = best[np.argsort(softmax_error(best, fmt))[-8:]]
        trial = np.repeat(best, 16, 0)
        moved = trial + np.rint(rng.normal(0, 1, trial.shape) * rng.choice([1, 8, 100, 1 / fmt.lsb])).astype(int)
        chosen = rng.random(trial.shape) < rng.choice([1 / outputs, 0.3])
        best = np.concatenate([best, np.where(chosen, moved.clip(fmt.min, fmt.max), trial)])
    return softmax_error(np.concatenate([words, best]), fmt).max()


@pytest.mark.parametrize("fmt", [QFormat(3, 12), QFormat(5, 8), QFormat(4, 9), QFormat(8, 4), QFormat(2, 12),
                                 QFormat(2, 14), QFormat(0, 6)], ids=str)
@pytest.mark.parametrize("outputs", [1, 2, 10, 37])
def test_softmax_is_within_its_bound(fmt, outputs):
    """The bound of golden.units.softmax."""
    found = attack(fmt, outputs, np.random.default_rng(outputs))
    rng = np.random.default_rng(outputs)
    words = rng.integers(fmt.min, fmt.max + 1, (200, outputs))
    words[0], words[1] = fmt.min, fmt.max
    found = max(found, softmax_error(words, fmt).max())
    bound = outputs * 2.0 ** -15 + 2.0 ** -14
    assert found < bound
    # the attack finds more than chance does; of few outputs, and of coarse words, there is less to find
    if outputs >= 10 and fmt.frac_bits >= 8:
        assert found > 0.5 * bound


def test_many_outputs_far_below_the_largest():
    """Each is 3.4e-4 of the largest: nine of them together are not nothing."""
    assert softmax_error(np.array([[32767] + [-2] * 9]), QFormat(3, 12))[0] < 1e-4


def test_cross_entropy_sends_onehot_minus_softmax():
    fmt, error = QFormat(4, 9), QFormat(1, 12)
    rate = np.array([[512, -512, 0]])
    e = cross_entropy_error(rate, np.array([1]), fmt, error, 0)[0] / 4096
    p = np.exp([1, -1, 0]) / np.exp([1, -1, 0]).sum()
    assert np.abs(e - ([0, 1, 0] - p)).max() < 1e-3
    # a label that is no output: all are pushed down
    assert (cross_entropy_error(rate, np.array([3]), fmt, error, 0) < 0).all()


def test_any_axes_before_the_outputs():
    """Ticks and streams: each row is a softmax of its own, whatever stands before it."""
    fmt, rng = QFormat(3, 10), np.random.default_rng(4)
    y, label = rng.integers(fmt.min, fmt.max + 1, (4, 2, 3)), rng.integers(0, 3, (4, 2))
    p, error = softmax(y, fmt), cross_entropy_error(y, label, fmt, QFormat(0, 12), 0)
    for t in range(4):
        assert np.array_equal(p[t], softmax(y[t], fmt))
        assert np.array_equal(error[t], cross_entropy_error(y[t], label[t], fmt, QFormat(0, 12), 0))


def test_softmax_known_answers():
    """A third is 10922.5 of 32768 words with the reciprocal rounded down: the tie goes up."""
    fmt = QFormat(4, 9)
    assert softmax(np.zeros((1, 3), np.int64), fmt).tolist() == [[10923] * 3]
    assert softmax(np.full((1, 2), -700), fmt).tolist() == [[16384] * 2]
    assert softmax(np.array([[5]]), fmt).tolist() == [[32768]]
    # log 3 is 562 words: three to one
    assert softmax(np.array([[562, 0]]), fmt)[0] == pytest.approx([24576, 8192], abs=8)


def network(loss, outputs, streams, beta, rate, error):
    layer = Dense(inputs=4, outputs=outputs, activation="linear", operand=QFormat(1, 9), weight=QFormat(1, 12),
                  state=QFormat(rate.int_bits, rate.frac_bits), lead=QFormat(1, 10), lag=QFormat(0, 15), rate=rate,
                  plastic=Plastic(error=error, slope=QFormat(1, 8), rate=4))
    return Network(name="loss", dt=1.0, layers=(layer,), teacher=Teacher(loss=loss, streams=streams, beta=beta))


def divides(fmt):
    """Three outputs with a sum of exp that divides 2**31, and odd parts: a last bit less in the reciprocal shows."""
    z = np.arange(-8 << fmt.frac_bits, 0)
    e = activation_step(z, "exp", difference_format(fmt), EXP)
    one = 1 << EXP.frac_bits
    where = {int(word): int(at) for word, at in zip(e, z, strict=True) if word % 2}
    return next([0, at, where[one - word]] for word, at in where.items() if one - word in where)


@pytest.mark.parametrize(("loss", "outputs", "streams", "beta", "rate", "error"), [
    ("squared_error", 1, 1, 0, QFormat(2, 8), QFormat(0, 10)), ("squared_error", 5, 2, 2, QFormat(1, 9), QFormat(1, 8)),
    ("cross_entropy", 1, 1, 0, QFormat(4, 9), QFormat(1, 11)), ("cross_entropy", 2, 2, 1, QFormat(4, 7), QFormat(1, 9)),
    ("cross_entropy", 3, 1, 0, QFormat(4, 9), QFormat(1, 15)),
    ("cross_entropy", 5, 1, 0, QFormat(2, 9), QFormat(0, 12))], ids=str)
def test_rtl_equals_golden(loss, outputs, streams, beta, rate, error):
    net, rng = network(loss, outputs, streams, beta, rate, error), random.Random(f"{loss} {outputs}")
    dut, latency, target_words = OutputError(net), OutputError.latency(net), target_format(net)

    def words(fmt, count):
        if loss == "cross_entropy" and count == 3 and rng.random() < 0.3:
            return divides(fmt)
        if rng.random() < 0.3:
            return rng.choices(corners(fmt), k=count)
        if rng.random() < 0.2:
            return [rng.randint(fmt.min, fmt.max)] * count      # no output is larger: the reciprocal is of a whole
        return [rng.randint(fmt.min, fmt.max) >> rng.randrange(4) for _ in range(count)]

    async def send(ctx, stream, values):
        for value in values:
            ctx.set(stream.valid, 1)
            ctx.set(stream.payload, value)
            await ctx.tick()
            ctx.set(stream.valid, 0)
            if rng.random() < 0.3:
                await ctx.tick().repeat(3)

    async def bench(ctx):
        old = []
        for n in range(30):
            restart, errors, mute = n in (0, 17), rng.random() < 0.8, rng.random() < 0.2
            old = [] if restart else old
            target = [rng.randrange(outputs + 1)] if loss == "cross_entropy" else words(target_words, outputs)
            if errors:
                await send(ctx, dut.target, target)
            for name, value in (("tick", 1), ("start", errors), ("restart", restart), ("mute", mute)):
                ctx.set(getattr(dut, name), value)
            await ctx.tick()
            for name in ("tick", "start", "restart"):
                ctx.set(getattr(dut, name), 0)
            got = []
            for cycle in range(1, latency + outputs + 10):
                if ctx.get(dut.o.valid):
                    got.append((cycle, ctx.get(dut.o.payload)))
                await ctx.tick()
            seen = old[-streams] if len(old) >= streams else [0] * outputs
            want = output_error(np.array([seen]), np.array([target]), net)[0] * (not mute)
            assert got == ([(latency + k, word) for k, word in enumerate(want.tolist())] if errors else []), f"tick {n}"
            old.append(words(rate, outputs))
            await send(ctx, dut.rate, old[-1])
    run(dut, bench, cycles=30 * (latency + 12 * outputs + 30))


def test_sizes():
    squared = network("squared_error", 5, 2, 0, QFormat(1, 9), QFormat(1, 8))
    assert (OutputError.multipliers(squared), OutputError.banks(squared)) == (0, [(32, 11), (16, 11)])
    crossed = network("cross_entropy", 5, 1, 0, QFormat(2, 9), QFormat(0, 12))
    assert OutputError.multipliers(crossed) == 1
    assert OutputError.banks(crossed)[-1] == (5, 17)


def test_another_softmax_has_another_fingerprint(monkeypatch):
    """Words of cross-entropy networks changed their meaning once; of others never."""
    nets = [network(loss, 5, 1, 0, QFormat(2, 9), QFormat(0, 12)) for loss in ("squared_error", "cross_entropy")]
    found = [net.fingerprint for net in nets]
    assert found == ["12f2e7723b2f6032", "9e82940d0ccff6cd"]
    monkeypatch.setattr("golden.rate.network.SOFTMAX_NUMERICS", 3)
    assert [net.fingerprint == was for net, was in zip(nets, found, strict=True)] == [True, False]
