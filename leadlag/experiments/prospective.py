"""Prospective messaging on the circuit: runs that golden and RTL do side by side, and what predictors cost and buy."""

from dataclasses import replace

from golden.tasks import late as task
from leadlag import flow
from leadlag.experiments import learning, study
from leadlag.terminal import status
from rtl.rate.schedule import cycles_per_tick, predictor_costs

#: of the circuit study: inputs up to 500 Hz, where a tick counts
HARDWARE_INPUTS, HARDWARE_TICKS, HARDWARE_SEEDS, HARDWARE_CLOCK = 50, (0, 1, 2, 4), (0, 1, 2), 100.0


def trained(delay: int):
    """The neural predictors for a delay, trained once and kept with those of `leadlag study delays`."""
    runs = study.plan([delay * task.DT], ["neural"], [0], "integer")
    settings = study.trainings(runs)
    nets = study.complete([(each,) for each in settings], flow.BUILD / "study" / "delays")
    return nets[study.name_of(settings[0])]["nets"] if settings else None


def prepare(delay: int, kind: str, seed: int, *, inputs: int = 10, least: int = 0):
    """Network and starting point of Fourier synthesis with late messages."""
    predictors, taps = task.neural(delay, trained(delay)) if kind == "neural" and delay else (None, {})
    net = task.late_fourier(delay, kind, inputs=inputs, least=least, predictors=predictors)
    return net, task.start(net, seed, **taps)


def learn_late(seed: int = 0, *, delay: int = 40, kind: str = "nlms", rtl: bool = True, console=None):
    """Fourier synthesis with `delay` ticks on messages and errors; the circuit does the whole run, too."""
    net, params = prepare(delay, kind, seed)
    words = task.stream(net)
    learner, equal, rates = learning.run_both(net, params, words, rtl, console)
    figures = {"delay_ms": delay * task.DT, "predictor": kind, "mse": task.error(net, words, rates),
               "lost": [list(flags) for flags in learner.lost], "ticks": len(words.x), **equal,
               "learn_cycles_per_tick": cycles_per_tick(net, learning=True), **predictor_costs(net)}
    return learning.Learnt(net, learner.params, figures)


def hardware(kind: str, ticks: int, console=None) -> dict:
    """Fourier synthesis up to 500 Hz with `ticks` extra ticks between the layers: routed, and learnt."""
    from boards.build import build
    board = flow.board(flow.DEFAULT_BOARD)
    net = task.late_fourier(ticks, kind, inputs=HARDWARE_INPUTS, least=ticks)
    net = board.fold(replace(net, name=f"late-{kind.replace('_', '-')}-{ticks}").with_lanes([1] * len(net.layers)))
    with status(console, f"{net.name}: place and route"):
        report = build(net, board, out_dir=flow.BUILD, seeds=(1,), clock_mhz=HARDWARE_CLOCK).report
    found = {"ticks": ticks, "predictor": kind, "mse": []}
    for seed in HARDWARE_SEEDS:
        words = task.stream(net)
        learner, _, rates = learning.run_both(net, task.start(net, seed), words, False, None)
        found["mse"].append(task.error(net, words, rates))
    names = ("fmax_mhz", "cycles_per_tick", "ticks_per_s", "ticks_per_s_at_fmax", "learn_cycles_per_tick",
             "learn_ticks_per_s", "learn_ticks_per_s_at_fmax", "lut4", "ff", "dsp", "bram", "timing_met")
    return found | {name: report[name] for name in names}
