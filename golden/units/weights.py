"""Fixed random weights that nobody stores: a hash of the seed, the presynaptic line and the neuron gives each of them.

A network of which only the delays are learnt ([DELAY] arXiv 2306.06237) can make its weights again whenever a spike
comes. The hash is a substitution-permutation network on 32 bits, as in PRESENT (Bogdanov et al., CHES 2007: its S-box
and its permutation, shortened to 32 bits): a round costs a circuit one four-input table a bit and no carry. It is no
cipher, only random enough: neighbouring lines, neurons and seeds have nothing in common that a test would find.

    x    = seed ^ source * 0x10001;  SOURCE_ROUNDS rounds                 once a spike
    word = x ^ block_key(block);     BLOCK_ROUNDS rounds                  once a block of BLOCK neurons
    nibble = word[4 * (neuron % BLOCK) ...]                               0..15, one a synapse

A nibble below `plus` is a weight of +1, one below plus + minus a weight of -1, any other 0.
"""

from dataclasses import dataclass

import numpy as np

from golden.checks import check, is_int

#: raised when the same seed begins to mean other weights
HASH_VERSION = 1
#: neurons that share a word of the hash
BLOCK = 8
SOURCE_ROUNDS, BLOCK_ROUNDS = 4, 3
SBOX = (0xC, 0x5, 0x6, 0xB, 0x9, 0x0, 0xA, 0xD, 0x3, 0xE, 0xF, 0x8, 0x4, 0x7, 0x1, 0x2)
#: added before the S-boxes of a round (fraction of the golden ratio, rotated)
ROUND_KEYS = tuple((0x9E3779B9 << n | 0x9E3779B9 >> 32 - n) & 0xFFFFFFFF for n in range(1, 9))
MAX_SOURCES, MAX_BLOCKS = 1 << 16, 1 << 12


@dataclass(frozen=True, kw_only=True)
class Ternary:
    """Weights of -1, 0 and +1 from `seed`; `plus` and `minus` sixteenths of them are +1 and -1.

    `hash_version` must be that of this program: another one would give other weights.
    """

    plus: int
    minus: int
    seed: int
    hash_version: int = HASH_VERSION

    def __post_init__(self):
        me = "ternary weights"
        for name in ("plus", "minus"):
            check(is_int(getattr(self, name), 0, 16),
                  f"{me}: {name} is a number of sixteenths in 0..16, not {getattr(self, name)!r}")
        check(1 <= self.plus + self.minus <= 16,
              f"{me}: plus and minus are 1 to 16 sixteenths together, not {self.plus + self.minus}")
        check(is_int(self.seed, 0, 0xFFFFFFFF), f"{me}: seed is a number of 32 bits, not {self.seed!r}")
        check(self.hash_version == HASH_VERSION, f"{me}: made by hash version {self.hash_version!r}, this program has "
                                                 f"version {HASH_VERSION}: other weights would come of the same seed")

    def matrix(self, inputs: int, outputs: int) -> np.ndarray:
        """All weights, (outputs, inputs) int8."""
        return decode(nibbles(self.seed, inputs, outputs), self.plus, self.minus)


def permuted(bit: int) -> int:
    """Where a round sends a bit: the four of an S-box go to four others."""
    return 8 * bit % 31 if bit < 31 else 31


def _tables():
    """Words of a round by byte of its input: S-boxes and permutation at once."""
    found = np.zeros((4, 256), np.uint32)
    for byte in range(4):
        for value in range(256):
            word = SBOX[value & 15] | SBOX[value >> 4] << 4
            found[byte, value] = sum(1 << permuted(8 * byte + bit) for bit in range(8) if word >> bit & 1)
    return found


_TABLES = _tables()


def rounds(x, keys) -> np.ndarray:
    """Words x (uint32) after a round for each of `keys`."""
    x = np.asarray(x, np.uint32)
    for key in keys:
        x = x ^ np.uint32(key)
        x = _TABLES[0][x & 255] | _TABLES[1][x >> 8 & 255] | _TABLES[2][x >> 16 & 255] | _TABLES[3][x >> 24]
    return x


def source_word(seed: int, source) -> np.ndarray:
    """What all neurons share: a word for each presynaptic line (uint32)."""
    source = np.asarray(source, np.uint32)
    return rounds(source * np.uint32(0x10001) ^ np.uint32(seed), ROUND_KEYS[:SOURCE_ROUNDS])


def block_key(block) -> np.ndarray:
    """What tells blocks apart (uint32): constants of a circuit."""
    return rounds(np.asarray(block, np.uint32) * np.uint32(0x10001), ROUND_KEYS)


def nibbles(seed: int, inputs: int, outputs: int) -> np.ndarray:
    """A number in 0..15 for every synapse, (outputs, inputs) uint8."""
    check(1 <= inputs <= MAX_SOURCES, f"the hash tells {MAX_SOURCES} presynaptic lines apart, not {inputs}")
    blocks = -(-outputs // BLOCK)
    check(1 <= blocks <= MAX_BLOCKS, f"the hash tells {MAX_BLOCKS * BLOCK} neurons apart, not {outputs}")
    words = source_word(seed, np.arange(inputs))[None] ^ block_key(np.arange(blocks))[:, None]
    words = rounds(words, ROUND_KEYS[:BLOCK_ROUNDS])
    each = words[:, None] >> (4 * np.arange(BLOCK, dtype=np.uint32))[None, :, None] & 15
    return each.reshape(blocks * BLOCK, inputs)[:outputs].astype(np.uint8)


def decode(nibble, plus: int, minus: int) -> np.ndarray:
    """Weights -1, 0, +1 (int8) of nibbles."""
    nibble = np.asarray(nibble)
    return (nibble < plus).astype(np.int8) - ((nibble >= plus) & (nibble < plus + minus)).astype(np.int8)
