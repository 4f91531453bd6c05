"""From a network to a bitstream: yosys, nextpnr and a packer as subprocesses, one directory a network and board.

    OUT/NETWORK/BOARD/  design.bit  report.json  what nextpnr wrote  and the logs; written beside and renamed
    OUT/NETWORK/BOARD-failed/  logs, script and pins of the last build that failed, until one succeeds

Which programs these are: golden/tools.py.
"""

import hashlib
import json
import os
import shutil
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from amaranth.build import ResourceError
from jinja2 import TemplateError

from boards.base import Board
from boards.family import Family
from boards.floorplan import floorplan, place
from boards.pins import whose
from boards.room import check_fits
from golden.description import Description
from golden.files import write_json, write_whole
from golden.programs import BuildError, exclusive
from golden.tools import locate, tell
from rtl.systems import circuit

#: Verilog of what a design has from others
OTHERS = "others.v"
#: what is kept of a build that failed: logs, script, pins
FAILED = (".log", ".ys", ".lpf", ".pcf", ".cst")


@dataclass(frozen=True)
class BuildResult:
    """What a build left behind. `report` is report.json: the figures of docs and bench, the critical path, versions."""

    path: Path
    report: dict
    cached: bool

    @property
    def ok(self) -> bool:
        """Whether the routed design is as fast as its clock."""
        return self.report["timing_met"]

    @property
    def bitstream(self) -> Path:
        return self.path / self.report.get("bitstream", "design.bit")

    def summary(self) -> str:
        """One line: verdict, clock, ticks, use."""
        r = self.report
        verdict = "meets" if self.ok else "FAILS"
        pace = "".join(f"{r[f'{name}_per_s']:,.0f} {name}/s, " for name in ("ticks", "frames") if f"{name}_per_s" in r)
        return (f"{r['network']} on {r['board']} {verdict} {r['clock_mhz']:g} MHz (Fmax {r['fmax_mhz']:.1f}, seed "
                f"{r['nextpnr_seed']}): {pace}{r['lut4']} LUT4, {r['ff']} FF, {r['dsp']} DSP, {r['bram']} BRAM"
                + (f", {r['spram']} SPRAM" if r.get("spram") else ""))


def build(net: Description, board: Board, *, out_dir, clock_mhz: float | None = None, seeds=(1,), jobs: int = 1,
          progress=None, synth_options=None, place_options=(), every: bool = False) -> BuildResult:
    """Make the bitstream of `net` for `board` in `out_dir`/NETWORK/BOARD.

    Seeds of nextpnr are tried in turn, `jobs` at a time, until one meets the clock of the design (every: all of them);
    the fastest is kept, and `ok` says whether it does. `progress(text)` is called before each step. What was built from
    the same circuit, options and tools is not built again; only seeds that it did not try are.
    Raises ValueError where the network does not fit, ToolError where a tool is missing, BuildError where one fails.
    """
    say = progress or (lambda text: None)
    seeds = tuple(dict.fromkeys(seeds))
    if not seeds or jobs < 1:
        raise ValueError("a build needs a seed and a job")
    check_fits(net, board)
    family = board.part.family
    synth_options = family.synth_options if synth_options is None else synth_options
    versions = tool_versions(family)
    clock = board.clock_for(clock_mhz, net)
    say("elaborate")
    files, plan = _elaborate(net, board, clock_mhz), _plan(net, board)
    key = _key(files, plan, versions, board, synth_options, place_options)
    target = Path(out_dir) / net.name / board.name
    before = _previous(target, key, family.files)
    tried = before["fmax_by_seed"] if before else {}
    missing = [seed for seed in seeds if str(seed) not in tried]
    if before and (before["timing_met"] and not every or not missing):
        return BuildResult(target, before, cached=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f".{board.name}-", dir=target.parent) as folder:
        work = Path(folder)
        for name, text in files.items():
            write_whole(work / name, text)
        try:
            say("synthesis")
            stat = _synthesise(work, family, synth_options, plan)
            runs = _place(work, board, missing, jobs, float(clock.mhz), place_options, say, every)
            best = max(runs, key=lambda run: run["fmax_mhz"])
            say("bitstream")
            _keep(work, board, best["nextpnr_seed"])
        except BuildError as error:
            logs = _keep_logs(work, target)
            raise BuildError(f"{error}; logs in {logs}" if logs else str(error)) from None
        target.mkdir(exist_ok=True)
        with exclusive(target):
            # another process may have built the same meanwhile
            before = _previous(target, key, family.files)
            tried = before["fmax_by_seed"] if before else {}
            if before and max(tried.values()) >= best["fmax_mhz"]:
                report = before
                for name in report["files"]:
                    shutil.copy2(target / name, work / name)
            else:
                report = _figures(net, board, clock, stat, best) | {"key": key, "tools": versions}
                report["options"] = {family.synth: list(synth_options), "nextpnr": list(place_options)}
            report["fmax_by_seed"] = tried | {str(run["nextpnr_seed"]): run["fmax_mhz"] for run in runs}
            report["wall_s"] = round((before or {}).get("wall_s", 0) + time.monotonic() - started, 1)
            _publish(work, target, report, family.files)
        shutil.rmtree(target.with_name(f"{target.name}-failed"), ignore_errors=True)
    return BuildResult(target, report, cached=False)


