"""Networks of ours for others, as files that their tools read; `leadlag export` says what is not the same in them."""

from pathlib import Path

import click

from golden.checks import check
from golden.description import Description
from golden.files import check_writable, write_whole
from golden.nir.graph import flatten
from golden.nir.options import Options, stated
from golden.nir.risp_json import write as risp_text
from golden.nir.targets import DT, TARGETS, check_target
from golden.nir.write import to_bytes
from leadlag import flow
from leadlag.options import FILE, Command, Finite, only_for
from leadlag.results import answer, answers

RISP = "risp"


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


@click.command(name="export", cls=Command)
@click.argument("network", metavar="NET")
@click.option("--for", "target", type=click.Choice([*TARGETS, RISP]), default="nir", show_default=True,
              help="Who is to read it: anything that one drops in silence is refused for that one.")
@click.option("--dt", type=Finite(0, min_open=True), default=DT, show_default=True, help="Seconds of a tick.")
@click.option("--out", type=FILE, help="build/NAME.nir (or .json) by default.")
@answers
def export_command(network, target, dt, out):
    """Write a network as a file of NIR, or of RISP, for the tools of others."""
    only_for("NIR, whose time is in seconds", target != RISP, "dt", given=f"--for {target}")
    real = flow.find(network)
    net = real.describe()
    data, notes = export(net, real.quantize(net), target, dt)
    out = out or flow.BUILD / f"{net.name}.{'json' if target == RISP else 'nir'}"
    check_writable(out)
    write_whole(out, data)
    answer({"network": net.name, "for": target, "file": out, "bytes": len(data), "notes": notes},
           *notes, f"written: {out}, {len(data):,} bytes for {target}")


def save(net: Description, params, path, target: str = "nir", dt: float = DT) -> list[str]:
    """Write what `export` makes; the lines that say what is not the same."""
    data, notes = export(net, params, target, dt)
    write_whole(Path(path), data)
    return notes
