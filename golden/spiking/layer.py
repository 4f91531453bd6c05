"""One layer of spiking neurons as a description: integrate-and-fire neurons, fully connected, a delay a synapse.

[DELAY] arXiv 2306.06237, [DCLS] arXiv 2306.17670. Weights come from a seed (golden.units.weights) or are stored. Only
what shapes the circuit enters a network's fingerprint: delays, weights and seeds are loaded, spikes are sent.
"""

from dataclasses import MISSING, dataclass, fields

from golden.checks import check, is_int, listed
from golden.fixed import QFormat
from golden.regmap import WORD_BITS
from golden.spiking.codes import MAX_TICKS
from golden.units.weights import BLOCK, Ternary

MAX_LINES, MAX_OUTPUTS = 4096, 32
#: words of a bank that the address map reaches
BANK_WORDS = 1 << 14
#: lanes that stand together; their banks of synapses serve no others
GROUP = 32
#: words x bits that one block RAM of 18 kbit may be
_SHAPES = ((1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1))


@dataclass(frozen=True, kw_only=True)
class Kick:
    """Refractory kernel of a neuron: after a spike an alpha function of height ~ word * e**-1 / leak pulls it down."""

    word: int
    leak: tuple[int, ...]

    def __post_init__(self):
        object.__setattr__(self, "leak", tuple(self.leak))
        check(is_int(self.word, 1, (1 << 17) - 1), f"kick: word must be in 1..{(1 << 17) - 1}, not {self.word!r}")
        _check_leak("kick", self.leak)


