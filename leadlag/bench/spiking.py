"""Groups of `leadlag bench` for delay-only spiking networks."""

import numpy as np

from golden.data import sets
from golden.recipe import load
from golden.spiking.trained import SpikingTrained
from golden.spiking.words import answers
from leadlag import flow
from leadlag.bench import records, sources, spikes
from leadlag.bench.placed import SEEDS, over_seeds
from leadlag.report.page import write_report
from leadlag.terminal import status
from leadlag.training import reported
from rtl.spiking.cost import block_rams

#: what a network is compared with (golden.train.delays)
CONTROLS = {"trained_weights_accuracy": "both", "random_delays_accuracy": "random", "equal_delays_accuracy": "equal"}
#: clocks in MHz that are asked for; others: the board's own
CLOCKS = {"delays-fashion-256": 120.0, "delays-fashion-800": 120.0}
ICE40 = "ice40-hx8k"


def fashion_256(console) -> dict:
    """784-256-10 on Fashion-MNIST: float, controls, integers and circuit on all test images."""
    return network("delays-fashion-256", console)


def fashion_800(console) -> dict:
    """784-800-10 on Fashion-MNIST, the same."""
    return network("delays-fashion-800", console)


def mnist(console) -> dict:
    """784-256-10 on 10,000 MNIST training digits, 8,000 to learn and 2,000 to test."""
    return trained("delays-mnist", "delays", console).training | {
        "split": "8,000/2,000 of 10,000 MNIST training digits"}


def digits(console) -> dict:
    """The network for an iCE40 on 8x8 digits; the same engine with weights and delays that were both trained."""
    real = trained("delays-digits", "both", console)
    both = flow.case_of(real, data=sets.learnt(real.training)[0])
    ladder, found = spikes.climb(both, console)
    rungs = {rung["rung"].split()[0]: rung["accuracy"] for rung in ladder}
    return network("delays-digits", console) | {
        "trained_weights_integer_accuracy": rungs["integers"], "trained_weights_rtl_equal_images": found["equal"]}


def build_256(console) -> dict:
    """Place and route of 784-256-10 for the ULX3S-85F, and images a second of it."""
    return place("delays-fashion-256", flow.DEFAULT_BOARD, console)


def build_800(console) -> dict:
    """The same of 784-800-10."""
    return place("delays-fashion-800", flow.DEFAULT_BOARD, console)


def build_digits(console) -> dict:
    """The network for 8x8 digits on an iCE40-HX8K."""
    return place("delays-digits", ICE40, console)


def trained(name: str, mode: str, console) -> SpikingTrained:
    """A training, made once for each state of the code that trains."""
    from golden.train import delays
    out = flow.BUILD / "bench" / f"{name}-{mode}-{sources.code(delays.fit)[:8]}.safetensors"
    if not out.exists():
        recipe = load(name, [f"mode={mode}"])
        with reported(console, f"{name}, {mode}", recipe.epochs, delays.SHOWN) as report:
            delays.fit(recipe, recipe.found(), report=report).save(out)
    return SpikingTrained.load(out)


