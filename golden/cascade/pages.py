"""What pages show of a cascaded network: its layers as a table; what its steps answer, by threshold of the exit.

Sections of a report (leadlag.report.page) are plain values. Everything comes from outputs whose every step was
computed: with a rule for the exit a frame gives the same words up to its exit, and zeros from there on.
"""

import numpy as np

from golden.cascade import engine, words

#: thresholds of a curve; largest softmax at which examples are answered
THRESHOLDS, SURE = 101, 0.9
#: examples answered early, and as many answered late
EXAMPLES = 5


def table(net):
    """Heading and a row a layer."""
    rows = []
    for n, layer in enumerate(net.layers[:-1]):
        unit = next(unit for unit in net.engines if n in unit.layers)
        convs = [*layer.main, *([layer.shortcut] if layer.shortcut is not None else [])]
        maps = f"{by((layer.height, layer.width, layer.inputs))} -> {by(layer.out)}"
        rows.append((f"block {n}" if n else "stem", maps, f"{layer.kernel}x{layer.kernel}/{layer.stride}",
                     f"{sum(conv.weights for conv in convs):,}", f"{unit.lanes} x {unit.side}",
                     f"{sum(unit.cycles(conv) for conv in convs):,}"))
    rows.append(("head", f"{net.head.inputs} -> {net.outputs}", "", f"{net.head.inputs * net.outputs:,}",
                 "1 x 1", f"{net.outputs * (net.head.inputs + 1):,}"))
    return ("layer", "maps", "kernel", "weights", "lanes", "cycles"), rows


def by(sizes) -> str:
    """Sizes as a text: 14x14x16."""
    return "x".join(map(str, sizes))


def signals(net, params, frame) -> list[tuple[str, np.ndarray]]:
    """What passes in each step of a frame (2 + values) behind a cut: means over the pixels of every map, then logits.

    Of maps (steps, channels) as shares of their range, of logits (steps, classes) in real units.
    """
    told, stem = words.header(frame[:words.HEADER_WORDS]), net.stem
    image = np.asarray(frame)[words.HEADER_WORDS:].reshape(1, stem.height, stem.width, stem.inputs)
    h_0, memory = engine.stem_step(image, params[0], net), engine.Memory(net, 1)
    maps, logits = [[] for _ in net.layers[:-1]], []
    for t in range(told.steps):
        h = h_0
        maps[0].append(h)
        for k, (block, own) in enumerate(zip(net.blocks, params[1:-1], strict=True), 1):
            h = engine.join_step(engine.shortcut_step(h, own, block, net), memory.residuals[k - 1])
            maps[k].append(h)
        logits.append(engine.step(net, params, memory, h_0, told.serial, t == 0)[0][0])
    most = engine.LIMITS["activation"][1]
    found = [(f"block {k}" if k else "stem", np.concatenate(own).mean((1, 2)) / most) for k, own in enumerate(maps)]
    return [*found, ("logits", np.array(logits) / (1 << net.head.fraction))]


def exit_steps(certainty, rule: str, threshold: int):
    """Step (n,) in which each frame is answered, from engine.certainty (n, steps); the last one where none is sure."""
    ends = engine.passes(certainty, rule, threshold)
    return np.where(ends.any(1), ends.argmax(1), ends.shape[1] - 1)


def curve(certainty, right, rule: str, thresholds) -> list[list[float]]:
    """Accuracy against time: [mean step of the exit, accuracy] by threshold word, and without one; right (n, steps)."""
    points = {(float(right.shape[1] - 1), round(float(right[:, -1].mean()), 4))}
    for threshold in thresholds:
        step = exit_steps(certainty, rule, threshold)
        points.add((round(float(step.mean()), 4), round(float(right[np.arange(len(step)), step].mean()), 4)))
    return [list(point) for point in sorted(points)]


def sections(net, outputs, images, label) -> dict:
    """Sections "anytime", "exits", "early" and "skipped" of outputs (n, steps, classes + 1) of `run`.

    images (n, rows, columns, channels) or None; label (n,). Nothing where frames were answered before their last step.
    """
    said, label = words.split(np.asarray(outputs)), np.asarray(label)
    if not len(label) or not said.computed.all():
        return {}
    answers = said.logits.argmax(-1)
    right = answers == label[:, None]
    sure = {rule: np.stack([engine.certainty(each, rule, net.head.fraction)
                            for each in said.logits.transpose(1, 0, 2)], 1) for rule in words.RULES[1:]}
    thresholds = {"softmax": [words.threshold_word("softmax", q, net.head.fraction)
                              for q in np.linspace(0, 1, THRESHOLDS)],
                  "margin": np.quantile(sure["margin"], np.linspace(0, 1, THRESHOLDS)).astype(int).tolist()}
    step = exit_steps(sure["softmax"], "softmax", words.threshold_word("softmax", SURE, net.head.fraction))
    found = {
        "anytime": {"accuracy": right.mean(0).round(4).tolist(), "samples": len(label), "curves": [
            {"name": name, "points": curve(sure[rule], right, rule, thresholds[rule])}
            for rule, name in (("softmax", "exit by the largest softmax"), ("margin", "exit by the margin"))]},
        "exits": {"sure": SURE, "mean": round(float(step.mean()), 4),
                  "accuracy": float(right[np.arange(len(step)), step].mean()),
                  "right": [int((right[:, t] & (step == t)).sum()) for t in range(right.shape[1])],
                  "wrong": [int((~right[:, t] & (step == t)).sum()) for t in range(right.shape[1])]},
        "skipped": _skipped(net, said.blocks, step)}
    if images is not None and len(label) > 1:
        found["early"] = _examples(np.asarray(images), label, answers, step, sure["softmax"])
    return found


def _examples(images, label, answers, step, sums) -> dict:
    """Images that are answered in the first steps, the surest of them, and in the last ones, the least sure.

    Of each class one, where there are enough classes.
    """
    # of the sum of exponentials: the smaller, the surer
    order = np.lexsort((sums[np.arange(len(step)), step], step))
    count, half = min(EXAMPLES, len(order) // 2), len(order) // 2
    groups = {"answered early": _of_each(label, order[:half], count),
              "answered late": _of_each(label, order[:half - 1:-1], count)}
    return {"sure": SURE, "groups": [{"name": name, "rows": [
        {"image": images[n].tolist(), "label": int(label[n]), "answers": answers[n].tolist(), "exit": int(step[n])}
        for n in chosen]} for name, chosen in groups.items()]}


def _of_each(label, order, count: int) -> list[int]:
    """The first `count` of `order`, those first that are the first of their class."""
    firsts = np.zeros(len(order), bool)
    firsts[np.unique(label[order], return_index=True)[1]] = True
    chosen = np.argsort(~firsts, kind="stable")[:count]
    return order[np.sort(chosen)].tolist()


def _skipped(net, blocks, step) -> dict:
    """Share of frames in which a block worked, by block and step, and what part of all multiplications that is.

    all: every block works in every step but the last, whose residuals nobody reads; early: until the exit (n,).
    """
    steps = blocks.shape[1]
    worked = blocks[..., None] >> np.arange(len(net.blocks)) & 1
    products = np.array([sum(conv.products for conv in block.main) for block in net.blocks])
    done = (worked * products).sum(2)
    until = np.arange(steps) <= step[:, None]
    return {"worked": worked.mean(0).T.round(4).tolist(), "products": products.tolist(),
            "made": int(round(done.sum(1).mean())), "early": int(round((done * until).sum(1).mean())),
            "all": int((steps - 1) * products.sum())}
