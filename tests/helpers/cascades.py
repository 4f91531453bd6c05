"""Cascaded networks for tests: a small one, random ones, and their definition in Python's integers, loop by loop."""

import random
import re

import numpy as np
import pytest

from golden.cascade import engine, words
from golden.cascade.layer import Block, Engine, Head, Stem
from golden.cascade.network import CascadeNetwork
from golden.units.activation import activation_step
from golden.units.softmax import EXP, difference_format
from leadlag.bench.random_networks import draw

LAYERS = (Stem(height=5, width=4, inputs=2, outputs=4, stride=2), Block(height=3, width=2, inputs=4, outputs=4),
          Block(height=3, width=2, inputs=4, outputs=6, stride=2),
          Head(inputs=6, outputs=3, pixels=2, shift=6, fraction=12))


def small(**fields) -> CascadeNetwork:
    """Two blocks, of which the second changes the shape; an engine for the stem, one for both blocks."""
    return CascadeNetwork(**({"name": "small", "steps": 3, "layers": LAYERS, "pre": 2, "post": 14, "engines": (
        Engine(layers=(0,), lanes=3, side=2), Engine(layers=(1, 2), lanes=2, side=2))} | fields))


def refused(message: str):
    """A context in which a ValueError has to come that begins with `message`."""
    return pytest.raises(ValueError, match=f"^{re.escape(message)}")


def drawn(seed) -> CascadeNetwork:
    """A random network."""
    return draw("cascade", random.Random(f"golden {seed}"))


def some_frames(net, count: int, *, seed=0, cut=None, serial=None, rule="never", threshold=0, steps=None):
    """Frames of random images, one of them twice; cut and serial are drawn where they are None."""
    rng, found = np.random.default_rng([3, seed]), []
    images = rng.integers(0, 256, (count, net.inputs))
    images[1:2] = images[:1]
    for n in range(count):
        told = words.Header(steps or net.steps, bool(rng.random() < 0.4) if cut is None else cut,
                            bool(rng.random() < 0.5) if serial is None else serial, rule, threshold)
        found.append(net.frames(images[n:n + 1], told)[0])
    return np.array(found)


def shift(x: int, n: int) -> int:
    """The nearest of x / 2**n, ties up."""
    return x << -n if n <= 0 else (x + (1 << n - 1)) >> n


def affine(total: int, scale: int, bias: int, net, low: int, high: int) -> int:
    """golden.cascade.engine.affine of one word."""
    s = max(-1 << 17, min((1 << 17) - 1, shift(total, net.pre)))
    return max(low, min(high, shift(s * scale + (bias << net.post - 4), net.post)))


def convolved(x, weight, conv) -> np.ndarray:
    """Sums (out_height, out_width, outputs) of x (height, width, inputs), tap by tap."""
    high, wide, inputs = x.shape
    kernel, outputs = weight.shape[1], len(weight)
    found = np.zeros((-(-high // conv.stride), -(-wide // conv.stride), outputs), object)
    for y, xx, o in np.ndindex(*found.shape):
        for i, j, c in np.ndindex(kernel, kernel, inputs):
            row, column = y * conv.stride + i - kernel // 2, xx * conv.stride + j - kernel // 2
            if 0 <= row < high and 0 <= column < wide:
                found[y, xx, o] += int(x[row, column, c]) * int(weight[o, i, j, c])
    return found


class Definition:
    """A network frame by frame; in a parallel frame every block works in every step, whether or not its input changes.

    A serial frame says with which step a block works: k - 1 steps behind the one with which a frame began.
    """

    def __init__(self, net, params):
        self.net, self.params = net, params
        self.residuals, self.begins, self.age, self.image = None, [], 0, None

    def layer(self, x, weight, scale, bias, conv, low=0, high=255):
        """Words of a convolution with one row of scales and biases."""
        sums = convolved(x, weight, conv)
        found = np.zeros(sums.shape, object)
        for at in np.ndindex(*sums.shape):
            found[at] = affine(sums[at], int(scale[at[-1]]), int(bias[at[-1]]), self.net, low, high)
        return found

    def residual(self, k, h):
        """R of block k = 1.. in this step."""
        own, row = self.params[k], min(self.age, self.net.affine_rows(k) - 1)
        first, second = self.net.layers[k].main
        inner = self.layer(h, own.weight1, own.scale1[row], own.bias1[row], first)
        return self.layer(inner, own.weight2, own.scale2[row], own.bias2[row], second, -2048, 2047)

    def identity(self, k, h):
        own, block = self.params[k], self.net.layers[k]
        if own.shortcut is None:
            return h * 8
        return self.layer(h, own.shortcut, own.shortcut_scale[0], [0] * block.outputs, block.shortcut, -2048, 2047)

    def step(self, h, serial):
        """Logits of a step, h the stem's map."""
        now, new = self.age, []
        for k, block in enumerate(self.net.blocks, 1):
            works = now - (k - 1) in self.begins if serial else True
            residual = self.residual(k, h) if works else self.residuals[k - 1]
            new.append(residual)
            total = self.identity(k, h) + self.residuals[k - 1].reshape(block.out)
            h = np.array([max(0, min(255, shift(int(v), 3))) for v in total.ravel()], object).reshape(block.out)
        self.residuals, self.age = new, now + 1
        pooled, head = h.sum((0, 1)), self.net.head
        return [max(-1 << 17, min((1 << 17) - 1, shift(
            sum(int(w) * int(p) for w, p in zip(row, pooled, strict=True)) + (int(bias) << head.shift), head.shift)))
            for row, bias in zip(*self.params[-1], strict=True)]

    def ends(self, logits, told):
        """Whether the frame's rule ends it."""
        first, second = sorted(logits, reverse=True)[:2]
        fmt = difference_format(engine.logit_format(self.net.head.fraction))
        total = sum(int(activation_step(np.int64(max(fmt.min, one - first)), "exp", fmt, EXP)) for one in logits)
        return {"never": False, "margin": first - second >= told.threshold,
                "softmax": total * 2048 <= told.threshold << EXP.frac_bits}[told.rule]

    def frame(self, frame):
        """Logits of each step, None behind an exit."""
        told, stem, detector = words.header(frame[:2]), self.net.stem, self.net.detector
        before, self.image = self.image, [int(value) for value in frame[2:]]
        differs = before is not None and detector is not None and sum(
            abs(a - b) for a, b in zip(self.image, before, strict=True)) > detector
        if told.cut or self.residuals is None or differs:
            self.residuals = [np.zeros(block.out, object) for block in self.net.blocks]
            self.begins, self.age = [], 0
        self.begins.append(self.age)
        own, image = self.params[0], frame[2:].reshape(stem.height, stem.width, stem.inputs)
        h, found, over = self.layer(image, own.weight, own.scale[0], own.bias[0], stem.main[0]), [], False
        for _ in range(told.steps):
            found.append(None if over else self.step(h, told.serial))
            over = over or self.ends(found[-1], told)
        return found

    def run(self, frames):
        return [self.frame(frame) for frame in frames]


def equal(found, wanted) -> None:
    """AssertionError where outputs (n, steps, classes + 1) are not the logits of a Definition."""
    said = words.split(found)
    for n, steps in enumerate(wanted):
        computed = [one is not None for one in steps]
        assert said.computed[n].tolist() == computed, f"frame {n}: computed"
        assert said.exits[n].nonzero()[0].tolist() == [sum(computed) - 1], f"frame {n}: exit"
        for t, one in enumerate(steps):
            assert said.logits[n, t].tolist() == (one or [0] * said.logits.shape[-1]), f"frame {n}, step {t}"
