"""Words of real parameters: every one is the nearest, and the network of words says what the real one does."""

from dataclasses import replace

import numpy as np
import pytest
from cascades import refused

from golden.cascade import quantize, words
from golden.cascade.trained import Block, CascadeTrained, Conv

IMAGES = np.random.default_rng(5).integers(0, 256, (20, 6 * 5 * 2))


def real(channels=(4, 4, 6), strides=(2, 1, 2), norm="shared", kernel=3, shape=(6, 5, 2), **fields):
    """A network whose maps stay within its ranges, mostly, with scales of either sign."""
    rng, blocks = np.random.default_rng(len(channels)), []

    def conv(inputs, outputs, rows):
        size = (outputs,) if rows is None else (rows, outputs)
        weight = rng.normal(0, 1 / np.sqrt(inputs * kernel ** 2), (outputs, inputs, kernel, kernel))
        return Conv(weight, rng.uniform(0.5, 1.5, size) * rng.choice((-1, 1, 1), size), rng.normal(0.2, 0.3, size))
    for n, (into, out, stride) in enumerate(zip(channels[:-1], channels[1:], strides[1:], strict=True)):
        rows = n + 1 if norm == "step" else 1
        blocks.append(Block(conv(into, out, rows), conv(out, out, rows),
                            rng.normal(0, 0.5, (out, into)) if into != out or stride != 1 else None))
    return CascadeTrained(**{
        "name": "net", "shape": shape, "channels": channels, "strides": strides, "kernel": kernel,
        "stem": conv(shape[2], channels[0], None), "blocks": tuple(blocks), "training": {},
        "head": rng.normal(0, 1, (1, 5, channels[-1])), "offset": rng.normal(0, 0.5, (1, 5)),
        "ranges": np.full(len(channels), 3.0)} | fields)


