"""The float64 reference: answers that were worked out by hand, node for node, and what loops and delays do."""

import math
import re

import numpy as np
import pytest
from nirs import NIRGraph, chain, entrance, exit_, flat, lif, node, spikes

from golden.nir.euler import run
from golden.nir.options import Options, implied_dt, moved, stated, steps
from leadlag.nir import LIF, Delay, Graph, Input, Linear, Output, flatten

ONE = Options(dt=1.0)


def out(graph, x, options=ONE, **more):
    """What the Output of a graph of one channel says: (ticks,) as a list."""
    x = spikes(x) if isinstance(x, str) else np.asarray(x, float)
    return run(flat(graph), x, options, **more)["output"][0].reshape(x.shape[1], -1).squeeze(-1).tolist()


NEURON = {"v_leak": [0.0], "v_threshold": [1.0], "v_reset": [0.0]}


def test_integrators():
    assert out(chain(node("I", r=[2.0])), "1 0 3") == [2, 2, 8]
    assert out(chain(node("IF", r=[1.0], v_threshold=[2.0], v_reset=[0.5])), "1 1 1 1 1 1") == [0, 0, 1, 0, 1, 0]


def test_leak():
    # v: 1/4 (0.5 - 0 + 4) = 1.125; + 1/4 (0.5 - 1.125) = 0.96875; ...
    assert out(chain(node("LI", tau=[4.0], r=[2.0], v_leak=[0.5])), "2 0 0") == [1.125, 0.96875, 0.8515625]
    assert out(chain(lif(tau=2.0, r=2.0)), "1 1 1") == [0, 1, 0]          # v: 1, 1.5, then 0 + 1
    # tau = dt: nothing stays
    assert out(chain(lif(tau=1.0, threshold=1.5)), "1 1 2 0") == [0, 0, 1, 0]


def test_currents():
    cuba = {"tau_syn": [2.0], "tau_mem": [2.0], "r": [1.0], "v_leak": [0.0], "w_in": [4.0]}
    # i: 2, 1, 0.5; v with the new current: 1, 1, 0.75; with the old one: 0, 1, 1
    assert out(chain(node("CubaLI", **cuba)), "1 0 0") == [1, 1, 0.75]
    assert out(chain(node("CubaLI", **cuba)), "1 0 0", Options(dt=1.0, current="old")) == [0, 1, 1]
    spiking = node("CubaLIF", **cuba, v_threshold=[0.9], v_reset=[-1.0])
    # v: 1 -> -1; i stays through the reset: -0.5 + 0.5 = 0
    assert out(chain(spiking), "1 0 0 0") == [1, 0, 0, 0]
    assert out(chain(node("CubaLIF", **cuba, v_threshold=[0.9], v_reset=[0.5])), "1 0 0 0") == [1, 0, 0, 0]
    assert out(chain(node("CubaLIF", **cuba, v_threshold=[0.7], v_reset=[0.5])), "1 0 0 0") == [1, 1, 0, 0]


@pytest.mark.parametrize(("reset", "expected"), [
    # IF, threshold 2, v_reset -1, x = 3: v 3, then what is left
    ("v_reset", [1, 0, 1, 0, 1]),       # -1 | 2 | 5 ..
    ("zero", [1, 1, 1, 1, 1]),
    ("subtract", [1, 1, 1, 1, 1]), ("late", [1, 1, 1, 1, 1])])
def test_resets(reset, expected):
    graph = chain(node("IF", r=[1.0], v_threshold=[2.0], v_reset=[-1.0]))
    assert out(graph, "3 3 3 3 3", Options(dt=1.0, reset=reset)) == expected


