"""Weights from a seed: known answers, randomness, the circuit, and what is refused."""

import numpy as np
import pytest

from golden.units.weights import (
    BLOCK,
    HASH_VERSION,
    MAX_BLOCKS,
    MAX_SOURCES,
    Ternary,
    block_key,
    decode,
    nibbles,
    permuted,
    rounds,
    source_word,
)
from rtl.units.weights import BlockWeights, SourceHash
from sim.pysim import run


def test_known_answers():
    """Literals: whoever changes the hash has to raise HASH_VERSION, and old images are refused."""
    assert HASH_VERSION == 1
    assert [hex(v) for v in source_word(1, [0, 1, 783])] == KNOWN["source"]
    assert [hex(v) for v in block_key([0, 1, 99])] == KNOWN["block"]
    assert nibbles(0xDEADBEEF, 4, 10).tolist() == KNOWN["nibbles"]


def test_a_round_by_hand():
    """S-box of PRESENT (C, 5, 6, B, ...), then bit 4n + k goes to 8k + n."""
    assert sorted(map(permuted, range(32))) == list(range(32))
    assert [permuted(bit) for bit in range(8)] == [0, 8, 16, 24, 1, 9, 17, 25]
    # key 0: every nibble 0 becomes 0xC; its bits 2 and 3 go to the upper half
    assert rounds(0, [0]) == 0xFFFF0000
    assert rounds(1, [0]) == 0xFFFF0000 ^ (1 << 0 | 1 << 24)      # 0xC becomes 0x5
    assert rounds(1, [1]) == 0xFFFF0000


def test_one_bit_of_anything_changes_half_of_all():
    """Seed, line and block: what comes of two that differ in one bit has nothing in common."""
    base, rng = nibbles(77, 256, 64).astype(int), np.random.default_rng(0)
    for other in [nibbles(77 ^ 1 << bit, 256, 64) for bit in range(32)]:
        assert abs((base == other).mean() - 1 / 16) < 0.01
    for axis in (0, 1):
        size = base.shape[axis]
        for bit in range(size.bit_length() - 1):
            moved = np.take(base, np.arange(size) ^ 1 << bit, axis)
            assert abs((base == moved).mean() - 1 / 16) < 0.02, (axis, bit)
    assert np.abs(np.bincount(base.ravel(), minlength=16) - base.size / 16).max() < 5 * np.sqrt(base.size / 16)
    # rows and columns correlate no more than those of numpy's generator
    for matrix in (base, base.T):
        found, drawn = (np.corrcoef(m) - np.eye(len(m)) for m in (matrix, rng.integers(0, 16, matrix.shape)))
        assert found.std() < 1.1 * drawn.std()
        assert np.abs(found).max() < 1.4 * np.abs(drawn).max()


@pytest.mark.parametrize(("plus", "minus"), [(3, 3), (16, 0), (0, 1), (5, 11)])
def test_shares(plus, minus):
    matrix = Ternary(plus=plus, minus=minus, seed=5).matrix(784, 256)
    assert matrix.shape == (256, 784)
    assert matrix.dtype == np.int8
    for value, share in ((1, plus), (-1, minus), (0, 16 - plus - minus)):
        assert abs((matrix == value).mean() - share / 16) < 0.004


def test_shapes_do_not_change_weights():
    """A weight is one of its line and its neuron, whatever else there is."""
    np.testing.assert_array_equal(nibbles(9, 50, 30)[:7, :20], nibbles(9, 20, 7))


def test_circuit():
    """One line a cycle; three folds of a block."""
    weight, blocks, rng = Ternary(plus=5, minus=4, seed=0xC0FFEE42), (3, 14, 99), np.random.default_rng(1)
    sources, folds = rng.integers(0, 1 << 12, 40), rng.integers(0, 3, 40)
    matrix = weight.matrix(1 << 12, 800)
    source, unit = SourceHash(), BlockWeights(weight, blocks)
    words, got = [], []

    async def hash_lines(ctx):
        ctx.set(source.seed, weight.seed)
        for cycle in range(40 + source.LATENCY):
            if cycle < 40:
                ctx.set(source.source, int(sources[cycle]))
            if cycle >= source.LATENCY:
                words.append(ctx.get(source.word))
            await ctx.tick()

    run(source, hash_lines, cycles=100)
    assert words == source_word(weight.seed, sources).tolist()

    async def hash_blocks(ctx):
        for cycle in range(40 + unit.LATENCY):
            if cycle < 40:
                ctx.set(unit.word, words[cycle])
                ctx.set(unit.fold, int(folds[cycle]))
            if cycle >= unit.LATENCY:
                got.append((ctx.get(unit.plus), ctx.get(unit.minus)))
            await ctx.tick()

    run(unit, hash_blocks, cycles=100)
    for (plus, minus), line, fold in zip(got, sources, folds, strict=True):
        expected = matrix[blocks[fold] * BLOCK:][:BLOCK, line]
        assert [(plus >> n & 1) - (minus >> n & 1) for n in range(BLOCK)] == expected.tolist()


@pytest.mark.parametrize(("change", "message"), [
    ({"plus": 17}, "plus is a number of sixteenths in 0..16, not 17"),
    ({"minus": -1}, "minus is a number of sixteenths in 0..16, not -1"),
    ({"plus": 9, "minus": 8}, "1 to 16 sixteenths together, not 17"),
    ({"plus": 0, "minus": 0}, "1 to 16 sixteenths together, not 0"),
    ({"seed": 1 << 32}, "seed is a number of 32 bits"),
    ({"seed": 1.5}, "seed is a number of 32 bits, not 1.5"),
    ({"hash_version": 2}, "made by hash version 2, this program has version 1"),
])
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        Ternary(**({"plus": 3, "minus": 3, "seed": 1} | change))


def test_sizes():
    with pytest.raises(ValueError, match="tells 65536 presynaptic lines apart, not 65537"):
        nibbles(1, MAX_SOURCES + 1, 1)
    with pytest.raises(ValueError, match="neurons apart"):
        nibbles(1, 1, MAX_BLOCKS * BLOCK + 1)
    assert decode(np.arange(16), 2, 3).tolist() == [1, 1, -1, -1, -1] + [0] * 11


KNOWN = {
    "source": ["0x4e7867f0", "0xde497720", "0x6b5b8df1"],
    "block": ["0x3904f1c8", "0x34544c6", "0x33b64cb6"],
    "nibbles": [[9, 10, 8, 7],
                [14, 7, 12, 3],
                [15, 8, 0, 7],
                [6, 3, 9, 10],
                [7, 7, 15, 6],
                [10, 5, 10, 4],
                [1, 7, 6, 12],
                [11, 11, 5, 0],
                [14, 6, 4, 2],
                [3, 8, 10, 0]],
}


def test_latencies_that_plans_count_on():
    """Of a source four rounds and of a block three and its choice, a cycle each; in one cycle what shares them."""
    assert (SourceHash.LATENCY, BlockWeights.LATENCY) == (4, 4)
    assert (SourceHash(4).LATENCY, BlockWeights(Ternary(plus=5, minus=4, seed=1), [0], 3).LATENCY) == (1, 2)
