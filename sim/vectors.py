"""What units are tried with and what golden says to it: drawn once for benches in cocotb and in Verilog.

All is drawn from names: the same name gives the same words everywhere.
"""

import itertools
import random
import zlib
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from golden.fixed import QFormat
from golden.units import extrapolator
from golden.units.delay import delay_line, delay_read, delay_write
from golden.units.dense import dense_step
from golden.units.extrapolator import Way
from golden.units.leadlag import at_rest
from golden.units.plasticity import Noise
from golden.units.rows import Rows, row_sums, to_bus

#: a draw of words begins with so many from the cross product of the corners, where it has as many
CROSSED = 400


def generator(name: str) -> np.random.Generator:
    """Numpy's random numbers from a name."""
    return np.random.default_rng(zlib.crc32(name.encode()))


def corners(fmt: QFormat) -> list[int]:
    """Words at which arithmetic breaks first."""
    return sorted({fmt.min, fmt.min + 1, -1, 0, 1, fmt.max - 1, fmt.max})


def draw(formats, count: int, name: str) -> list[tuple[int, ...]]:
    """`count` tuples with a word of each format: corners of all of them crossed, then random words."""
    rng, crossed = random.Random(name), list(itertools.product(*map(corners, formats)))
    crossed = rng.sample(crossed, min(len(crossed), CROSSED, count))
    return crossed + [tuple(rng.randint(f.min, f.max) for f in formats) for _ in range(count - len(crossed))]


def sweep(fmt: QFormat, count: int, name: str) -> list[int]:
    """Every word of a narrow format; of a wide one the neighbours of 0, 1.0 and the ends, and `count` random words."""
    if fmt.width <= 10:
        return list(range(fmt.min, fmt.max + 1))
    rng, one = random.Random(name), 1 << fmt.frac_bits
    near = [c + d for c in (fmt.min, -one, 0, one, fmt.max) for d in range(-20, 21)]
    return [w for w in near if fmt.min <= w <= fmt.max] + [rng.randint(fmt.min, fmt.max) for _ in range(count)]


class DelayTick(NamedTuple):
    """A tick of a delay line: `message` is sent, words `order` of the message of `delay` ticks ago are `expected`."""

    fresh: bool
    delay: int
    message: list[int]
    order: list[int]
    expected: list[int]


def delay_ticks(size: int, fmt: QFormat, depth: int, name: str, *, ahead: bool, ticks: int = 40):
    """Ticks of a DelayLine with any delay; now and then all begins anew."""
    rng = random.Random(name)
    for tick in range(ticks):
        fresh, delay = tick == 0 or rng.random() < 0.1, rng.randint(0, depth)
        message = [rng.choice(corners(fmt)) if rng.random() < 0.2 else rng.randint(fmt.min, fmt.max)
                   for _ in range(size)]
        if fresh:
            line = delay_line(np.zeros(size, np.int64), depth)
        if ahead:
            line = delay_write(line, np.array(message))
        order = rng.sample(range(size), size)
        yield DelayTick(fresh, delay, message, order, delay_read(line, delay)[order].tolist())
        if not ahead:
            line = delay_write(line, np.array(message))


class LineTick(NamedTuple):
    """A tick of a line with a predictor: `read` arrives, `message` is sent, `lost`: not what was predicted of it."""

    fresh: bool
    learn: bool
    message: list[int]
    read: list[int]
    sent: list[int]
    lost: list[bool]


