"""Known answers of what golden model, circuit and compiled kernels all import: comparing them cannot see an error."""

from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.layout import timing
from golden.rate.learn import registers
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher, weight_shift
from golden.units.activation import table
from golden.units.extrapolator import Predictor, step_bits
from golden.units.plasticity import BITS, lfsr_leap
from golden.units.softmax import EXP, RECIPROCAL_BITS, difference_format

FORMATS = {"activation": "tanh", "operand": QFormat(1, 9), "weight": QFormat(1, 12), "state": QFormat(3, 10),
           "lead": QFormat(1, 10), "lag": QFormat(0, 15), "rate": QFormat(1, 9)}
BELOW = Plastic(error=QFormat(2, 9), slope=QFormat(1, 8), rate=4)
ABOVE = Plastic(error=QFormat(1, 11), slope=QFormat(1, 8), rate=4, halvings=2, gamma=3)
NET = Network(name="known", dt=1.0, teacher=Teacher(loss="squared_error", seed=77), layers=(
    Dense(inputs=4, outputs=4, lanes=2, plastic=BELOW, **FORMATS),
    Dense(inputs=4, outputs=3, lanes=2, plastic=ABOVE, delay=3, max_delay=3, error_delay=4, max_error_delay=5,
          predictor=Predictor(kind="second_order", history=12, spacing=2, gain=QFormat(3, 4)),
          error_predictor=Predictor(kind="linear", history=9), **FORMATS)))


def test_shifts():
    """By fraction bits: of what comes in less those of what comes out."""
    top = NET.layers[1]
    assert weight_shift(top) == 11 + (9 + 2) - 12 + 4       # error, rate made longer by halvings, weight, 2**-4
    # an error of 1 and a rate of 1, not halved, move a weight by 2**-4
    assert (1 << 11) * (1 << 9 + 2) >> weight_shift(top) == 1 << 12 - 4
    assert NET.back_shift(1) == 12 + 11 - 9                 # weight, error above, error below
    assert top.gamma_shift == 11 + 3 - 10                   # error, 2**-3, state
    assert step_bits(Predictor(kind="fir", history=9, spacing=1, rate=2)) == 17 + 14 - 2 - 8      # tap, rate, quiet


def test_times_of_a_connection():
    """Three ticks over a spacing of 2: h = 3/2, h (h + 1)/2 = 15/8, in sixteenths; without a spacing whole numbers."""
    assert timing(NET.layers[1]) == {0: 3, 1: 4, 2: 2, 3: 4, 4: 16 + 24 + 30, 5: -24 - 60, 6: 30}
    assert NET.layers[1].error_predictor.fixed_taps(4) == (2, -1)
    assert Predictor(kind="second_order", history=9).fixed_taps(4) == (3, -3, 1)


def test_registers_are_far_apart_in_one_cycle():
    """A lane and tau_m have one each, 48,271 numbers of 17 steps from the last one."""
    state = 77
    found = [state]
    for _ in range(17 * 48271):
        state = state >> 1 ^ (0x12000 if state & 1 else 0)
    found.append(state)
    below, above = registers(NET)
    assert [int(register[0]) for register in (*below.lanes, below.tau)] == [*found, 16069] == [77, 71753, 16069]
    assert [int(register[0]) for register in (*above.lanes, above.tau)] == [46600, 70249, 101654]
    assert BITS == 17
    state = 0x1ACE1
    for _ in range(17):
        state = state >> 1 ^ (0x12000 if state & 1 else 0)
    assert lfsr_leap(0x1ACE1) == state


def test_tables():
    """Edges around zero, and where a table ends: exp and sigmoid over [-16, 16) in 1/32."""
    exp = table("exp", difference_format(QFormat(4, 9)), EXP)
    assert exp.left[510:514] == (30783, 31760, 32768, 32768)        # e**(-1/16), e**(-1/32), 1, 1
    assert exp.rise[510:514] == (977, 1008, 0, 0)
    assert exp.left[256] == 11              # e**-8 is 10.99
    assert (exp.left[0], exp.low, exp.high, exp.t, exp.limit) == (0, 0, 32768, 4, 16 << 9)
    sigmoid = table("sigmoid", QFormat(4, 9), QFormat(0, 11))
    assert sigmoid.left[510:514] == (992, 1008, 1024, 1040)
    assert (sigmoid.low, sigmoid.high, sigmoid.t, sigmoid.limit) == (0, 2048, 4, 16 << 9)
    assert (str(difference_format(QFormat(4, 9))), str(EXP), RECIPROCAL_BITS) == ("Q5.9", "Q1.15", 31)
