"""The description of learning: what a layer that learns has beside its neurons, and what teaches the network.

    e_in = eb o phi' ;  f = e_in - v ;  eps = v + (tau_m/tau_r) f ;  v += (dt/tau_r) f     prospective error
    dW = eps r_pre / 2**rate                                                                 plasticity
    dtau_m = -eps (dt/tau_m) d / 2**tau_rate        d = s + eps / 2**gamma - u               where tau_m is learnt

Source: [GLE] arXiv 2403.16933, in the discrete form of its authors' code. Error words have a format, hence a
power-of-two scale, of their own in each layer.
"""

from dataclasses import dataclass, fields

from golden.checks import check, is_int, listed
from golden.fixed import MULTIPLIER_BITS, QFormat
from golden.regmap import MAX_HALVINGS
from golden.units.plasticity import BITS, PERIOD

RULES = ("plain", "sign")
LOSSES = ("squared_error", "cross_entropy")
#: words are shifted to meet one another, and everything has to stay within 64 bits
MAX_FRACTION = 30


@dataclass(frozen=True, kw_only=True)
class Plastic:
    """What a layer that learns adds to a `Dense`.

    Parameters
    ----------
      error         format of the error words of the layer: eb into it, e_in, eps (and v, `guard` bits finer)
      slope         format of phi'
      rate          a step of a weight is eps r / 2**rate; None: the layer passes errors on and keeps its weights
      rule          "plain", or "sign": for a step eps counts as plus or minus `sign_word`, whatever its size, so that
                    all neurons of a layer learn at one pace
      halvings      how often the rate may be halved while the network learns (presynaptic words are so many bits
                    longer in the multiplier)
      bias          whether the biases learn, too
      gamma         the membrane is pulled by eps / 2**gamma; None: not at all
      lead, lag     formats of tau_m / tau_r and dt / tau_r of the error's filter; None for both: eps = e_in, which
                    is [LE] (tau_m = tau_r) or, with other time constants, an instantaneous error
      guard         fraction bits of v beyond those of the error words
      tau           format of tau_m in ticks, where the layer learns it; then `tau_r` is the format of tau_r in ticks
      tau_rate      a step of tau_m (in ticks) is -eps (dt/tau_m) d / 2**tau_rate, negative for steps that are larger
      tau_min       tau_m never falls below so many ticks
    """

    error: QFormat
    slope: QFormat
    rate: int | None
    rule: str = "plain"
    halvings: int = 0
    bias: bool = True
    gamma: int | None = None
    lead: QFormat | None = None
    lag: QFormat | None = None
    guard: int = 0
    tau: QFormat | None = None
    tau_r: QFormat | None = None
    tau_rate: int = 0
    tau_min: int = 1

    def __post_init__(self):
        me = "plastic layer"
        for name, kind in (("error", False), ("slope", False), ("lead", True), ("lag", True), ("tau", True),
                           ("tau_r", True)):
            fmt = getattr(self, name)
            check(isinstance(fmt, QFormat) or kind and fmt is None, f"{me}: {name} must be a QFormat, not {fmt!r}")
            check(fmt is None or fmt.frac_bits <= MAX_FRACTION,
                   f"{me}: {name} {fmt} has more than {MAX_FRACTION} fraction bits")
            check(fmt is None or fmt.width <= MULTIPLIER_BITS,
                   f"{me}: {name} {fmt} is {fmt and fmt.width} bits wide, a multiplier takes {MULTIPLIER_BITS}")
        check(self.error.width < MULTIPLIER_BITS, f"{me}: error {self.error} leaves no room for the bit that a "
                                                   f"difference adds ({MULTIPLIER_BITS - 1} bits at most)")
        check(self.slope.int_bits >= 1 and self.slope.frac_bits >= 1,
               f"{me}: slope {self.slope} must hold 1.0 and a fraction")
        check(self.rate is None or is_int(self.rate, -32, 64),
               f"{me}: rate must be an integer in -32..64 or None, not {self.rate!r}")
        check(self.rule in RULES, f"{me}: rule must be one of {', '.join(RULES)}, not {self.rule!r}")
        check(is_int(self.halvings, 0, MAX_HALVINGS),
               f"{me}: halvings must be an integer in 0..{MAX_HALVINGS}, not {self.halvings!r}")
        check(isinstance(self.bias, bool), f"{me}: bias must be true or false, not {self.bias!r}")
        check(self.gamma is None or is_int(self.gamma, 0, 32),
               f"{me}: gamma must be an integer in 0..32 or None, not {self.gamma!r}")
        check((self.lead is None) == (self.lag is None),
               f"{me}: lead and lag of the error's filter come together or not at all")
        for name in ("lead", "lag"):
            fmt = getattr(self, name)
            check(fmt is None or fmt.frac_bits >= 1, f"{me}: {name} {fmt} needs a fraction bit")
        check(is_int(self.guard, 0, 8), f"{me}: guard must be an integer in 0..8, not {self.guard!r}")
        check(self.lag is None or self.lag.frac_bits > self.guard,
               f"{me}: lag {self.lag} needs more fraction bits than the {self.guard} guard bits")
        check(self.lag is not None or self.guard == 0, f"{me}: guard bits are for the error's filter, there is none")
        check((self.tau is None) == (self.tau_r is None), f"{me}: tau and tau_r come together or not at all")
        if self.tau is not None:
            check(is_int(self.tau_rate, -32, 64), f"{me}: tau_rate must be an integer in -32..64, "
                                                    f"not {self.tau_rate!r}")
            check(self.tau.frac_bits >= 1 and self.tau_r.frac_bits >= 1,
                   f"{me}: tau {self.tau} and tau_r {self.tau_r} need a fraction bit")
            check(is_int(self.tau_min, 1, self.tau.max >> self.tau.frac_bits),
                   f"{me}: tau_min must be an integer in 1..{self.tau.max >> self.tau.frac_bits}, "
                   f"not {self.tau_min!r}")

    @property
    def state(self) -> QFormat:
        """The filter's words: what golden.units.leadlag and rtl.units.leadlag call state."""
        return self.error

    @property
    def sign_word(self) -> int:
        """Half of the error format's range: what an error counts as where only its sign does."""
        return 1 << self.error.width - 2

    def paced(self, eps):
        """Eps as steps of weights are made of it."""
        return eps if self.rule == "plain" else ((eps > 0) * 1 - (eps < 0) * 1) * self.sign_word

    @property
    def is_filtered(self) -> bool:
        return self.lead is not None


