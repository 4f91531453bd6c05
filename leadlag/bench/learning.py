"""Groups of `leadlag bench` for learning on the chip."""

import numpy as np

from golden.tasks import learning as tasks
from leadlag import flow
from leadlag.bench import placed
from leadlag.experiments import adaptation, learning
from leadlag.terminal import status

SEEDS = (0, 1, 2)
BOARD = flow.DEFAULT_BOARD


def lagline(console) -> dict:
    """LagLine in the circuit from three random starts, with prospective and with instantaneous errors."""
    runs = [learning.learn("lagline", seed=seed, console=console).figures for seed in SEEDS]
    figures = dict(runs[0])
    for name in ("w", "tau", "instantaneous_w", "instantaneous_tau"):
        figures[f"{name}_seeds"] = [run[name] for run in runs]
    figures["rtl_equal_ticks"] = sum(run["rtl_equal_ticks"] for run in runs)
    return figures | {"seed": list(SEEDS)}


def fourier(console) -> dict:
    """Fourier synthesis in the circuit from three random starts, and the same rule in float."""
    runs = [learning.learn("fourier", seed=seed, console=console).figures for seed in SEEDS]
    with status(console, "Fourier synthesis in float"):
        real = fourier_float(0)
    return runs[0] | {"mse_float": real, "mse_final_seeds": [run["mse_final"] for run in runs],
                      "rtl_equal_ticks": sum(run["rtl_equal_ticks"] for run in runs), "seed": list(SEEDS)}


def fourier_float(seed: int) -> float:
    """Mean squared error without the teacher of the float model: same start, same steps, no words."""
    import torch

    from golden.train.rates import Layer, gle_step, initial_state
    net = tasks.fourier()
    stream, layers = tasks.fourier_stream(net), []
    for layer, p in zip(net.layers, tasks.fourier_start(net, seed), strict=True):
        weight, bias = (torch.tensor(words * layer.weight.lsb) for words in (p.weight, p.bias))
        tau = torch.full_like(bias, tasks.FOURIER_TAU)
        layers.append(Layer(weight, bias, tau, tau, layer.activation))
    x = torch.tensor(stream.x[:, 0] * net.layers[0].operand.lsb)
    y = torch.tensor(stream.target[:, 0] * net.layers[-1].rate.lsb)
    taught = np.broadcast_to(stream.teach, (len(x), 1))[:, 0]
    states, wrong = initial_state(layers, 1), []
    rates = [2.0 ** -layer.plastic.rate for layer in net.layers]
    with torch.no_grad():
        for n in range(len(x)):
            error = (y[n:n + 1] - states[-1].r) * float(taught[n])
            states, gradients = gle_step(layers, states, x[n:n + 1], error, dt=net.dt,
                                         gamma=2.0 ** -net.layers[0].plastic.gamma)
            if taught[n]:
                for layer, gradient, rate in zip(layers, gradients, rates, strict=True):
                    layer.weight.sub_(gradient.weight * rate)
                    layer.bias.sub_(gradient.bias * rate)
            else:
                wrong.append(float((states[-1].r - y[n]) ** 2))
    return float(np.mean(wrong))


def mnist1d(console) -> dict:
    """MNIST-1D learnt by the integer rule from three random starts, and the float rule with Adam."""
    runs = [learning.learn("mnist1d", seed=seed, rtl=seed == SEEDS[0], console=console).figures for seed in SEEDS]
    figures = dict(runs[0]) | {"integer_accuracy_seeds": [run["integer_accuracy"] for run in runs]}
    from golden.train.static import train_static
    with status(console, "the float rule with Adam"):
        real = train_static(seed=0)
    return figures | {"float_adam_accuracy": real["accuracy"], "float_adam_epochs": real["epochs"],
                      "seed": list(SEEDS)}


def adapt(console) -> dict:
    """The output layer of the zoo network destroyed, and learnt again on the simulated board."""
    found = adaptation.adapt(console=console)
    for text in ("device", "network", "written"):      # for a person
        found.pop(text, None)
    return found | {"seed": 0}


def lagnet(console) -> dict:
    """The local rule against the discretised adjoint on LagNet, in float."""
    from golden.train.lagnet import lagnet as check
    with status(console, "LagNet"):
        return {f"{weights}_{errors}": check(errors == "prospective", signed=weights == "signed")
                for weights in ("positive", "signed") for errors in ("prospective", "instantaneous")} | {"seed": 0}


def build_mnist1d(console) -> dict:
    """Place and route of the MNIST-1D system with learning on, for the ULX3S-85F, three seeds."""
    from boards.build import build
    net = learning.folded(tasks.mnist1d_net())
    with status(console, "place and route") as say:
        result = build(net, flow.board(BOARD), out_dir=flow.BUILD, seeds=placed.SEEDS, clock_mhz=CLOCK_MHZ,
                       every=True, progress=lambda text: say(f"place and route: {text}"))
    names = ("fmax_mhz", "clock_mhz", "cycles_per_tick", "ticks_per_s", "ticks_per_s_at_fmax", "learn_cycles_per_tick",
             "learn_ticks_per_s", "learn_ticks_per_s_at_fmax", "lanes", "lane_use", "learn_lane_use", "lut4", "comb",
             "ff", "dsp", "bram", "wall_s", "nextpnr_seed", "timing_met")
    return {name: result.report[name] for name in names} | placed.over_seeds(result.report) | {
        "seed": result.report["nextpnr_seed"]}


def cost(console) -> dict:
    """Lane-cycles that a synapse takes in a learning tick, as the schedule tests count them, and with idle ones."""
    from rtl.rate.schedule import cycles_per_tick, passes
    net = learning.folded(tasks.mnist1d_net())
    plastic = [layer for layer in net.layers if layer.plastic is not None]
    words = sum(layer.parameters for layer in plastic)
    used = sum(passes(layer) * layer.lanes * layer.folds * (layer.inputs + 1) for layer in plastic)
    period = cycles_per_tick(net, learning=True)
    return {"lane_cycles_per_synapse_tick": used / words,
            "lane_cycles_per_synapse_tick_with_idle": sum(layer.lanes for layer in plastic) * period / words,
            "learn_cycles_per_tick": period, "cycles_per_tick": cycles_per_tick(net), "seed": 0}


CLOCK_MHZ = 120.0
GROUPS = {"learn.lagline": lagline, "learn.fourier": fourier, "learn.mnist1d": mnist1d, "learn.adapt": adapt,
          "learn.lagnet": lagnet, "learn.cost": cost, f"build.le-mnist1d.{BOARD}": build_mnist1d}
