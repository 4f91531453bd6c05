"""The demo and the pieces of it that are commands of their own: the ladder of accuracies, runs on a board."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from golden.files import check_writable, write_npz
from golden.programs import BuildError, ProgramError
from leadlag import flow, training
from leadlag.provenance import provenance
from leadlag.report.page import write_report
from leadlag.terminal import Table, bars, notes, status
from rtl.rate.schedule import cycles_per_tick, lane_use

#: nextpnr seeds of the demo: tried in turn until the clock is met
SEEDS = (1, 2, 3)
BOARD_SEQUENCES = 3


def evaluate_ladder(case, split="test", count=None, *, rtl=True, console=None, progress=None):
    """Rungs [{rung, accuracy, samples, remark}] for float, integers and RTL, and what was measured on the way.

    CheckFailed where a word of the RTL differs from the integers. Without torch the float rung is left out.
    """
    x, words, y = flow.samples(case, split, count)
    ladder, found = [], {"words": words, "labels": y}
    with _given(progress, console) as bar:
        task = bar.add_task("float model (torch)", total=1)
        try:
            ladder.append({"rung": "float (torch)", "accuracy": flow.accuracy(flow.float_classes(case, x), y),
                           "samples": len(y), "remark": ""})
        except RuntimeError as error:
            bar.console.print(f"no float rung: {error}")
        bar.advance(task)
        task = bar.add_task("integers (golden)", total=len(words))
        want = flow.integer_outputs(case, words, progress=lambda n: bar.advance(task, n))
        found["integers"] = want
        ladder.append({"rung": "integers (golden)", "accuracy": flow.accuracy(flow.classify(case, want), y),
                       "samples": len(y), "remark": f"design {case.net.fingerprint}"})
        if rtl:
            found |= _rtl_rung(case, words, want, y, ladder, bar)
    return ladder, found


def _rtl_rung(case, words, want, y, ladder, bar):
    task = bar.add_task("circuit (Verilator, compiling)", total=len(words))
    simulation = flow.compiled(case)
    bar.update(task, description="circuit (Verilator)")
    started = time.monotonic()
    got = simulation.run(words, progress=lambda n: bar.advance(task, n))
    seconds = time.monotonic() - started
    equal = flow.compare(got, want, "circuit")
    ladder.append({"rung": "RTL (Verilator)", "accuracy": flow.accuracy(flow.classify(case, got), y), "samples": len(y),
                   "remark": f"{got.size:,} output words equal to golden"})
    return {"equal": equal, "cycles": simulation.run_cycles, "rtl_s": seconds}


@contextmanager
def _given(progress, console):
    if progress is not None:
        yield progress
    else:
        with bars(console) as bar:
            yield bar


def ladder_table(ladder) -> Table:
    """The ladder as a table."""
    table = Table("rung", "accuracy", "sequences", "remark")
    for rung in ladder:
        table.add_row(rung["rung"], f"{rung['accuracy']:.2%}", f"{rung['samples']:,}", rung["remark"])
    return table


def cocotb_check(case, count: int, ticks: int, simulator: str) -> int:
    """Run the whole top in cocotb on test sequences cut to `ticks`; number of words compared."""
    from rtl.host.top import NetworkTop
    from sim.cocotb_run import run_bench
    _, words, _ = flow.samples(case, "test", count)
    words = words[:, :ticks]
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data.npz"
        write_npz(data, {"pairs": case.image.pairs, "crc": case.image.crc, "x": words,
                         "y": flow.integer_outputs(case, words)})
        run_bench(NetworkTop(case.net), "sim.benches.trained_tb", simulator=simulator,
                  params={"network": case.net.to_json(), "data": str(data)})
    return words.shape[0] * words.shape[1] * case.net.outputs


@contextmanager
def open_board(case, port: str, console=None):
    """The board at `port`: a serial port, or `sim` for the simulated one."""
    from firmware.board import Board
    if port == "sim":
        from sim.harness.board import SimulatedBoard
        with status(console, "compile the simulated board"):
            transport = SimulatedBoard(case.net)
    else:
        from firmware.transport import connect
        transport = connect(port)
    with Board(transport, case.net) as device:
        yield device


def run_on_board(case, port: str, count: int, console, progress=None):
    """Load the image and stream test sequences: rows (label, class, summed outputs in real units).

    CheckFailed where a word of the board differs from golden.
    """
    _, words, y = flow.samples(case, "test", count)
    rows, scale = [], case.net.layers[-1].rate.lsb
    want = flow.integer_outputs(case, words)
    with open_board(case, port, console) as device, _given(progress, console) as bar:
        task = bar.add_task(f"board at {port}: load", total=len(case.image))
        device.load(case.image, progress=lambda n: bar.advance(task, n))
        task = bar.add_task(f"board at {port}: sequences", total=count)
        for n in range(count):
            got = device.run(words[n])
            flow.compare(got[None], want[n:n + 1], f"board, test sequence {n}")
            total = flow.sums(case, got[None])[0]
            rows.append((int(y[n]), int(total.argmax()), total * scale))
            bar.advance(task)
    return rows


def runs_table(case, rows, rates: bool) -> Table:
    """What the board answered."""
    table = Table("sequence", "label", "answer", *(f"{n}" for n in range(case.net.outputs) if rates))
    for n, (label, answer, sums) in enumerate(rows):
        table.add_row(str(n), str(label), f"{answer}{'' if answer == label else ' (wrong)'}",
                      *(f"{value:.1f}" for value in sums if rates))
    return table


def demo(network, board_name, *, train_first=False, count=None, seeds=None, place=True, console, command="") -> None:
    """The whole way on one network; writes build/demo/report.html, with `command` to repeat it, and prints a table."""
    started = time.monotonic()
    if train_first:
        network = _train(network)
    case = flow.prepare_rate(network, board_name)
    flow.samples(case, "test", count)       # what does not fit is said before anything is written or built
    flow.check_room(case, board_name)
    for page in (flow.BUILD / case.net.name / board_name / "report.json", flow.BUILD / "demo" / "report.json"):
        check_writable(page)
    flow.write_quantized(case, flow.BUILD / case.net.name)
    console.print(f"{case.net.name}: {case.net.parameters:,} parameters, {case.net.lanes} lanes, "
                  f"{cycles_per_tick(case.net)} cycles a tick, design {case.net.fingerprint}")
    with ThreadPoolExecutor(1) as pool, bars(notes) as bar:
        building = pool.submit(_place, case, board_name, seeds or SEEDS, bar) if place else None
        ladder, found = evaluate_ladder(case, "test", count, progress=bar)
        rows = run_on_board(case, "sim", BOARD_SEQUENCES, None, bar)
        ladder.append({"rung": "board (simulated, UART)", "samples": len(rows), "remark": "loaded by the host driver",
                       "accuracy": float(np.mean([label == answer for label, answer, _ in rows]))})
        result, failure = _built(building)
    table = _table(case, ladder, found, result)
    figures = _figures(case, command, ladder, found, result, table)
    if failure:
        figures["note"] = f"There is no bitstream: {failure}"
    page = write_report(figures, flow.BUILD / "demo")
    _print(console, table, result, page, time.monotonic() - started)
    if failure:
        raise BuildError(f"no bitstream: {failure}")
    if result is not None and not result.ok:
        raise flow.CheckFailed(f"timing is not met at {result.report['clock_mhz']:g} MHz with seeds "
                               f"{', '.join(result.report['fmax_by_seed'])}: try another --seed")


def _built(building):
    """Result of a build, if one was asked for, or why there is none: what else was measured counts all the same."""
    if building is None:
        return None, None
    try:
        return building.result(), None
    except ProgramError as error:
        return None, str(error)


def _train(network) -> str:
    if network in flow.NETWORKS:
        flow.prepare_rate(network)      # refused before, not behind a training
    out = flow.BUILD / network / "float.safetensors"
    training.train(network, out=out, console=notes)
    return str(out)


def _place(case, board_name, seeds, bar):
    from boards.build import build
    task = bar.add_task("board: elaborate", total=None)
    try:
        result = build(case.net, flow.board(board_name), out_dir=flow.BUILD, seeds=seeds,
                       progress=lambda text: bar.update(task, description=f"board: {text}"))
    except BaseException:
        bar.update(task, description="board: failed", total=1)
        bar.stop_task(task)
        raise
    bar.update(task, description="board: bitstream", total=1, completed=1)
    return result


def _table(case, ladder, found, result) -> list[tuple]:
    """Rows (name, value, unit, remark) of the demo's table."""
    rows = [(f"accuracy, {rung['rung']}", f"{rung['accuracy']:.2%}", "", f"{rung['samples']:,} sequences")
            for rung in ladder if "board" not in rung["rung"]]
    rows += [(rung["rung"], f"{round(rung['accuracy'] * rung['samples'])} of {rung['samples']}", "right",
              "every word equal to golden") for rung in ladder if "board" in rung["rung"]]
    rows.append(("simulated", f"{found['cycles'] / found['rtl_s'] / 1e3:,.0f}", "thousand cycles/s",
                 f"{found['cycles']:,} cycles of the whole top"))
    rows.append(("cycles per tick", f"{cycles_per_tick(case.net)}", "", "measured by the schedule tests"))
    rows.append(("lane use", f"{lane_use(case.net):.1%}", "", f"{case.net.lanes} lanes"))
    if result is not None:
        r, have = result.report, result.report["available"]
        rows += [("clock", f"{r['clock_mhz']:g}", "MHz", "PLL of the bitstream"),
                 ("Fmax", f"{r['fmax_mhz']:.1f}", "MHz", f"routed, nextpnr seed {r['nextpnr_seed']}"),
                 ("ticks per second", f"{r['ticks_per_s']:,.0f}", "1/s", "at that clock"),
                 ("LUT4", f"{r['lut4']:,}", "", f"{r['comb']:,} of {have['comb']:,} cells with carries"),
                 ("multipliers", f"{r['dsp']}", "", f"of {have['dsp']}"),
                 ("block RAM", f"{r['bram']}", "", f"of {have['bram']}")]
    return rows


