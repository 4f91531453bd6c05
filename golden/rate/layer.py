"""One layer of rate neurons as a description: sizes, formats, delays, lanes, what it has for learning.

Only what shapes the circuit enters a network's fingerprint; what is loaded at run time (weights, time constants, delays
up to the built depth) does not.
"""

from dataclasses import dataclass, fields

from golden.checks import check, listed
from golden.fixed import MATMUL_BITS, MULTIPLIER_BITS, QFormat, acc_width
from golden.rate.plastic import MAX_FRACTION, Plastic, check_rates, parse, plain
from golden.units.activation import ACTIVATIONS
from golden.units.delay import MAX_DELAY
from golden.units.extrapolator import Predictor, Way
from golden.units.rows import MAX_LANE_WORDS, MAX_NEURONS


def check_int(owner: str, name: str, value, low: int, high: int) -> None:
    check(isinstance(value, int) and not isinstance(value, bool) and low <= value <= high,
           f"{owner}: {name} must be an integer in {low}..{high}, not {value!r}")


@dataclass(frozen=True, kw_only=True)
class Dense:
    """One layer of rate neurons, fully connected to the layer below.

    Parameters
    ----------
      inputs, outputs   presynaptic lines and neurons
      activation        one of ACTIVATIONS
      operand           format of the incoming message (the rate of the layer below, or the input)
      weight            format of weights and biases (a bias is the weight of a constant one)
      state             format of membrane u, summed input s and prospective membrane
      lead, lag         formats of g = tau_r / tau_m and a = dt / tau_m
      rate              format of the outgoing message
      delay             extra ticks that the incoming message takes; loaded at run time
      max_delay         the longest delay that the circuit holds
      predictor         what the sender makes up for the delay with (golden.units.extrapolator); None: nothing
      error_delay, max_error_delay, error_predictor
                        the same for the errors that the layer sends down
      least_delay       neither delay is shorter: ticks in which messages are still made while the next tick runs, with
                        as many registers on their wires
      lanes             multiply-accumulate lanes, each holding ceil(outputs / lanes) rows of the weights;
                        at most inputs + 1, since they hand over their sums one a cycle
      guard             fraction bits that the membrane carries beyond those of `state`
      plastic           what the layer has for learning; None: it keeps its weights and sends no errors down
      halves            of the banks of weights and constants: 2, an image is put in force between two ticks; 1, it is
                        loaded in place, while no tick runs; only where nothing learns
    """

    inputs: int
    outputs: int
    activation: str
    operand: QFormat
    weight: QFormat
    state: QFormat
    lead: QFormat
    lag: QFormat
    rate: QFormat
    delay: int = 0
    max_delay: int = 0
    lanes: int = 1
    guard: int = 0
    plastic: Plastic | None = None
    predictor: Predictor | None = None
    error_delay: int = 0
    max_error_delay: int = 0
    error_predictor: Predictor | None = None
    least_delay: int = 0
    halves: int = 2

    def __post_init__(self):
        me = "dense layer"
        check_int(me, "inputs", self.inputs, 1, MAX_NEURONS)
        check_int(me, "outputs", self.outputs, 1, MAX_NEURONS)
        check_int(me, "max_delay", self.max_delay, 0, MAX_DELAY)
        check_int(me, "least_delay", self.least_delay, 0, min(8, self.max_delay))
        check_int(me, "delay", self.delay, self.least_delay, self.max_delay)
        check_int(me, "max_error_delay", self.max_error_delay, 0, MAX_DELAY)
        check_int(me, "error_delay", self.error_delay, 0, self.max_error_delay)
        for name in ("predictor", "error_predictor"):
            check(getattr(self, name) is None or isinstance(getattr(self, name), Predictor),
                   f"{me}: {name} must be a Predictor or None, not {getattr(self, name)!r}")
        # a row ends every inputs + 1 cycles, and its lanes hand over their sums one a cycle
        check_int(me, "lanes", self.lanes, 1, min(self.outputs, self.inputs + 1))
        check(self.activation in ACTIVATIONS,
               f"{me}: activation must be one of {', '.join(ACTIVATIONS)}, not {self.activation!r}")
        for name in ("operand", "weight", "state", "lead", "lag", "rate"):
            fmt = getattr(self, name)
            check(isinstance(fmt, QFormat), f"{me}: {name} must be a QFormat, not {fmt!r}")
            check(fmt.frac_bits <= MAX_FRACTION, f"{me}: {name} {fmt} has more than {MAX_FRACTION} fraction bits")
            check(fmt.width <= MULTIPLIER_BITS,
                   f"{me}: {name} {fmt} is {fmt.width} bits wide, a multiplier takes {MULTIPLIER_BITS}")
        check(self.multiplicand.width <= MULTIPLIER_BITS,
               f"{me}: operand {self.operand} cannot hold the 1.0 of the bias in {MULTIPLIER_BITS} bits")
        check(self.state.width < MULTIPLIER_BITS,
               f"{me}: state {self.state} leaves no room for the bit that a difference adds "
               f"({MULTIPLIER_BITS - 1} bits at most)")
        check(self.state.int_bits >= 0 and self.state.frac_bits > 0,
               f"{me}: state {self.state} needs a fraction bit and no negative integer bits")
        check(self.rate.frac_bits <= self.state.frac_bits + 4,
               f"{me}: rate {self.rate} is more than 4 bits finer than the state {self.state}")
        for name in ("lead", "lag"):
            fmt = getattr(self, name)
            check(fmt.frac_bits >= 1, f"{me}: {name} {fmt} needs a fraction bit")
        check(self.acc_bits <= MATMUL_BITS, f"{me}: accumulator of {self.acc_bits} bits, "
                                             f"{MATMUL_BITS} at most")
        check(self.shift < self.acc_bits, f"{me}: half a unit of state {self.state} is beyond any sum of products "
                                           f"of {self.weight} and {self.operand}")
        check(self.folds * (self.inputs + 1) <= MAX_LANE_WORDS,
               f"{me}: a lane would hold {self.folds * (self.inputs + 1)} words, {MAX_LANE_WORDS} at most: more lanes")
        check(self.shift >= 0, f"{me}: state {self.state} is finer than the products of {self.weight} "
                                f"and {self.operand}")
        check_int(me, "guard", self.guard, 0, 8)
        check(self.lag.frac_bits > self.guard,
               f"{me}: lag {self.lag} needs more fraction bits than the {self.guard} guard bits")
        check(self.plastic is None or isinstance(self.plastic, Plastic),
               f"{me}: plastic must be a Plastic or None, not {self.plastic!r}")
        check_int(me, "halves", self.halves, 1, 2)
        check(self.halves == 2 or self.plastic is None, f"{me}: what learns has two halves of parameters, not 1")
        self.way.check()
        if self.plastic is not None:
            self._check_learning(me)

    def _check_learning(self, me):
        check(self.multiplicand.width + self.plastic.halvings <= MULTIPLIER_BITS,
               f"{me}: operand {self.operand} leaves room for {MULTIPLIER_BITS - self.multiplicand.width} halvings in "
               f"{MULTIPLIER_BITS} bits, not {self.plastic.halvings}")
        check_rates(self)
        check(self.back_bits <= MATMUL_BITS, f"{me}: accumulator of errors of {self.back_bits} bits, "
                                              f"{MATMUL_BITS} at most")
        check(self.folds == 1 or self.inputs >= 4,
               f"{me}: {self.inputs} inputs are too few to sum errors over {self.folds} folds: {self.outputs} lanes")
        if self.plastic.gamma is not None:
            check(self.gamma_shift >= 0, f"{me}: gamma {self.plastic.gamma} makes eps finer than the state "
                                          f"{self.state}: at least {self.plastic.gamma - self.gamma_shift}")

    @property
    def way(self) -> Way:
        """How messages come into the layer."""
        return Way(self.inputs, self.operand, self.delay, self.max_delay, self.predictor, self.least_delay)

    def error_way(self, fmt: QFormat) -> Way:
        """How errors, words of `fmt` in the layer below, leave the layer."""
        return Way(self.inputs, fmt, self.error_delay, self.max_error_delay, self.error_predictor, self.least_delay)

    @property
    def multiplicand(self) -> QFormat:
        """Operand format, widened where needed so that it holds the constant 1.0 that carries the bias."""
        return QFormat(max(self.operand.int_bits, 1), self.operand.frac_bits)

    @property
    def shift(self) -> int:
        """Fraction bits that a sum of products has beyond the state."""
        return self.weight.frac_bits + self.operand.frac_bits - self.state.frac_bits

    @property
    def acc_bits(self) -> int:
        """Accumulator width: `inputs` products, the bias and the rounding constant cannot overflow it."""
        return acc_width(self.inputs + 2, self.weight, self.multiplicand)

    @property
    def back_bits(self) -> int:
        """Accumulator width of W^T eps: `outputs` products and the rounding constant cannot overflow it."""
        return acc_width(self.outputs + 1, self.weight, self.plastic.error)

    @property
    def gamma_shift(self) -> int:
        """Bits by which eps is shifted to pull the membrane."""
        return self.plastic.error.frac_bits + self.plastic.gamma - self.state.frac_bits

    @property
    def folds(self) -> int:
        """Rows of the weight matrix that one lane works through in a tick."""
        return -(-self.outputs // self.lanes)

    @property
    def macs(self) -> int:
        """Multiplies by weights in a tick (without biases)."""
        return self.inputs * self.outputs

    @property
    def parameters(self) -> int:
        return self.outputs * (self.inputs + 1)

    def shape(self, name: str) -> tuple[int, ...]:
        """Array shape of `name`: weight (outputs, inputs), taps (rows, coefficients), all others (outputs,)."""
        if name in ("taps", "error_taps"):
            p = self.predictor if name == "taps" else self.error_predictor
            return p.rows(self.inputs), p.coefficients
        return (self.outputs, self.inputs) if name == "weight" else (self.outputs,)

    def format(self, name: str) -> QFormat:
        """Format of the parameter `name`."""
        if name in ("taps", "error_taps"):
            return (self.predictor if name == "taps" else self.error_predictor).gain
        if name.startswith("error_") or name in ("tau", "tau_r"):
            return getattr(self.plastic, name.removeprefix("error_"))
        return self.weight if name == "bias" else getattr(self, name)

    @property
    def taps(self) -> tuple[str, ...]:
        """Names of the words that its predictors are loaded with."""
        both = {"taps": self.predictor, "error_taps": self.error_predictor}
        return tuple(name for name, p in both.items() if p is not None and p.coefficients)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all parameters."""
        return ("weight", "bias", *self.constants, *self.taps)

    @property
    def constants(self) -> tuple[str, ...]:
        """Names of the words that a neuron is loaded with.

        lead, lag: tau_r/tau_m, dt/tau_m; error_lead, error_lag: tau_m/tau_r, dt/tau_r. A layer that learns tau_m makes
        both leads itself from tau and tau_r, in ticks.
        """
        if self.plastic is None or not (self.plastic.is_filtered or self.plastic.tau):
            return ("lead", "lag")
        if self.plastic.tau is None:
            return ("lead", "lag", "error_lead", "error_lag")
        return ("tau_r", "lag", "error_lag", "tau") if self.plastic.is_filtered else ("tau_r", "lag", "tau")


#: fields that are left out where they say nothing: descriptions without them keep their fingerprint
_OPTIONAL = ("guard", "plastic", "predictor", "error_delay", "max_error_delay", "error_predictor",
             "least_delay", "halves")


def layer_entry(layer: Dense) -> dict:
    """A layer in JSON."""
    entry = {"kind": "dense"}
    for field in fields(layer):
        value = getattr(layer, field.name)
        if isinstance(value, QFormat):
            value = str(value)
        elif field.name in _OPTIONAL and value == field.default:
            continue
        elif isinstance(value, Plastic | Predictor):
            value = plain(value)
        entry[field.name] = value
    return entry


def built_entry(entry: dict) -> dict:
    """What of a layer's entry shapes the circuit: not what is loaded at run time."""
    found = {name: value for name, value in entry.items() if name not in ("delay", "error_delay")}
    for name in ("predictor", "error_predictor"):
        if name in found and "spacing" in found[name]:
            found[name] = found[name] | {"spacing": True}
    return found


def parse_layer(n: int, entry) -> Dense:
    """Layer n from its JSON; ValueError names the field that is wrong."""
    check(isinstance(entry, dict), f"layer {n}: must be an object, not {type(entry).__name__}")
    entry = dict(entry)
    kind = entry.pop("kind", None)
    check(kind == "dense", f"layer {n}: kind must be \"dense\", not {kind!r}")
    known = {field.name: field for field in fields(Dense)}
    unknown = sorted(set(entry) - set(known))
    check(not unknown, f"layer {n}: unknown fields {listed(unknown)}")
    missing = sorted(name for name, field in known.items()
                     if name not in entry and name not in ("delay", "max_delay", "lanes", *_OPTIONAL))
    check(not missing, f"layer {n}: missing fields {', '.join(missing)}")
    try:
        if "plastic" in entry:
            entry["plastic"] = parse(Plastic, entry["plastic"])
        for name in ("predictor", "error_predictor"):
            if entry.get(name) is not None:
                entry[name] = parse(Predictor, entry[name])
        return Dense(**{name: QFormat.parse(value) if known[name].type in (QFormat, "QFormat") else value
                        for name, value in entry.items()})
    except ValueError as error:
        raise ValueError(f"layer {n}: {error}") from None
