"""The lower rungs of the ladder: what tools made of a circuit runs in the place of it, and says the words of golden.

    netlist    synthesised for the board's family, behind the device's bus        (sim.netlist)
    routed     the whole board after place and route, host driver over the UART   (sim.routed)
    bitstream  the same, decoded from its bitstream                               (sim.bitstream)

Where the tools of a family stop short, its `limits` say so in a line (boards/family.py).
"""

import json
import tempfile
import time
from pathlib import Path

from boards.base import Board as Target
from boards.room import check_fits
from boards.whole import RESET_CYCLES, Whole
from firmware.board import Board
from firmware.protocol import LinkError
from golden.programs import ICEBOX, program, timed
from leadlag import flow
from leadlag.terminal import Table
from sim import whole
from sim.design import Design
from sim.harness.board import DIVISOR, SimulatedBoard
from sim.harness.device import Device, SimulationError
from sim.netlist import CELLS, netlist

RUNGS = ("netlist", "routed", "bitstream")
#: cells that icebox_vlog leaves out without a word
DROPPED = ("SB_MAC16", "SB_SPRAM256KA")
#: seconds for which the host of a simulated board waits: it is simulated some thousand times slower
_PATIENCE = 3600.0


def check_rung(target: Target, rung: str) -> None:
    """ValueError (one line) where the tools of a board stop short of a rung; ToolError where one is missing."""
    family = target.part.family
    if rung in family.limits:
        raise ValueError(f"{target.name} has no rung {rung}: {family.limits[rung]}")
    if rung == "netlist" and family.name not in CELLS:
        raise ValueError(f"{target.name} has no rung netlist: there are no models of cells of {family.name}")
    if rung == "bitstream":
        program(ICEBOX, ", which decodes a bitstream")


def verify(vectors, target: Target, rung: str, *, fault: str | None = None, quick: bool = False,
           progress=None) -> dict:
    """Compare a rung with golden word by word: a row of the table. CheckFailed names the first word that differs.

    vectors: leadlag.verify.vectors; fault: one of sim.faults.FAULTS, planted in the netlist or bitstream; quick:
    compile sooner what runs few cycles; progress(text) before each step. ValueError and ToolError as check_rung.
    """
    check_rung(target, rung)
    say, net, what = progress or (lambda text: None), vectors.net, f"{rung} on {target.name}"
    say("tools")
    device, times = (_netlist if rung == "netlist" else _whole)(net, target, rung, fault, quick, say)
    say("simulate")
    started, before = time.process_time(), device.cycles
    runs = device if rung == "netlist" else Board(device, net, patience=_PATIENCE)
    try:
        runs.load(vectors.image.pairs if rung == "netlist" else vectors.image)
        got = vectors.on(runs)
        seconds, cycles = time.process_time() - started, device.cycles - before
        vectors.compare(runs, got, what)
    # the vectors are right: what is not understood comes of the device
    except (SimulationError, LinkError, ValueError) as error:
        raise flow.CheckFailed(f"{net.name}, {what}: {error}") from None
    return {"network": net.name, "board": target.name, "rung": rung, "vectors": vectors.count, "words": got.size,
            "equal": got.size, "cycles": cycles, "cycles_per_s": round(cycles / max(seconds, 1e-3)),
            "tools_cpu_s": times, "simulate_cpu_s": round(seconds, 2)}


def table(rows) -> Table:
    """Rows as a table; seconds of the CPU."""
    found = Table("network", "board", "rung", "vectors", "words equal", "cycles", "tools (CPU s)", "cycles/s")
    for row in rows:
        steps = ", ".join(f"{name} {seconds:.0f}" for name, seconds in row["tools_cpu_s"].items())
        found.add_row(row["network"], row["board"], row["rung"], row["vectors"],
                      f"{row['equal']:,} of {row['words']:,}", f"{row['cycles']:,}", steps,
                      f"{row['cycles_per_s']:,}")
    return found


def _netlist(net, target, rung, fault, quick, say):
    check_fits(net, target)
    family = target.family_for(net)
    mapped = netlist(family.name, " ".join((family.synth, *family.synth_options)), fault)
    device = Device(net, family.vendor, quick=quick, mapped=mapped)
    return device, device.times


def _whole(net, target, rung, fault, quick, say):
    """The simulated board, and the CPU seconds of each tool."""
    clock = target.input_mhz if rung == "bitstream" else None       # the pin's own: a PLL would be in the bitstream
    made, times = Whole(net, target, divisor=DIVISOR, clock_mhz=clock), {}
    make = _from_bitstream if rung == "bitstream" else _from_routed

    def verilog():
        routed = made.routed(flow.BUILD / "verify", say)
        times.update(routed.times)
        dropped = [cell for cell in DROPPED if routed.cells.get(cell)]
        if rung == "bitstream" and dropped:
            raise ValueError(f"{target.name} has no rung bitstream for {net.name}: icebox_vlog drops "
                             f"{', '.join(dropped)}; --rung netlist has models of them")
        with tempfile.TemporaryDirectory(prefix="leadlag-verify-") as folder:
            text = make(made, Path(folder), routed, times, fault, say)
        say("compile")
        return text
    design = Design(whole.TOP, json.dumps([made.key, whole.code(fault), rung, fault]), verilog, times)
    return SimulatedBoard.of(design, reset=RESET_CYCLES, quick=quick), times


def _from_routed(made, work, routed, times, fault, say):
    say("netlist to Verilog")
    with timed(times, "convert"):
        return whole.of_routed(routed.module, made.pads, made.idle, work, fault)


def _from_bitstream(made, work, routed, times, fault, say):
    say("pack and decode")
    with timed(times, "pack"):
        made.pack(routed, work, *([lambda text: whole.fault_in(text, routed.module)] if fault == "lut" else []))
    part = made.board.part.nextpnr
    with timed(times, "decode"):
        return whole.of_bitstream(made.pads, made.idle, work, part[part.index("--package") + 1], fault)
