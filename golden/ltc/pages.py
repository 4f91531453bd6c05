"""What pages show of a liquid-time-constant network: its layers, one sample tick by tick, accuracy against time."""

import numpy as np

from golden.ltc import engine

#: ticks up to which accuracy is shown for each: a table has a column for every one
MOST_TICKS = 40


def table(net):
    """Heading and a row a layer."""
    rows = [(str(n) if n < len(net.hidden) else "readout", f"{layer.inputs} x {layer.outputs}",
             "real" if layer.dense else "spikes", str(layer.weight), str(layer.spike_weight), str(layer.state),
             str(layer.gate), str(layer.lanes), str(layer.gate_rows().folds)) for n, layer in enumerate(net.layers)]
    return ("layer", "size", "inputs", "weight", "of spikes", "state", "gate", "lanes", "folds"), rows


def signals(net, params, x) -> list[tuple[str, np.ndarray]]:
    """One sequence x (ticks, inputs) in real units: the inputs; of each layer spikes, membranes, gates; the outputs.

    Membranes are those before the reset, above their threshold where there is a spike: ut - theta. A gate is the share
    of the sum that a membrane takes in a tick.
    """
    ticks, found = engine.trace(net, params, x), [("input", np.asarray(x) * net.layers[0].operand.lsb)]
    for n, layer in enumerate(net.hidden):
        outs = [tick.layers[n] for tick in ticks]
        found += [(f"layer {n}: spikes", np.stack([out.state.s[0] for out in outs]).astype(float)),
                  (f"layer {n}: ut - theta", np.stack([(out.ut - out.theta)[0] for out in outs]) * layer.state.lsb),
                  (f"layer {n}: gate", np.stack([out.alpha[0] for out in outs]) * layer.gate.lsb)]
    return [*found, ("output", np.stack([tick.readout.y[0] for tick in ticks]) * net.readout.state.lsb)]


def sections(outputs, label, lengths=None) -> dict:
    """Section "lines" of outputs (n, ticks, classes) of `run`: how many are right when they are asked at each tick.

    label (n,): classes, else there is no such section. A sequence that has ended by then keeps its last answer.
    """
    outputs, label = np.asarray(outputs), np.asarray(label)
    if not len(label) or label.dtype.kind not in "iu" or not 1 < outputs.shape[1] <= MOST_TICKS:
        return {}
    answers, ticks = outputs.argmax(-1), np.arange(outputs.shape[1])
    ends = np.full(len(label), len(ticks)) if lengths is None else np.asarray(lengths)
    asked = answers[np.arange(len(label))[:, None], np.minimum(ticks, ends[:, None] - 1)]
    right = (asked == label[:, None]).mean(0)
    return {"lines": {"x": "ticks seen", "y": "accuracy (%)", "label": (
        f"How many of {len(label):,} sequences are answered right by the outputs of each tick; what has ended keeps "
        f"its last answer."), "series": [{"name": "integers", "values": (100 * right).round(2).tolist()}]}}