def convolve(x, weight, stride):
    """Of x (n, height, width, inputs) and weights (outputs, inputs, kernel, kernel), real."""
    kernel = weight.shape[-1]
    padded = np.pad(x, ((0, 0), *[(kernel // 2,) * 2] * 2, (0, 0)))
    return sum(padded[:, i:i + x.shape[1]:stride, j:j + x.shape[2]:stride] @ weight[:, :, i, j].T
               for i in range(kernel) for j in range(kernel))


def logits(net, images):
    """Of the network that training has left, in real numbers: (n, steps, classes); maps are clipped to their ranges."""
    x = images.reshape(-1, *net.shape) / 256
    start = (convolve(x, net.stem.weight, net.strides[0]) * net.stem.scale + net.stem.bias).clip(0, net.ranges[0])
    left, found = [0.0] * len(net.blocks), []
    for t in range(net.steps):
        h, new = start, []
        for n, (block, stride) in enumerate(zip(net.blocks, net.strides[1:], strict=True)):
            row = min(t, len(block.conv1.scale) - 1)
            inner = convolve(h, block.conv1.weight, stride) * block.conv1.scale[row] + block.conv1.bias[row]
            inner = inner.clip(0, net.ranges[n + 1])
            new.append(convolve(inner, block.conv2.weight, 1) * block.conv2.scale[row] + block.conv2.bias[row])
            if block.shortcut is not None:
                h = convolve(h, block.shortcut[:, :, None, None], stride)
            h = (h + left[n]).clip(0, net.ranges[0])
        left = new
        found.append(h.mean((1, 2)) @ net.head[0].T + net.offset[0])
    return np.stack(found, 1)


@pytest.mark.parametrize("fields", [
    {}, {"norm": "step"}, {"channels": (4, 4, 4, 4), "strides": (1, 1, 1, 1), "norm": "step"},
    {"kernel": 1, "strides": (1, 1, 1), "shape": (1, 1, 60)},
    {"ranges": np.array([4.0, 1.5, 0.7])}], ids=str)
def test_integers_say_what_the_real_network_does(fields):
    trained = real(**fields)
    net = trained.describe()
    wanted = logits(trained, IMAGES)
    found = words.split(net.run(trained.quantize(net), trained.inputs_of(IMAGES, net))).logits / 2**quantize.FRACTION
    spread = wanted.std()
    assert np.abs(found - wanted).max() < 0.12 * spread
    assert np.sqrt(np.mean((found - wanted) ** 2)) < 0.03 * spread


def test_words_are_the_nearest():
    """Weights of their channel's largest; scales and biases of what a sum and a word of the map are worth."""
    trained = real(norm="step", ranges=np.array([4.0, 1.5, 0.7]))
    net = trained.describe()
    params = trained.quantize(net)
    between, hidden = 4.0 / 255, 0.7 / 255
    for name, conv, source, target, at in (("stem", trained.stem, 1 / 256, between, (0, "")),
                                           ("conv1", trained.blocks[1].conv1, between, hidden, (2, "1")),
                                           ("conv2", trained.blocks[1].conv2, hidden, between / 8, (2, "2"))):
        own, suffix = params[at[0]], at[1]
        weight, scale, bias = (getattr(own, part + suffix) for part in ("weight", "scale", "bias"))
        step = np.abs(conv.weight).max((1, 2, 3)) / 127
        assert np.abs(weight - conv.weight.transpose(0, 2, 3, 1) / step[:, None, None, None]).max() <= 0.5 + 1e-9, name
        assert (np.abs(weight).max((1, 2, 3)) == 127).all(), name
        exact = np.atleast_2d(conv.scale) * step * source / target * 2.0 ** (net.pre + net.post)
        assert scale.shape == exact.shape
        assert np.abs(scale - exact).max() <= 0.5 + 1e-9, name
        assert np.abs(bias - np.atleast_2d(conv.bias) / target * 16).max() <= 0.5 + 1e-9, name
    step = np.abs(trained.blocks[1].shortcut).max(1) / 127
    assert np.abs(params[2].shortcut[:, 0, 0] - trained.blocks[1].shortcut / step[:, None]).max() <= 0.5 + 1e-9
    # a word of the map counts eight in a residual
    assert np.abs(params[2].shortcut_scale[0] - step * 8 * 2.0 ** (net.pre + net.post)).max() <= 0.5 + 1e-9
    head = trained.head[0] * between / net.head.pixels * 256 * 2.0 ** net.head.shift
    assert np.abs(params[3].weight - head).max() <= 0.5 + 1e-9
    assert np.abs(params[3].bias - trained.offset[0] * 256).max() <= 0.5 + 1e-9


def test_shifts_use_their_words():
    """One bit more, and a scale or a weight of the head would not fit; one bit less before the scale, and a sum."""
    trained = real()
    net = trained.describe()
    params = trained.quantize(net)
    tensors = [(name, value) for own in params[:-1] for name, value in own._asdict().items() if value is not None]
    largest = max(np.abs(value).max() for name, value in tensors if "scale" in name)
    assert 1 << 16 <= largest < 1 << 17
    assert 1 << 10 <= np.abs(params[-1].weight).max() < 1 << 11
    sums = 255 * max(np.abs(value.reshape(len(value), -1)).sum(1).max() for name, value in tensors
                     if name in ("weight", "weight1", "weight2", "shortcut"))
    assert sums >> net.pre < 1 << 17
    assert net.pre == 0 or sums >> net.pre - 1 >= 1 << 17
    wide = real(channels=(40, 40), strides=(1, 1))
    assert (trained.describe().pre, wide.describe().pre) == (3, 5)
    with refused("blocks.0.conv1.scale"):
        conv = trained.blocks[0].conv1
        loud = trained.blocks[0]._replace(conv1=conv._replace(scale=conv.scale * 1000))
        replace(trained, blocks=(loud, trained.blocks[1])).quantize(net)


def test_a_channel_without_weights():
    """It has its bias, and nothing is divided by zero."""
    trained = real()
    stem, block = trained.stem, trained.blocks[1]
    weight, short = stem.weight.copy(), block.shortcut.copy()
    weight[1] = short[2] = 0
    trained = replace(trained, stem=stem._replace(weight=weight),
                      blocks=(trained.blocks[0], block._replace(shortcut=short)))
    net = trained.describe()
    with np.errstate(all="raise"):
        params = trained.quantize(net)
    assert (params[0].weight[1] == 0).all()
    assert (params[2].shortcut[2] == 0).all()
    found = words.split(net.run(params, trained.inputs_of(IMAGES, net))).logits / 256
    assert np.abs(found - logits(trained, IMAGES)).max() < 0.12 * found.std()


def test_a_bias_beyond_all_that_a_map_holds_is_clipped():
    trained = real()
    far = trained.stem.bias.copy()
    far[:2] = 1e6, -1e6
    net = trained.describe()
    params = replace(trained, stem=trained.stem._replace(bias=far)).quantize(net)
    assert params[0].bias[0, :2].tolist() == [(1 << 17) - 1, -1 << 17]


@pytest.mark.parametrize(("norm", "rows"), [("shared", (1, 1)), ("step", (1, 2))])
def test_rows_of_scales(norm, rows):
    net = real(norm=norm).describe()
    assert (net.norm, tuple(net.affine_rows(n) for n in (1, 2))) == (norm, rows)


def test_one_row_where_others_have_more():
    """Block 2 has a row for all steps, block 3 three: the circuit has a row a step for both."""
    trained = real(channels=(4, 4, 4, 4), strides=(1, 1, 1, 1), norm="step")
    first, second, third = trained.blocks
    shared = Block(*(Conv(conv.weight, conv.scale[:1], conv.bias[:1]) for conv in (second.conv1, second.conv2)), None)
    trained = replace(trained, blocks=(first, shared, third))
    net = trained.describe()
    params = trained.quantize(net)
    assert params[2].scale1.shape == (2, 4)
    assert (params[2].bias2[0] == params[2].bias2[1]).all()


def test_the_description():
    trained = real(scheme="serial")
    net = trained.describe()
    assert (net.name, net.steps, net.scheme, net.norm) == ("net", 3, "serial", "shared")
    assert [layer.out for layer in net.layers[:-1]] == [(3, 3, 4), (3, 3, 4), (2, 2, 6)]
    assert (net.head.inputs, net.head.outputs, net.head.pixels, net.head.fraction) == (6, 5, 4, 8)
    assert [unit.layers for unit in net.engines] == [(0,), (1,), (2,)]
    assert trained.inputs_of(IMAGES.reshape(-1, 6, 5, 2), net).tolist() == net.frames(IMAGES).tolist()


def test_what_has_no_circuit():
    with refused("net has a head a step, and a circuit one for all"):
        real(head=np.ones((3, 5, 6)), offset=np.ones((3, 5))).describe()
    with refused("net smooths its residuals, and a circuit delays them"):
        real(alpha=0.5).describe()
    trained = real()
    with refused("net takes images, not sequences"):
        trained.inputs_of(IMAGES, trained.describe(), lengths=[3])
    loud = replace(trained, offset=np.full((1, 5), 9.0))
    with refused("head.bias"):
        loud.quantize(loud.describe())
