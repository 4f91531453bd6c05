"""A network cut in two boards, joined by cables of a real length: what link latency costs, with and without predictors.

The network of golden.tasks.late, 10-30-1, between the hidden layer and the output: rates go to one board, errors come
back, both late by D ticks. The cables are as long as D ticks cover; with a tick more the boards would wait for each
other. Output words and what was learnt are compared with the golden model, word by word.
"""

from leadlag import flow
from leadlag.experiments.learning import equal_params, equal_words
from leadlag.terminal import status

LATENCIES = (0, 5, 20, 40, 100)         # ticks of 0.05 ms
PREDICTORS = ("none", "linear", "nlms")
CYCLES_PER_WORD = 2
#: cycles that a tick has to be longer to be called a wait: output words are asked for every few cycles
WAITS = 0.1
#: ticks over which waits are measured
MEASURED = 500


def two_boards(latencies=LATENCIES, predictors=PREDICTORS, seed: int = 0, console=None, *,
               ms: float | None = None) -> dict:
    """The table of error against link latency; `ms` of the run, as long as golden.tasks.late's by default.

    Returns rows, a list of
      latency_ticks    the delay of messages and of errors, which the links use up
      predictor, mse   as of golden.tasks.late.late_fourier_mse
      link_cycles      the longest cables with which no tick waits
      cycles_per_tick, one_tick_longer    clock cycles from tick to tick: with these cables, and with cables that take
                       one tick longer
      equal            words equal golden's (output words; what was learnt, read back), or CheckFailed is raised
    and cycles_per_word of the cables. ValueError for a predictor that has to be trained first.
    """
    from golden.tasks.late import MS, late_fourier
    if not latencies or not predictors:
        raise ValueError("two boards need a latency and a predictor")
    for delay in latencies:
        for kind in predictors:
            late_fourier(delay, kind)
    from rtl.rate.schedule import cycles_per_tick
    from sim.rate.pair import PairSimulation
    rows, most = [], max(max(latencies), 1)
    for kind in predictors:
        with status(console, f"two boards, {kind}: compiling") as say:
            # one circuit for all delays, which are loaded
            net = late_fourier(most, kind)
            simulation = PairSimulation(net, max_latency=(most + 3) * cycles_per_tick(net, learning=True),
                                        cycles_per_word=CYCLES_PER_WORD)
            for delay in latencies:
                if not delay and kind != "none":        # nothing is late, nothing is predicted
                    continue
                say(f"two boards, {kind}, {delay} ticks")
                net = late_fourier(delay, kind, max_delay=most)
                rows.append({"latency_ticks": delay, "predictor": kind, **_run(simulation, net, seed, ms or MS)})
    return {"rows": sorted(rows, key=lambda row: row["latency_ticks"]), "cycles_per_word": CYCLES_PER_WORD}


def _run(simulation, net, seed: int, ms: float) -> dict:
    from golden.rate.compiled import CompiledLearner
    from golden.tasks.late import error, start, stream
    params, words = start(net, seed), stream(net, ms)
    link, period = longest(simulation, net, params)
    _boards(simulation, net, params, link)
    got = simulation.learn(words.x, words.target, teach=words.teach)
    cycles = simulation.tick_cycles
    learner = CompiledLearner(net, params)
    want = learner.run(words.x, words.target, first=True, teach=words.teach)
    equal_words(net, got, want, f"two boards, {link} cycles of cable")
    equal_params(net, simulation.read_params(params), learner.params)
    longer = _pace(simulation, net, params, link + period)
    return {"mse": error(net, words, got), "link_cycles": link, "cycles_per_tick": round(cycles, 2),
            "one_tick_longer": round(longer, 2), "equal": int(got.size)}


def longest(simulation, net, params) -> tuple[int, int]:
    """Cycles of the longest cables with which no tick waits, and of a tick, measured.

    A round of a message and an error takes twice the cable and what the boards need; it covers D ticks each, and one
    more of each that nothing predicts. Cables that are too long show what the boards need.
    """
    covered, period = _covered(net), simulation.register(True, "learn_cycles")
    link = (covered // 2 + 2) * period
    slow = _pace(simulation, net, params, link)
    if slow < period + WAITS:
        raise flow.CheckFailed(f"{net.name}: cables of {link} cycles do not slow ticks of {period} cycles down")
    link = max(0, int((period * covered - slow * covered) / 2) + link + 1)
    while link and _pace(simulation, net, params, link) > period + WAITS:
        link -= 1
    return link, period


def _covered(net) -> int:
    """Ticks that a round may take: of a message and of an error."""
    layer = net.layers[-1]
    return layer.delay + layer.error_delay + (layer.predictor is None) + (layer.error_predictor is None)


def _boards(simulation, net, params, link: int) -> None:
    """Two new boards with cables of `link` cycles, loaded."""
    simulation.restart()
    simulation.latency(link)
    simulation.load(net, params)


def _pace(simulation, net, params, link: int) -> float:
    """Clock cycles from tick to tick behind such cables."""
    from golden.tasks.late import DT, stream
    _boards(simulation, net, params, link)
    # ticks that wait come in turns of at most a round; the second half of the run is measured
    rounds = -(-MEASURED // _covered(net))
    words = stream(net, DT * 2 * rounds * _covered(net))
    simulation.learn(words.x, words.target, teach=words.teach)
    return simulation.tick_cycles
