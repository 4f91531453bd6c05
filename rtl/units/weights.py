"""Weights made again from their seed: the circuit of golden.units.weights. A round is one four-input table a bit."""

from amaranth.hdl import Array, Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from golden.units import weights
from golden.units.weights import BLOCK, BLOCK_ROUNDS, ROUND_KEYS, SBOX, SOURCE_ROUNDS, Ternary, permuted


def _round(value, key: int):
    """One round of the hash: key, S-boxes, permutation."""
    x = value ^ Const(key, 32)
    # each output bit of an S-box as the table of its four inputs
    out = [None] * 32
    for box in range(8):
        nibble = x[4 * box:4 * box + 4]
        for bit in range(4):
            table = Const(sum((SBOX[v] >> bit & 1) << v for v in range(16)), 16)
            out[permuted(4 * box + bit)] = table.bit_select(nibble, 1)
    return Cat(*out)


def _rounds(m, value, keys, together: int):
    """The rounds of `keys`, `together` of them between two registers, the first of which comes behind the last."""
    for n, key in enumerate(keys):
        q = Signal(32, name=f"round{n}", reset_less=True)
        domain = m.d.comb if (len(keys) - 1 - n) % together else m.d.sync
        domain += q.eq(_round(value, key))
        value = q
    return value


class SourceHash(wiring.Component):
    """What all neurons share of the hash: a word for the presynaptic line, LATENCY cycles later, one a cycle.

    Parameters: rounds of a cycle; few where registers that carry other words along would cost more.
    Members: seed; source; word.
    """

    LATENCY = SOURCE_ROUNDS

    def __init__(self, rounds: int = 1):
        self.rounds, self.LATENCY = rounds, -(-SOURCE_ROUNDS // rounds)
        super().__init__({"seed": In(32), "source": In(16), "word": Out(32)})

    def elaborate(self, platform):
        m = Module()
        value = Cat(self.source, self.source) ^ self.seed
        m.d.comb += self.word.eq(_rounds(m, value, ROUND_KEYS[:SOURCE_ROUNDS], self.rounds))
        return m


class BlockWeights(wiring.Component):
    """Weights of a block of neurons and a presynaptic line, LATENCY cycles after its word, one block a cycle.

    Parameters: weight, a Ternary; blocks, the numbers of the block in each fold; rounds of a cycle.
    Members: word of SourceHash; fold; minus and plus, a bit a neuron.
    """

    LATENCY = BLOCK_ROUNDS + 1

    def __init__(self, weight: Ternary, blocks, rounds: int = 1):
        self.weight, self.blocks, self.rounds = weight, tuple(blocks), rounds
        self.LATENCY = -(-BLOCK_ROUNDS // rounds) + 1
        super().__init__({"word": In(32), "fold": In(range(max(2, len(self.blocks)))), "plus": Out(BLOCK),
                          "minus": Out(BLOCK)})

    def elaborate(self, platform):
        m = Module()
        keys = [Const(int(key), 32) for key in weights.block_key(self.blocks)]
        value = self.word ^ (Array(keys)[self.fold] if len(keys) > 1 else keys[0])
        value = _rounds(m, value, ROUND_KEYS[:BLOCK_ROUNDS], self.rounds)
        for n in range(BLOCK):
            nibble = value.word_select(n, 4)
            for name, chosen in (("plus", weights.decode(range(16), self.weight.plus, 0)),
                                 ("minus", -weights.decode(range(16), self.weight.plus, self.weight.minus))):
                table = Const(sum(1 << v for v in range(16) if chosen[v] > 0), 16)
                m.d.sync += getattr(self, name)[n].eq(table.bit_select(nibble, 1))
        return m
