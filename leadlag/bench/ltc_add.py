"""Groups `fptt.add` and `fptt.memory` of `leadlag bench`: long sequences, and what memory learning them takes."""

import json
import subprocess
import sys
import time
from pathlib import Path

from golden.files import write_json
from leadlag import flow
from leadlag.bench.ltc import place
from leadlag.bench.sources import ROOT
from leadlag.terminal import bars

TICKS = 1000
#: FPTT, and the same network through time; what each takes of golden.train.add.Settings. Chosen on sequences of 200
#: ticks, 1,600 batches, errors at b0, alpha: 0.021 at 0.5, 0.5; 0.013 at 1.5, 0.5; 0.012 at 0.5, 0.1; other rates and K
#: 0.017 to 0.018. Not tried there: both changes together, as here, and anything for the run through time
RUNS = {"fptt": {"size": 64, "batch": 32, "batches": 6000, "b0": 1.5, "alpha": 0.1},
        "bptt": {"size": 64, "batch": 32, "batches": 1000, "b0": 1.5, "parts": 1}}
#: ticks of the sequences whose memory is measured; an update of FPTT every SPAN ticks
LENGTHS, SPAN = (100, 300, 1000, 3000, 10_000), 10
#: VmHWM begins anew with a program; ru_maxrss begins with that of the process which started it
_CHILD = """
import json, sys
from golden.train import add
settings, way = json.loads(sys.argv[1]), sys.argv[2]
peak = lambda: int(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]) / 1024
add.once(add.Settings(ticks=20, size=settings["size"], batch=settings["batch"], parts=2), way)
before = peak()
add.once(add.Settings(**settings), way)
print(peak() - before)
"""


def add(console) -> dict:
    """The add task of 1,000 ticks by LTC neurons: squared error by FPTT and through time, both curves."""
    found, figures = {name: _run(name, console) for name in RUNS}, {"steps": TICKS, "seed": 0}
    for name, run in found.items():
        figures |= {f"{name}_mse": run["mse"], f"{name}_curve": run["curve"], f"{name}_train_cpu_s": run["cpu_s"],
                    f"{name}_settings": RUNS[name]}
    return figures


def _run(name: str, console) -> dict:
    """A training, made once for each state of its settings and of what learns."""
    from golden.train import add as task
    text = (ROOT / "golden" / "train" / "add.py").read_text(encoding="utf-8")
    out = place(f"add-{name}", TICKS, RUNS[name], text).with_suffix(".json")
    if not out.exists():
        settings, began = task.Settings(ticks=TICKS, **RUNS[name]), time.process_time()
        with bars(console) as bar:
            row = bar.add_task(f"add task, {name}", total=settings.batches)
            net, curve = task.learn(settings, report=lambda n, error: bar.update(
                row, completed=n, description=f"add task, {name}, {error:.4f}"))
        cpu_s = round(time.process_time() - began, 1)
        write_json(out, {"mse": task.error(net, settings), "curve": curve, "cpu_s": cpu_s})
    return json.loads(Path(out).read_text(encoding="utf-8"))


def memory(console) -> dict:
    """Peak memory that learning a batch takes, against its ticks: FPTT and through time, in torch and compiled.

    Resident memory of a fresh process at its peak, less what it was at behind a batch of 20 ticks.
    """
    rows = []
    with bars(console) as bar:
        task = bar.add_task("memory", total=4 * len(LENGTHS))
        for ticks in LENGTHS:
            row = {"steps": ticks}
            for way, end in (("autograd", ""), ("compiled", "_compiled")):
                for name, parts in (("fptt", ticks // SPAN), ("bptt", 1)):
                    row[f"{name}{end}_mib"] = round(peak_mib(ticks, parts, way), 1)
                    bar.advance(task)
            rows.append(row)
    return {"rows": rows, "fptt_ticks_a_part": SPAN, "batch": 8, "neurons": 128, "seed": 0}


def peak_mib(ticks: int, parts: int, way: str) -> float:
    """Megabytes beyond those of short sequences, of a process that learns one batch of 8 by 128 neurons."""
    settings = json.dumps({"ticks": ticks, "parts": parts, "size": 128, "batch": 8})
    done = subprocess.run([sys.executable, "-c", _CHILD, settings, way], capture_output=True, text=True, cwd=flow.BUILD
                          .absolute().parent, env=None, check=False)
    if done.returncode:
        raise RuntimeError(f"memory of {ticks} ticks: {done.stderr.strip().splitlines()[-1:]}")
    return float(done.stdout)


GROUPS = {"fptt.add": add, "fptt.memory": memory}