@dataclass(frozen=True, kw_only=True)
class SpikingLayer:
    """One layer of spiking neurons, fully connected to the lines below.

    Parameters
    ----------
      inputs, outputs   presynaptic lines and neurons
      weight            Ternary, made again from its seed, or the format of stored weights
      delay_bits        bits of the delay of each synapse: 0..2**delay_bits - 1 ticks
      state             format of the membrane; a stored weight has at most as many fraction bits
      leak              shifts k of the decay x - (x >> k) - ..., each tick; none: nothing leaks
      order             1, leaky integrator: a spike adds its weight at once; 2, alpha function: it rises, then falls
      threshold         word of `state`; a neuron at or above it spikes
      refractory        ticks after a spike in which arrivals are lost (>= ticks of the network: one spike an image)
      kick              order 2 only: refractory kernel instead of a reset to zero
      lanes             accumulators that work side by side; each serves ceil(outputs / lanes) neurons in turn;
                        by default one a neuron
    """

    inputs: int
    outputs: int
    weight: Ternary | QFormat
    delay_bits: int
    state: QFormat
    leak: tuple[int, ...]
    threshold: int
    order: int = 1
    refractory: int = 0
    kick: Kick | None = None
    lanes: int | None = None

    def __post_init__(self):
        me = "spiking layer"
        object.__setattr__(self, "leak", tuple(self.leak))
        if self.lanes is None:
            object.__setattr__(self, "lanes", self.outputs)
        for name, low, high in (("inputs", 1, MAX_LINES), ("outputs", 1, MAX_LINES), ("delay_bits", 1, 8),
                                ("order", 1, 2), ("refractory", 0, MAX_TICKS), ("lanes", 1, self.outputs)):
            check(is_int(getattr(self, name), low, high),
                  f"{me}: {name} must be an integer in {low}..{high}, not {getattr(self, name)!r}")
        _check_leak(me, self.leak)
        check(isinstance(self.weight, Ternary | QFormat),
              f"{me}: weight must be Ternary or a QFormat, not {self.weight!r}")
        check(isinstance(self.state, QFormat) and self.state.width <= 24,
              f"{me}: state must be a QFormat of 24 bits at most, not {self.state!r}")
        check(self.shift >= 0, f"{me}: state {self.state} is coarser than the weight {self.weight}")
        check(self.synapse_bits <= WORD_BITS,
              f"{me}: delay and weight of a synapse take {self.synapse_bits} bits, {WORD_BITS} at most")
        check(is_int(self.threshold, 1, self.state.max),
              f"{me}: threshold must be a word of {self.state} in 1..{self.state.max}, not {self.threshold!r}")
        check(self.kick is None or (isinstance(self.kick, Kick) and self.order == 2),
              f"{me}: kick must be None or, with order 2, a Kick, not {self.kick!r}")
        check(self.kick is None or not self.refractory, f"{me}: a kick takes the place of refractory ticks")
        check(self.folds == 1 or self.lanes % BLOCK == 0 or not self.regenerates,
              f"{me}: {self.lanes} lanes for {self.outputs} neurons: with weights from a seed a multiple of {BLOCK}")
        check(self.bank_depth <= BANK_WORDS,
              f"{me}: a lane would hold {self.bank_depth} synapses, {BANK_WORDS} at most: more lanes")

    @property
    def regenerates(self) -> bool:
        """Whether weights come from a seed."""
        return isinstance(self.weight, Ternary)

    @property
    def weight_bits(self) -> int:
        """Bits of a weight in memory."""
        return 0 if self.regenerates else self.weight.width

    @property
    def synapse_bits(self) -> int:
        """Bits of a synapse in memory."""
        return self.delay_bits + self.weight_bits

    @property
    def max_delay(self) -> int:
        return (1 << self.delay_bits) - 1

    @property
    def shift(self) -> int:
        """Fraction bits that the membrane has beyond those of a weight."""
        return self.state.frac_bits - (0 if self.regenerates else self.weight.frac_bits)

    @property
    def sum_bits(self) -> int:
        """Width of an accumulator: what arrives in one tick cannot overflow it, with one spike a line and tick."""
        # a line meets a neuron through one synapse: once a tick
        return (2 if self.regenerates else self.weight.width) + self.inputs.bit_length()

    @property
    def folds(self) -> int:
        """Neurons that a lane serves."""
        return -(-self.outputs // self.lanes)

    @property
    def bank_depth(self) -> int:
        """Words of a bank of synapses."""
        return self.inputs * self.folds

    @property
    def bank_lanes(self) -> int:
        """Lanes whose synapses lie side by side in a word of a bank."""
        bits = next(bits for words, bits in _SHAPES if self.bank_depth <= words)
        return max(1, bits // self.synapse_bits)

    @property
    def bank_first(self) -> tuple[int, ...]:
        """First lane of each bank of synapses, and the number of lanes behind the last one."""
        found = []
        for group in range(0, self.lanes, GROUP):
            found += range(group, min(group + GROUP, self.lanes), self.bank_lanes)
        return (*found, self.lanes)

    @property
    def banks(self) -> int:
        """Banks of synapses."""
        return len(self.bank_first) - 1

    @property
    def synapses(self) -> int:
        return self.inputs * self.outputs


def _check_leak(owner, leak):
    check(len(leak) <= 3 and all(is_int(k, 1, 16) for k in leak) and sum(2.0 ** -k for k in leak) < 1,
          f"{owner}: leak must be up to three shifts in 1..16 that leave something, not {leak!r}")


def layer_entry(layer: SpikingLayer) -> dict:
    """A layer in JSON."""
    entry = {field.name: getattr(layer, field.name) for field in fields(layer)}
    weight = layer.weight
    entry |= {"state": str(layer.state), "leak": list(layer.leak),
              "weight": str(weight) if isinstance(weight, QFormat) else
              {field.name: getattr(weight, field.name) for field in fields(weight)}}
    if layer.kick is not None:
        entry["kick"] = {"word": layer.kick.word, "leak": list(layer.kick.leak)}
    return entry


def built_entry(entry: dict) -> dict:
    """What of a layer's entry shapes the circuit: not the seed."""
    if isinstance(entry["weight"], dict):
        entry = entry | {"weight": {name: value for name, value in entry["weight"].items() if name != "seed"}}
    return entry


def parse_layer(n: int, entry) -> SpikingLayer:
    """Layer n from its JSON; ValueError names the field that is wrong."""
    me = f"layer {n}"
    check(isinstance(entry, dict), f"{me}: must be an object, not {type(entry).__name__}")
    entry = dict(entry)
    try:
        if "weight" in entry:
            weight = entry["weight"]
            entry["weight"] = parse_fields(Ternary, weight, "weight") if isinstance(weight, dict) else \
                QFormat.parse(weight)
        if "state" in entry:
            entry["state"] = QFormat.parse(entry["state"])
        if entry.get("kick") is not None:
            entry["kick"] = parse_fields(Kick, entry["kick"], "kick")
        return parse_fields(SpikingLayer, entry, "spiking layer")
    except ValueError as error:
        raise ValueError(f"{me}: {error}") from None


def parse_fields(kind, entry, name):
    """A dataclass of `kind` from its JSON; ValueError names the field that is wrong."""
    check(isinstance(entry, dict), f"{name}: must be an object, not {type(entry).__name__}")
    known = {field.name: field for field in fields(kind)}
    unknown = sorted(set(map(str, entry)) - set(known))
    check(not unknown, f"{name}: unknown fields {listed(unknown)}")
    missing = [field.name for field in known.values() if field.default is MISSING and
               field.name not in entry]
    check(not missing, f"{name}: missing fields {', '.join(missing)}")
    for field in ("leak",):
        check(isinstance(entry.get(field, []), list | tuple), f"{name}: {field} must be a list")
    return kind(**entry)
