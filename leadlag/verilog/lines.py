# amaranth: UnusedElaboratable=no
"""Benches of delay lines and of what predicts the words in them: ticks, fresh starts, words in any order."""

from collections.abc import Callable

import numpy as np

from golden.units.delay import MAX_DELAY
from golden.units.extrapolator import Predictor, Way
from golden.units.rows import MAX_NEURONS
from leadlag.verilog.script import Bench, Script
from leadlag.verilog.settings import within
from rtl.pipeline import BANK_BITS
from rtl.units.delay import DelayLine
from rtl.units.extrapolator import FIRST
from rtl.units.predicted import PredictedLine, predictor
from sim.vectors import delay_ticks, generator, line_ticks


def delay(s, seed: str) -> Bench:
    within(1, MAX_NEURONS, size=s.size)
    within(0, MAX_DELAY, depth=s.depth)
    unit = DelayLine(size=s.size, fmt=s.fmt, depth=s.depth, ahead=s.ahead)
    script = Script(unit)
    gaps = generator(seed)
    for tick in delay_ticks(s.size, s.fmt, s.depth, seed, ahead=s.ahead):
        script.note(f"delay {tick.delay}, {'all begins anew' if tick.fresh else 'goes on'}")
        writes = list(tick.message)
        while s.ahead and writes:
            script.tick(int(gaps.integers(0, 3)))
            script.word("i", writes.pop(0))
        script.pulse(start=1, fresh=tick.fresh, delay=tick.delay)
        # one read a cycle; the newest message of the next tick may come in meanwhile
        for n in range(max(len(tick.order), 3 * len(writes))):
            if n < len(tick.order):
                script.drive(read_index=tick.order[n])
                script.expect(script.now + unit.LATENCY, read_data=tick.expected[n])
            if writes and gaps.random() < 0.7:
                script.word("i", writes.pop(0))
            else:
                script.tick()
        for word in writes:
            script.word("i", word)
        script.tick(int(gaps.integers(0, 3)))
    script.tick(unit.LATENCY + 1)
    return Bench(script, {"i_payload": s.fmt, "read_data": s.fmt},
                 f"read_data comes {unit.LATENCY} cycles behind read_index, one word a cycle; reads from the cycle "
                 f"after `start` on are those of its tick")


def _way(s) -> tuple[Way, np.ndarray | None]:
    """What a predictor is for, and its taps."""
    p = Predictor(kind=s.kind, history=s.history, spacing=s.spacing or None, taps=s.taps, gain=s.gain, quiet=s.quiet,
                  rate=None if s.rate < 0 else s.rate, hidden=s.hidden, shared=s.shared, scale=s.scale)
    way, rng = Way(s.size, s.fmt, s.delay, s.max_delay, p), np.random.default_rng(3)
    within(1, MAX_NEURONS, size=s.size)
    within(1, MAX_DELAY, max_delay=s.max_delay)
    within(0, s.max_delay, delay=s.delay)
    within(0, (1 << BANK_BITS) - 1, bank=s.bank)
    way.check()
    if not p.coefficients:
        return way, None
    half = 1 << p.gain.frac_bits - 1
    return way, rng.integers(-half, half, (p.rows(s.size), p.coefficients))


def _predictor(s, seed: str, make: Callable, play: Callable) -> Bench:
    """A bench of a predictor, which `make(way)` builds and `play(script, tick, period)` runs for a tick."""
    way, taps = _way(s)
    unit, p = make(way), way.predictor
    script = Script(unit)
    script.load([] if taps is None else [(s.bank, n, word) for n, word in enumerate(taps.ravel().tolist())], half=1)
    fixed = p.fixed_taps(way.delay) if not p.has_taps and p.spacing else ()
    script.drive(half=1, delay=way.delay, spacing=p.spacing or way.delay,
                 **{f"fixed_{n}": word for n, word in enumerate(fixed)})
    script.tick(4)
    period = predictor(way).period(way, learning=True) + 3
    for n, tick in enumerate(line_ticks(way, taps, s.seed, seed)):
        script.note(f"tick {n}{', all begins anew' if tick.fresh else ''}{', taps move' if tick.learn else ''}")
        script.pulse(start=1, fresh=tick.fresh, errors=1, learn=tick.learn)
        play(script, way, tick, script.now + period)
    script.tick(4)
    named = {name: way.fmt for name in ("i_payload", "o_payload", "read_data") if name in script.pins}
    return Bench(script, named | {"probe_data": p.gain} | {f"fixed_{n}": p.gain for n in range(p.words)},
                 f"a tick may follow {predictor(way).period(way, learning=p.learns)} cycles after the one before")


def _message(script: Script, message, end: int) -> None:
    """The words of a message in the last cycles of a tick that ends with cycle `end`."""
    script.tick(end - len(message) - script.now)
    for word in message:
        script.word("i", word)


def extrapolator(s, seed: str) -> Bench:
    def play(script, way, tick, end):
        kind, begin = predictor(way), script.now
        pace = kind.passes(way.predictor) * (way.predictor.words + kind.BIAS)
        due = {begin + FIRST + (j + 1) * pace - 1 + kind.DONE + 2: j for j in range(way.size)}
        for cycle in range(begin, end):
            if cycle in due:
                script.expect(cycle, o_valid=1, o_payload=tick.sent[due[cycle]], lost=tick.lost[due[cycle]])
            else:
                script.expect(cycle, o_valid=0, lost=0)
        _message(script, tick.message, end)
    return _predictor(s, seed, lambda way: predictor(way)(way, bank=s.bank, seed=s.seed), play)


def predicted(s, seed: str) -> Bench:
    def play(script, way, tick, end):
        for j, word in enumerate(tick.read):
            script.drive(read_index=j)
            script.expect(script.now + PredictedLine.LATENCY, read_data=word)
            script.tick()
        _message(script, tick.message, end)
    return _predictor(s, seed, lambda way: PredictedLine(way, bank=s.bank, seed=s.seed), play)
