"""The static schedule: how many cycles a tick takes, and how many lanes each layer gets.

Nothing in a tick waits for anything: all layers start together, and the next tick starts `cycles_per_tick` later,
which may be before the last neurons have drained. The constraints are written here once; a test measures them.
"""

from collections.abc import Callable

from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.units.dense import dense_rows
from golden.units.extrapolator import Way, memory
from rtl.primitives import Bank
from rtl.rate import timing
from rtl.rate.columns import Columns
from rtl.rate.dense import DenseLayer
from rtl.rate.loss import OutputError
from rtl.rate.plastic import PlasticLayer
from rtl.rate.rows import row_read
from rtl.rate.tau import TimeConstant
from rtl.units.activation import Activation
from rtl.units.extrapolator import FIRST, Extrapolator
from rtl.units.leadlag import LeadLag
from rtl.units.mac import MacLanes
from rtl.units.plastic_lanes import PlasticLanes
from rtl.units.predicted import PredictedLine, predictor


def layer_cycles(layer: Dense) -> int:
    """Cycles that the lanes of a layer work in a tick: a bias and all inputs for each fold."""
    return layer.folds * (layer.inputs + 1)


def engine(layer: Dense) -> type[DenseLayer]:
    """The component that a layer is built as."""
    return DenseLayer if layer.plastic is None else PlasticLayer


def top_latency(net: Network, n: int) -> int:
    """Cycles from `start` to the first error of the teacher, for the last layer of a network that learns; others: 0."""
    return OutputError.latency(net) if net.teacher is not None and n == len(net.layers) - 1 else 0


