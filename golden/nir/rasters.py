"""NIRData: what went into a network of NIR, or what its nodes did, by node and name, on the grid of a step.

    nodes/NAME/observables/NAME: data (samples, ticks, channels), attribute dt
                                 or idx, time (samples, events), attributes n_neurons, t_max; ValuedEventData: value too

Source: read_data and write_data of the package `nir` 1.0.8. An event of index -1, or of time infinity, is none.
"""

import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.checks import check, listed
from golden.files import parse_file, reals
from golden.nir import hdf5
from golden.nir.nodes import shown

#: values of a raster, at most, that events make
MOST = 1 << 28


class Raster(NamedTuple):
    """Values (samples, ticks, channels): bool where they are spikes, else float64; seconds of a tick."""

    values: np.ndarray
    dt: float


def read(path, dt: float | None = None) -> dict[str, dict[str, Raster]]:
    """Rasters by node (one in a graph: OUTER.NAME) and by what was observed; `dt`: the step that events are put on.

    ValueError, one line with the file and the node, where something is damaged, or events come without dt.
    """
    return parse_file(path, lambda data: parse(data, dt))


def load(path, dt: float | None = None) -> dict[str, np.ndarray]:
    """Rasters of a file by name, (samples, ticks, ...): the arrays of an .npz, or what was first observed of a node."""
    suffix = Path(path).suffix.lower()
    check(suffix not in (".csv", ".txt", ".npy"), f"{path}: a raster is an .npz with x in it, or a file of NIRData")
    if suffix != ".npz":
        return {name: next(iter(seen.values())).values for name, seen in read(path, dt).items() if seen}
    return parse_file(path, _arrays)


def _arrays(data: bytes) -> dict[str, np.ndarray]:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except Exception as error:      # of a damaged file numpy raises anything, from zlib.error to TokenError
        raise ValueError(f"this is no readable .npz file ({' '.join(str(error).split())})") from None


def parse(data: bytes, dt: float | None = None) -> dict[str, dict[str, Raster]]:
    """The same of the bytes of a file."""
    check(dt is None or 0 < dt < float("inf"), f"dt must be a number of seconds above 0, not {dt!r}")
    root, found = hdf5.parse(data), {}
    check(_kind(root) == "NIRGraphData", "this is no file of NIRData")
    todo = [("", root)]
    while todo:
        above, graph = todo.pop()
        for name, node in _group(graph, "nodes").members.items():
            full, kind = f"{above}{name}", _kind(node)
            if kind == "NIRGraphData":
                todo.append((f"{full}.", node))
                continue
            check(kind == "NIRNodeData", f"node {listed([full])}: data of type {shown(kind)} are unknown")
            try:
                found[full] = {what: _raster(each, dt) for what, each in _group(node, "observables").members.items()}
            except ValueError as error:
                raise ValueError(f"node {listed([full])}: {error}") from None
    return found


def _kind(group) -> object:
    return group.attributes().get("__type__") if isinstance(group, hdf5.Group) else None


def _group(group: hdf5.Group, name: str) -> hdf5.Group:
    found = group.members.get(name)
    check(isinstance(found, hdf5.Group), f"{group.path} has no group {name}")
    return found


def _values(group: hdf5.Group, name: str, ndim: int) -> np.ndarray:
    found = group.members.get(name)
    check(isinstance(found, hdf5.Dataset), f"{group.path} has no {name}")
    value = found.read()
    check(isinstance(value, np.ndarray) and value.ndim == ndim and value.dtype.kind in "biuf",
          f"{found.path} must be real numbers in {ndim} axes")
    return value


def _number(group: hdf5.Group, name: str) -> float:
    value = group.attributes().get(name)
    check(isinstance(value, int | float | np.number) and 0 < value < float("inf"),
          f"{group.path}: {name} must be a number above 0, not {shown(value)}")
    return float(value)


def _raster(group, dt: float | None) -> Raster:
    kind = _kind(group)
    if kind == "TimeGriddedData":
        values, own = _values(group, "data", 3), _number(group, "dt")
        check(dt is None or abs(own / dt - 1) < 1e-6, f"{group.path} has dt {own:g}, not {dt}")
        return Raster(values if values.dtype == bool else reals("data", values), own)
    check(kind in ("EventData", "ValuedEventData"), f"data of type {shown(kind)} are unknown")
    check(dt is not None, f"{group.path} holds events: dt is needed")
    channels, ticks = _number(group, "n_neurons"), np.rint(_number(group, "t_max") / dt)
    idx, time = _values(group, "idx", 2), _values(group, "time", 2)
    check(idx.shape == time.shape, f"{group.path}: idx and time differ in shape")
    check(channels == int(channels) and len(idx) * channels * ticks <= MOST,
          f"{group.path}: {len(idx)} samples of {ticks:g} ticks and {channels:g} neurons are too many to hold")
    there = (idx >= 0) & np.isfinite(time)
    sample, _ = np.nonzero(there)
    # a time that is a step but for the last bits of its float is that step
    tick, neuron = np.floor(time[there] / dt + 1e-6), idx[there]
    check(bool(np.all((tick >= 0) & (tick < ticks) & (neuron < channels) & (neuron == np.floor(neuron)))),
          f"{group.path}: an event is outside of {ticks:g} ticks and {channels:g} neurons")
    values = np.zeros((len(idx), int(ticks), int(channels)))
    place = sample, tick.astype(np.int64), neuron.astype(np.int64)
    if kind == "EventData":
        values[place] = 1
        return Raster(values > 0, dt)
    value = reals("value", _values(group, "value", 2)[there])
    check(value.shape == neuron.shape, f"{group.path}: value and idx differ in shape")
    np.add.at(values, place, value)
    return Raster(values, dt)
