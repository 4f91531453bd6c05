"""Who NIR is written for: what a framework would drop in silence, or take for something else, is refused by the node.

    nir         anybody: nothing is refused
    snntorch    snnTorch 1.0.0, import_from_nir: steps of 1e-4 s; one threshold a layer; resets to 0; neither leak
                potentials nor I, LI, Scale, Delay; IF gets a leak; loops do not run
    norse       Norse 1.1.0, from_nir(dt=..): v_reset and r of LIF and IF are not read; Delay becomes nothing; loops do
                not run

Source: their code, read and tried with nirtorch 2.6; tests/foreign/test_nir_out.py holds them to it.
"""

import numpy as np

from golden.checks import check, listed
from golden.nir.graph import Flat, around, components
from golden.nir.neurons import IF, LIF, CubaLIF, Delay
from golden.nir.nodes import Affine, Input, Linear, Node, Output

TARGETS = ("nir", "snntorch", "norse")
NAMES = {"snntorch": "snnTorch", "norse": "Norse"}
#: seconds of a step that snnTorch assumes, and that are the default for all
DT = 1e-4


def check_target(flat: Flat, target: str, dt: float) -> None:
    """ValueError names the node, and what the framework would make of it."""
    check(target in TARGETS, f"a graph is written for one of {', '.join(TARGETS)}, not {target!r}")
    if target == "nir":
        return
    name = NAMES[target]
    check(target != "snntorch" or abs(dt / DT - 1) < 1e-6, f"snnTorch takes every step for {DT:g} s, not {dt:g}")
    delays = [each for each, node in flat.nodes.items() if isinstance(node, Delay)]
    check(not delays, f"node {listed(delays[:1])} (Delay): " + (
        "Norse puts nothing in its place, and says nothing" if target == "norse" else "snnTorch does not know it"))
    for group in components(flat.nodes, flat.edges):
        raise ValueError(f"node {listed([min(group)])}: it is in a loop, which {name} does not import")
    before, _ = around(flat.nodes, flat.edges)
    for each, node in flat.nodes.items():
        try:
            check(len(before[each]) < 2, f"several edges lead into it, which {name} does not add")
            _check(node, target, dt)
        except ValueError as error:
            raise ValueError(f"node {listed([each])} ({node.kind}): {error}") from None


def _check(node: Node, target: str, dt: float) -> None:
    name = NAMES[target]
    known = (Input, Output, Linear, Affine, LIF, CubaLIF, *(() if target == "snntorch" else (IF,)))
    check(type(node) in known, "snnTorch gives it a leak of 0.1" if isinstance(node, IF) else
          f"{name} does not take it as it is")
    if isinstance(node, LIF | IF | CubaLIF):
        check(not np.any(node.v_reset), f"{name} does not read v_reset, and resets to 0")
    if isinstance(node, LIF | CubaLIF):
        check(not np.any(node.v_leak) or target == "norse" and isinstance(node, LIF),
              f"{name} does not read v_leak as that of the membrane")
    if target == "norse":
        check(isinstance(node, Input | Linear | CubaLIF) or np.allclose(node.r, 1, rtol=1e-6),
              "Norse does not read r, and takes it for 1")
    elif isinstance(node, LIF | CubaLIF):
        check(np.ptp(node.v_threshold) == 0, "snnTorch has one threshold a layer")
        gain = node.r * dt / node.tau if isinstance(node, LIF) else node.w_in * dt / node.tau_syn
        check(np.allclose(gain, gain.flat[0], rtol=1e-6), "snnTorch has one gain a layer")
        check(isinstance(node, LIF) or np.allclose(node.r, node.tau_mem / dt, rtol=1e-6),
              "snnTorch takes r for tau_mem / dt")
