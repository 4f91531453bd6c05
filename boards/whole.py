"""The whole top of a board through its tools, step by step, for simulations of what they made.

It is the design of `leadlag build`, with pads, clock and reset, and with a faster serial line: a byte of the board's
own would take thousands of simulated cycles.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from boards import build
from boards.base import RESET_BITS, Board
from boards.room import check_fits
from golden.description import Description
from golden.files import write_json, write_whole
from golden.programs import build_once, timed

#: cycles of the pin's clock from power-up until the reset is over
RESET_CYCLES = 2 << RESET_BITS


class Whole:
    """`net` on `board`, its line at `divisor` clock cycles a bit. ValueError where it does not fit.

    Synthesised, placed and routed once a circuit, board and version of the tools; what they left stays in a folder.
    Attributes: key, a text that stands for all that goes in; pads, ports of the design by clk, rx and tx; idle, ports
    of buttons and their level while nobody presses.
    """

    def __init__(self, net: Description, board: Board, *, divisor: int, clock_mhz: float | None = None, seed: int = 1):
        check_fits(net, board)
        self.board, self.seed = board, seed
        self.mhz = float(board.clock_for(clock_mhz, net).mhz)
        self._files = build._elaborate(net, replace(board, baud=round(self.mhz * 1_000_000 / divisor)), clock_mhz)
        self._plan = build._plan(net, board)
        self.key = build._key(self._files, self._plan, build.tool_versions(board.part.family), board, [str(seed)])
        # ports as Amaranth names them
        self.pads = {"clk": f"{board.clock}_0__io", "rx": f"{board.uart}_0__rx__io", "tx": f"{board.uart}_0__tx__io"}
        button = board.reset_button
        self.idle = {} if button is None else {
            "{}_{}__io".format(*button): int(board.platform().lookup(*button).ios[0].invert)}

    def routed(self, folder: Path, say=lambda text: None) -> "Routed":
        """Synthesise, place and route, unless that was done before in `folder`, or read what it left."""
        family, target = self.board.part.family, folder / f"{self.board.name}-{self.key}"

        def make(place: Path) -> Path:
            work, times = place / "work", {}
            work.mkdir()
            for name, text in self._files.items():
                write_whole(work / name, text)
            say("synthesis")
            with timed(times, "synth"):
                used = build._synthesise(work, family, family.synth_options, self._plan)
            say("place and route")
            with timed(times, "place"):
                build._place(work, self.board, [self.seed], 1, self.mhz, ("--write", "routed.json"), lambda text: None)
            write_json(work / "done.json", {"cells": used, "times": times})
            return work
        build_once(target, make)
        done, modules = (json.loads((target / name).read_text(encoding="utf-8")) for name in ("done.json",
                                                                                             "routed.json"))
        return Routed(target, done["cells"], done["times"], next(iter(modules["modules"].values())))

    def pack(self, routed: "Routed", work: Path, change=lambda text: text) -> None:
        """work/design.bit, and the constraints beside it; change: of nextpnr's text, before it is packed."""
        family = self.board.part.family
        for name in (f"{self.seed}.{family.routed}", f"nextpnr-{self.seed}.log", f"design.{family.constraints}"):
            text = (routed.folder / name).read_text(encoding="utf-8")
            write_whole(work / name, change(text) if name.endswith(family.routed) else text)
        build._keep(work, self.board, self.seed)


class Routed(NamedTuple):
    """What place and route left: folder; cells by type; CPU seconds by step; the netlist that nextpnr wrote."""

    folder: Path
    cells: dict
    times: dict
    module: dict
