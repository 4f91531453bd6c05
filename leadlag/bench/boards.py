"""Group `boards` of `leadlag bench`: every network of the zoo on every board, as far as it fits.

A build that is there (build/NETWORK/BOARD) is taken as it is: what was stopped goes on where it was.
"""

import json
from itertools import product
from pathlib import Path

import numpy as np

from boards.room import check_fits
from golden.files import to_json, write_whole
from golden.programs import BuildError
from golden.rate.trained import FloatLayer, FloatNetwork
from leadlag import flow
from leadlag.terminal import status

SEEDS = (1, 2, 3)
#: what is routed: a small network of each way to compute; others are only counted
ROUTED = ("gle-5-6-3", "gle-mnist1d", "delays-digits")
#: and of the large ones those on a part that is small for them
SMALLEST = {("delays-fashion-256", "icebreaker")}
#: test samples that run in the compiled circuit for the cycles of one, where these are no fixed number
SAMPLES = 100
#: of a build's report
PLACED = ("fmax_mhz", "clock_mhz", "timing_met", "nextpnr_seed", "lut4", "comb", "ff", "dsp", "bram", "spram",
          "cycles_per_tick", "ticks_per_s", "ticks_per_s_at_fmax", "timed_mhz", "untimed")
OUT = flow.BUILD / "bench" / "boards.json"


def boards(console) -> dict:
    """Networks on boards: what fits, with clock, Fmax, use and speed of those that are routed, or what is short."""
    networks = {"gle-5-6-3": str(small()), **{name: name for name in flow.zoo()}}
    rows = []
    # What is routed comes first: a bench that is stopped has the builds, and lacks what can be counted in seconds.
    pairs = sorted(product(networks, flow.BOARDS), key=lambda pair: not is_routed(*pair))
    for name, board in pairs:
        with status(console, f"{name} on {board}") as say:
            found = row(networks[name], board, is_routed(name, board), say)
            rows.append({"network": name, "board": board, "fits": "short" not in found,
                         "short_of": found.get("short")} | found | pace(found))
        write_whole(OUT, to_json(rows))
    return {"rows": rows, "pairs": len(rows), "seed": SEEDS[0]}


def is_routed(name: str, board: str) -> bool:
    """Whether this bench places and routes a network on a board; others are only counted."""
    return name in ROUTED or (name, board) in SMALLEST


def pace(found: dict) -> dict:
    """What a routed network does in a second, at the clock of the bitstream."""
    for name, unit in (("ticks_per_s", "ticks"), ("images_per_s", "images")):
        if name in found:
            return {"rate": found[name], "rate_unit": f"{unit} a second"}
    return {}


def row(network: str, board: str, routed: bool, say) -> dict:
    """A network on a board: `short` where it does not fit, else its lanes and what it takes; figures of its build."""
    from boards.build import build
    part = flow.board(board)
    try:
        case = flow.prepare(network, board)
        need = check_fits(case.net, part)
    except ValueError as error:
        return {"short": " ".join(str(error).split())}
    found = {"lanes": case.net.lanes, "form": part.family_for(case.net).vendor,
             "in_place": flow.has_one_half(case.net),
             "needs": {"lut4": need.lut4, "dsp": need.dsp, "bram": need.bram, "lut_ram": need.lut_ram,
                       "spram": need.spram}}
    if not routed:
        return found
    try:
        report = build(case.net, part, out_dir=flow.BUILD, seeds=SEEDS, progress=say).report
    except BuildError as error:
        return found | {"failed": " ".join(str(error).split())}
    return found | {name: report[name] for name in PLACED if name in report} | samples(case, report, say)


def samples(case: flow.Case, report: dict, say) -> dict:
    """Samples a second at the clock of the bitstream, and at Fmax, of a network without a fixed length of a tick."""
    if report.get("cycles_per_tick"):
        return {}
    kept = flow.BUILD / "bench" / f"cycles-{case.net.fingerprint}.json"
    if not kept.exists():
        say("cycles of an image")
        device = flow.compiled(case)
        device.run(flow.samples(case, "test", SAMPLES).x)
        write_whole(kept, json.dumps(device.run_cycles / SAMPLES))
    cycles = json.loads(kept.read_text(encoding="utf-8"))
    return {"cycles_per_image": cycles, "images_per_s": report["clock_mhz"] * 1e6 / cycles,
            "images_per_s_at_fmax": report["fmax_mhz"] * 1e6 / cycles}


def small(folder: Path = flow.BUILD / "bench") -> Path:
    """GLE 5-6-3: the file of a network of two layers that has learnt nothing."""
    path, rng = folder / "gle-5-6-3.safetensors", np.random.default_rng(0)
    layers = tuple(FloatLayer(weight=rng.normal(0, 0.5, (outputs, inputs)), bias=np.zeros(outputs),
                              tau_m=np.ones(outputs), tau_r=np.full(outputs, 0.2), activation=activation)
                   for inputs, outputs, activation in ((5, 6, "tanh"), (6, 3, "linear")))
    folder.mkdir(parents=True, exist_ok=True)
    FloatNetwork(name=path.stem, dt=0.2, layers=layers, training={}).save(path)
    return path


GROUPS = {"boards": boards}
