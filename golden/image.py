"""The parameter image: trained parameters as the words that a board takes, and back.

A description says which banks it has and which words go into them (`Description.layout`, `Description.pack`). Words are
two's complement in 18 bits. A file is a header and a body; the body holds an address and a word (two little-endian u32)
for each write in the order of sending, and its CRC-32 is what the device computes on receiving them.
"""

import struct
import zlib
from dataclasses import dataclass

import numpy as np

from golden.description import Bank, Description
from golden.files import parse_file, write_whole
from golden.regmap import WORD_BITS, WORD_MASK, parameter_address

MAGIC = b"LLAGIMG\n"
VERSION = 1
#: magic, version, reserved, fingerprint, words, CRC-32 of the body; the CRC-32 of all this follows
_HEADER = struct.Struct("<8sHHQII")
HEADER_BYTES = _HEADER.size + 4
PAIR_BYTES = 8


def bank_count(net: Description) -> int:
    """Banks on the parameter bus."""
    return net.layout()[-1].number + 1


def parameter_words(net: Description) -> int:
    """Words of a complete image."""
    return sum(len(bank.words) for bank in net.layout())


def image_addresses(net: Description) -> np.ndarray:
    """Addresses in the order of sending (uint32). ValueError where a layer is too large for the map."""
    return _addresses(net.layout())


def learning_addresses(net: Description) -> np.ndarray:
    """Addresses of all that a device may change, in the order of the image (uint32)."""
    return _addresses(bank for bank in net.layout() if bank.learns)


def _addresses(banks) -> np.ndarray:
    return np.concatenate([np.zeros(0, np.uint32), *map(_bank_addresses, banks)]).astype(np.uint32)


def _bank_addresses(bank: Bank) -> np.ndarray:
    # raises where the last word has no address
    parameter_address(bank.number, max(bank.words, default=0))
    return parameter_address(bank.number, 0) + np.asarray(bank.words, np.int64)


@dataclass(frozen=True)
class Image:
    """An image: `fingerprint`, 16 hex digits of the design that it fits; `body`, an address and a word a write."""

    fingerprint: str
    body: bytes

    def __post_init__(self):
        if len(self.fingerprint) != 16 or set(self.fingerprint) - set("0123456789abcdef"):
            raise ValueError(f"a fingerprint has 16 hex digits, not {self.fingerprint!r}")
        if len(self.body) % PAIR_BYTES:
            raise ValueError(f"image body of {len(self.body)} bytes, {PAIR_BYTES} a word expected")

    def __len__(self) -> int:
        return len(self.body) // PAIR_BYTES

    @property
    def crc(self) -> int:
        """CRC-32 of the body: what `load_commit` is given."""
        return zlib.crc32(self.body)

    @property
    def pairs(self) -> np.ndarray:
        """(words, 2) uint32: address and data."""
        return np.frombuffer(self.body, "<u4").reshape(-1, 2)

    def check(self, net: Description) -> None:
        """ValueError where the image is not one for `net`: fingerprint, addresses, words."""
        if self.fingerprint != net.fingerprint:
            raise ValueError(f"the image is for design {self.fingerprint}, {net.name} is design {net.fingerprint}")
        expected, pairs = image_addresses(net), self.pairs
        if len(pairs) != len(expected):
            raise ValueError(f"the image has {len(pairs)} words, {net.name} takes {len(expected)}")
        wrong = np.flatnonzero(pairs[:, 0] != expected)
        if wrong.size:
            n = wrong[0]
            raise ValueError(f"image word {n} is for address 0x{pairs[n, 0]:08x}, expected 0x{expected[n]:08x}")
        wide = np.flatnonzero(pairs[:, 1] >> WORD_BITS)
        if wide.size:
            raise ValueError(f"image word {wide[0]} is 0x{pairs[wide[0], 1]:x}, a word has {WORD_BITS} bits")

    def to_bytes(self) -> bytes:
        """The file: header, body."""
        header = _HEADER.pack(MAGIC, VERSION, 0, int(self.fingerprint, 16), len(self), self.crc)
        return header + struct.pack("<I", zlib.crc32(header)) + self.body

    @classmethod
    def from_bytes(cls, data: bytes) -> "Image":
        """Parse a file; ValueError says what is wrong with it."""
        data = bytes(data)
        if not data.startswith(MAGIC):
            raise ValueError(f"not a parameter image: it begins with {data[:len(MAGIC)]!r}, expected {MAGIC!r}")
        if len(data) < HEADER_BYTES:
            raise ValueError(f"image truncated: {len(data)} bytes, the header alone has {HEADER_BYTES}")
        _, version, reserved, fingerprint, words, crc = _HEADER.unpack_from(data)
        header_crc, = struct.unpack_from("<I", data, _HEADER.size)
        if header_crc != zlib.crc32(data[:_HEADER.size]):
            raise ValueError(f"image header damaged: checksum 0x{header_crc:08x}, "
                             f"its bytes have 0x{zlib.crc32(data[:_HEADER.size]):08x}")
        if version != VERSION or reserved:
            raise ValueError(f"image of version {version}.{reserved}, this program reads {VERSION}.0")
        body = data[HEADER_BYTES:]
        if len(body) != words * PAIR_BYTES:
            raise ValueError(f"image {'truncated' if len(body) < words * PAIR_BYTES else 'too long'}: "
                             f"{len(data)} bytes, its {words} words take {HEADER_BYTES + words * PAIR_BYTES}")
        if crc != zlib.crc32(body):
            raise ValueError(f"image body damaged: checksum 0x{crc:08x} in the header, "
                             f"its bytes have 0x{zlib.crc32(body):08x}")
        return cls(fingerprint=f"{fingerprint:016x}", body=body)

    def save(self, path) -> None:
        """Write the file, whole or not at all; OSError, one line, where that cannot be done."""
        write_whole(path, self.to_bytes())

    @classmethod
    def load(cls, path) -> "Image":
        """Read a file; ValueError names it and what is wrong with it."""
        return parse_file(path, cls.from_bytes)


def build_image(net: Description, params) -> Image:
    """Words of `params` (an entry a layer, formats as in `net`) as an image.

    ValueError where shapes or ranges do not fit, or a layer is too large for the address map.
    """
    net.check(params)
    words = np.concatenate(net.pack(params)).astype(np.int64) & WORD_MASK
    return Image(net.fingerprint, np.column_stack([image_addresses(net), words]).astype("<u4").tobytes())


def image_params(image: Image, net: Description) -> tuple:
    """The parameters of an image for `net`; ValueError where it does not fit."""
    image.check(net)
    return net.unpack(image.pairs[:, 1])


def read_back(net: Description, params, read) -> tuple:
    """`params` with what a device has learnt since: read(addresses) gives its words, 18 bits each."""
    addresses, pairs = learning_addresses(net), build_image(net, params).pairs.copy()
    where = np.searchsorted(pairs[:, 0], addresses)      # addresses of an image count upwards
    pairs[where, 1] = np.asarray(read(addresses), np.uint32) & WORD_MASK
    return image_params(Image(net.fingerprint, pairs.astype("<u4").tobytes()), net)
