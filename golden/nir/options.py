"""What a file of NIR cannot say, and a network needs: the step, resets, orders. Each has a default, and is stated.

Equations of NIR are in continuous time. Forward Euler with the new current, > and the reset in the step of the spike is
the default: it equals what snnTorch and Norse make of the same file where they read all of it.

    dt          seconds of a step; None: what the file implies (`implied_dt`)
    reset       v_reset: v = v_reset;  zero: v = 0;  subtract: v = v - v_threshold;
                late: v_threshold is subtracted a step later, from what has leaked by then (snnTorch's default)
    current     new: the membrane sees the synaptic current of its own step;  old: that of the step before
    threshold   > or >=
    integrator  of I and IF:  euler: v = v + dt r x;  step: v = v + r x;
                None: euler where dt r is 1, step where r is 1, else an error
    delays      round: to the nearest step, half a step up;  exact: an error where that moves one
"""

from dataclasses import dataclass, replace

import numpy as np

from golden.checks import check, listed
from golden.nir.graph import Flat, lagged
from golden.nir.neurons import IF, LI, CubaLI, Delay, Integrator
from golden.nir.nodes import Node

CHOICES = {"reset": ("v_reset", "zero", "subtract", "late"), "current": ("new", "old"), "threshold": (">", ">="),
           "integrator": (None, "euler", "step"), "delays": ("round", "exact")}
#: a delay is a number of steps where it misses one by no more than this part of a step
CLOSE = 1e-6
#: values that one Delay may hold
MOST = 1 << 26


@dataclass(frozen=True, kw_only=True)
class Options:
    """The choices above; ValueError for others."""

    dt: float | None = None
    reset: str = "v_reset"
    current: str = "new"
    threshold: str = ">"
    integrator: str | None = None
    delays: str = "round"

    def __post_init__(self):
        check(self.dt is None or isinstance(self.dt, int | float) and not isinstance(self.dt, bool)
              and 0 < self.dt < float("inf"), f"dt must be a number of seconds above 0, not {self.dt!r}")
        for name, known in CHOICES.items():
            value = getattr(self, name)
            check(value in known, f"{name} must be one of {', '.join(map(str, known))}, not {value!r}")

    def of(self, flat: Flat) -> "Options":
        """With the dt that the graph implies where none is given, once all of it can be stepped so.

        ValueError names the node where a time constant is below dt, an integrator is not clear, or a delay is not a
        number of steps and has to be.
        """
        dt = implied_dt(flat) if self.dt is None else self.dt
        check(dt is not None, "dt is needed, seconds of a tick: nothing in the graph implies it")
        found = replace(self, dt=float(dt))
        for name, node in flat.nodes.items():
            try:
                _check(node, found, flat.enters[name])
            except ValueError as error:
                raise ValueError(f"node {listed([name])} ({node.kind}): {error}") from None
        return found


DEFAULT = Options()


def _check(node: Node, options: Options, shape) -> None:
    for field in ("tau", "tau_syn", "tau_mem"):
        tau = getattr(node, field, None)
        check(tau is None or bool(np.all(tau >= options.dt * (1 - 1e-9))),
              f"{field} is {np.min(tau) if tau is not None else 0:g}, below dt = {options.dt:g}")
    if isinstance(node, Integrator | IF):
        gain(node, options)
    if isinstance(node, Delay):
        d = steps(node, options.dt)
        off = np.abs(node.delay / options.dt - d)
        check(options.delays == "round" or bool(np.all(off <= CLOSE)),
              f"a delay of {node.delay.flat[int(off.argmax())]:g} is no number of steps of {options.dt:g}")
        check(int(d.max()) * int(np.prod(shape, dtype=object)) <= MOST, f"delays of {int(d.max())} steps do not fit")


def implied_dt(flat: Flat) -> float | None:
    """The dt of the export where the graph says it: tau / r of LIF and LI, tau_syn / w_in of those with a current.

    snnTorch writes r = tau / dt. A gain of 1 says nothing. None, too, where nodes differ.
    """
    found = []
    for node in flat.nodes.values():
        for kind, tau, one in ((LI, "tau", "r"), (CubaLI, "tau_syn", "w_in")):
            if isinstance(node, kind):
                by = getattr(node, one)
                if np.all(by > 0) and not np.any(by == 1):
                    found.append((getattr(node, tau) / by).ravel())
    if not found:
        return None
    dts = np.concatenate(found)
    # exports are of 32 bits
    return float(f"{np.median(dts):.6g}") if np.ptp(dts) <= 1e-4 * dts.min() else None


def gain(node: Integrator | IF, options: Options) -> np.ndarray:
    """What an integrator adds for each x of a step."""
    whole = node.r * options.dt
    if options.integrator == "euler" or options.dt == 1 or \
            options.integrator is None and np.all(np.abs(whole - 1) < 1e-3):
        return whole
    check(options.integrator == "step" or bool(np.all(node.r == 1)),
          f"whether r = {node.r.flat[0]:g} is a second or a step is not clear: say integrator=euler or step")
    return node.r


def steps(node: Delay, dt: float) -> np.ndarray:
    """Steps of each channel: floor(delay / dt + 1/2)."""
    with np.errstate(over="ignore"):
        found = node.delay / dt
    check(bool(np.all(found < MOST)), f"delays of {found.max():g} steps do not fit")
    near = np.rint(found)
    return np.where(np.abs(found - near) <= CLOSE, near, np.floor(found + 0.5)).astype(np.int64)


def moved(flat: Flat, dt: float) -> dict[str, tuple[int, float]]:
    """Of each Delay that is no number of steps: how many of its channels are not, and by how many seconds at most."""
    found = {}
    for name, node in flat.nodes.items():
        if isinstance(node, Delay):
            off = np.abs(node.delay - steps(node, dt) * dt)
            count = int(np.count_nonzero(off > CLOSE * dt))
            if count:
                found[name] = count, float(off.max())
    return found


def stated(flat: Flat, options: Options = DEFAULT) -> list[str]:
    """Lines that say how a graph is stepped: every choice with where it comes from, and what was moved or assumed."""
    found = options.of(flat)
    whence = "as given" if options.dt is not None else "what the gains of the graph imply"
    lines = [f"dt {found.dt:g}: {whence}"]
    if options.dt is not None and (implied := implied_dt(flat)) and abs(implied / found.dt - 1) > 1e-3:
        lines.append(f"the gains of the graph imply {implied:g}: a spike charges by dt, so what leaves will differ")
    nodes = flat.nodes.values()
    used = {"reset": any(node.SPIKES and node.STATE for node in nodes), "threshold": any(node.SPIKES for node in nodes),
            "current": any(isinstance(node, CubaLI) for node in nodes)}
    lines += [f"{name} {getattr(found, name)}" for name, is_used in used.items() if is_used]
    for name, node in flat.nodes.items():
        if isinstance(node, Integrator | IF):
            step = np.array_equal(gain(node, found), node.r)
            lines.append(f"node {name} ({node.kind}): r is that of a {'step' if step else 'second'}")
    lines += [f"node {name} (Delay): {count} of {flat.nodes[name].delay.size} are no number of steps, moved by up to "
              f"{off:g}" for name, (count, off) in moved(flat, found.dt).items()]
    waits = {name for name, node in flat.nodes.items() if isinstance(node, Delay) and steps(node, found.dt).all()}
    lines += [f"edge {source} -> {target}: a step later, as it closes a loop that has no delay of a step or more in "
              f"every channel" for source, target in sorted(lagged(flat.nodes, flat.edges, waits))]
    return lines + list(flat.notes)
