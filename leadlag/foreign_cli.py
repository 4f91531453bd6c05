"""`leadlag import`, `export` and `raster`: networks of others as ours, ours for others, and rasters through them."""

import click
import numpy as np

from golden.checks import check
from golden.files import check_writable, write_npz, write_whole
from golden.nir import rasters
from golden.nir.options import CHOICES
from golden.nir.targets import TARGETS
from leadlag import flow
from leadlag.foreign import RISP, export, on_board, read, step_of
from leadlag.options import FILE, FOLDER, Command, Finite, board_option, only_for, port_option
from leadlag.results import answer, answers
from leadlag.terminal import Table, notes, status


def _choice(name: str, said: str):
    known = [each for each in CHOICES[name] if each is not None]
    return click.option(f"--{name}", type=click.Choice(known), help=said)


@click.command(name="import", cls=Command, short_help="Read a network of others: NIR, RISP.")
@click.argument("file", type=FILE)
@click.option("--format", "form", type=click.Choice(["nir", "risp"]), help="What the file is; by default it says so.")
@click.option("--dt", type=Finite(0, min_open=True), help="Seconds of a tick; by default what the gains imply.")
@_choice("reset", "After a spike; v_reset, what the file says, by default. late: subtract a step later, as snnTorch.")
@_choice("current", "Which current a membrane sees, that of its own step by default.")
@_choice("threshold", "Fire above it, or at it too; above by default.")
@_choice("integrator", "Whether r of I and IF is that of a second (euler) or of a step; by default what it says.")
@_choice("delays", "Round delays to steps, the default, or refuse those that are none.")
@click.option("--bits", type=click.IntRange(2, 16), help="Bits of weights that are not exact; as agreement asks for.")
@click.option("--calibrate", type=FILE, metavar="RASTER", help="Choose formats on these: .npz or NIRData.")
@click.option("--name", help="Of the network; that of the file by default.")
@click.option("--board", help="Fold for this board; refuse what it has no room for.")
@click.option("--out", type=FOLDER, help="build/NAME by default.")
@answers
def import_command(file, form, dt, reset, current, threshold, integrator, delays, bits, calibrate, name, board, out):
    """Read a network of others, NIR or RISP, and write what every other command takes."""
    choices = {"dt": dt, "reset": reset, "current": current, "threshold": threshold, "integrator": integrator,
               "delays": delays}
    only_for("NIR", form != "risp", *choices, "bits", "calibrate", given="--format risp")
    given = {key: value for key, value in choices.items() if value is not None}
    with status(notes, f"{file}: read and run"):
        found = read(file, name, form=form, calibrate=calibrate, bits=bits, **given)
    net = found.trained.describe()
    folded = _folded(found.trained, board)
    out = out or flow.BUILD / net.name
    check_writable(out / "network.json")
    samples, path = out / "samples.npz", out / "network.safetensors"
    write_npz(samples, found.samples)
    kept = type(found.trained)(net=net, params=found.trained.params,
                               training=found.trained.training | {"data": f"{samples} train"})
    kept.save(path)
    written = [path, samples, *flow.write_words(folded, found.trained.params, out)]
    rows = [{key: f"{value:.4g}" if isinstance(value, float) else value for key, value in row.items()}
            for row in found.layers]
    answer({"network": net.name, "kind": net.kind, "size": net.size, "lanes": folded.lanes,
            "design": folded.fingerprint, "layers": found.layers, "notes": found.notes, "written": written},
           Table.of(rows), *found.notes,
           f"{net.name}: {net.size}, {folded.lanes} lane{'s' * (folded.lanes != 1)}, design {folded.fingerprint}",
           f"written: {', '.join(map(str, written))}", then=f"leadlag evaluate {path}")


def _folded(trained, board: str | None):
    """The description as it goes onto a board, by default the usual one, or as it is where that has no room.

    ValueError where a board that is named has none.
    """
    if board is not None:
        net = flow.case_of(trained, board).net
        flow.check_room(net, board)
        return net
    try:
        return flow.case_of(trained).net
    except ValueError:
        return trained.describe()


