"""Networks of others as event-driven ones: files of NIR and of RISP, by what stands in them."""

from pathlib import Path

import numpy as np

from golden.checks import check, listed
from golden.event import risp
from golden.event.from_nir import Imported, convert, drawn, samples
from golden.files import parse_file
from golden.nir import rasters
from golden.nir.graph import flatten
from golden.nir.hdf5 import SIGNATURE
from golden.nir.options import Options
from golden.nir.read import load
from golden.nir.risp import run
from golden.nir.risp_json import parse as parse_risp

FORMATS = ("nir", "risp")


def read(source, name: str, options: Options, *, form: str | None = None, calibrate=None,
         bits: int | None = None) -> Imported:
    """The network of a file, or of a nir.NIRGraph in memory.

    form: nir or risp; None: what the file begins with. calibrate: a file of rasters (golden.nir.rasters.load), or an
    array (samples, ticks, lines), to choose formats on. ValueError, one line with the file and the node.
    """
    check(form in (None, *FORMATS), f"a format is one of {', '.join(FORMATS)}, not {form!r}")
    if isinstance(source, str | Path):
        form = form or parse_file(source, _form)
    if form == "risp":
        return _risp(parse_file(source, parse_risp), name)
    flat = flatten(load(source))
    try:
        x = rasters.load(calibrate, options.of(flat).dt) if isinstance(calibrate, str | Path) else calibrate
        if isinstance(x, dict) and len(x) == 1 and "x" in x:
            x = x["x"]
        return convert(flat, name, options, _shaped(flat, x), bits=bits)
    except ValueError as error:
        where = f"{source}: " if isinstance(source, str | Path) and not str(error).startswith(str(calibrate)) else ""
        raise ValueError(f"{where}{error}") from None


def _form(data: bytes) -> str:
    check(data[:8] == SIGNATURE or data.lstrip()[:1] == b"{", "this is neither HDF5 (NIR) nor JSON (RISP)")
    return "nir" if data[:8] == SIGNATURE else "risp"


def _shaped(flat, x):
    """Rasters of the Inputs, by name, each with the shape of its node: (samples, ticks, lines) is let be that too."""
    if x is None:
        return None
    names = [name for name, node in flat.nodes.items() if node.kind == "Input"]
    found = {key: value for key, value in x.items() if key in names} if isinstance(x, dict) else {names[0]: x}
    check(set(found) == set(names), f"rasters of {listed(names)} are needed, there are {listed(sorted(x))}"
          if isinstance(x, dict) else f"there are {len(names)} Inputs: rasters must have their names")
    shaped = {}
    for name, value in found.items():
        value, shape = np.asarray(value), flat.leaves[name]
        check(value.ndim >= 3 and value.dtype.kind in "iufb" and int(np.prod(value.shape[2:])) == int(np.prod(shape)),
              f"rasters of {listed([name])} must be (samples, ticks, *{list(shape)}), not {value.dtype} of shape "
              f"{list(value.shape)}")
        shaped[name] = value.reshape(*value.shape[:2], *shape) * 1.0
    return shaped


def _risp(net, name: str) -> Imported:
    trained = risp.convert(net, name)
    made, x = trained.net, drawn((len(net.inputs),)) > 0
    spikes = [run(net, [(t, net.inputs[n], net.charge(1)) for t, n in np.argwhere(one)], one.shape[0])[0] for one in x]
    rates = np.mean(spikes, 1)[:, list(net.outputs or range(len(net.ids)))]
    events = [risp.inputs(net, [(t, net.inputs[n], net.charge(1)) for t, n in np.argwhere(one)], one.shape[0])[0]
              for one in x]
    words = f"exact, a word is {net.quantum}" if net.quantum != 1 else "exact"
    row = {"layer": "risp", "node": "RISP", "neurons": made.neurons, "synapses": len(net.synapses), "words": words}
    notes = [f"an input of 1 is a charge of {net.charge(1)} words"]
    if net.late:
        notes.append("fire_like_ravens: spikes are shown as they happen, a step earlier than there")
    if made.lines > len(net.inputs):
        notes.append("thresholds of no charge fire on arrival: a second line for each input says that one has come")
    return Imported(trained, [row], notes, samples(np.array(events), rates))
