"""A group of `leadlag bench`: a network with delays, trained in snnTorch, all the way to a bitstream.

The task is made here: a spike runs up eight lines, down, out from the middle, or in, and others fall between. What
snnTorch 1.0.0 does not have yet is its SynapticDelay; a module of the same interface stands in its place, behind the
weights, whose delays learn: between whole steps both neighbours count, and after training delays are rounded.
"""

import numpy as np

from leadlag import flow
from leadlag.foreign import read
from leadlag.terminal import bars, status

LINES, HIDDEN, CLASSES, TICKS, LONGEST = 8, 32, 4, 40, 15
#: seconds of a step, as snnTorch writes them
DT, BATCHES, BATCH, RATE, BOARD = 1e-4, 1000, 32, 5e-3, "ulx3s-25f"


def samples(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Spikes (count, TICKS, LINES) float32, and classes."""
    rng = np.random.default_rng(seed)
    y, x = rng.integers(0, CLASSES, count), rng.random((count, TICKS, LINES)) < 0.02
    ways = [np.arange(8), np.arange(8)[::-1], np.array([6, 4, 2, 0, 1, 3, 5, 7]), np.array([0, 2, 4, 6, 7, 5, 3, 1])]
    for n, k in enumerate(y):
        at = rng.integers(0, 10) + 3 * ways[k] + rng.integers(-1, 2, LINES)
        x[n, np.clip(at, 0, TICKS - 1), np.arange(LINES)] = True
    return x.astype(np.float32), y


def trained(console):
    """(layers of snnTorch, delays in whole steps, share of right answers with these)."""
    import snntorch
    import torch
    torch.manual_seed(0)

    def leaky(size):
        return snntorch.Leaky(torch.full((size,), 0.9), threshold=torch.ones(size), init_hidden=True)

    layers = [torch.nn.Linear(LINES, HIDDEN), leaky(HIDDEN), torch.nn.Linear(HIDDEN, CLASSES), leaky(CLASSES)]
    layers[0].weight.data *= 3
    delay = torch.nn.Parameter(torch.rand(HIDDEN) * LONGEST)
    weights = [p for layer in (layers[0], layers[2]) for p in layer.parameters()]
    learner = torch.optim.Adam([{"params": weights, "lr": RATE}, {"params": [delay], "lr": 0.1}])

    def spikes(x, d):
        """Of the outputs, (ticks, n, classes): current = delay(fc(x)), a delay a channel."""
        current = torch.nn.functional.pad(layers[0](x.swapaxes(0, 1)), (0, 0, 0, 0, LONGEST + 1, 0))
        begin = torch.arange(TICKS)[:, None] + LONGEST + 1 - d.floor().long()
        part = d - d.floor()
        near, far = (current.gather(0, index[:, None].expand(-1, len(x), -1)) for index in (begin, begin - 1))
        current, found = (1 - part) * near + part * far, []
        for layer in (layers[1], layers[3]):
            layer.reset_mem()
        for step in current:
            found.append(layers[3](layers[2](layers[1](step))))
        return torch.stack(found)

    with bars(console) as bar:
        task = bar.add_task("snnTorch, with delays", total=BATCHES)
        for n in range(BATCHES):
            x, y = samples(BATCH, n)
            loss = torch.nn.functional.cross_entropy(spikes(torch.tensor(x), delay).sum(0), torch.tensor(y))
            learner.zero_grad()
            loss.backward()
            learner.step()
            delay.data.clamp_(0, LONGEST)
            bar.advance(task)
    whole = delay.detach().round()
    x, y = samples(500, 10_001)
    with torch.no_grad():
        right = (spikes(torch.tensor(x), whole).sum(0).argmax(1).numpy() == y).mean()
    return layers, whole.numpy().astype(int), float(right)


def exported(layers, delay):
    """The nir.NIRGraph of snnTorch's own export, with a Delay behind the first weights."""
    import nir
    import torch
    from snntorch.export_nir import export_to_nir
    for layer in (layers[1], layers[3]):
        layer.reset_mem()
    graph = export_to_nir(torch.nn.Sequential(*layers), torch.rand(LINES))
    first = next(b for a, b in graph.edges if isinstance(graph.nodes[a], nir.Input))
    second = next(b for a, b in graph.edges if a == first)
    graph.nodes["delay"] = nir.Delay(delay * DT)
    graph.edges = [edge for edge in graph.edges if edge != (first, second)] + [(first, "delay"), ("delay", second)]
    return graph


def imported(console) -> dict:
    """A network trained in snnTorch with delays: accuracies, every word of the simulated board, place and route."""
    from boards.build import build
    layers, delay, right = trained(console)
    found = read(exported(layers, delay), "snntorch-delays", reset="late", calibrate=samples(200, 10_000)[0])
    x, y = samples(500, 10_001)
    net = found.trained.net
    spikes = found.run(x)
    with status(console, "simulated board"):
        found.run(x[:10], port="sim")
    with status(console, "place and route") as say:
        report = build(flow.case_of(found.trained, BOARD).net, flow.board(BOARD), out_dir=flow.BUILD / "bench",
                       seeds=(1, 2, 3), progress=lambda text: say(f"place and route: {text}")).report
    kept = ("fmax_mhz", "clock_mhz", "lanes", "lut4", "comb", "ff", "dsp", "bram", "nextpnr_seed", "timing_met")
    return {name: report[name] for name in kept} | {
        "board": BOARD, "snntorch_accuracy": right, "test_samples": len(y), "seed": 0,
        "longest_delay": int(delay.max()), "board_equal_samples": 10,
        "integer_accuracy": float((net.answers(spikes).label == y).mean()),
        "weight_bits": net.weight_bits, "agreement": min(row["agreement"] for row in found.layers)}


GROUPS = {"nir.import": imported}
