"""Fixed point: hand-computed vectors, and the Amaranth names against the golden ones on every word."""

import numpy as np
import pytest
import torch
from amaranth.hdl import Module, Signal, signed
from amaranth.sim import Simulator
from cases import corners
from hypothesis import given
from hypothesis import strategies as st

from golden import fixed
from golden.fixed import QFormat
from rtl import fixed as circuit
from sim.engine import Engine

formats = st.builds(QFormat, st.integers(0, 6), st.integers(1, 12))


@pytest.mark.parametrize(("x", "n", "want"), [(5, 1, 3), (-5, 1, -2), (4, 3, 1), (-4, 3, 0), (3, 3, 0), (-13, 3, -2),
                                              (7, 0, 7), (7, -2, 28), (-1, 1, 0)])
def test_round_shift(x, n, want):
    assert fixed.round_shift(x, n) == want
    assert fixed.round_shift(np.array([x]), n).tolist() == [want]
    assert fixed.round_shift(torch.tensor([x]), n).tolist() == [want]


def test_saturate_and_wrap():
    fmt = QFormat(2, 1)
    x = np.array([-100, -9, -8, 0, 7, 8, 100])
    assert fixed.saturate(x, fmt).tolist() == [-8, -8, -8, 0, 7, 7, 7]
    assert fixed.wrap(x, 4).tolist() == [-4, 7, -8, 0, 7, -8, 4]
    assert fixed.saturate(-9, fmt) == -8


def test_format():
    fmt = QFormat(5, 11)
    assert (fmt.width, fmt.min, fmt.max, str(fmt)) == (17, -65536, 65535, "Q5.11")
    assert QFormat.parse("Q-2.15") == QFormat(-2, 15)
    for text in ("5.11", "Q5", "Q5.-1", "", None, "Q5.11 "):
        with pytest.raises(ValueError, match="a format is written like Q5.11"):
            QFormat.parse(text)
    with pytest.raises(ValueError, match="1 bits wide"):
        QFormat(0, 0)


@given(formats)
def test_format_text_round_trip(fmt):
    assert QFormat.parse(str(fmt)) == fmt


def test_quantize_refuses():
    fmt = QFormat(1, 2)
    assert fixed.quantize([[0.13, -2.0, 1.75]], fmt).tolist() == [[1, -8, 7]]
    for value, message in ((float("nan"), r"w\[0, 1\] is nan, not a finite number"), (float("inf"), "is inf"),
                           (2.0, r"w\[0, 1\] is 2, outside of Q1.2 \[-2, 1.75\]")):
        with pytest.raises(ValueError, match=message):
            fixed.quantize([[0.0, value]], fmt, name="w")
    # the first of several
    with pytest.raises(ValueError, match=r"w\[0, 1\] is inf"):
        fixed.quantize([[0.0, float("inf"), float("nan")]], fmt, name="w")
    with pytest.raises(ValueError, match=r"w\[1\] is -3, outside"):
        fixed.quantize([0.0, -3.0, 5.0], fmt, name="w")
    assert fixed.quantize([9.0, -9.0, 1e300], fmt, clip_range=True).tolist() == [7, -8, 7]
    for values in ([0.5 + 1j], [True], ["1"]):      # numpy would drop the imaginary part, and take the others
        with pytest.raises(ValueError, match="w must be real numbers, not"):
            fixed.quantize(values, fmt, name="w")


@given(st.integers(1, 5000), formats, formats)
def test_accumulator_cannot_overflow(terms, a, b):
    largest = terms * a.min * b.min
    assert largest < 1 << (fixed.acc_width(terms, a, b) - 1) or terms == 1


def test_exact_matmul_numpy_equals_torch():
    rng = np.random.default_rng(5)
    x, w = rng.integers(-2**17, 2**17, (4, 300)), rng.integers(-2**17, 2**17, (5, 300))
    want = [[sum(int(a) * int(b) for a, b in zip(row, col, strict=True)) for col in w] for row in x]
    assert fixed.exact_matmul(x, w).tolist() == want
    assert fixed.exact_matmul(torch.tensor(x), torch.tensor(w)).tolist() == want


@pytest.mark.parametrize("n", [-1, 0, 1, 4])
@pytest.mark.parametrize("fmt", [QFormat(1, 2), QFormat(0, 3), QFormat(5, 3)], ids=str)
def test_circuit_equals_golden(n, fmt):
    m, x = Module(), Signal(signed(7))
    shifted, clipped = circuit.round_shift(x, n), circuit.saturate(x, fmt)
    m.d.sync += Signal().eq(0)

    async def bench(ctx):
        for word in range(-64, 64):
            ctx.set(x, word)
            assert ctx.get(shifted) == fixed.round_shift(word, n), f"round_shift({word}, {n})"
            assert ctx.get(clipped) == fixed.saturate(word, fmt), f"saturate({word}, {fmt})"
            assert ctx.get(circuit.wrap(x, 4)) == fixed.wrap(word, 4)
    simulator = Simulator(m, engine=Engine)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()


def test_exact_refuses_to_drop_bits():
    for target, value in ((signed(4), signed(5)), (4, 5), (4, signed(4)), (signed(4), 4)):
        with pytest.raises(ValueError, match="does not fit"):
            circuit.exact(Signal(target), Signal(value))
    circuit.exact(Signal(signed(5)), Signal(4))


def test_corners():
    assert corners(QFormat(1, 1)) == [-4, -3, -1, 0, 1, 2, 3]