def tool_versions(family: Family) -> dict[str, str]:
    """Versions of all tools, each ready to run beside others; ToolError for the first that is missing."""
    return {name: locate(tool).version for name, tool in family.tools.items()}


def _elaborate(net, board, clock_mhz) -> dict[str, str]:
    try:
        plan = board.platform().prepare(board.design(net, clock_mhz), name="design", emit_src=False)
    except (ResourceError, TemplateError) as error:     # of a board of one's own: pins and packages are Amaranth's
        raise ValueError(f"{board.name}: Amaranth refuses {board.platform.__name__}: "
                         f"{' '.join(str(error).split())}") from None
    files = {name: plan.files[name] for name in ("design.il", f"design.{board.part.family.constraints}")}
    if board.verilog:
        files[OTHERS] = board.verilog
    return {name: text if isinstance(text, str) else text.decode() for name, text in files.items()}


def _plan(net, board) -> dict[str, str]:
    """Sites of hard blocks: of a design with memories in LUT RAM there is no plan."""
    return floorplan(net, board.part.grid) if board.family_for(net) is board.part.family else {}


def _key(files, plan, versions, board, *options) -> str:
    text = json.dumps([files, plan, versions, board.part.nextpnr, [list(group) for group in options]], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _previous(target: Path, key: str, names) -> dict | None:
    """The report of an earlier build of the same thing, if all its files are as it left them."""
    try:
        report = json.loads((target / "report.json").read_text(encoding="utf-8"))
        whole = all(_digest(target / name) == report["files"][name] for name in names if name != "report.json")
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return report if whole and report.get("key") == key else None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _run(family: Family, name: str, arguments, work: Path, log: str) -> None:
    """A tool in `work`; where it fails, its first error."""
    tell(locate(family.tools[name]), name, arguments, work, log)


def _synthesise(work: Path, family: Family, options, plan) -> dict:
    others = f"read_verilog {OTHERS}\n" if (work / OTHERS).exists() else ""
    script = (f"{others}read_rtlil design.il\n{family.synth} {' '.join(options)} -top design -json design.json\n"
              f"tee -q -o stat.json stat -json\n")
    write_whole(work / "design.ys", script)
    # without -q, YoWASP's standard output goes dead after the first ABC run and later errors are lost
    _run(family, "yosys", ["-q", "-l", "yosys.log", "design.ys"], work, "yosys.log")
    design = json.loads((work / "design.json").read_text(encoding="utf-8"))
    place(design["modules"]["design"]["cells"], plan)
    write_whole(work / "design.json", json.dumps(design))
    stat = json.loads((work / "stat.json").read_text(encoding="utf-8"))
    return stat["design"]["num_cells_by_type"]


def _place(work, board, seeds, jobs, mhz, options, say, every=False) -> list[dict]:
    """Place and route with seed after seed until one meets `mhz`, or with every one."""
    family = board.part.family
    constrained = ("--freq", f"{mhz:g}") if family.constrains_clock else ()
    def one(seed):
        # a design that misses its clock is still packed and reported: the verdict is ours
        try:
            _run(family, "nextpnr", [
                *board.part.nextpnr, "-q", "-l", f"nextpnr-{seed}.log", "--json", "design.json",
                *(family.constrain or (f"--{family.constraints}", f"design.{family.constraints}")), "--seed", str(seed),
                family.routed_option, f"{seed}.{family.routed}", "--report", f"{seed}.json", "--timing-allow-fail",
                *constrained, *options], work, f"nextpnr-{seed}.log")
        except BuildError as error:
            raise BuildError(f"{error}{whose(board.platform, board.wanted, str(error))}") from None
        routed = json.loads((work / f"{seed}.json").read_text(encoding="utf-8"))
        # the pin's own clock is among them: ours is the one that the PLL constrains
        clock = min(routed["fmax"], key=lambda name: (abs(routed["fmax"][name]["constraint"] - mhz),
                                                      routed["fmax"][name]["achieved"]))
        timed = routed["fmax"][clock]["achieved"]
        found = family.untimed.fmax(timed) if family.untimed else timed
        return {"nextpnr_seed": seed, "fmax_mhz": round(found, 2), "timed_mhz": round(timed, 2), "clock": clock,
                "routed": routed}
    runs = []
    with ThreadPoolExecutor(jobs) as pool:
        for n in range(0, len(seeds), jobs):
            together = seeds[n:n + jobs]
            say(f"place and route, seed{'s' * (len(together) > 1)} {', '.join(map(str, together))}")
            runs += pool.map(one, together)
            if not every and any(run["fmax_mhz"] >= mhz for run in runs):
                break
    return runs


def _keep(work: Path, board: Board, seed: int) -> None:
    family = board.part.family
    (work / f"{seed}.{family.routed}").rename(work / f"design.{family.routed}")
    (work / f"nextpnr-{seed}.log").rename(work / "nextpnr.log")
    _run(family, family.packer, (*board.part.pack, *family.pack), work, f"{family.packer}.log")


def _figures(net, board, clock, stat, best) -> dict:
    """The names of the bench, and what a report shows beside them."""
    used = {name: entry["used"] for name, entry in best["routed"]["utilization"].items()}
    available = {name: entry["available"] for name, entry in best["routed"]["utilization"].items()}
    family, clock_mhz, fmax = board.part.family, float(clock.mhz), best["fmax_mhz"]
    figures = {
        "network": net.name, "board": board.name, "part": board.part.name, "fingerprint": net.fingerprint,
        "fmax_mhz": fmax, "clock_mhz": clock_mhz, "timing_met": fmax >= clock_mhz,
        "lanes": net.lanes, "lanes_by_layer": net.lanes_by_layer,
        "lut4": _sum(stat, family.lut), "nextpnr_seed": best["nextpnr_seed"],
        "critical_path": _critical_path(best["routed"], best["clock"])}
    figures |= circuit(net).pace(net, clock_mhz, fmax)
    if family.untimed:
        figures |= {"timed_mhz": best["timed_mhz"], "untimed": family.untimed.what}
    figures["built_for"] = board.facts
    if family.bitstream != "design.bit":
        figures["bitstream"] = family.bitstream
    # an iCE40 has a flip-flop in every logic cell, which nextpnr does not count apart
    figures |= {"ff": sum(n for kind, n in stat.items() if family.registers and kind.startswith(family.registers)),
                "dsp": 0}
    figures |= {name: _sum(used, bel) for name, bel in family.cells.items()}
    figures["available"] = {"ff": board.part.lut4, "dsp": 0} | {name: _sum(available, bel)
                                                                for name, bel in family.cells.items()}
    return figures


def _sum(counts: dict[str, int], cells) -> int:
    """Of a cell, or of several that a figure is made of."""
    return sum(counts.get(name, 0) for name in ((cells,) if isinstance(cells, str) else cells))


def _critical_path(routed, clock) -> list[dict]:
    """Segments of the slowest path inside the clock: kind, delay in ns, from and to `cell.port`, net; none of zero."""
    for path in routed["critical_paths"]:
        if path["from"].endswith(clock) and path["to"].endswith(clock):
            return [{"kind": part["type"], "delay_ns": round(part["delay"], 3), "from": _pin(part["from"]),
                     "to": _pin(part["to"]), "net": part.get("net", "")} for part in path["path"] if part["delay"]]
    return []


def _pin(end) -> str:
    return f"{end['cell']}.{end['port']}"


def _publish(work: Path, target: Path, report: dict, names) -> None:
    """Move `names` of `work` into `target`, whose lock the caller holds; whoever reads finds each file whole.

    The report comes last and has the digests of the others: `_previous` sees where somebody stopped between two files.
    """
    report["files"] = {name: _digest(work / name) for name in names if name != "report.json"}
    write_json(work / "report.json", report)
    for name in sorted(names, key=lambda name: name == "report.json"):
        os.replace(work / name, target / name)


def _keep_logs(work: Path, target: Path) -> Path | None:
    """Where the logs, the script and the pins of a failed build are to be found."""
    failed = target.with_name(f"{target.name}-failed")
    logs = [path for path in work.iterdir() if path.suffix in FAILED and path.stat().st_size]
    if not logs:
        return None
    shutil.rmtree(failed, ignore_errors=True)
    failed.mkdir(parents=True, exist_ok=True)
    for path in logs:
        with suppress(OSError):     # another build that fails beside this one
            os.replace(path, failed / path.name)
    return failed
