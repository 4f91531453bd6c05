"""The parameter image: trained parameters as the words that a board takes, and back.

A layer takes banks of the address map (golden.regmap): one a lane, one for each of its `Dense.constants`, the delays,
one for the taps of each of its predictors.

    first + lane        for each fold f: bias, then `inputs` weights of row f * lanes + lane, from word f * (inputs + 1)
    first + lanes + n   words of constant n by neuron: lead, lag, ...
    the next            the delays, see `timing`
    those behind it     taps and error_taps: `Predictor.coefficients` words for each row

Words are two's complement in 18 bits. A file is a header and a body; the body holds an address and a word (two
little-endian u32) for each write in the order of sending, and its CRC-32 is what the device computes on receiving them.
"""

import math
import struct
import zlib
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from golden.files import parse_file, write_whole
from golden.fixed import wrap
from golden.rate.engine import check_params
from golden.rate.network import Dense, Network
from golden.regmap import BANK_SHIFT, FIRST_BIT, LEARN_BIT, PARAMETER_BASE, TEACH_BIT, parameter_address
from golden.spiking.layout import seed_bank, spiking_addresses, spiking_params, spiking_words
from golden.spiking.network import SpikingNetwork
from golden.units.dense import DenseParams

WORD_BITS = 18
WORD_MASK = (1 << WORD_BITS) - 1
MAGIC = b"LLAGIMG\n"
VERSION = 1
#: magic, version, reserved, fingerprint, words, CRC-32 of the body; the CRC-32 of all this follows
_HEADER = struct.Struct("<8sHHQII")
HEADER_BYTES = _HEADER.size + 4
PAIR_BYTES = 8


class LayerBanks(NamedTuple):
    """Bank numbers of one layer: the first lane, constants and taps by name, delays, and the first bank behind them."""

    lanes: int
    constants: dict[str, int]
    delay: int
    taps: dict[str, int]
    end: int


def bank_layout(net: Network) -> tuple[LayerBanks, ...]:
    """Banks of each layer, counted from 0 upwards."""
    found, first = [], 0
    for layer in net.layers:
        constants = {name: first + layer.lanes + n for n, name in enumerate(layer.constants)}
        delay = first + layer.lanes + len(constants)
        taps = {name: delay + 1 + n for n, name in enumerate(layer.taps)}
        found.append(LayerBanks(lanes=first, constants=constants, delay=delay, taps=taps, end=delay + 1 + len(taps)))
        first = found[-1].end
    return tuple(found)


def bank_count(net: Network | SpikingNetwork) -> int:
    """Banks on the parameter bus."""
    return seed_bank(net) + 1 if isinstance(net, SpikingNetwork) else bank_layout(net)[-1].end


def first_banks(net: Network) -> list[int]:
    """First bank of each layer."""
    return [banks.lanes for banks in bank_layout(net)]


def timing(layer: Dense) -> dict[int, int]:
    """Words of a layer's bank of delays, by address.

    0 delay, 1 error_delay; where there is a predictor, 2 the spacing of what it sees, from 4 on the taps of linear and
    second order that have a spacing of their own; for errors the same, 3 and from 8 on.
    """
    found = {0: layer.delay} | ({1: layer.error_delay} if layer.max_error_delay else {})
    for n, (p, delay) in enumerate(((layer.predictor, layer.delay), (layer.error_predictor, layer.error_delay))):
        if p is not None:
            found[2 + n] = p.spacing or delay
            if not p.has_taps and p.spacing:
                found |= {4 + 4 * n + j: a for j, a in enumerate(p.fixed_taps(delay))}
    return dict(sorted(found.items()))


def layer_words(layer: Dense) -> int:
    """Words that the image has for one layer: weights and biases, constants, delays, taps."""
    taps = sum(math.prod(layer.shape(name)) for name in layer.taps)
    return layer.parameters + len(layer.constants) * layer.outputs + len(timing(layer)) + taps


def parameter_words(net: Network | SpikingNetwork) -> int:
    """Words of a complete image."""
    if isinstance(net, SpikingNetwork):
        return len(spiking_addresses(net))
    return sum(map(layer_words, net.layers))


def image_addresses(net: Network | SpikingNetwork) -> np.ndarray:
    """Addresses in the order of sending (uint32). ValueError where a layer is too large for the map."""
    if isinstance(net, SpikingNetwork):
        return spiking_addresses(net)
    return np.concatenate([_layer_addresses(layer, banks)
                           for layer, banks in zip(net.layers, bank_layout(net), strict=True)]).astype(np.uint32)