def test_what_resets_leave():
    """LIF of tau 2 and r 2, so v = v/2 + x, threshold 1; x = 3 and then nothing."""
    graph = chain(lif(tau=2.0, r=2.0))

    def said(reset):
        return out(graph, "3 0 0 0", Options(dt=1.0, reset=reset))
    assert said("zero") == [1, 0, 0, 0]
    assert said("subtract") == [1, 0, 0, 0]         # 3 -> 2 | 1 (not above) | 0.5
    assert said("late") == [1, 0, 0, 0]             # 3 | 1.5 - 1 = 0.5 | 0.25
    graph = chain(lif(tau=2.0, r=2.0, threshold=0.9))
    assert said("subtract") == [1, 1, 0, 0]         # 3 -> 2.1 | 1.05 -> 0.15
    assert said("late") == [1, 0, 0, 0]             # 3 | 1.5 - 0.9 = 0.6
    graph = chain(lif(tau=2.0, r=2.0, threshold=0.5))
    assert said("late") == [1, 1, 0, 0]             # 3 | 1 | 0.5 - 0.5 = 0


def test_thresholds():
    graph = chain(lif(tau=1.0))
    assert out(graph, "1 2 0") == [0, 1, 0]
    assert out(graph, "1 2 0", Options(dt=1.0, threshold=">=")) == [1, 1, 0]
    assert out(chain(node("Threshold", threshold=[0.5])), "0.5 0.6 0") == [0, 1, 0]
    assert out(chain(node("Threshold", threshold=[0.5])), "0.5 0.6 0", Options(dt=1.0, threshold=">=")) == [1, 1, 0]


def test_maps():
    assert out(chain(node("Affine", weight=[[2.0]], bias=[0.5])), "1 0 3") == [2.5, 0.5, 6.5]
    assert out(chain(node("Scale", scale=[-2.0])), "1 0 3") == [-2, 0, -6]
    w = np.array([[1.0, 2], [3, 4], [5, 6]])
    x = np.array([[[1.0, 0], [0, 1], [1, 1]]])
    found = run(flat(chain(node("Linear", weight=w), entering=(2,), leaving=(3,))), x, ONE)["output"]
    assert found.tolist() == [[[1, 3, 5], [2, 4, 6], [3, 7, 11]]]


def image(*shape):
    return np.arange(math.prod(shape), dtype=float).reshape(1, 1, *shape)


def mapped(made, entering, leaving, x):
    return run(flat(chain(made, entering=entering, leaving=leaving)), x, ONE)["output"][0, 0]


def test_pools_and_flatten():
    pool = {"kernel_size": np.array([2, 2]), "stride": np.array([2, 2]), "padding": np.array([0, 0])}
    assert mapped(node("SumPool2d", **pool), (1, 4, 4), (1, 2, 2), image(1, 4, 4)).tolist() == [[[10, 18], [42, 50]]]
    mean = mapped(node("AvgPool2d", **pool), (1, 4, 4), (1, 2, 2), image(1, 4, 4))
    assert mean.tolist() == [[[2.5, 4.5], [10.5, 12.5]]]
    flattened = node("Flatten", input_type={"input": None}, start_dim=1, end_dim=2)
    assert mapped(flattened, (2, 2, 3), (2, 6), image(2, 2, 3)).tolist() == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9, 10, 11]]


def test_convolutions_by_hand():
    conv = {"bias": [100.0], "stride": 1, "padding": 1, "dilation": 1, "groups": 1}
    found = mapped(node("Conv1d", weight=[[[1.0, 10, 100]]], **conv), (1, 4), (1, 4), image(1, 4))
    assert found.tolist() == [[100 + 100, 100 + 210, 100 + 321, 100 + 32]]      # cross-correlation of 0 1 2 3
    even = node("Conv1d", weight=[[[1.0, 10]]], **conv | {"padding": "same", "bias": [0.0]})
    assert mapped(even, (1, 3), (1, 3), image(1, 3)).tolist() == [[10, 21, 2]]      # the zero is behind


@pytest.mark.filterwarnings("ignore:Using padding=.same. with even kernel lengths")
@pytest.mark.parametrize("case", [
    {}, {"stride": (2, 3)}, {"padding": (2, 1)}, {"dilation": (2, 1)}, {"groups": 2}, {"padding": "same"},
    {"padding": "same", "dilation": (2, 2)}, {"padding": "valid", "stride": 2}, {"groups": 4, "padding": 1}])
