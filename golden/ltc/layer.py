"""Layers of a liquid-time-constant network as a description: sizes, formats, lanes; and what lies in their banks.

[FPTT] arXiv 2112.11231; equations as coded by its authors. The steps are in golden.ltc.step.
"""

import math
from dataclasses import dataclass

from golden.checks import check, is_int
from golden.fixed import MATMUL_BITS, MULTIPLIER_BITS, QFormat
from golden.regmap import WORD_BITS
from golden.units.rows import MAX_LANE_WORDS, MAX_NEURONS, Rows

#: theta = b0 + 115/64 b: the 1.8 of the paper in shifts
ADAPT, ADAPT_SHIFT = 115, 6
#: b0 of the paper
BASE = 0.1
MAX_FRACTION = 30


@dataclass(frozen=True, kw_only=True)
class _Layer:
    """What a layer of neurons and the readout share.

    Parameters
    ----------
      inputs        lines from below
      weight        format of the weights of gates (and as many bits for those of real inputs)
      spike_weight  format of the weights of spikes and of the biases that are added with them
      state         format of membranes, sums and thresholds
      gate_sum      format of the sum that a gate is the sigmoid of
      gate          format of a gate: no integer bits, its largest value is 1 - lsb
      lanes         multiply-accumulate lanes
    """

    inputs: int
    outputs: int
    weight: QFormat = QFormat(2, 5)
    spike_weight: QFormat = QFormat(1, 6)
    state: QFormat = QFormat(3, 12)
    gate_sum: QFormat = QFormat(4, 8)
    gate: QFormat = QFormat(0, 8)
    lanes: int = 1

    ME = "layer"

    def __post_init__(self):
        for name in ("inputs", "outputs"):
            self._check_int(name, getattr(self, name), 1, MAX_NEURONS)
        for name in ("weight", "spike_weight", "state", "gate_sum", "gate"):
            self._check_format(name, getattr(self, name))
        check(self.state.width < MULTIPLIER_BITS and self.state.int_bits >= 1 and self.state.frac_bits >= 1,
              f"{self.ME}: state {self.state} needs an integer bit and a fraction bit in {MULTIPLIER_BITS - 1} bits at "
              f"most, since a difference has one more")
        check(self.gate.int_bits == 0 and self.gate.frac_bits >= 2,
              f"{self.ME}: gate {self.gate} must be a Q0 format of 2 fraction bits or more: gates lie between 0 and 1")
        check(self.gate_sum.int_bits >= 0, f"{self.ME}: gate_sum {self.gate_sum} must not have negative integer bits")
        check(self.gate_shift >= 0, f"{self.ME}: gate_sum {self.gate_sum} is finer than products of {self.weight} and "
                                    f"{self.state}")
        self._check_int("lanes", self.lanes, self.chains, self.chains * self.outputs)
        check(self.lanes % self.chains == 0, f"{self.ME}: lanes must be even, half a gate, not {self.lanes}")
        self._check_sizes()

    def _check_sizes(self):
        check(self.lane_depth <= MAX_LANE_WORDS,
              f"{self.ME}: a lane would hold {self.lane_depth} words, {MAX_LANE_WORDS} at most: more lanes")
        check(self.sum_bits <= MATMUL_BITS, f"{self.ME}: sums of {self.sum_bits} bits, {MATMUL_BITS} at most")

    def _check_int(self, name: str, value, low: int, high: int) -> None:
        check(is_int(value, low, high), f"{self.ME}: {name} must be an integer in {low}..{high}, not {value!r}")

    def _check_format(self, name: str, fmt) -> None:
        check(isinstance(fmt, QFormat), f"{self.ME}: {name} must be a QFormat, not {fmt!r}")
        check(fmt.width <= MULTIPLIER_BITS and fmt.frac_bits <= MAX_FRACTION,
              f"{self.ME}: {name} {fmt} has more than {MULTIPLIER_BITS} bits or {MAX_FRACTION} fraction bits")

    # ---- gates

    @property
    def one(self) -> int:
        """1.0 in words of the state: a spike for the adaptation, and what a gate's bias is the weight of."""
        return 1 << self.state.frac_bits

    @property
    def gate_words(self) -> int:
        """Weights of a gate: those of its old state, those of x, the bias."""
        return 2 * self.outputs + 1

    @property
    def gate_shift(self) -> int:
        """Fraction bits that a gate's sum of products has beyond `gate_sum`."""
        return self.weight.frac_bits + self.state.frac_bits - self.gate_sum.frac_bits

    @property
    def chains(self) -> int:
        """Chains of lanes, one a gate; each has lanes // chains."""
        return 1

    @property
    def dense(self) -> bool:
        """Whether its inputs are real numbers, and not spikes."""
        return False

    def gate_rows(self, halves: int = 2) -> Rows:
        """The rows of one gate on its chain of lanes."""
        return Rows(count=self.outputs, words=self.gate_words, lanes=self.lanes // self.chains,
                    weight=self.weight.width, operand=self.state.width, shift=self.gate_shift, halves=halves)

    @property
    def lane_depth(self) -> int:
        """Words that a lane's bank holds."""
        return self.gate_rows().depth

    # ---- spikes and the sum

    @property
    def spike_lines(self) -> int:
        """Words of a bank of spike rows: the bias, then a line each."""
        return self.inputs + 1

    @property
    def side(self) -> int:
        """Neurons whose weights share a word of the parameter bus: two, where it holds both."""
        return 2 if 2 * self.spike_weight.width <= WORD_BITS else 1

    @property
    def spike_banks(self) -> int:
        """Banks of spike rows: neurons side * k and, where there are two, the next one in bank k."""
        return -(-self.outputs // self.side)

    @property
    def sum_frac(self) -> int:
        """Fraction bits of the accumulator of x."""
        return self.spike_weight.frac_bits

    @property
    def sum_shift(self) -> int:
        """Bits by which it is shifted to be a word of the state: to the right, rounded; negative, to the left."""
        return self.sum_frac - self.state.frac_bits

    @property
    def sum_most(self) -> int:
        """No sum is larger than this, whatever its weights."""
        return self.spike_lines << self.spike_weight.width - 1 << self.sum_frac - self.spike_weight.frac_bits

    @property
    def sum_bits(self) -> int:
        """Bits of the accumulator of x: no sum, with the half for its rounding, overflows it."""
        return (self.sum_most + (1 << max(self.sum_shift, 0) >> 1)).bit_length() + 1

    def shapes(self) -> dict[str, tuple[tuple[int, ...], QFormat]]:
        """Shape and format of each array of its parameters."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class LtcLayer(_Layer):
    """A layer of spiking neurons with two learned gates, recurrent; `outputs` is the number of its neurons.

    Parameters (beside those above)
    ----------
      operand       format of real inputs: the first layer; None: inputs are the spikes of the layer below
      input_weight  format of the weights of real inputs; None without
      threshold     b0 in words of the state; by default BASE
      adaptive      whether the threshold moves: theta = b0 + 1.8 b; else there is no b and no gate for it
      lanes         of both gates together: half of them work on each. Rows of real inputs lie behind those of gates,
                    even neurons on the chain of alpha, odd ones on that of rho
    """

    operand: QFormat | None = None
    input_weight: QFormat | None = None
    threshold: int | None = None
    adaptive: bool = True
    lanes: int | None = None

    ME = "ltc layer"

    def __post_init__(self):
        check(isinstance(self.adaptive, bool), f"{self.ME}: adaptive must be true or false, not {self.adaptive!r}")
        if self.lanes is None:
            object.__setattr__(self, "lanes", self._fewest_lanes())
        check((self.operand is None) == (self.input_weight is None),
              f"{self.ME}: operand and input_weight belong together: real inputs have both")
        if self.dense:
            for name in ("operand", "input_weight"):
                self._check_format(name, getattr(self, name))
        super().__post_init__()
        if self.threshold is None:
            object.__setattr__(self, "threshold", math.floor(BASE * self.one + 0.5))
        most = self.state.max - (self.adaptive and self.theta_rise(self.one))
        self._check_int("threshold", self.threshold, 0, most)

    def _fewest_lanes(self) -> int:
        """The fewest lanes whose banks hold all rows; any where sizes are none, which is for others to say."""
        if not all(is_int(size, 1, MAX_NEURONS) for size in (self.inputs, self.outputs)):
            return self.chains
        real = -(-self.outputs // self.chains) if self.dense else 0
        depth = (-(-self.outputs // n) * self.gate_words + -(-real // n) * self.inputs
                 for n in range(1, self.outputs + 1))
        fits = next((n for n, words in enumerate(depth, 1) if words <= MAX_LANE_WORDS), self.outputs)
        return self.chains * fits

    @property
    def size(self) -> int:
        """Its neurons."""
        return self.outputs

    @property
    def dense(self) -> bool:
        """Whether its inputs are real numbers, and not spikes."""
        return self.operand is not None

    @property
    def chains(self) -> int:
        return 2 if self.adaptive else 1

    @staticmethod
    def theta_rise(b: int):
        """What adaptation b adds to the threshold: round(115/64 b)."""
        return (ADAPT * b + (1 << ADAPT_SHIFT - 1)) >> ADAPT_SHIFT

    @property
    def input_folds(self) -> int:
        """Rows of real inputs that a lane works through."""
        own = -(-self.outputs // self.chains)
        return -(-own // (self.lanes // self.chains)) if self.dense else 0

    @property
    def lane_depth(self) -> int:
        """Rows of a gate, then rows of real inputs."""
        return self.gate_rows().depth + self.input_folds * self.inputs

    @property
    def spike_lines(self) -> int:
        """The bias, own neurons, then the lines below where they are spikes."""
        return self.outputs + (0 if self.dense else self.inputs) + 1

    @property
    def product_frac(self) -> int:
        """Fraction bits of products of real inputs."""
        return self.input_weight.frac_bits + self.operand.frac_bits

    @property
    def sum_frac(self) -> int:
        """Products and weights of spikes are aligned, exactly, to the finer of them."""
        return max(self.spike_weight.frac_bits, self.product_frac) if self.dense else self.spike_weight.frac_bits

    @property
    def sum_most(self) -> int:
        products = 0
        if self.dense:
            products = self.inputs << self.input_weight.width + self.operand.width - 2 << \
                self.sum_frac - self.product_frac
        return super().sum_most + products

    def shapes(self) -> dict[str, tuple[tuple[int, ...], QFormat]]:
        """alpha, rho: gates; weight: of inputs; recurrent: from own spikes; bias."""
        n, gates = self.outputs, ("alpha", "rho")[:self.chains]
        return dict.fromkeys(gates, ((n, self.gate_words), self.weight)) | {
            "weight": ((n, self.inputs), self.input_weight if self.dense else self.spike_weight),
            "recurrent": ((n, n), self.spike_weight), "bias": ((n,), self.spike_weight)}


@dataclass(frozen=True, kw_only=True)
class Readout(_Layer):
    """The last layer: outputs that do not spike and leak at the pace of a gate of their own."""

    @property
    def rate(self) -> QFormat:
        """Format of what it gives in every tick, y."""
        return self.state

    ME = "readout"

    def shapes(self) -> dict[str, tuple[tuple[int, ...], QFormat]]:
        """gate; weight, bias: of spikes."""
        n = self.outputs
        return {"gate": ((n, self.gate_words), self.weight), "weight": ((n, self.inputs), self.spike_weight),
                "bias": ((n,), self.spike_weight)}