def rates_at(layer: Dense, top: int) -> list[int]:
    """From which cycle on the message of each neuron can be read; cycle 0 is the first address of its tick."""
    walk, kind = layer.inputs + 1, engine(layer)
    first = timing.lead_in(layer, top) + kind.neuron_latency(layer)
    return [first + (row // layer.lanes + 1) * walk + row % layer.lanes for row in range(layer.outputs)]


def errors_at(layer: Dense, top: int) -> list[int]:
    """From which cycle on the error that a layer sends to each neuron below can be read."""
    walk, words = layer.inputs + 1, layer_cycles(layer)
    column = PlasticLanes.column_latency(layer.lanes) - Columns.LEAD + Columns.LATENCY + 1
    return [timing.second_pass(layer, top) + 2 * (words - walk + i + 1) + column for i in range(layer.inputs)]


def _read_period(way: Way, there: list[int], first: int) -> int:
    """Least number of cycles between ticks, so that words, there from some cycle on, are read in time.

    first: the cycle of a tick in which the first of them is read, the others follow one a cycle. Where a predictor may
    be given a delay of 0 they are read all the same, and sooner than it does; where the way has `least` ticks, only
    the predictor reads them, and it can wait for them (`wait`).
    """
    if way.predictor is not None and way.least:
        return 0
    return max(-(-(at + way.least - first - j) // (1 + way.least)) for j, at in enumerate(there))


def _lateness(way: Way, there: list[int]) -> int:
    """By how many cycles words come too late for a predictor that starts with their tick."""
    kind = predictor(way)
    pace = kind.passes(way.predictor) * (way.predictor.words + kind.BIAS)
    return max(at + way.least - FIRST - kind.BIAS - pace * j for j, at in enumerate(there))


def wait(way: Way, there: list[int], period: int) -> int:
    """Cycles that the predictor of a way with `least` ticks waits for its words when ticks are `period` apart."""
    return max(0, _lateness(way, there) - period) if way.predictor and way.least else 0


def _predict_period(way: Way, there: list[int], first: int, base: int, *, learning: bool) -> int:
    """Least period of `base` or more that leaves a predictor its time."""
    kind = predictor(way)
    if not way.least:
        return max(base, kind.period(way, learning=learning))
    walk = way.size * kind.passes(way.predictor) * (way.predictor.words + kind.BIAS)
    period = max(base, walk + 1)
    # the last prediction is there when it is read, `least` ticks later; words that learn are written in their tick
    while wait(way, there, period) + kind.period(way, learning=False) + 1 > period * way.least + first + way.size - 1 \
            or learning and way.predictor.learns and \
            wait(way, there, period) + kind.period(way, learning=True) > period:
        period += 1
    return period


def min_period(layer: Dense, *, above: Way | None = None, top: int = 0) -> int:
    """Least number of cycles between two ticks without errors that a layer allows.

    above: the way of its messages, None for the last layer; top: of the teacher, which reads them as they come.
    Cycle 0 is the first address of a tick; the layer above reads operand j in cycle 1 + j of the next one.
    """
    walk, kind = layer.inputs + 1, engine(layer)
    begin = timing.lead_in(layer, top)
    bounds = [begin + layer_cycles(layer), kind.membrane_latency(layer),
              # flags of a tick are taken over by its first row, before the next tick changes them
              begin + walk + MacLanes.latency(dense_rows(layer))]
    if above is not None:
        bounds.append(_read_period(above, rates_at(layer, top), 1))
    elif top:
        bounds += [at - j for j, at in enumerate(rates_at(layer, top))]
    return max(bounds)


def min_learn_period(layer: Dense, *, above: Way | None = None, below: Way | None = None, top: int = 0) -> int:
    """Least number of cycles between two ticks with errors that a layer that learns allows.

    below: the way of the errors that it sends down, None for the lowest layer that learns.
    """
    words, rows = layer_cycles(layer), range(layer.outputs)
    begin, second = timing.lead_in(layer, top), timing.second_pass(layer, top)
    last = second + 2 * (words - 1)                     # the last `back`
    errors = timing.source(top)
    bounds = [min_period(layer, above=above, top=top),
              last + 2,                                 # its update has the lanes, too
              last + PlasticLanes.WRITE_LATENCY - begin - words + 1]      # its last weight was written
    unit = begin + Bank.LATENCY + timing.unit_wait(layer) + LeadLag.LATENCY
    if layer.activation != "linear":                    # slopes are there for the errors of the next tick
        slope = unit + Activation.latency(f"{layer.activation}_derivative") + 1
        bounds += [row_read(layer, j) + slope - errors - j for j in rows]
    if layer.plastic.tau is not None:
        tau = unit + TimeConstant.LATENCY + 2
        bounds += [row_read(layer, j) + tau - errors - j for j in rows] + [tau]
    if layer.plastic.gamma is not None or layer.plastic.tau is not None:    # rows are done with this tick's eps
        bounds += [begin + row_read(layer, j) - timing.first_error(layer, top) - j for j in rows]
    if below is not None:                               # the layer below reads error i in cycle i
        bounds.append(_read_period(below, errors_at(layer, top), 0))
    return max(bounds)


def cycles_per_tick(net: Network, *, learning: bool = False) -> int:
    """Cycles from one tick to the next when nothing stalls; learning: a tick in which errors run."""
    periods = []
    for n, layer in enumerate(net.layers):
        above = net.layers[n + 1].way if n + 1 < len(net.layers) else None
        options = {"above": above, "top": top_latency(net, n)}
        if learning and layer.plastic is not None:
            below = net.error_way(n) if net.sends_errors(n) else None
            periods.append(min_learn_period(layer, below=below, **options))
        else:
            periods.append(min_period(layer, **options))
    period = max(periods)
    for way, there, first in _predicted(net, errors=learning):
        period = _predict_period(way, there, first, period, learning=learning)
    return period


def _predicted(net: Network, *, errors: bool):
    """Ways with a predictor: the way, from when on its words are there, and the first cycle that they are read in."""
    for n in range(1, len(net.layers)):
        if net.layers[n].predictor is not None:
            yield net.layers[n].way, rates_at(net.layers[n - 1], top_latency(net, n - 1)), 1
        if errors and net.sends_errors(n) and net.layers[n].error_predictor is not None:
            yield net.error_way(n), errors_at(net.layers[n], top_latency(net, n)), 0


def waits(net: Network, n: int) -> tuple[int, int]:
    """What the predictors of messages into layer n, and of errors out of it, wait for their words (`wait`)."""
    layer, messages, errors = net.layers[n], 0, 0
    if n:
        there = rates_at(net.layers[n - 1], top_latency(net, n - 1))
        messages = wait(layer.way, there, cycles_per_tick(net))
    if net.sends_errors(n):
        there = errors_at(layer, top_latency(net, n))
        errors = wait(net.error_way(n), there, cycles_per_tick(net, learning=True))
    return messages, errors


def ways(net: Network, n: int, *, errors: bool = True) -> list[Way]:
    """The way of messages into layer n, and that of errors out of it."""
    return [net.layers[n].way] + ([net.error_way(n)] if errors and net.sends_errors(n) else [])


def predictor_costs(net: Network) -> dict[str, str]:
    """What each predictor takes, one line for a person, by the message that it is for."""
    return {what: cost_line(way, net.streams) for n in range(len(net.layers))
            for what, way in zip((f"messages into layer {n}", f"errors out of layer {n}"), ways(net, n), strict=False)
            if way.predictor is not None}


def cost_line(way: Way, streams: int = 1) -> str:
    """Memory, multiplies and multipliers of a predictor, for all elements of its message."""
    one, p = memory(way), way.predictor
    kilobits = sum(depth * width for depth, width in PredictedLine.banks(way, streams)) / 1024
    rows = p.rows(way.size) if p.coefficients else 1
    return (f"{p.kind.replace('_', ' ')}: {way.size} elements x {one['history_words']} words of history, "
            f"{rows} x {one['coefficients']} coefficients, {way.size * one['multiplies']} multiplies a tick on "
            f"{Extrapolator.multipliers(p)} multipliers, {kilobits:.0f} kbit of memory")


def lane_use(net: Network, *, learning: bool = False) -> float:
    """Share of lane-cycles of a tick that multiply by a weight (biases not counted); with errors, all three times."""
    products = sum(layer.macs * (3 if learning and layer.plastic else 1) for layer in net.layers)
    return products / (net.lanes * cycles_per_tick(net, learning=learning))


def passes(layer: Dense) -> int:
    """Lane-cycles that a weight takes in a tick with errors: for W r, and for W^T eps and eps r."""
    return 1 if layer.plastic is None else 3


def banks(net: Network) -> list[tuple[int, int]]:
    """Depth and width of every memory of the network."""
    found = []
    for n, layer in enumerate(net.layers):
        options = {"streams": net.streams, "ahead": n == 0}
        if layer.plastic is not None:
            options |= {"above": net.error_way(n + 1) if net.sends_errors(n + 1) else None,
                        "below": n > net.first_plastic}
        found += engine(layer).banks(layer, **options)
    return found + (OutputError.banks(net) if net.teacher else [])


def fold(net: Network, multipliers: int, fits: Callable[[Network], bool] = lambda net: True) -> Network:
    """Give each layer the lanes with which the tick is shortest, within `multipliers` (lanes and neuron units).

    A layer of F folds takes F (inputs + 1) cycles, three times as many where it learns; for every candidate tick each
    layer takes the fewest folds that fit, hence the fewest lanes. What `fits` refuses, for its memory, is passed over;
    where it refuses all, the last and smallest is given. ValueError where even one lane a layer is too much.
    """
    spare = multipliers - sum(neuron_multipliers(layer) for layer in net.layers)
    spare -= OutputError.multipliers(net) if net.teacher else 0
    spare -= sum(Extrapolator.multipliers(way.predictor) for n in range(len(net.layers)) for way in ways(net, n)
                 if way.predictor is not None)
    if spare < len(net.layers):
        raise ValueError(f"{net.name} needs at least {multipliers - spare + len(net.layers)} multipliers, "
                         f"the board has {multipliers}")
    candidates = sorted({f * passes(layer) * (layer.inputs + 1)
                         for layer in net.layers for f in range(1, layer.outputs + 1)})
    learns, best = net.teacher is not None, None
    last = net
    for cycles in candidates:
        lanes = [_lanes_for(layer, cycles) for layer in net.layers]
        if None in lanes or sum(lanes) > spare:
            continue
        folded = net.with_lanes(lanes)
        last = folded
        if not fits(folded):
            continue
        key = (cycles_per_tick(folded, learning=learns), folded.lanes)
        if best is None or key < best[0]:
            best = (key, folded)
        elif cycles > best[0][0]:
            break
    return best[1] if best else last


def neuron_multipliers(layer: Dense) -> int:
    """Multipliers of a layer beside its lanes: lead and lag, and what its errors and its tau_m take."""
    plastic, count = layer.plastic, 2
    if plastic is not None:
        count += (layer.activation != "linear") + 2 * plastic.is_filtered
        count += (4 + plastic.is_filtered) * (plastic.tau is not None)
    return count


def _lanes_for(layer: Dense, cycles: int) -> int | None:
    """Fewest lanes that finish within `cycles`, or None."""
    folds = cycles // (passes(layer) * (layer.inputs + 1))
    # errors are summed over folds in a memory that takes some cycles
    if folds < 1 or layer.plastic and layer.inputs < 4 and layer.outputs > layer.inputs + 1:
        return None
    lanes = layer.outputs if layer.plastic and layer.inputs < 4 else -(-layer.outputs // folds)
    return lanes if lanes <= layer.inputs + 1 else None
