"""The demo: the whole way of one network, with a page of what was measured."""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from golden.files import check_writable
from golden.programs import BuildError, ProgramError
from golden.systems import learnt_kinds
from leadlag import flow, ladder, training
from leadlag.provenance import provenance
from leadlag.report.page import write_report
from leadlag.terminal import Table, bars, notes
from leadlag.verify.rungs import verify
from leadlag.verify.vectors import Samples
from rtl.systems import circuit

#: nextpnr seeds of the demo: tried in turn until the clock is met
SEEDS = (1, 2, 3)
BOARD_SAMPLES, BOARD_RUNG, NETLIST_RUNG = 3, "board (simulated, UART)", "netlist (yosys)"


def demo(network, board_name, *, train_first=False, count=None, seeds=None, place=True, netlist=False, console,
         command="") -> dict:
    """The whole way on one network: prints a table, and returns the figures without the sample's signals.

    netlist: compare the synthesised circuit, too, which takes minutes of the CPU where lanes are many.
    Writes build/demo/report.html, with `command` to repeat it.
    """
    started = time.monotonic()
    if train_first:
        network = _train(network)
    case = flow.prepare(network, board_name)
    flow.samples(case, "test", count)       # what does not fit is said before anything is written or built
    flow.check_room(case.net, board_name)
    for page in (flow.BUILD / case.net.name / board_name / "report.json", flow.BUILD / "demo" / "report.json"):
        check_writable(page)
    flow.write_words(case.net, case.params, flow.BUILD / case.net.name)
    console.print(f"{case.net.name}: {case.net.size}, {case.net.lanes} lanes, design {case.net.fingerprint}")
    with ThreadPoolExecutor(1) as pool, bars(notes) as bar:
        building = pool.submit(_place, case, board_name, seeds or SEEDS, bar) if place else None
        rungs, found = ladder.climb(case, "test", count, progress=bar)
        if netlist:
            rungs.append(_netlist(case, board_name, found, bar))
        rows = ladder.run_on_board(case, "sim", min(BOARD_SAMPLES, count or BOARD_SAMPLES), None, bar)
        if case.data.classes:
            judged = {"accuracy": float(np.mean([label == answer for label, answer, _ in rows]))}
        else:
            judged = {"error": float(np.mean([(answer - target) ** 2 for target, answer, _ in rows]))}
        rungs.append({"rung": BOARD_RUNG, "samples": len(rows), "remark": "loaded by the host driver"} | judged)
        result, failure = _built(building)
    table = _table(case, rungs, found, result)
    figures = _figures(case, network, command, rungs, found, result, table)
    if failure:
        figures["note"] = f"There is no bitstream: {failure}"
    page = write_report(figures, flow.BUILD / "demo")
    _print(console, table, result, page, time.monotonic() - started)
    if failure:
        raise BuildError(f"no bitstream: {failure}")
    if result is not None and not result.ok:
        raise flow.CheckFailed(f"timing is not met at {result.report['clock_mhz']:g} MHz with seeds "
                               f"{', '.join(result.report['fmax_by_seed'])}: try another --seed")
    return {name: value for name, value in figures.items() if name != "rates"} | {"page": page}


def _netlist(case, board_name, found, bar) -> dict:
    """The rung of the synthesised circuit, on a few samples."""
    task = bar.add_task("netlist", total=1)
    few = Samples(case, found["batch"].x[:BOARD_SAMPLES])
    row = verify(few, flow.board(board_name), "netlist", quick=True,
                 progress=lambda text: bar.update(task, description=f"netlist: {text}"))
    bar.advance(task)
    return {"rung": NETLIST_RUNG, "samples": len(few.x), "remark": f"{row['words']:,} output words equal to golden"} | \
        flow.judge(case, found["integers"][:len(few.x)], found["batch"])


def _built(building):
    """Result of a build, if one was asked for, or why there is none: what else was measured counts all the same."""
    if building is None:
        return None, None
    try:
        return building.result(), None
    except ProgramError as error:
        return None, str(error)


def _train(network) -> str:
    if network in flow.zoo():
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


