"""Groups of `leadlag bench` on networks of others: agreement with float64, equal circuits, a damaged file, a large one.

The three graphs of `cases` are drawn, as training leaves them: reals of no quantum.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from golden.event.foreign import read
from golden.nir.euler import run
from golden.nir.graph import Graph, flatten
from golden.nir.neurons import IF, LIF, CubaLI, CubaLIF, Delay
from golden.nir.nodes import Input, Linear, Output
from golden.nir.options import Options
from golden.nir.read import parse
from golden.nir.write import to_bytes, write
from leadlag import flow
from leadlag.terminal import status

#: seconds of a tick; samples and ticks that are compared, after formats are chosen on others
DT, SAMPLES, TICKS, DAMAGED = 1e-3, 8, 200, 2000
#: of the large file: neurons, and delays between them, one matrix each
NEURONS, DELAYS = 256, 127
#: VmHWM begins anew with a program
_IMPORT = """import sys, time
from leadlag.nir import read
start = time.process_time()
net = read(sys.argv[1], "large", dt=1e-3).trained.net
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1]
print(net.synapses, net.max_delay, time.process_time() - start, int(peak) / 1024)"""


def _layer(rng, a: int, b: int, kind: str = "LIF"):
    weights = Linear(rng.normal(0.2, 1, (b, a)))
    if kind == "LIF":
        return weights, LIF(rng.uniform(5e-3, 3e-2, b), np.ones(b), np.zeros(b), rng.uniform(0.1, 0.2, b))
    return weights, CubaLIF(rng.uniform(4e-3, 9e-3, b), rng.uniform(5e-3, 3e-2, b), np.ones(b), 0.01, 1.5,
                            rng.uniform(0.05, 0.1, b))


def chain(*nodes, entering=(4,), leaving=(4,)) -> Graph:
    """Input -> n0 -> n1 .. -> Output."""
    named = {"input": Input(entering)} | {f"n{k}": node for k, node in enumerate(nodes)} | {"output": Output(leaving)}
    return Graph(named, tuple(zip(named, list(named)[1:], strict=False)))


def cases() -> dict[str, Graph]:
    """LIF; two layers with delays before the weights and behind them; recurrent CubaLIF with delays."""
    rng = np.random.default_rng(3)
    w0, n0 = _layer(rng, 20, 30)
    w1, n1 = _layer(rng, 30, 10)
    c0, c1 = _layer(rng, 20, 30, "Cuba")
    before, behind = Delay(rng.integers(0, 20, 20) * DT), Delay(rng.integers(1, 30, 10) * DT)
    cuba = chain(c0, c1, entering=(20,), leaving=(30,))
    back = {"wait": Delay(rng.integers(1, 9, 30) * DT), "back": Linear(rng.normal(0, 0.3, (30, 30)))}
    return {"lif": chain(w0, n0, entering=(20,), leaving=(30,)),
            "delayed": chain(before, w0, n0, w1, behind, n1, entering=(20,), leaving=(10,)),
            "cuba": Graph(cuba.nodes | back, (*cuba.edges, ("n1", "wait"), ("wait", "back"), ("back", "n1")))}


def nested(graph: Graph) -> Graph:
    """All but Input and Output within a graph of their own."""
    inner = {name: node for name, node in graph.nodes.items() if name not in ("input", "output")}
    edges = [tuple({"input": "i", "output": "o"}.get(each, each) for each in edge) for edge in graph.edges]
    block = Graph({"i": Input(graph.nodes["input"].shape), **inner, "o": Output(graph.nodes["output"].shape)}, edges)
    return Graph({"input": graph.nodes["input"], "block": block, "output": graph.nodes["output"]},
                 (("input", "block"), ("block", "output")))


def drawn(seed: int, lines: int = 20, samples: int = SAMPLES, ticks: int = TICKS) -> np.ndarray:
    """Spikes (samples, ticks, lines)."""
    return (np.random.default_rng(seed).random((samples, ticks, lines)) < 0.3).astype(int)


def nir(console) -> dict:
    """Imported graphs: agreement with float64, equal circuits, 2,000 damaged files, 256 x 256 x 127 delay values."""
    folder, figures = flow.BUILD / "bench" / "nir", {"float_agreement": {}, "rtl_equal_words": {}, "samples": SAMPLES,
                                                     "ticks": TICKS, "seed": 3}
    for name, graph in cases().items():
        for form, made in (("flat", graph), ("nested", nested(graph))):
            with status(console, f"nir: {name}, {form}"):
                write(folder / f"{name}-{form}.nir", made)
                found = read(folder / f"{name}-{form}.nir", name, Options(dt=DT), calibrate=drawn(1)).trained
                x = drawn(2)
                want = found.net.run(found.params, x)
                theirs = run(flatten(made), x, Options(dt=DT))["output"]
                figures["float_agreement"][f"{name} {form}"] = float(np.mean(theirs == want))
        with status(console, f"nir: {name}, circuit"):
            case = flow.case_of(found)
            flow.compare(case, flow.compiled(case).run(x), want, "circuit")
            figures["rtl_equal_words"][name] = int(want.size)
    with status(console, "nir: membranes that leave"):
        figures |= membranes(folder / "readout.nir")
    with status(console, "nir: damaged files"):
        figures |= damage()
    with status(console, "nir: a large file"):
        figures |= large(folder / "large.nir")
    return figures


def readout() -> Graph:
    """LIF, and leaky integrators of a current behind them, whose membranes leave."""
    rng = np.random.default_rng(4)
    w0, n0 = _layer(rng, 20, 30)
    return chain(w0, n0, Linear(rng.normal(0, 1, (5, 30))), CubaLI(6e-3, 2e-2, 1.0, 0.0, 1.5), entering=(20,),
                 leaving=(5,))


def membranes(path: Path) -> dict:
    """Of `readout`: the largest error as a part of the largest membrane, equal labels, words of the circuit."""
    graph, x = readout(), drawn(2)
    write(path, graph)
    found = read(path, "readout", Options(dt=DT), calibrate=drawn(1)).trained
    net = found.net
    want, theirs = net.run(found.params, x), run(flatten(graph), x, Options(dt=DT))["output"]
    flow.compare(case := flow.case_of(found), flow.compiled(case).run(x), want, "circuit")
    return {"membrane_error": float(np.abs(want * net.units_of_outputs - theirs).max() / np.abs(theirs).max()),
            "membrane_labels": float(np.mean(net.answers(want).label == theirs.mean(1).argmax(1))),
            "membrane_words": int(want.size)}


def damage() -> dict:
    """Files of every case with bytes that are others: how many are refused in one line, how many in any other way."""
    rng, files = random.Random("damage"), [to_bytes(graph) for graph in cases().values()]
    refused = tracebacks = 0
    for _ in range(DAMAGED):
        data = bytearray(rng.choice(files))
        for _ in range(rng.randint(1, 8)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            flatten(parse(bytes(data[:rng.choice((len(data), rng.randrange(len(data))))])))
        except ValueError as error:
            refused += 1
            tracebacks += "\n" in str(error)
        except Exception:      # what must not be
            tracebacks += 1
    return {"fuzzed_files": DAMAGED, "refused": refused, "tracebacks": tracebacks}


def large(path: Path) -> dict:
    """A file with a delay for each synapse, a Delay and a Linear a value: seconds of a core and MiB of its import."""
    if not path.exists():
        rng = np.random.default_rng(0)
        delay, weight = rng.integers(1, DELAYS + 1, (NEURONS, NEURONS)), rng.integers(-8, 8, (NEURONS, NEURONS))
        neurons = IF(np.ones(NEURONS), np.full(NEURONS, 40.5))
        nodes = {"input": Input((NEURONS,)), "in": Linear(np.eye(NEURONS) * 7), "n": neurons,
                 "output": Output((NEURONS,))}
        edges = [("input", "in"), ("in", "n"), ("n", "output")]
        for d in range(1, DELAYS + 1):
            nodes |= {f"d{d}": Delay(np.full(NEURONS, d * DT)), f"w{d}": Linear(np.where(delay == d, weight, 0))}
            edges += [("n", f"d{d}"), (f"d{d}", f"w{d}"), (f"w{d}", "n")]
        write(path, Graph(nodes, tuple(edges)))
    started = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _IMPORT, str(path)], capture_output=True, text=True, check=True)
    synapses, longest, seconds, peak = done.stdout.split()
    return {"import_synapses": int(synapses), "import_longest_delay": int(longest), "import_mib": round(float(peak), 1),
            "import_s": round(float(seconds), 2), "import_wall_s": round(time.monotonic() - started, 2)}


GROUPS = {"nir": nir}