def _figures(case, command, ladder, found, result, table):
    where = provenance()
    rates = flow.rates_of(case, found["words"][0])
    layers = [{"name": "input", "values": found["words"][0] * case.net.layers[0].operand.lsb}]
    layers += [{"name": f"layer {n} ({layer.activation})", "values": values}
               for n, (layer, values) in enumerate(zip(case.net.layers, rates, strict=True))]
    figures = {
        "title": f"{case.net.name}: from training to a bitstream", "ladder": ladder,
        "rates": {"label": f"Test sequence 0, class {found['labels'][0]}", "dt": case.net.dt,
                  "unit": "time units of tau", "layers": layers,
                  "answer": int(flow.classify(case, rates[-1][None])[0])},
        "table": table, "commands": [line for line in (case.real.training.get("command"), command) if line],
        "seeds": {"training": case.real.training.get("seed", "?")}, "tools": where["tools"],
        "commit": where["commit"], "date": where["date"]}
    if result is not None:
        figures["build"] = result.report
        figures["seeds"]["nextpnr"] = result.report["nextpnr_seed"]
    return figures


def _print(console, rows, result, page, seconds):
    table = Table("figure", "value", "unit", "remark")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if result is not None:
        console.print(f"bitstream {result.bitstream}")
    console.print(f"report {page}")
    console.print(f"done in {int(seconds // 60)} min {int(seconds % 60)} s")
