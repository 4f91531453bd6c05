"""The whole top of a board through its tools, step by step, for simulations of what they made.

It is the design of `leadlag build`, with pads, clock and reset, and with a faster serial line: a byte of the board's
own would take thousands of simulated cycles.
"""

import json
from dataclasses import replace
from pathlib import Path

from boards import build
from boards.base import RESET_BITS, Board, check_fits
from boards.floorplan import floorplan
from golden.description import Description
from golden.files import write_whole

#: cycles of the pin's clock from power-up until the reset is over
RESET_CYCLES = 2 << RESET_BITS


class Whole:
    """`net` on `board`, its line at `divisor` clock cycles a bit. ValueError where it does not fit.

    The steps write into a folder, in this order: synthesise, place, pack. key stands for all that goes in.
    """

    def __init__(self, net: Description, board: Board, *, divisor: int, clock_mhz: float | None = None, seed: int = 1):
        check_fits(net, board)
        self.net, self.board, self.seed = net, board, seed
        self.mhz = float(board.clock_for(clock_mhz, net).mhz)
        self._files = build._elaborate(net, replace(board, baud=round(self.mhz * 1_000_000 / divisor)), clock_mhz)
        self._plan = floorplan(net, board.part.grid)
        self.key = build._key(self._files, self._plan, build.tool_versions(board.part.family), board, [str(seed)])

    def synthesise(self, work: Path) -> dict:
        """design.json; cells by type."""
        for name, text in self._files.items():
            write_whole(work / name, text)
        family = self.board.part.family
        return build._synthesise(work, family, family.synth_options, self._plan)

    def place(self, work: Path) -> dict:
        """routed.json, the netlist after place and route, which it gives."""
        build._place(work, self.board, [self.seed], 1, self.mhz, ("--write", "routed.json"), lambda text: None)
        modules = json.loads((work / "routed.json").read_text(encoding="utf-8"))["modules"]
        return next(iter(modules.values()))

    def pack(self, work: Path, change=lambda text: text) -> None:
        """design.bit; change: of the text that nextpnr wrote, before it is packed."""
        family = self.board.part.family
        routed = work / f"{self.seed}.{family.routed}"
        write_whole(routed, change(routed.read_text(encoding="utf-8")))
        build._keep(work, family, self.seed)

    @property
    def pads(self) -> dict[str, str]:
        """clk, rx and tx -> ports of the design, as Amaranth names them."""
        board = self.board
        return {"clk": f"{board.clock}_0__io", "rx": f"{board.uart}_0__rx__io", "tx": f"{board.uart}_0__tx__io"}

    @property
    def idle(self) -> dict[str, int]:
        """Ports of buttons -> level while nobody presses."""
        button = self.board.reset_button
        if button is None:
            return {}
        name, number = button
        return {f"{name}_{number}__io": int(self.board.platform().lookup(name, number).ios[0].invert)}
