"""What a predictor sums, and how its taps learn: the circuit of golden.units.extrapolator.nlms_step and of its sum."""

from typing import NamedTuple

from amaranth.hdl import Array, Cat, Const, Mux, Signal, signed

from golden.units.extrapolator import Way, step_bits
from golden.units.plasticity import BITS
from rtl.fixed import exact, saturate, shape
from rtl.pipeline import later
from rtl.primitives import Bank, Multiplier, multiplier
from rtl.units.history import Walk
from rtl.units.plasticity import leap

#: from an address of the history to its word, and to its product in the sum
WORD = Bank.LATENCY + 1
SUM = WORD + Multiplier.LATENCY + 1
#: from the address of a tap to its write, less one for each tap
WRITE = SUM + 8


class Taps(NamedTuple):
    """The tap of each cycle, when its word is there (None where taps are whole numbers); its address; what was loaded.

    banks: a memory for each half, which take what is learnt.
    """

    tap: object
    address: object = None
    loaded: object = None
    banks: tuple = ()


def weighted_sum(m, name: str, way: Way, walk: Walk, x, tap, *, vendor: str):
    """Sum of the products of an element, rounded, SUM cycles after its last address."""
    p = way.predictor
    if tap is None:
        word = later(m, walk.word, WORD, name=f"{name}_which")
        product = Signal(signed(way.fmt.width + 3), name=f"{name}_whole")
        m.d.comb += product.eq(Array([x * a for a in p.fixed_taps(1)])[word])
        product = later(m, product, Multiplier.LATENCY, name=f"{name}_product").as_signed()
    else:
        product = multiply(m, name, x, tap, vendor=vendor)
    bits = p.fixed_bits if tap is None else p.gain.frac_bits
    acc = Signal(signed(way.acc_bits()), name=f"{name}_sum", reset_less=True)
    first = later(m, walk.first, SUM - 1, name=f"{name}_first")
    m.d.sync += acc.eq(Mux(first, 1 << bits >> 1, acc) + product)     # never wraps: acc_bits
    return acc.shift_right(bits)


def multiply(m, name: str, a, b, *, vendor: str):
    """The product of two words by a multiplier of its own."""
    m.submodules[f"{name}_multiplier"] = mul = multiplier(vendor, a_width=len(a), b_width=len(b))
    m.d.comb += [mul.a.eq(a), mul.b.eq(b)]
    return mul.p


def learn_taps(m, way: Way, walk: Walk, x, taps: Taps, *, newest, off, half, reseed, seed: int, vendor: str) -> None:
    """Steps of the taps on what they saw when they predicted the newest word."""
    p = way.predictor
    y = weighted_sum(m, "then", way, walk, x, taps.tap, vendor=vendor)
    power, most = _power(m, way, walk, x, vendor=vendor)
    done = later(m, walk.last, SUM, name="then_done")
    seen, e = Signal(shape(way.fmt), name="seen", reset_less=True), Signal(
        signed(way.fmt.width + 1), name="e", reset_less=True)
    bits, right = Signal(range(most + 1), reset_less=True), Signal(range(most - p.quiet + 1), reset_less=True)
    with m.If(done):
        m.d.sync += [exact(seen, saturate(y, way.fmt)), bits.eq(_bit_length(power))]
    with m.If(later(m, done, 1, name="e_due")):
        m.d.sync += [e.eq(newest - seen),
                     right.eq(Mux(bits > p.quiet, bits - p.quiet, 0))]
    # e is there SUM + 2 cycles after the last address of an element, and stays for as many cycles as it has taps
    wait = p.words - 1 + SUM + 2
    product = multiply(m, "step", later(m, x, wait - WORD, name="then_x").as_signed(), e, vendor=vendor)
    up = step_bits(p)
    product = Cat(Const(0, up), product).as_signed() if up > 0 else product.shift_right(-up)
    coarse, fine = Signal.like(product, reset_less=True), Signal.like(product, reset_less=True)
    right = later(m, right, Multiplier.LATENCY, name="right")
    noise, draw = Signal(BITS, init=seed), later(m, walk.draw, wait + Multiplier.LATENCY + 2, name="draw",
                                                      reset_less=False)
    with m.If(reseed):
        m.d.sync += noise.eq(seed)
    with m.Elif(draw):
        m.d.sync += noise.eq(leap(noise))
    step = Signal(signed(max(len(product), BITS + 1) - BITS + 2), name="step", reset_less=True)
    new = Signal(shape(p.gain), name="new_tap", reset_less=True)
    age = wait + Multiplier.LATENCY + 3         # of a tap when its step is there
    identity = Mux(later(m, walk.first, age, name="new_first"), 1 << p.gain.frac_bits, 0)
    m.d.sync += [
        fine.eq(product >> right[:3]), coarse.eq(fine >> (later(m, right, 1, name="right_q")[3:] << 3)),
        exact(step, (coarse + noise).shift_right(BITS)),
        new.eq(Mux(later(m, off, age - SUM - p.words + 1, name="new_off"), identity,
                   saturate(later(m, taps.tap, age - WORD, name="old_tap").as_signed() + step, p.gain)))]
    keep = later(m, walk.move, age + 1, name="keep", reset_less=False)
    address = later(m, taps.address, age + 1, name="new_address")
    for number, store in enumerate(taps.banks):
        with m.If(keep & (half == number)):
            m.d.comb += [store.write_en.eq(1), store.write_addr.eq(address), store.write_data.eq(new)]


def _power(m, way: Way, walk: Walk, x, *, vendor: str):
    """|x|^2 of an element, SUM cycles after its last address, and its largest bit length."""
    square = multiply(m, "power", x, x, vendor=vendor)
    most = (way.predictor.words << 2 * (way.fmt.width - 1)).bit_length()
    power = Signal(max(most, way.predictor.quiet), reset_less=True)
    m.d.sync += power.eq(Mux(later(m, walk.first, SUM - 1, name="power_first"), 0, power) + square)
    return power, len(power)


def _bit_length(value):
    """Number of bits of a value >= 0."""
    found = Const(0)
    for n, bit in enumerate(value, 1):
        found = Mux(bit, n, found)
    return found