def line_ticks(way: Way, taps, seed: int, name: str, *, ticks: int = 30):
    """Smooth messages with jumps, a sequence that begins anew in the middle, ticks in which taps stay.

    taps (rows, coefficients) or None; seed of the noise where they learn.
    """
    rng, p, fmt, register, line = random.Random(name), way.predictor, way.fmt, Noise(seed), None
    for tick in range(ticks):
        fresh, learn = tick in (0, 20), rng.random() < 0.8
        level = np.array([(n + 1) * tick * fmt.max // 60 for n in range(way.size)])
        message = (level + rng.choice((0, fmt.max // 3))).clip(fmt.min, fmt.max)
        if fresh:
            line = extrapolator.line(np.zeros((1, way.size), np.int64), way)
        read = extrapolator.read(line, way)[0].tolist()
        old, (line, wrong) = line, extrapolator.write(line, message[None], way, taps)
        yield LineTick(fresh, learn, message.tolist(), read, line.sent[0][0].tolist(),
                       np.broadcast_to(wrong, (1, way.size))[0].tolist())
        if p.learns and learn and way.delay:
            number = register[(tick * way.size + np.arange(way.size))[:, None] * p.words + np.arange(p.words)]
            taps = extrapolator.nlms_step(old.history, taps, number, way)


class DenseTick(NamedTuple):
    """A tick of a dense layer: `rate` comes out, and `message` arrives for the next one."""

    fresh: bool
    message: list[int]
    rate: list[int]


def dense_ticks(layer, params, name: str, *, ticks: int = 12):
    """Ticks of a layer that is not ahead of its input; now and then all begins anew."""
    rng, fmt = random.Random(name), layer.operand
    for tick in range(ticks):
        fresh = tick == 0 or rng.random() < 0.2
        message = [rng.choice(corners(fmt)) if rng.random() < 0.2 else rng.randint(fmt.min, fmt.max)
                   for _ in range(layer.inputs)]
        if fresh:
            u = np.zeros((1, layer.outputs), np.int64) + at_rest(layer)
            line = extrapolator.line(np.zeros((1, layer.inputs), np.int64), layer.way)
        out = dense_step(u, extrapolator.read(line, layer.way), params, layer)
        yield DenseTick(fresh, message, out.rate[0].tolist())
        u, line = out.u, extrapolator.write(line, np.array([message]), layer.way, params.taps)[0]


def row_problem(rows: Rows, name: str, *, vectors: int = 6) -> tuple[np.ndarray, np.ndarray]:
    """Weights (count, words * side), vectors (vectors, words * side) to multiply them with; ends of the formats too."""
    rng = generator(name)

    def words(bits, shape):
        low, high = -1 << bits - 1, (1 << bits - 1) - 1
        return np.where(rng.random(shape) < 0.3, rng.choice([low, high], shape), rng.integers(low, high + 1, shape))
    length = rows.words * rows.side
    weight, x = words(rows.weight, (rows.count, length)), words(rows.operand, (vectors, length))
    weight[0], x[0] = -1 << rows.weight - 1, -1 << rows.operand - 1
    return weight, x


def row_writes(rows: Rows, first_bank: int, weight):
    """(bank, word, data) of all rows: row j in lane j mod lanes, fold j // lanes; rows that do not exist hold zero."""
    for row in range(rows.folds * rows.lanes):
        words = map(int, to_bus(weight[row], rows)) if row < rows.count else [0] * rows.words * rows.columns
        for k, word in enumerate(words):
            yield first_bank + row % rows.lanes, row // rows.lanes * rows.words * rows.columns + k, word


def row_times(rows: Rows, weight, x, latency: int) -> dict[int, int]:
    """The sum that lanes give by cycle, when the first address of a walk without a gap is given in cycle 0."""
    sums, found = row_sums(x, weight, rows), {}
    for n in range(len(x)):
        for row in range(rows.folds * rows.lanes):
            when = (n * rows.folds + row // rows.lanes + 1) * rows.words - 1 + row % rows.lanes + latency
            found[when] = int(sums[n, row]) if row < rows.count else rows.half
    return found


class RowStep(NamedTuple):
    """What lanes are given in a cycle; the factors follow OPERAND_OFFSET cycles later."""

    addr: int
    first: bool
    last: bool
    factors: list[int]


def row_walk(rows: Rows, name: str, *, latency: int, count: int = 60) -> tuple[np.ndarray, list[RowStep], dict]:
    """Rows of any length at any addresses, with idle cycles between and within them.

    Returns what each lane holds (lanes, depth * side), the walk by cycle, and by cycle the sums that lanes give.
    """
    rng, held = random.Random(name), row_problem(replace(rows, count=rows.lanes, words=rows.depth, held=None), name)[0]
    factors, sums, walk = held.reshape(rows.lanes, rows.depth, rows.side), {}, []
    low, high = -1 << rows.operand - 1, (1 << rows.operand - 1) - 1

    def step(first=False, last=False, idle=False):
        given = [0 if idle else rng.choice((low, high, rng.randint(low, high))) for _ in range(rows.side)]
        walk.append(RowStep(rng.randrange(rows.depth), first, last, given))
    for _ in range(count):
        length, last = rng.randint(1, rows.words), max(sums, default=-1)
        # the last lane's sum of a row leaves before the first lane's of the next one
        for _ in range(max(rng.choice((0, 0, 1, 5)), last + 1 - latency - len(walk) - length + 1)):
            step()
        row = []
        for k in range(length):
            while k and rng.random() < 0.1:
                step(idle=True)
            step(first=k == 0, last=k == length - 1)
            row.append(walk[-1])
        for lane in range(rows.lanes):
            sums[len(walk) - 1 + latency + lane] = rows.half + sum(
                int(factors[lane, each.addr] @ each.factors) for each in row)
    return held, walk, sums