def test_convolutions_of_torch(case):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    case = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1} | case
    for n, name in ((1, "conv1d"), (2, "conv2d")):
        own = {key: value[:n] if isinstance(value, tuple) else value for key, value in case.items()}
        weight, x = rng.normal(size=(8, 4 // case["groups"], 3, 4)[:2 + n]), rng.normal(size=(3, 4, 9, 10)[:2 + n])
        bias = rng.normal(size=8)
        expected = getattr(torch.nn.functional, name)(*map(torch.tensor, (x, weight, bias)), **own).numpy()
        graph = chain(node(name.capitalize(), weight=weight, bias=bias, **own), entering=x.shape[1:],
                      leaving=expected.shape[1:])
        assert np.allclose(run(flat(graph), x[:, None], ONE)["output"][:, 0], expected, atol=1e-12)


# ---- delays and loops

def test_delays_by_channel():
    graph = chain(node("Delay", delay=[0.0, 1.0, 2.4, 2.5]), entering=(4,), leaving=(4,))
    x = np.arange(1, 6.0)[None, :, None] * np.ones(4)
    found = run(flat(graph), x, ONE)["output"][0].T
    assert found.tolist() == [[1, 2, 3, 4, 5], [0, 1, 2, 3, 4], [0, 0, 1, 2, 3], [0, 0, 0, 1, 2]]
    assert moved(flat(graph), 1.0) == {"n0": (2, 0.5)}
    with pytest.raises(ValueError, match=r"^node n0 \(Delay\): a delay of 2.5 is no number of steps of 1$"):
        run(flat(graph), x, Options(dt=1.0, delays="exact"))


def test_delays_that_floats_miss():
    """Multiples of 1e-4 are numbers of steps, whatever float64 or float32 make of them."""
    for kind in (np.float64, np.float32):
        delay = (np.arange(2000) * 1e-4).astype(kind)
        assert steps(flat(chain(node("Delay", delay=delay), entering=(2000,), leaving=(2000,))).nodes["n0"],
                     1e-4).tolist() == list(range(2000))


def test_delays_before_and_behind_weights():
    """Behind the weights a bias waits, too."""
    affine = node("Affine", weight=[[2.0]], bias=[0.25])
    before, behind = chain(node("Delay", delay=[2.0]), affine), chain(affine, node("Delay", delay=[2.0]))
    assert out(before, "1 0 0 0") == [0.25, 0.25, 2.25, 0.25]
    assert out(behind, "1 0 0 0") == [0, 0, 2.25, 0.25]


def loop(*between):
    """Input -> a -> Output, a: fires where something comes in; a -> between -> a."""
    names = [f"r{k}" for k in range(len(between))]
    way = ["a", *names, "a"]
    return NIRGraph({"input": entrance(1), "a": lif(tau=1.0, threshold=0.5), "output": exit_(1)} |
                    dict(zip(names, between, strict=True)),
                    [("input", "a"), ("a", "output"), *zip(way, way[1:], strict=False)])


def test_loops():
    same, wait = node("Linear", weight=[[1.0]]), node("Delay", delay=[3.0])
    assert out(loop(same), "1 0 0 0 0 0 0") == [1] * 7                      # a step later, and on
    assert out(loop(wait, same), "1 0 0 0 0 0 0") == [1, 0, 0, 1, 0, 0, 1]      # three, and no further lag
    assert out(loop(same, wait), "1 0 0 0 0 0 0") == [1, 0, 0, 1, 0, 0, 1]
    assert out(loop(node("Delay", delay=[1.0])), "1 0 0 0") == [1] * 4
    # a bias in the loop is there from the first step
    assert out(loop(node("Affine", weight=[[0.0]], bias=[1.0])), "0 0") == [1, 1]
    graph = NIRGraph({"input": entrance(1), "r0": node("Delay", delay=[0.2]), "s": same, "output": exit_(1)},
                     [("input", "r0"), ("r0", "s"), ("s", "r0"), ("s", "output")])
    with pytest.raises(ValueError, match=r"^node r0: a loop without a state, whose delay is less than a step$"):
        run(flat(graph), spikes("1"), ONE)


def test_a_loop_over_two_populations_lags_once():
    same = node("Linear", weight=[[1.0]])
    a, b = (lif(tau=1.0, threshold=0.5) for _ in "ab")
    graph = NIRGraph({"input": entrance(1), "a": a, "w": same, "b": b, "back": same, "output": exit_(1)},
                     [("input", "a"), ("a", "w"), ("w", "b"), ("b", "back"), ("back", "a"), ("b", "output")])
    found = run(flat(graph), spikes("1 0 0"), ONE, record=["a", "back"])
    assert [found[name].ravel().tolist() for name in ("a", "output", "back")] == [[1, 1, 1], [1, 1, 1], [0, 1, 1]]


def test_edges_add():
    two = NIRGraph({"input": entrance(1), "a": node("Scale", scale=[2.0]), "b": node("Scale", scale=[3.0]),
                    "output": exit_(1)}, [("input", "a"), ("input", "b"), ("a", "output"), ("b", "output"),
                                          ("input", "output")])
    assert out(two, "1 2") == [6, 12]


def test_several_inputs():
    graph = NIRGraph({"x": entrance(1), "y": entrance(1), "p": exit_(1), "q": exit_(1)},
                     [("x", "p"), ("y", "p"), ("y", "q")])
    found = run(flat(graph), {"x": spikes("1 2"), "y": spikes("10 20")}, ONE)
    assert found["p"].ravel().tolist() == [11, 22]
    assert found["q"].ravel().tolist() == [10, 20]
    for wrong, said in (({"x": spikes("1")}, r"x has x, the Inputs are x, y"), (spikes("1"), "there are 2 Inputs"),
                        ({"x": spikes("1"), "y": spikes("1 2")}, "differ in samples or ticks")):
        with pytest.raises(ValueError, match=said):
            run(flat(graph), wrong, ONE)


# ---- what the file does not say

def test_dt_of_the_file():
    """Exports of snnTorch say r = tau / dt, in 32 bits; a gain of 1 says nothing."""
    def implied(**values):
        return implied_dt(flat(chain(lif(**values))))
    assert implied(tau=float(np.float32(1e-4 / 0.1)), r=float(np.float32(10.0))) == pytest.approx(1e-4, rel=1e-5)
    assert implied(tau=0.02, r=1.0) is None
    syn = {"tau_mem": [0.01], "r": [100.0], "v_leak": [0.0]}
    assert implied_dt(flat(chain(node("CubaLI", tau_syn=[0.002], w_in=[20.0], **syn)))) == pytest.approx(1e-4)
    assert implied_dt(flat(chain(lif(tau=0.02, r=20.0), lif(tau=0.02, r=200.0)))) is None
    with pytest.raises(ValueError, match="^dt is needed, seconds of a tick: nothing in the graph implies it$"):
        run(flat(chain(lif())), spikes("1"))


def test_integrators_of_a_second_and_of_a_step():
    def fired(r, dt, **more):
        return out(chain(node("IF", r=[r], v_threshold=[1.5])), "1 1 1 1", Options(dt=dt, **more))
    assert fired(1.0, 1e-4) == fired(1e4, 1e-4) == [0, 1, 0, 1]
    assert fired(1.0, 1e-4, integrator="euler") == [0, 0, 0, 0]
    assert fired(2.0, 1e-4, integrator="step") == [1, 1, 1, 1]
    with pytest.raises(ValueError, match=re.escape("node n0 (IF): whether r = 2 is a second or a step is not clear")):
        fired(2.0, 1e-4)


@pytest.mark.parametrize(("options", "said"), [
    ({"dt": 0.0}, "dt must be"), ({"dt": float("nan")}, "dt must be"), ({"dt": "1"}, "dt must be"),
    ({"reset": "soft"}, "reset must be one of v_reset, zero, subtract, late, not 'soft'"),
    ({"threshold": "="}, "threshold must be"), ({"current": None}, "current must be"),
    ({"delays": "up"}, "delays must")])
def test_options_that_are_none(options, said):
    with pytest.raises(ValueError, match=said):
        Options(**options)


def test_steps_that_are_too_long():
    with pytest.raises(ValueError, match=re.escape("node n0 (LIF): tau is 0.02, below dt = 0.03")):
        run(flat(chain(lif())), spikes("1"), Options(dt=0.03))
    with pytest.raises(ValueError, match=r"node n0 \(CubaLI\): tau_syn is 0.01, below"):
        run(flat(chain(node("CubaLI", tau_syn=[0.01], tau_mem=[1.0], r=[1.0], v_leak=[0.0]))), spikes("1"),
            Options(dt=0.03))
    run(flat(chain(lif())), spikes("1"), Options(dt=0.02))
    with pytest.raises(ValueError, match=r"node n0 \(Delay\): delays of 1e\+10 steps do not fit"):
        run(flat(chain(node("Delay", delay=[1.0]))), spikes("1"), Options(dt=1e-10))


def test_inputs_that_are_none():
    made = flat(chain(lif(tau=2.0)))
    for x, said in ((np.ones((1, 2, 3)), r"shape \[1, 2, 3\]"), (np.ones(3), "shape"), (np.array([[["a"]]]), "real"),
                    (np.full((1, 1, 1), np.nan), "nan")):
        with pytest.raises(ValueError, match=said):
            run(made, x, ONE)
    with pytest.raises(ValueError, match="record: there is no node lfi"):
        run(made, spikes("1"), ONE, record=["lfi"])


def test_what_is_stated():
    """Every choice that the graph makes use of, and nothing else."""
    made = flat(chain(lif(tau=0.001, r=10.0, n=2), node("Delay", delay=[1e-3, 1.24e-3]),
                      node("IF", r=[1.0] * 2, v_threshold=[1.0] * 2), entering=(9, 2), leaving=(2,)))
    assert stated(made) == [
        "dt 0.0001: what the gains of the graph imply", "reset v_reset", "threshold >",
        "node n2 (IF): r is that of a step",
        "node n1 (Delay): 1 of 2 are no number of steps, moved by up to 4e-05",
        "node input (Input): its shape [9, 2] is taken for [2]: what stands before is time"]
    assert stated(made, Options(dt=1e-3, integrator="euler", reset="late"))[:4] == [
        "dt 0.001: as given", "the gains of the graph imply 0.0001: a spike charges by dt, so what leaves will differ",
        "reset late", "threshold >"]
    cuba = node("CubaLI", tau_syn=[1.0], tau_mem=[1.0], r=[1.0], v_leak=[0.0])
    assert stated(flat(chain(cuba)), ONE) == ["dt 1: as given", "current new"]


def test_a_loop_that_lags_is_stated():
    """A delay of nought in one channel makes all channels of a loop a step later."""
    said = "edge a -> next: a step later, as it closes a loop that has no delay of a step or more in every channel"
    neurons = LIF(tau=np.ones(2), r=np.ones(2), v_leak=np.zeros(2), v_threshold=np.ones(2))
    for delays, lines in (([1.0, 2.0], []), ([0.0, 2.0], [said])):
        ring = flatten(Graph({"input": Input((2,)), "a": neurons, "next": Linear(np.eye(2)),
                              "wait": Delay(np.array(delays)), "output": Output((2,))},
                             [("input", "a"), ("a", "next"), ("next", "wait"), ("wait", "a"), ("a", "output")]))
        assert [line for line in stated(ring, ONE) if line.startswith("edge")] == lines
