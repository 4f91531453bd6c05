"""Group `link` of `leadlag bench`: the host link under noise and under bytes of all kinds, and what it carries."""

import random
from functools import partial

import numpy as np

from firmware.board import Board
from firmware.protocol import LinkError
from golden.fixed import QFormat
from golden.image import build_image
from golden.rate import engine
from golden.rate.layer import Dense
from golden.rate.network import Network
from leadlag import flow
from leadlag.terminal import bars

RAW_BYTES, MUTATED_FRAMES = 2_000_000, 20_000
#: probabilities that a byte has a bit turned over, and how often is loaded and run at each
RATES, TRIALS, TICKS = (1e-4, 1e-3), 60, 100
#: seconds of the simulated line, 2 million cycles each: a response begins, and what ends in an error takes no longer
TIMEOUT, PATIENCE = 0.02, 60.0
#: what goodput is measured with: many parameters and ticks of one word in, ten out; images of some fifty words, one out
CARRIED = (("gle-mnist1d", 3), ("delays-digits", 40))


def noise_network() -> Network:
    """Some fifty parameters, three inputs, two outputs."""
    fields = {"activation": "tanh", "operand": QFormat(0, 15), "weight": QFormat(2, 15), "state": QFormat(4, 12),
              "lead": QFormat(5, 12), "lag": QFormat(0, 17), "rate": QFormat(0, 15), "max_delay": 3}
    return Network(name="noise", dt=1.0, layers=(Dense(inputs=3, outputs=5, lanes=2, **fields),
                                                 Dense(inputs=5, outputs=2, **fields)))


def noisy_trials(line, net: Network, rate: float, trials: int, *, ticks: int = TICKS, advance=lambda: None) -> dict:
    """Loads and runs that end right, and those that end in a wrong answer, of `trials` each at a rate of errors.

    line: a sim.harness.line.Noisy before a board of `net`.
    """
    rng, found = np.random.default_rng(1), {"loads_right": 0, "runs_right": 0, "wrong": 0}
    fmt, board = net.layers[0].operand, Board(line, net, timeout=TIMEOUT, patience=PATIENCE)
    for _ in range(trials):
        params = engine.random_params(net, rng)
        image, x = build_image(net, params), rng.integers(fmt.min, fmt.max + 1, (1, ticks, net.inputs))
        want = engine.run(net, params, x)
        loaded, _ = _under_noise(line, rate, partial(board.load, image))
        if not loaded:
            board.load(image)
        # what was loaded shows in what it answers
        right = np.array_equal(board.run(x[:, :4]), want[:, :4])
        ran, answer = _under_noise(line, rate, partial(board.run, x))
        equal = ran and np.array_equal(answer, want)
        found["loads_right"] += loaded and right
        found["runs_right"] += equal
        found["wrong"] += (not right) + (ran and not equal)
        advance()
    return found


def _under_noise(line, rate, act):
    """Whether it came to its end, and what it came to."""
    line.rate = rate
    try:
        return True, act()
    except LinkError:
        return False, None
    finally:
        line.rate = 0


def goodput(name: str, samples: int) -> tuple[float, float]:
    """Shares of the line's bytes that are words, while parameters load and while samples stream.

    Of the direction that carries more, in the time from the first byte to the last: frames, requests for words and the
    time of the device count against it. At the fastest line that a device takes (a bit in four cycles), where the
    device's own time counts most, without a delay of the host.
    """
    from sim.harness.board import DIVISOR, SimulatedBoard
    case = flow.prepare(name)
    line, byte = SimulatedBoard(case.net), 10 * DIVISOR
    with Board(line, case.net) as board:
        board.identify()
        began = line.cycles
        board.load(case.image)
        loading = 4 * byte * len(case.image) / (line.cycles - began)
        units = case.net.units(flow.samples(case, "test", samples).x)
        board.stream(case.net.units(flow.samples(case, "test", 1).x))
        began = line.cycles
        words = max(len(board.stream(units)), len(units.words))
        return loading, 4 * byte * words / (line.cycles - began)


def link(console, raw_bytes: int = RAW_BYTES, mutated_frames: int = MUTATED_FRAMES, trials: int = TRIALS) -> dict:
    """Fuzz counts, loads and runs under noise, goodput of the line."""
    from sim.harness.board import SimulatedBoard
    from sim.harness.fuzz import CompiledLink, fuzz
    from sim.harness.line import Noisy
    with bars(console) as bar:
        task = bar.add_task("fuzz of the link", total=raw_bytes + mutated_frames)
        counts = fuzz(CompiledLink(), raw_bytes=raw_bytes, mutated_frames=mutated_frames,
                      progress=lambda sent, frames: bar.update(task, completed=sent + frames))
        figures = counts._asdict() | {"hangs": 0, "trials": trials, "seed": 0}
        net = noise_network()
        line = Noisy(SimulatedBoard(net), 0, random.Random("noise"))
        task = bar.add_task("loads and runs under noise", total=trials * len(RATES))
        for rate in RATES:
            found = noisy_trials(line, net, rate, trials, advance=lambda: bar.advance(task))
            for key, count in found.items():
                figures.setdefault(key, {})[f"{rate:g}"] = count
        task = bar.add_task("goodput", total=len(CARRIED))
        for name, samples in CARRIED:
            loading, streaming = goodput(name, samples)
            figures.setdefault("goodput_load", {})[name] = loading
            figures.setdefault("goodput_stream", {})[name] = streaming
            bar.advance(task)
    return figures


GROUPS = {"link": link}
