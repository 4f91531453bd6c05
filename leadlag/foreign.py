"""Networks of others as ours, and ours for others: `read` NIR or RISP, run, build; `export` what we have.

`leadlag import`, `export` and `raster` are these as commands (leadlag/foreign_cli.py).
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from golden import systems
from golden.checks import check
from golden.description import Description, Trained
from golden.files import write_whole
from golden.nir.graph import flatten
from golden.nir.options import Options, stated
from golden.nir.risp_json import write as risp_text
from golden.nir.targets import DT, TARGETS, check_target
from golden.nir.write import to_bytes
from leadlag import flow
from leadlag.notebook import Built
from leadlag.terminal import notes as screen
from leadlag.terminal import status

RISP = "risp"


@dataclass(frozen=True)
class Foreign:
    """A network of others in words. `layers`: a dict a layer; `notes`: what was assumed; `samples`: what it ran on."""

    trained: Trained
    layers: list[dict]
    notes: list[str]
    samples: dict[str, np.ndarray] = field(repr=False)

    @cached_property
    def case(self) -> flow.Case:
        """Description with lanes, parameters: what circuits and boards are made of."""
        return flow.case_of(self.trained)

    def run(self, x, *, rtl: bool = False, port: str | None = None) -> np.ndarray:
        """Spikes (samples, ticks, outputs) of golden for x (samples, ticks, lines).

        rtl: of the compiled circuit, too; port: of a board there, or of the simulated one, `sim`. Each of their words
        has to be that of golden (flow.CheckFailed).
        """
        net = self.trained.describe()
        x = self.trained.inputs_of(x, net)
        found = net.run(self.trained.quantize(net), x)
        if rtl:
            flow.compare(self.case, flow.compiled(self.case).run(x), found, "circuit")
        if port is not None:
            flow.compare(self.case, on_board(self.case, port, x), found, f"board at {port}")
        return found

    def save(self, path) -> Path:
        """Write the safetensors file that every command takes as NET."""
        self.trained.save(path)
        return Path(path)

    def build(self, board: str = flow.DEFAULT_BOARD, *, seeds=(1, 2, 3)) -> Built:
        """Synthesise, place and route for a board: the bitstream and its figures; `ok` says whether timing is met."""
        from boards.build import build
        case = self.case if board == flow.DEFAULT_BOARD else flow.case_of(self.trained, board)
        with status(screen, "build") as say:
            made = build(case.net, flow.board(board), out_dir=flow.BUILD, seeds=seeds, progress=say)
        return Built(made.bitstream, made.report, made.summary())


def on_board(case: flow.Case, port: str, x) -> np.ndarray:
    """Load a case and run inputs on the board at a port, or on the simulated one, `sim`."""
    from leadlag.ladder import open_board
    with open_board(case.net, port, screen) as device:
        device.load(case.image)
        return device.run(x)


def read(source, name: str | None = None, *, form: str | None = None, calibrate=None, bits: int | None = None,
         **options) -> Foreign:
    """A network of others as one of ours.

    source: a file of NIR or RISP, or a nir.NIRGraph; name: by default that of the file; form: nir or risp; calibrate:
    a file of rasters, or an array (samples, ticks, lines), on which formats are chosen; bits: of weights that are not
    exact; options: of golden.nir.options.Options, such as dt. ValueError, one line with the file and the node.
    """
    stem = re.sub(r"[^a-z0-9_-]+", "-", Path(source).stem.lower()).strip("-_")[:64] if isinstance(source, str | Path) \
        else "imported"
    check(bool(name or stem), f"{source} has no letters that make a name: say which")
    found = systems.importer().read(source, name or stem, Options(**options), form=form, calibrate=calibrate, bits=bits)
    return Foreign(found.trained, found.layers, found.notes, found.samples)


def step_of(trained: Trained, target: str = "nir") -> float:
    """Seconds of a tick, where an export says nothing else: those that an import counted in, 0.1 ms for what is ours.

    snnTorch knows no other step than 0.1 ms.
    """
    dt = trained.training.get("dt", DT)
    is_one = isinstance(dt, int | float) and not isinstance(dt, bool) and 0 < dt < float("inf")
    return float(dt) if is_one and target != "snntorch" else DT


def export(net: Description, params, target: str = "nir", dt: float = DT) -> tuple[bytes, list[str]]:
    """The bytes of a file for `target` (golden.nir.targets, or risp), and lines that say what is not the same in it.

    dt: seconds of a tick. ValueError names what the format, or the framework, has no equivalent for.
    """
    check(target in (*TARGETS, RISP), f"a network is written for one of {', '.join((*TARGETS, RISP))}, not {target!r}")
    net.check(params)
    if target == RISP:
        found, notes = net.risp(params)
        return risp_text(found).encode(), notes
    graph, notes = net.graph(params, dt, target)
    flat = flatten(graph)
    check_target(flat, target, dt)
    return to_bytes(graph), stated(flat, Options(dt=dt)) + notes


def save(net: Description, params, path, target: str = "nir", dt: float = DT) -> list[str]:
    """Write what `export` makes; the lines that say what is not the same."""
    data, notes = export(net, params, target, dt)
    write_whole(Path(path), data)
    return notes
