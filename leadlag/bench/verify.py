"""Group `ladder` of `leadlag bench`: what `leadlag verify` finds, on small networks and on one of the zoo."""

import numpy as np

from golden.data import sets
from golden.files import write_npz
from golden.rate.trained import FloatLayer, FloatNetwork
from leadlag import flow
from leadlag.terminal import status
from leadlag.verify import rungs
from leadlag.verify.vectors import Samples, vectors

SMALL, LARGE, TAUGHT, GOWIN = "ulx3s-12f", "ice40-hx8k", "ulx3s-25f", "tang-nano-9k"
SIZES, TICKS, SEED = (5, 6, 3), 60, 0


def ladder(console) -> dict:
    """Netlists, whole boards after place and route, and a bitstream, against golden, word by word."""
    rows = []
    digits = vectors("delays-digits", LARGE, count=200)
    for rung, found, board in (("netlist", gle(100), SMALL), ("netlist", gle(100), GOWIN), ("netlist", digits, LARGE),
                               ("routed", gle(20), SMALL), ("routed", vectors("lagline", TAUGHT, count=1000), TAUGHT),
                               ("bitstream", digits, LARGE)):
        what = f"{found.net.name} on {board}, {rung}"
        with status(console, what) as say:
            row = rungs.verify(found, flow.board(board), rung, quick=rung != "bitstream",
                               progress=lambda text, say=say, what=what: say(f"{what}: {text}"))
        rows.append(row | {"words_equal": row["equal"]})
    return {"rows": rows, "seed": SEED}


def gle(count: int) -> Samples:
    """The network 5-6-3 of rate neurons, with random parameters, on random sequences."""
    rng = np.random.default_rng(SEED)
    layers = tuple(FloatLayer(weight=rng.normal(0, 0.6, (outputs, inputs)), bias=rng.normal(0, 0.1, outputs),
                              tau_m=rng.uniform(0.3, 2.0, outputs), tau_r=np.full(outputs, 0.2), activation=activation)
                   for inputs, outputs, activation in zip(SIZES, SIZES[1:], ("tanh", "linear"), strict=False))
    path = flow.BUILD / "bench" / "gle-5-6-3.npz"
    write_npz(path, {f"{name}_{split}": value for split in ("train", "test") for name, value in (
        ("x", rng.normal(0, 1, (200, TICKS, SIZES[0]))), ("y", rng.integers(0, SIZES[-1], 200)))})
    real = FloatNetwork(name="gle-5-6-3", dt=0.2, layers=layers, training={})
    case = flow.case_of(real, SMALL, sets.find(str(path)))
    return Samples(case, flow.samples(case, "test", count).x)


GROUPS = {"ladder": ladder}