def network(name: str, console) -> dict:
    """The zoo's network and its controls: accuracies, equality of the circuit, cost of events."""
    case = flow.prepare(name)
    ladder, found = spikes.climb(case, console)
    events = fit(case, found)
    page = write_report({"title": f"{name}: cost follows events", "ladder": ladder, "events": events,
                         "commands": [f"leadlag bench {_group(name)}"]},
                        flow.BUILD / name / "events")
    console.print(f"report {page}")
    rungs = {rung["rung"].split()[0]: rung["accuracy"] for rung in ladder}
    decided, fan_out = answers(found["integers"]), sum(layer.outputs for layer in case.net.layers[:1])
    figures = {
        "float_accuracy": rungs["float"], "integer_accuracy": rungs["integers"],
        "test_images": len(found["batch"].y), "rtl_equal_images": found["equal"],
        "train_cpu_s": case.real.training["train_cpu_s"], "epochs": case.real.training["epochs"],
        "seed": case.real.training["seed"], "synapses": case.net.synapses, "lanes": case.net.lanes,
        "folds": [layer.folds for layer in case.net.layers],
        "cycles_per_image": float(found["cycles_stopped"].mean()),
        "cycles_per_image_to_the_end": float(found["cycles"].mean()),
        "spikes_per_image": float(np.mean(events["spikes"])),
        "cycles_per_event": events["slope"] / fan_out, "events_fit_slope": events["slope"],
        "events_fit_r2": events["r2"], "events_free_fit": events["free_fit"],
        "mean_decision_tick": float(decided.tick.mean()),
        "decided_by_spike": float(decided.fired.mean()),
        "bram_regenerated_weights": sum(map(block_rams, case.net.layers)),
        "bram_stored_weights": sum(map(block_rams, spikes.stored(case).layers))}
    for figure, mode in CONTROLS.items():
        figures[figure] = trained(name, mode, console).training["float_accuracy"]
    return figures


def _group(name: str) -> str:
    """The group that measures a network."""
    return name.replace("delays-", "delay_only_").replace("fashion-", "")


def fit(case, found) -> dict:
    """Cycles of images run to their end against their input spikes: the line through zero, and the free one."""
    # the first images fill the pipeline
    x = found["batch"].x.sum((1, 2))[8:].astype(float)
    y = found["cycles"][8:].astype(float)
    slope = float(x @ y / (x @ x))
    free = np.polyfit(x, y, 1)
    return {"spikes": x.astype(int).tolist(), "cycles": y.astype(int).tolist(), "slope": slope,
            "r2": float(1 - ((y - slope * x) ** 2).sum() / ((y - y.mean()) ** 2).sum()),
            "free_fit": {"cycles_per_spike": float(free[0]), "cycles_per_image": float(free[1])},
            "label": f"{case.net.name}, {case.net.layers[0].lanes} lanes: clock cycles that the engine takes for an "
                     f"image, run to its end, against the spikes that come in"}


def place(name: str, board: str, console) -> dict:
    """A routed design, the best of three seeds, and its images a second: at the clock of its bitstream, and at Fmax."""
    from boards.build import build
    case = flow.prepare(name, board)
    with status(console, "place and route") as say:
        result = build(case.net, flow.board(board), out_dir=flow.BUILD, seeds=SEEDS, clock_mhz=CLOCKS.get(name),
                       every=True, progress=lambda text: say(f"place and route: {text}"))
    report = result.report
    names = ("fmax_mhz", "clock_mhz", "lanes", "lut4", "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed",
             "timing_met")
    cycles = cycles_per_image(case, console)
    return {key: report[key] for key in names} | over_seeds(report) | {
        "cycles_per_image": cycles, "images_per_s": report["clock_mhz"] * 1e6 / cycles,
        "images_per_s_at_fmax": report["fmax_mhz"] * 1e6 / cycles, "seed": report["nextpnr_seed"]}


def cycles_per_image(case, console) -> float:
    """Mean over all test images with early stop: of the group that measured it with these lanes, else simulated."""
    group = _group(case.net.name)
    found = records.known().get(group, {})
    if found.get("lanes") == case.net.lanes and found.get("code") == sources.code(GROUPS[group]):
        return found["cycles_per_image"]
    batch = flow.samples(case, "test")
    with status(console, "cycles of the test images"):
        return float(spikes.simulate(case, spikes.compiled(case), batch.x).cycles.mean())


GROUPS = {"delay_only_256": fashion_256, "delay_only_800": fashion_800, "delay_only_mnist": mnist,
          "delay_only_digits": digits, "build.delays-fashion-256.ulx3s-85f": build_256,
          "build.delays-fashion-800.ulx3s-85f": build_800, f"build.delays-digits.{ICE40}": build_digits}
