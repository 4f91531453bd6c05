"""`leadlag bench`: measures the figures of README and docs, a group at a time (leadlag.bench.records keeps them)."""

import json
import time
from pathlib import Path

from golden.data import sets
from golden.files import check_writable, to_json
from golden.fixed import QFormat
from golden.rate.trained import FloatNetwork, Widths, describe, quantize_params
from golden.recipe import load
from leadlag import flow, ladder
from leadlag.bench import boards as bench_boards
from leadlag.bench import cascade as bench_cascade
from leadlag.bench import cascade_circuit as bench_cascade_circuit
from leadlag.bench import cascade_noise as bench_cascade_noise
from leadlag.bench import event as bench_event
from leadlag.bench import event_risp as bench_event_risp
from leadlag.bench import faults as bench_faults
from leadlag.bench import flash as bench_flash
from leadlag.bench import learning as bench_learning
from leadlag.bench import link as bench_link
from leadlag.bench import ltc as bench_ltc
from leadlag.bench import ltc_add as bench_ltc_add
from leadlag.bench import ltc_circuit as bench_ltc_circuit
from leadlag.bench import ltc_learn as bench_ltc_learn
from leadlag.bench import ltc_study as bench_ltc_study
from leadlag.bench import nir as bench_nir
from leadlag.bench import nir_import as bench_nir_import
from leadlag.bench import own as bench_own
from leadlag.bench import peers as bench_peers
from leadlag.bench import prospective as bench_prospective
from leadlag.bench import random as bench_random
from leadlag.bench import records, sources
from leadlag.bench import spiking as bench_spiking
from leadlag.bench import verify as bench_verify
from leadlag.bench.placed import SEEDS, over_seeds
from leadlag.provenance import provenance
from leadlag.terminal import status
from leadlag.training import reported

TRAINING_SEEDS = (0, 1, 2)
#: the clock that is asked for where the 15k network is routed; a board that is not told runs slower
CLOCK_MHZ = 150.0


def gle_15k(console) -> dict:
    """Accuracy of the 15k network on the test set, three trainings, and RTL against integers on every sequence."""
    return _accuracies("gle-mnist1d", TRAINING_SEEDS, console)


def gle_42k(console) -> dict:
    """The same for the 42k network of the zoo."""
    return _accuracies("gle-mnist1d-42k", (), console)


def _accuracies(name, seeds, console):
    case = flow.prepare(name)
    climbed, found = ladder.climb(case, console=console)
    rungs = {rung["rung"].split()[0]: rung["accuracy"] for rung in climbed}
    training = case.real.training
    figures = {"parameters": case.net.parameters, "float_accuracy": _float(rungs),
               "integer_accuracy": rungs["integers"], "test_sequences": len(found["batch"].y),
               "rtl_equal_sequences": found["equal"], "train_cpu_s": training["train_cpu_s"],
               "epochs": training["epochs"], "seed": training["seed"],
               "float_accuracy_before_refit": training["float_accuracy_before_refit"]}
    if seeds:
        trainings = [_training(name, seed, console).training for seed in seeds]
        for key in ("float_accuracy", "float_accuracy_before_refit", "train_cpu_s"):
            figures[f"{key}_seeds"] = [t[key] for t in trainings]
    return figures


def _float(rungs) -> float:
    if "float" not in rungs:
        raise RuntimeError("the float model needs torch: pip install 'leadlag[train]'")
    return rungs["float"]


def _training(name, seed, console, hold_out=False) -> FloatNetwork:
    """A training, made once for each state of the code that trains; the file that it leaves holds its figures."""
    from golden.train import gle
    kind = "held-out" if hold_out else "test"
    out = flow.BUILD / "bench" / f"{name}-{kind}-seed{seed}-{sources.code(gle.fit)[:8]}.safetensors"
    if not out.exists():
        recipe = load(name)
        with reported(console, name, recipe.epochs, gle.SHOWN) as report:
            gle.fit(recipe, recipe.found(), seed=seed, hold_out=hold_out, report=report).save(out)
    return FloatNetwork.load(out)


#: what the formats in force are compared with
FORMATS = ({}, {"weight": QFormat(4, 11)}, {"weight": QFormat(4, 7)}, {"state": QFormat(5, 11)},
           {"state": QFormat(5, 9)}, {"lead": QFormat(1, 14), "lag": QFormat(1, 14)},
           {"lead": QFormat(1, 7), "lag": QFormat(1, 7)}, {"bounded_rate": QFormat(0, 11)},
           {"bounded_rate": QFormat(0, 7)}, {"unbounded_rate": QFormat(5, 10)}, {"unbounded_rate": QFormat(5, 6)})


def formats(console) -> dict:
    """Accuracy of other word lengths on the held-out sequences."""
    real, data = _training("gle-mnist1d", 0, console, hold_out=True), sets.find("mnist1d")
    rows = []
    for changed in FORMATS:
        net = describe(real, Widths(**changed))
        case = flow.Case(real, net, quantize_params(real, net), data)
        batch = flow.samples(case, "held_out")
        with status(console, f"formats: {len(rows)} of {len(FORMATS)}"):
            judged = flow.judge(case, flow.integer_outputs(case, batch.x), batch)
        rows.append({"changed": {name: str(fmt) for name, fmt in changed.items()},
                     "accuracy": judged["accuracy"]})
    return {"rows": rows, "float_accuracy": real.training["held_out_accuracy"], "sequences": len(batch.y), "seed": 0}