@click.command(name="raster", cls=Command, short_help="Run a raster through a network.")
@click.argument("network", metavar="NET")
@click.argument("file", type=FILE)
@board_option
@click.option("--rtl", is_flag=True, help="Run the circuit, too; its words must equal those of golden.")
@port_option()
@click.option("--out", type=FILE, help="Write what comes out: y of an .npz.")
@answers
def raster_command(network, file, board, rtl, port, out):
    """Run rasters, x of an .npz (samples, ticks, lines) or NIRData, and compare what leaves with y, if there is one."""
    case = flow.prepare(network, board)
    net = case.net
    only_for("networks that run any number of ticks", "tick" in net.SAMPLE, "file", given=network)
    if out is not None:
        check_writable(out)
    found = rasters.load(file)
    check("x" in found or file.suffix.lower() != ".npz", f"{file}: there is no x, but {', '.join(found) or 'nothing'}")
    x = found.get("x", next(iter(found.values()), None))
    check(x is not None and x.ndim >= 3, f"{file}: x must be (samples, ticks, lines)")
    x = case.real.inputs_of(x.reshape(*x.shape[:2], -1), net, None)
    y, ran = flow.integer_outputs(case, x), ["golden"]
    if rtl:
        flow.compare(case, flow.compiled(case).run(x), y, "circuit")
        ran.append("circuit")
    if port is not None:
        flow.compare(case, on_board(case, port, x), y, f"board at {port}")
        ran.append(f"board at {port}")
    units = getattr(net, "units_of_outputs", None)
    what = "spikes " * (y.dtype == np.int8)
    is_real = units is not None and not what
    if is_real:         # words of membranes: what they stand for
        y = y * units
    said = {"network": net.name, "samples": len(x), "ticks": x.shape[1], "ran": ran, "mean": float(np.mean(y))}
    equal = ", all words equal" if len(ran) > 1 else ""
    where = f"{net.name}: {len(x)} samples of {x.shape[1]} ticks on {', '.join(ran)}{equal}"
    lines = [f"{where}; {np.mean(y):.4g} {what}a tick and output"]
    if "y" in found:
        wanted = found["y"].reshape(*found["y"].shape[:2], -1)
        check(wanted.shape == y.shape, f"{file}: y has shape {list(wanted.shape)}, {list(y.shape)} comes out")
        said["agreement"] = float(np.mean(wanted == y))
        lines.append(f"{said['agreement']:.4%} of y are equal")
        if is_real:
            said["error"] = float(np.sqrt(np.mean((wanted - y) ** 2)))
            lines.append(f"error {said['error']:.3g} (root mean square)")
    if out is not None:
        write_npz(out, {"y": y})
        lines.append(f"written: {out}")
    answer(said, *lines)


@click.command(name="export", cls=Command)
@click.argument("network", metavar="NET")
@click.option("--for", "target", type=click.Choice([*TARGETS, RISP]), default="nir", show_default=True,
              help="Who is to read it: anything that one drops in silence is refused for that one.")
@click.option("--dt", type=Finite(0, min_open=True),
              help="Seconds of a tick: by default those that it was imported with, 0.0001 for networks of ours.")
@click.option("--out", type=FILE, help="build/NAME.nir (or .json) by default.")
@answers
def export_command(network, target, dt, out):
    """Write a network as a file of NIR, or of RISP, for the tools of others."""
    only_for("NIR, whose time is in seconds", target != RISP, "dt", given=f"--for {target}")
    real = flow.find(network)
    net = real.describe()
    data, notes = export(net, real.quantize(net), target, step_of(real, target) if dt is None else dt)
    scale = real.training.get("input_scale", 1)
    if scale != 1:
        notes = [*notes, f"lines carry words of {scale:.9g}: divide by it what enters"]
    out = out or flow.BUILD / f"{net.name}.{'json' if target == RISP else 'nir'}"
    check_writable(out)
    write_whole(out, data)
    answer({"network": net.name, "for": target, "file": out, "bytes": len(data), "notes": notes},
           *notes, f"written: {out}, {len(data):,} bytes for {target}")
