"""The ladder of proof on a case: float, integers, circuit, board; each word of a rung equals the one above."""

import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from golden.files import read_npz, write_npz
from leadlag import flow
from leadlag.terminal import Table, bars, status


def climb(case, split="test", count=None, *, rtl=True, console=None, progress=None):
    """Rungs [{rung, accuracy or error, samples, remark}] for float, integers and RTL, and what was measured on the way.

    CheckFailed where a word of the RTL differs from the integers. Without torch the float rung is left out.
    """
    batch = flow.samples(case, split, count)
    rungs, found = [], {"batch": batch}

    def rung(name, judged, remark=""):
        rungs.append({"rung": name, "samples": len(batch.y), "remark": remark} | judged)

    with given(progress, console) as bar:
        task = bar.add_task("float model (torch)", total=1)
        try:
            rung("float (torch)", flow.judge_float(case, batch))
        except RuntimeError as error:
            bar.console.print(f"no float rung: {error}")
        bar.advance(task)
        task = bar.add_task("integers (golden)", total=len(batch.x))
        want = flow.integer_outputs(case, batch.x, progress=lambda n: bar.advance(task, n))
        found["integers"] = want
        rung("integers (golden)", flow.judge(case, want, batch), f"design {case.net.fingerprint}")
        if rtl:
            task = bar.add_task("circuit (Verilator, compiling)", total=len(batch.x))
            simulation = flow.compiled(case)
            bar.update(task, description="circuit (Verilator)")
            started = time.monotonic()
            got = simulation.run(batch.x, progress=lambda n: bar.advance(task, n))
            found |= {"rtl_s": time.monotonic() - started, "cycles": simulation.run_cycles,
                      "equal": flow.compare(case, got, want, "circuit")}
            rung("RTL (Verilator)", flow.judge(case, got, batch), f"{got.size:,} output words equal to golden")
    return rungs, found


@contextmanager
def given(progress, console):
    """Bars that the caller has, or new ones."""
    if progress is not None:
        yield progress
    else:
        with bars(console) as bar:
            yield bar


def table(rungs, unit: str) -> Table:
    """The ladder as a table."""
    what = "accuracy" if "accuracy" in rungs[0] else "mean squared error"
    found = Table("rung", what, unit, "remark")
    for rung in rungs:
        found.add_row(rung["rung"], verdict(rung), f"{rung['samples']:,}", rung["remark"])
    return found


def verdict(judged: dict) -> str:
    """An accuracy or an error as text."""
    return f"{judged['accuracy']:.2%}" if "accuracy" in judged else f"{judged['error']:.4g}"


def cocotb_check(case, count: int, ticks: int | None, simulator: str) -> int:
    """Run the whole top in cocotb on test samples, cut to `ticks` where they have no fixed length; words compared."""
    from rtl.host.top import NetworkTop
    from sim.cocotb_run import run_bench
    x = flow.samples(case, "test", count).x
    x = x if ticks is None else x[:, :ticks]
    units = case.net.units(x)
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder) / "data.npz", Path(folder) / "out.npz"
        write_npz(data, {"pairs": case.image.pairs, "crc": case.image.crc, "words": units.words, "ends": units.ends})
        run_bench(NetworkTop(case.net), "sim.benches.trained_tb", simulator=simulator,
                  params={"data": str(data), "out": str(out), "answers": units.answers})
        found, = read_npz(out, "words")
    flow.compare(case, case.net.outputs_of(found, x), flow.integer_outputs(case, x), simulator)
    return len(units.ends) * units.answers


@contextmanager
def open_board(net, port: str, console=None):
    """The board at `port`: a serial port, or `sim` for the simulated one."""
    from firmware.board import Board
    if port == "sim":
        from sim.harness.board import SimulatedBoard
        with status(console, "compile the simulated board"):
            transport = SimulatedBoard(net)
    else:
        from firmware.transport import connect
        transport = connect(port)
    with Board(transport, net) as device:
        yield device


def run_on_board(case, port: str, count: int, console, progress=None) -> list[tuple]:
    """Load the image and stream test samples: rows (what is right, answer, scores or None).

    CheckFailed where a word of the board differs from golden.
    """
    batch, rows = flow.samples(case, "test", count), []
    want = flow.integer_outputs(case, batch.x)
    with open_board(case.net, port, console) as device, given(progress, console) as bar:
        task = bar.add_task(f"board at {port}: load", total=len(case.image))
        device.load(case.image, progress=lambda n: bar.advance(task, n))
        task = bar.add_task(f"board at {port}: {case.data.unit}", total=count)
        got = []
        for n in range(count):
            got.append(device.run(batch.x[n:n + 1]))
            flow.compare(case, got[-1], want[n:n + 1], f"board, test {case.net.SAMPLE[0]} {n}")
            bar.advance(task)
    found = flow.answers(case, np.concatenate(got), batch)
    for n in range(count):
        score = None if found.score is None else found.score[n]
        rows.append((batch.y[n], found.label[n] if case.data.classes else score, score))
    return rows


def runs_table(case, rows, scores: bool) -> Table:
    """What the board answered."""
    shown = range(case.net.outputs) if scores and rows[0][2] is not None else ()
    found = Table(case.net.SAMPLE[0], "label" if case.data.classes else "target", "answer", *map(str, shown))
    names = {n: name for n, name in enumerate(case.data.labels) if name != str(n)}
    for n, (label, answer, score) in enumerate(rows):
        if case.data.classes:
            label, answer = (names.get(int(each), each) for each in (label, answer))
            said = f"{answer}{'' if answer == label else ' (wrong)'}"
        else:
            label, said = (" ".join(f"{value:.3g}" for value in values) for values in (label, answer))
        found.add_row(str(n), str(label), said, *(f"{score[k]:.1f}" for k in shown))
    return found
