"""The names of golden/fixed.py over Amaranth values, plus `shape` and `exact`."""

from amaranth.hdl import Const, Mux, Shape, Value, signed

from golden.fixed import QFormat


def shape(fmt: QFormat) -> Shape:
    """Shape of a word of `fmt`."""
    return signed(fmt.width)


def exact(lhs, rhs):
    """lhs.eq(rhs), refusing to drop bits or to change the meaning of the sign."""
    target, value = Value.cast(lhs).shape(), Value.cast(rhs).shape()
    fits = value.width <= target.width if value.signed == target.signed else \
        target.signed and value.width < target.width
    if not fits:
        raise ValueError(f"{value!r} does not fit {target!r}: shrink it by saturate, round_shift or wrap")
    return lhs.eq(rhs)


def saturate(x, fmt: QFormat) -> Value:
    """Clip to the range of `fmt`; costs an equality of the dropped bits, no comparison of values."""
    x = Value.cast(x)
    if not x.shape().signed:
        raise ValueError("saturate takes a signed value")
    if len(x) <= fmt.width:
        return x
    top = x[fmt.width - 1:]
    fits = top.all() | ~top.any()
    limit = Mux(x[-1], Const(fmt.min, signed(fmt.width)), Const(fmt.max, signed(fmt.width)))
    return Mux(fits, x[:fmt.width].as_signed(), limit)


def round_shift(x, n: int) -> Value:
    """floor((x + 2**(n-1)) / 2**n), ties up; shifts left for n <= 0."""
    x = Value.cast(x)
    if n <= 0:
        return x.shift_left(-n)
    return (x + (1 << (n - 1))).shift_right(n)


def wrap(x, width: int) -> Value:
    """Two's complement wrap-around."""
    return Value.cast(x)[:width].as_signed()
