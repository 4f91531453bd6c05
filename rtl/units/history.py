"""The walk of a predictor over its history: element after element, the newest word of each first."""

from typing import NamedTuple

from amaranth.hdl import Cat, Mux, Signal

from golden.units.extrapolator import Way
from rtl.units.delay import DelayLine


class Walk(NamedTuple):
    """What goes by in a cycle, a word of the history.

    rings: by name ("now"; "then", as the history was `delay` ticks ago, where taps learn) the slot of the ring that it
    is in, and how many ticks it is younger than the first message (below 0: there was none yet).
    index, word: which element, and which of its words; first, end, last: the word is the first of a pass, or the last,
    or the last of the element; valid; newest: it is x_0. draw, move: taps draw a number of the register in this tick,
    and keep their steps. late: the delay is not 0.
    """

    rings: dict
    index: object
    word: object
    first: object
    end: object
    last: object
    valid: object
    newest: object
    draw: object
    move: object
    late: object


def ring_depth(way: Way, streams: int) -> int:
    """Ticks of the network that the oldest word of the history is old."""
    return (way.predictor.history + 1) * streams - 1


def history_walk(m, way: Way, unit, *, streams: int, passes: int, bias: int) -> Walk:
    """Walk once a tick of `unit`, an Extrapolator, whose start, fresh, errors, learn, delay and spacing are read.

    passes: how often the words of an element go by; bias: 1 where each pass begins with a one.
    """
    shift, depth = streams.bit_length() - 1, ring_depth(way, streams)
    slot_bits, index_bits = DelayLine.ring_bits(way.size, depth)
    words = way.predictor.words + bias
    ages = range(-2 * (depth + 2), depth + 3)
    age, tick_slot = Signal(range(depth + 2)), Signal(slot_bits)
    newest, seen = Signal(slot_bits, reset_less=True), Signal(range(depth + 2), reset_less=True)
    begin, flags = Signal(), Signal(3, name="tick_flags")
    now = Mux(unit.fresh, 0, age)
    m.d.sync += begin.eq(unit.start)
    with m.If(unit.start):
        m.d.sync += [tick_slot.eq(tick_slot + 1), age.eq(Mux(now == depth + 1, now, now + 1)),
                     newest.eq(tick_slot - 1), seen.eq(now),
                     flags.eq(Cat(unit.errors, unit.errors & unit.learn & (unit.delay != 0), unit.delay != 0))]
    # ages in ticks of the network: streams take turns
    step, late = unit.spacing << shift, (unit.delay + 1) << shift
    base = {"now": newest - (streams - 1), "now_left": seen - streams}
    if way.predictor.learns:
        base |= {"then": newest - late + 1, "then_left": seen - late}
    walk, kept = ({name: Signal(ages if "left" in name else slot_bits, name=f"{kind}_{name}", reset_less=True)
                   for name in base} for kind in ("walk", "first"))
    active, index, word = Signal(name="walking"), Signal(index_bits), Signal(range(max(2, words)))
    turn, end = Signal(range(max(2, passes))), word == words - 1
    last = end & (turn == passes - 1)
    with m.If(begin):
        m.d.sync += [active.eq(1), index.eq(0), word.eq(0), turn.eq(0),
                     *(target[name].eq(value) for name, value in base.items() for target in (walk, kept))]
    with m.Elif(active):
        m.d.sync += [word.eq(Mux(end, 0, word + 1)),
                     *(signal.eq(Mux(end, kept[name], Mux(word < bias, signal, signal - step)))
                       for name, signal in walk.items())]
        with m.If(end):
            m.d.sync += turn.eq(Mux(last, 0, turn + 1))
        with m.If(last):
            m.d.sync += [index.eq(index + 1), active.eq(index != way.size - 1)]
    return Walk(
        rings={name: (walk[name], walk[f"{name}_left"]) for name in base if "left" not in name}, index=index, word=word,
        first=word == 0, end=active & end, last=active & last, valid=active,
        newest=active & (turn == 0) & (word == bias), draw=active & flags[0], move=active & flags[1], late=flags[2])