@dataclass(frozen=True, kw_only=True)
class Teacher:
    """What teaches a network, and how its streams take turns.

    Parameters
    ----------
      loss          one of LOSSES: squared_error takes a target word an output (in its rate format) and sends
                    target - r; cross_entropy takes the number of the right output and sends onehot - softmax(r)
      beta          output errors are divided by 2**beta
      streams       independent inputs that share the weights and take turns tick by tick, each with a state of its own
      seed          of the registers that round the steps of the weights: 1 to PERIOD
    """

    loss: str
    beta: int = 0
    streams: int = 1
    seed: int = 1

    def __post_init__(self):
        check(self.loss in LOSSES, f"teacher: loss must be one of {', '.join(LOSSES)}, not {self.loss!r}")
        check(is_int(self.beta, 0, 16), f"teacher: beta must be an integer in 0..16, not {self.beta!r}")
        check(is_int(self.streams, 1, 256) and self.streams & self.streams - 1 == 0,
               f"teacher: streams must be a power of two in 1..256, not {self.streams!r}")
        check(is_int(self.seed, 1, PERIOD), f"teacher: seed must be an integer in 1..{PERIOD}, not {self.seed!r}")


def weight_shift(layer) -> int:
    """Bits by which a product eps r is shifted to be a step of a weight of `layer` (a golden.rate.network.Dense)."""
    plastic = layer.plastic
    return (plastic.error.frac_bits + layer.operand.frac_bits + plastic.halvings - layer.weight.frac_bits
            + plastic.rate)


def tau_shift(layer) -> int:
    """Bits by which a product eps (dt/tau_m) d is shifted to be a step of tau_m, all in words."""
    plastic = layer.plastic
    return plastic.error.frac_bits + layer.state.frac_bits + layer.guard - plastic.tau.frac_bits + plastic.tau_rate


def increment_format(layer) -> QFormat:
    """Format of (dt/tau_m) d as a factor of the steps of tau_m: the membrane's last place, a multiplier's width."""
    frac_bits = layer.state.frac_bits + layer.guard
    return QFormat(MULTIPLIER_BITS - 1 - frac_bits, frac_bits)


def check_rates(layer) -> None:
    """ValueError, with the range that works, for rates that can never move a parameter or always saturate it."""
    plastic = layer.plastic
    if plastic.rate is not None:
        factor = QFormat(layer.operand.int_bits + plastic.halvings, layer.operand.frac_bits)
        _check_range("rate", plastic.rate, weight_shift(layer), plastic.error, factor, layer.weight)
    if plastic.tau is not None:
        _check_range("tau_rate", plastic.tau_rate, tau_shift(layer), plastic.error, increment_format(layer),
                     plastic.tau)


def _check_range(name, rate, shift, a: QFormat, b: QFormat, moved: QFormat) -> None:
    # slowest: the largest product and the largest noise together reach the last bit. Fastest: an error and a rate in
    # the middle of their words, by bits, do not cross the whole range; and every step is a shift to the right
    base = shift - rate
    slowest = a.width + b.width - 2 + BITS - 1 - base
    fastest = max(0, (a.width + b.width - 2) // 2 - (moved.width - 1)) - base
    if not fastest <= rate <= slowest:
        why = "no step can ever move" if rate > slowest else "every step saturates"
        raise ValueError(f"{name} {rate}: {why} a word of {moved} (errors {a}, rates {b}): "
                         f"{name} must be in {fastest}..{slowest}")


def plain(entry) -> dict:
    """A Plastic or Teacher as JSON holds it: only what differs from the default."""
    found = {}
    for field in fields(entry):
        value = getattr(entry, field.name)
        if value != field.default:
            found[field.name] = str(value) if isinstance(value, QFormat) else value
    return found


def parse(kind: type, entry):
    """The reverse of `plain`; ValueError names the field that is wrong."""
    name = kind.__name__.lower()
    check(isinstance(entry, dict), f"{name}: must be an object, not {type(entry).__name__}")
    known = {field.name: field for field in fields(kind)}
    unknown = sorted(set(entry) - set(known), key=str)
    check(not unknown, f"{name}: unknown fields {listed(unknown)}")
    missing = sorted(n for n, field in known.items() if n not in entry and field.default is field.default_factory)
    check(not missing, f"{name}: missing fields {', '.join(missing)}")
    return kind(**{n: QFormat.parse(value) if "QFormat" in str(known[n].type) and value is not None else value
                   for n, value in entry.items()})