def lagline(console) -> dict:
    """The LagLine chain in float with prospective and with instantaneous errors."""
    from golden.train.lagline import lagline as chain
    figures = {}
    for name in ("prospective", "instantaneous"):
        with status(console, f"LagLine, {name} errors"):
            figures[name] = chain(name == "prospective")
    return figures | {"seed": 0}


def build_15k(console) -> dict:
    """Place and route of the 15k network for the ULX3S-85F, three seeds."""
    from boards.build import build
    case = flow.prepare("gle-mnist1d")
    with status(console, "place and route") as say:
        result = build(case.net, flow.board(flow.DEFAULT_BOARD), out_dir=flow.BUILD, seeds=SEEDS, every=True,
                       clock_mhz=CLOCK_MHZ, progress=lambda text: say(f"place and route: {text}"))
    names = ("fmax_mhz", "clock_mhz", "cycles_per_tick", "ticks_per_s", "ticks_per_s_at_fmax", "lanes", "lane_use",
             "lut4", "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed", "timing_met")
    return {name: result.report[name] for name in names} | over_seeds(result.report) | {
        "seed": result.report["nextpnr_seed"]}


def simulation(console) -> dict:
    """Cycles a second of the simulators on the 15k network, and how many random networks the property test draws."""
    from leadlag.ladder import cocotb_check
    case = flow.prepare("gle-mnist1d")
    words = flow.samples(case, "test", 50).x
    fast = flow.compiled(case)
    started = time.monotonic()
    got = fast.run(words)
    figures = {"cycles_per_s": round(fast.run_cycles / (time.monotonic() - started))}
    flow.compare(case, got, flow.integer_outputs(case, words), "circuit")
    for name, simulator in (("cocotb", "verilator"), ("icarus", "icarus")):
        with status(console, f"cocotb on {simulator}"):
            figures[f"{name}_cycles_per_s"] = _cocotb_rate(case, simulator, cocotb_check)
    return figures | {"property_networks": _property_networks(), "seed": 1}


def _cocotb_rate(case, simulator, check) -> int:
    """Cycles a second of a bench with compiling and loading taken off: the difference of two lengths."""
    from rtl.rate.schedule import cycles_per_tick
    times = []
    for ticks in (5, 105):
        started = time.monotonic()
        check(case, 1, ticks, simulator)
        times.append(time.monotonic() - started)
    return round(100 * cycles_per_tick(case.net) / max(times[1] - times[0], 1e-3))


def _property_networks() -> int:
    text = Path("tests/rate/test_core.py").read_text(encoding="utf-8")
    return int(next(line for line in text.splitlines() if line.startswith("NETWORKS = ")).split("=")[1])


GROUPS = {"gle_15k": gle_15k, "gle_42k": gle_42k, "formats": formats, "lagline": lagline,
          f"build.gle-mnist1d.{flow.DEFAULT_BOARD}": build_15k, "simulation": simulation} | bench_learning.GROUPS | \
    bench_prospective.GROUPS | bench_spiking.GROUPS | bench_random.GROUPS | \
    bench_own.GROUPS | bench_cascade.GROUPS | bench_cascade_noise.GROUPS | bench_cascade_circuit.GROUPS | \
    bench_ltc_learn.GROUPS | bench_ltc.GROUPS | bench_ltc_add.GROUPS | bench_ltc_study.GROUPS | \
    bench_ltc_circuit.GROUPS | bench_nir.GROUPS | bench_nir_import.GROUPS | bench_event.GROUPS | \
    bench_event_risp.GROUPS | bench_peers.GROUPS | bench_link.GROUPS | bench_verify.GROUPS | bench_boards.GROUPS | \
    bench_flash.GROUPS | bench_faults.GROUPS


def _group(name: str):
    if name not in GROUPS:
        raise ValueError(f"no group {name!r}: there is {', '.join(GROUPS)}")
    return GROUPS[name]


def check(names) -> None:
    """ValueError where there is no such group, OSError where its figures cannot be written: before any is measured."""
    for name in names:
        _group(name)
    check_writable(records.OUT)


def listing() -> list[dict]:
    """A row a group: group, what it measures, whether the figures of the docs are current, and that in words."""
    rows = []
    for name, group in GROUPS.items():
        is_current, status = records.status(name, group)
        rows.append({"group": name, "what": (group.__doc__ or "").splitlines()[0], "current": is_current,
                     "status": status})
    return rows


def stale(names=()) -> list[str]:
    """Those of `names` (none: of all groups) whose figures are not current; of the others this is noted."""
    found = []
    for name in names or GROUPS:
        if records.status(name, _group(name))[0]:
            records.confirm(name, GROUPS[name])
        else:
            found.append(name)
    return found


def measure(name: str, console, **given) -> dict:
    """Measure one group and keep what was found; given: what a group takes beside."""
    # the code as it is now: a run may take hours
    about = records.about(_group(name))
    figures = json.loads(to_json(GROUPS[name](console, **given) | {"command": f"leadlag bench {name}"} | about))
    if not records.keep(name, figures):
        console.print(f"{name}: kept in {records.OUT} alone, as no commit has the code that was measured")
    return figures


def merge(name: str, figures: dict, command: str) -> bool:
    """Keep figures that another command measured; True where docs/bench.json has them, too."""
    return records.keep(name, json.loads(to_json(figures | {"command": command} | provenance())))