def _table(case, rungs, found, result) -> list[tuple]:
    """Rows (name, value, unit, remark) of the demo's table."""
    unit, pace = case.data.unit, circuit(case.net).pace(case.net, 0, 0)
    rows = [(f"{'accuracy' if case.data.classes else 'error'}, {rung['rung']}", ladder.verdict(rung), "",
             f"{rung['samples']:,} {unit}") for rung in rungs if rung["rung"] not in (NETLIST_RUNG, BOARD_RUNG)]
    for rung in rungs:
        if rung["rung"] in (NETLIST_RUNG, BOARD_RUNG):
            said = f"{round(rung['accuracy'] * rung['samples'])} of {rung['samples']}" if "accuracy" in rung else \
                ladder.verdict(rung)
            rows.append((rung["rung"], said, "right" if "accuracy" in rung else "error", "every word equal to golden"))
    rows.append(("simulated", f"{found['cycles'] / found['rtl_s'] / 1e3:,.0f}", "thousand cycles/s",
                 f"{found['cycles']:,} cycles of the whole top"))
    if "cycles_per_tick" in pace:
        rows.append(("cycles per tick", f"{pace['cycles_per_tick']}", "", "measured by the schedule tests"))
        rows.append(("lane use", f"{pace['lane_use']:.1%}", "", f"{case.net.lanes} lanes"))
    if "cycles_per_step" in pace:
        rows.append(("cycles per step", f"{pace['cycles_per_step']:,}", "", "of the longest engine, or of the head"))
        rows.append(("lane-cycles on real taps", f"{pace['tap_use']:.1%}", "", f"{case.net.lanes} lanes"))
    if result is not None:
        r, have = result.report, result.report["available"]
        rows += [("clock", f"{r['clock_mhz']:g}", "MHz", "PLL of the bitstream"),
                 ("Fmax", f"{r['fmax_mhz']:.1f}", "MHz", f"routed, nextpnr seed {r['nextpnr_seed']}")]
        if "ticks_per_s" in r:
            rows.append(("ticks per second", f"{r['ticks_per_s']:,.0f}", "1/s", "at that clock"))
        if "frames_per_s" in r:
            rows.append(("frames per second", f"{r['frames_per_s']:,.0f}", "1/s", "streamed, a step each"))
        rows += [("LUT4", f"{r['lut4']:,}", "", f"{r['comb']:,} of {have['comb']:,} cells with carries"),
                 ("multipliers", f"{r['dsp']}", "", f"of {have['dsp']}"),
                 ("block RAM", f"{r['bram']}", "", f"of {have['bram']}")]
    return rows


def _next(case, network: str) -> list[tuple[str, str]]:
    """What to do next, and the command for it."""
    kind, made = case.net.kind, case.real.training.get("command", "").partition("leadlag train ")[2].split(" ")[0]
    learn = [("Train it yourself, with another value here and there:",
              f"leadlag train {made or 'RECIPE'} --set epochs=10"),
             ("Begin a network of your own, and look at the recipe that this writes:",
              f"leadlag new {kind} my-network")]
    return [("Load it onto a board, when that has the bitstream, and run it there:",
             f"leadlag run {network} --board BOARD --port /dev/ttyUSB0"),
            *(learn if kind in learnt_kinds() else ()),
            ("Take the circuit into another project, with a test bench:", f"leadlag verilog {network}")]


def _figures(case, network, command, rungs, found, result, table):
    where, net, batch = provenance(), case.net, found["batch"]
    dt, unit = net.tick
    answer = flow.answers(case, found["integers"][:1], batch)
    what = f"class {batch.y[0]}" if case.data.classes else f"target {batch.y[0]}"
    figures = {
        "title": f"{net.name}: from training to a bitstream", "ladder": rungs,
        "table": table, "commands": [line for line in (case.real.training.get("command"), command) if line],
        "seeds": {"training": case.real.training.get("seed", "?")}, "tools": where["tools"],
        "commit": where["commit"], "date": where["date"]}
    figures["next"] = _next(case, network)
    layers = [{"name": name, "values": values} for name, values in net.signals(case.params, batch.x[0])]
    if layers:
        figures["rates"] = {"label": f"Test {net.SAMPLE[0]} 0, {what}", "dt": dt, "unit": unit, "layers": layers,
                            "what": net.SIGNALS, "answer": int(answer.label[0])}
    figures |= net.sections(found["integers"], _pictures(case, batch), batch.y, batch.lengths)
    pace = circuit(net).pace(net, 0, 0)
    if "engines" in pace:
        figures["engines"] = {name: pace[name] for name in ("cycles_per_step", "engines")}
    if result is not None:
        figures["build"] = result.report
        figures["seeds"]["nextpnr"] = result.report["nextpnr_seed"]
    return figures


def _pictures(case, batch):
    """Samples as images (n, rows, columns, channels), where they are."""
    return batch.raw.reshape(-1, *case.data.shape) if case.data.form == "image" and len(case.data.shape) == 3 else None


def _print(console, rows, result, page, seconds):
    table = Table("figure", "value", "unit", "remark")
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if result is not None:
        console.print(f"bitstream {result.bitstream}")
    console.print(f"report {page}")
    console.print(f"done in {int(seconds // 60)} min {int(seconds % 60)} s")
