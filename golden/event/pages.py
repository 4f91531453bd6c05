"""What a person is shown of an event-driven network."""

import numpy as np

from golden.event import engine


def table(net):
    """Heading and a row a population."""
    rows = []
    for n, each in enumerate(net.populations):
        leak = "none" if each.leak is None else "all or none" if each.leak == 0 else f"2**-{each.leak}"
        reset = each.reset if each.fires else "never: membranes leave"
        reset = reset if each.floor is None else f"{reset}, from {each.floor} up"
        into = sum(net.count(block) for block in net.dense if block.target == n)
        rows.append((str(n), str(each.size), f"{each.state} bits", leak, reset, each.current or "none", str(into)))
    return ("population", "neurons", "membrane", "leak", "reset", "current", "dense sources"), rows


def signals(net, params, x) -> list[tuple[str, np.ndarray]]:
    """Values of the lines, and what leaves every population while one sequence runs."""
    left, _ = engine.advance(net, params, x[None])
    return [("input", x.astype(float)), *((f"population {n}", left[0, :, net.slice(n)] * each.unit)
                                          for n, each in enumerate(net.populations))]
