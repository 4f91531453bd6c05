"""What teaches a liquid-time-constant network on the chip: errors, rates, streams, and what such a network must be.

FPTT with an update every tick (K = T) has a closed form without history; golden.ltc.learn has the steps.
"""

from dataclasses import dataclass, fields

from golden.checks import check, is_int, listed
from golden.fixed import MULTIPLIER_BITS, QFormat
from golden.units.plasticity import PERIOD

#: psi = max(0, PEAK - |ut - theta|): the surrogate derivative, a triangle as high as wide
PEAK = 0.75
#: what learns: every weight, or those of the readout alone
SCOPES = ("all", "readout")
#: bit of a target word above the label: the stream begins a sequence with this tick
FRESH_BIT = 12
#: and the largest shift of a step: what is shifted by more never moves a weight
MAX_SHIFT = 40


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """What teaches, and how streams take turns. A target word: the label, and FRESH_BIT.

    Parameters
    ----------
      rate      a step of a weight is error times presynaptic word / 2**rate; the register `halvings` divides it further
      error     format of all error words
      streams   independent sequences that share the weights and take turns tick by tick, each with a state of its own
      seed      of the registers that round the steps of the weights: 1 to PERIOD
      scope     one of SCOPES
    """

    rate: int = 5
    error: QFormat = QFormat(1, 15)
    streams: int = 16
    seed: int = 1
    scope: str = "all"

    def __post_init__(self):
        check(is_int(self.rate, -32, 64), f"teacher: rate must be an integer in -32..64, not {self.rate!r}")
        check(isinstance(self.error, QFormat), f"teacher: error must be a QFormat, not {self.error!r}")
        check(self.error.width < MULTIPLIER_BITS and self.error.int_bits >= 1 and 1 <= self.error.frac_bits <= 15,
              f"teacher: error {self.error} must hold 1.0, with 1 to 15 fraction bits, in {MULTIPLIER_BITS - 1} bits")
        check(is_int(self.streams, 1, 256) and self.streams & self.streams - 1 == 0,
              f"teacher: streams must be a power of two in 1..256, not {self.streams!r}")
        check(is_int(self.seed, 1, PERIOD), f"teacher: seed must be an integer in 1..{PERIOD}, not {self.seed!r}")
        check(self.scope in SCOPES, f"teacher: scope must be one of {', '.join(SCOPES)}, not {self.scope!r}")


def check_taught(net) -> None:
    """ValueError for a network that has a teacher and no circuit that learns."""
    check(isinstance(net.teacher, Teacher), f"network: teacher must be a Teacher, not {type(net.teacher).__name__}")
    check(len(net.hidden) == 1, f"network: one layer learns on the chip, below a readout, not {len(net.hidden)}")
    layer, readout = net.hidden[0], net.readout
    check(layer.adaptive, "network: what learns on the chip has an adaptive threshold")
    for each, lanes, name in ((layer, 2 * layer.outputs, "layer 0"), (readout, readout.outputs, "the readout")):
        check(each.lanes == lanes, f"network: what learns has a lane a row: {name} takes {lanes} lanes, not "
                                   f"{each.lanes}")
    check(net.halves == 1, "network: what learns is loaded in place: halves must be 1")
    formats = {each.weight for each in net.layers} | {each.spike_weight for each in net.layers} | {layer.input_weight}
    check(len(formats) == 1, f"network: all weights that learn have one format, not "
                             f"{', '.join(sorted(map(str, formats)))}")
    for name in ("state", "gate", "gate_sum"):
        own, above = getattr(layer, name), getattr(readout, name)
        check(own == above, f"network: {name} of what learns is one format, not {own} and {above}")
    check(layer.operand == layer.state, f"network: what learns has real inputs in the format of its states, "
                                        f"{layer.state}, not {layer.operand}")
    check(readout.outputs <= 1 << FRESH_BIT, f"network: {1 << FRESH_BIT} labels at most, not {readout.outputs}")
    check(0 <= step_shift(net) <= MAX_SHIFT, f"teacher: with rate {net.teacher.rate} a step is shifted by "
                                             f"{step_shift(net)} bits, 0 to {MAX_SHIFT} can move a weight")


def step_shift(net) -> int:
    """Bits by which an error times a presynaptic word is shifted to be a step of a weight."""
    layer = net.hidden[0]
    return net.teacher.error.frac_bits + layer.state.frac_bits + factor_bits(layer) - layer.weight.frac_bits + \
        net.teacher.rate


def factor_bits(layer) -> int:
    """Bits by which presynaptic words are longer as factors of steps: what a multiplier has room for."""
    return MULTIPLIER_BITS - layer.state.width


def peak(net) -> int:
    """PEAK in words of the state."""
    return int(PEAK * net.hidden[0].one)


def teacher_entry(teacher: Teacher) -> dict:
    """A teacher in JSON, formats as text."""
    return {field.name: str(value) if isinstance(value := getattr(teacher, field.name), QFormat) else value
            for field in fields(teacher)}


def parse_teacher(entry) -> Teacher:
    """The reverse; ValueError names the field that is wrong."""
    check(isinstance(entry, dict), f"teacher: must be an object, not {type(entry).__name__}")
    known = [field.name for field in fields(Teacher)]
    wrong = sorted(set(map(str, entry)) ^ set(known))
    check(not wrong, f"teacher: fields {listed(wrong)} are missing or unknown")
    return Teacher(**entry | {"error": QFormat.parse(entry["error"])})