def _layer_addresses(layer, banks):
    # raises where the last word of a bank, or the last bank, has no address
    parameter_address(banks.lanes, layer.folds * (layer.inputs + 1) - 1)
    parameter_address(banks.delay, layer.outputs - 1)
    taps = {bank: math.prod(layer.shape(name)) for name, bank in banks.taps.items()}
    parameter_address(banks.end - 1, max(taps.values(), default=1) - 1)
    row = _row_order(layer)
    lane, fold = row % layer.lanes, row // layer.lanes
    start = PARAMETER_BASE + (banks.lanes + lane << BANK_SHIFT) + fold * (layer.inputs + 1)
    rows = start[:, None] + np.arange(layer.inputs + 1)
    neurons = np.arange(layer.outputs)
    return np.concatenate([rows.ravel(), *(parameter_address(bank, 0) + neurons for bank in banks.constants.values()),
                           parameter_address(banks.delay, 0) + np.array(list(timing(layer))),
                           *(parameter_address(bank, 0) + np.arange(count) for bank, count in taps.items())])


def _row_order(layer):
    """Rows of the weight matrix in the order of sending: lane by lane, fold by fold."""
    row = np.arange(layer.outputs)
    return row[np.lexsort((row // layer.lanes, row % layer.lanes))]


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

    def check(self, net: Network | SpikingNetwork) -> None:
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


def build_image(net: Network | SpikingNetwork, params) -> Image:
    """Words of `params` (a DenseParams a layer, formats as in `net`) and each layer's delay as an image.

    Of a spiking network: Synapses a layer. ValueError where shapes or ranges do not fit, or a layer is too large for
    the address map.
    """
    if isinstance(net, SpikingNetwork):
        return _image(net, spiking_words(net, params))
    check_params(net, params)
    words = []
    for n, (layer, p) in enumerate(zip(net.layers, params, strict=True)):
        arrays = {name: np.asarray(getattr(p, name)) for name in layer.names}
        for name, array in arrays.items():
            if array.dtype.kind not in "iu":
                raise ValueError(f"layer {n}: {name} must be integer words, not {array.dtype}")
        rows = np.column_stack([arrays["bias"], arrays["weight"]])[_row_order(layer)]
        words += [rows.ravel(), *(arrays[name] for name in layer.constants), list(timing(layer).values()),
                  *(arrays[name].ravel() for name in layer.taps)]
    return _image(net, np.concatenate(words).astype(np.int64) & WORD_MASK)


def _image(net, words):
    return Image(net.fingerprint, np.column_stack([image_addresses(net), words]).astype("<u4").tobytes())


def image_synapses(image: Image, net: SpikingNetwork):
    """The Synapses of an image for `net`; ValueError where it does not fit, or is for weights of another seed."""
    image.check(net)
    return spiking_params(net, image.pairs[:, 1])


def image_params(image: Image, net: Network) -> tuple[tuple[DenseParams, ...], tuple[int, ...]]:
    """The parameters (int64 arrays) and the delays of an image for `net`; ValueError where it does not fit."""
    image.check(net)
    data = wrap(image.pairs[:, 1].astype(np.int64), WORD_BITS)
    params, delays = [], []
    for n, layer in enumerate(net.layers):
        part, data = data[:layer_words(layer)], data[layer_words(layer):]
        rows = np.empty((layer.outputs, layer.inputs + 1), np.int64)
        rows[_row_order(layer)] = part[:layer.parameters].reshape(rows.shape)
        part = part[layer.parameters:]
        found, part = np.split(part, [len(layer.constants) * layer.outputs])
        found = dict(zip(layer.constants, found.reshape(len(layer.constants), -1).copy(), strict=True))
        times, part = np.split(part, [len(timing(layer))])
        times = dict(zip(timing(layer), times.tolist(), strict=True))
        for name in layer.taps:
            words, part = np.split(part, [math.prod(layer.shape(name))])
            found[name] = words.reshape(layer.shape(name)).copy()
        params.append(DenseParams(weight=rows[:, 1:].copy(), bias=rows[:, 0].copy(), **found))
        delays.append(times[0])
        _check_times(n, layer, times)
    check_params(net, params)
    return tuple(params), tuple(delays)


def _check_times(n: int, layer: Dense, times: dict[int, int]) -> None:
    """ValueError where words of a bank of delays are not those that the description has with some delay."""
    for word, name, most in ((0, "delay", layer.max_delay), (1, "error_delay", layer.max_error_delay)):
        value, least = times.get(word, 0), layer.least_delay if word in times else 0
        if not least <= value <= most:
            raise ValueError(f"layer {n}: {name} is {value}, the design holds {least}..{most}")
    for word, value in timing(replace(layer, delay=times[0], error_delay=times.get(1, 0))).items():
        if times[word] != value:
            raise ValueError(f"layer {n}: word {word} of the delays is {times[word]}, the description makes it {value} "
                             f"with a delay of {times[0]}, of errors of {times.get(1, 0)}")


def learning_words(net: Network, x, target, *, first: bool, learn=True, teach=True) -> np.ndarray:
    """Input words with flags for ticks in which errors run: (ticks, streams, inputs + targets) uint32.

    x (ticks, streams, inputs) and target (ticks, streams, targets) in words; learn, teach: (ticks, streams) or one for
    all. ValueError where shapes or ranges do not fit.
    """
    if net.teacher is None:
        raise ValueError(f"{net.name} has no teacher and no plastic layer: nothing in it learns")
    x, target = np.asarray(x), np.asarray(target)
    for name, words, last in (("inputs", x, net.inputs), ("targets", target, net.targets)):
        if words.ndim != 3 or words.shape[1:] != (net.streams, last) or words.dtype.kind not in "iu" or not words.size:
            raise ValueError(f"{name} are integer words of shape (ticks, {net.streams}, {last}), not {words.dtype} of "
                             f"shape {words.shape}")
    if len(x) != len(target):
        raise ValueError(f"{len(x)} ticks of inputs, {len(target)} of targets")
    fmt = net.layers[0].operand
    low, high = (0, net.outputs - 1) if net.teacher.loss == "cross_entropy" else \
        (net.layers[-1].rate.min, net.layers[-1].rate.max)
    for name, words, least, most in (("inputs", x, fmt.min, fmt.max), ("targets", target, low, high)):
        if words.min() < least or words.max() > most:
            raise ValueError(f"{name} hold words outside of {least}..{most}")
    words = np.concatenate([x, target], 2).astype(np.int64) & WORD_MASK
    for name, flags, bit in (("learn", learn, LEARN_BIT), ("teach", teach, TEACH_BIT)):
        flags = np.asarray(flags, bool)
        if flags.shape not in ((), x.shape[:2]):
            raise ValueError(f"{name} has shape {flags.shape}, expected {x.shape[:2]} or one for all")
        words[:, :, -1] |= flags.astype(np.int64) << bit
    if first:
        words[0, 0, 0] |= 1 << FIRST_BIT
    return words.astype(np.uint32)


def learnt_banks(layer: Dense, banks: LayerBanks) -> list[int]:
    """Banks of what a layer learns beside its weights."""
    found = [banks.constants[name] for name in ("lag", "tau") if layer.plastic.tau is not None]
    both = {"taps": layer.predictor, "error_taps": layer.error_predictor}
    return found + [banks.taps[name] for name in layer.taps if both[name].learns]


def learning_addresses(net: Network) -> np.ndarray:
    """Addresses of all that learns, in the order of the image (uint32)."""
    found = []
    for layer, banks, addresses in zip(net.layers, bank_layout(net), _by_layer(net, image_addresses(net)), strict=True):
        if layer.plastic is not None:
            number = (addresses >> BANK_SHIFT) & 0xFFF
            learnt = number < banks.lanes + layer.lanes
            for bank in learnt_banks(layer, banks):
                learnt |= number == bank
            found.append(addresses[learnt])
    return np.concatenate(found) if found else np.zeros(0, np.uint32)


def _by_layer(net: Network, words):
    ends = np.cumsum([layer_words(layer) for layer in net.layers])
    return np.split(words, ends[:-1])


def read_back(net: Network, params, read) -> tuple[DenseParams, ...]:
    """`params` with what a device has learnt since: read(addresses) gives its words, 18 bits each."""
    addresses, pairs = learning_addresses(net), build_image(net, params).pairs.copy()
    where = np.searchsorted(pairs[:, 0], addresses)      # addresses of an image count upwards
    pairs[where, 1] = np.asarray(read(addresses), np.uint32) & WORD_MASK
    return image_params(Image(net.fingerprint, pairs.astype("<u4").tobytes()), net)[0]
