# amaranth: UnusedElaboratable=no
"""Benches of whole networks: the parameter image, then words in and words out, with pauses of both partners."""

import inspect
import sys
from typing import NamedTuple

import numpy as np

from golden import regmap
from golden.regmap import BANK_SHIFT, FIRST_BIT, INPUT, LAST_BIT, MAGIC, OUTPUT, REGISTERS, VALID_BIT
from leadlag import flow
from leadlag.verilog.script import Access, Bench, Script
from leadlag.verilog.settings import within
from rtl.host.top import NetworkTop
from rtl.systems import circuit
from sim.vectors import corners, generator

WORD_MASK = (1 << 18) - 1


class Traffic(NamedTuple):
    """What a network is given, a list of input words a unit (a tick, an image), and what it answers to each."""

    given: list[np.ndarray]
    answers: list[np.ndarray]
    what: str


def _traffic(case, s, seed: str) -> Traffic:
    """Samples of the network's own data, as far as they are here, then as many that are drawn."""
    net = case.net
    real = _real(case, -(-s.sequences // 2))
    if len(real) and "tick" in net.SAMPLE:      # what answers in every tick may be cut short
        real = real[:, :s.ticks]
    x = _drawn(net, real, (s.sequences, getattr(net, "ticks", s.ticks), net.inputs), generator(seed))
    if len(real):
        if "tick" in net.SAMPLE:
            x, real = (each[:, :min(x.shape[1], real.shape[1])] for each in (x, real))
        x[:len(real)] = real
    units, outputs = net.units(x), net.output_words(case.params, x)
    return Traffic(np.split(units.words, units.ends[:-1]), np.split(outputs, len(outputs) // units.answers),
                   f"{len(real)} of the network's own test data, {len(x) - len(real)} random ones")


def _drawn(net, real, shape: tuple[int, ...], rng) -> np.ndarray:
    """Random samples like `real` ones, or of `shape` where there are none.

    Of words whose format is known all values, with the ends among them; else values between those of `real`.
    """
    own = net.drawn(rng, shape[0])
    if own is not None:
        return own
    shape = (shape[0], *real.shape[1:]) if len(real) else shape
    if real.dtype == bool if len(real) else net.END is not None:
        return rng.random(shape) < rng.choice([0.05, 0.25], (shape[0], *[1] * (len(shape) - 1)))
    fmt = getattr(net.layers[0], "operand", None)
    if fmt is None and not len(real):
        raise ValueError(f"{net.name} does not say what words it takes, and its data are not here")
    if fmt is None:
        return rng.integers(real.min(), real.max() + 1, shape)
    x = rng.integers(fmt.min, fmt.max + 1, shape)
    return np.where(rng.random(shape) < 0.2, rng.choice(corners(fmt), shape), x)


def _real(case, count: int) -> np.ndarray:
    """The first test samples as the network takes them; none where there are no data."""
    try:
        return np.zeros((0, 0)) if case.data is None else flow.samples(case, "test", count).x
    except (ValueError, OSError):       # what the network was trained with is not on this machine
        return np.zeros((0, 0))


def _case(s) -> flow.Case:
    if not s.network:
        raise ValueError("a network is missing: leadlag verilog NET, or --set network=NET")
    within(1, 10_000, sequences=s.sequences, ticks=s.ticks)
    case = flow.prepare(s.network, s.board)
    if case.net.teacher is not None:
        raise ValueError(f"{case.net.name} learns on the chip: benches of such networks have no targets yet")
    return case


def _bench(case, script: Script, info, traffic: Traffic) -> Bench:
    net, layers = case.net, case.net.layers
    # twice as long as the core says that a word may have to wait
    script.patience = 1000 + 2 * info.patience
    formats = {} if script.accesses or not hasattr(layers[0], "operand") else {
        "i_payload.x": layers[0].operand, "o_payload.y": layers[-1].rate}
    module = sys.modules.get(f"golden.{net.kind}.engine") or sys.modules[type(net).__module__]
    what = f"{net.name}, design {net.fingerprint}, {net.size}, {len(case.image):,} words of parameters"
    about = {f"golden model {module.__name__}": inspect.getdoc(module), "network": f"{what}\n{net.to_json()}",
             "vectors": f"sequences: {traffic.what}"}
    if script.accesses:
        about["registers"] = "\n".join([inspect.getdoc(regmap), "", *(
            f"{register.offset:#04x}  {register.access.ljust(2)}  {name}: {register.doc}"
            for name, register in REGISTERS.items())])
    period = info.constants["cycles_per_tick"]
    each = "step" if "step" in net.SAMPLE else "tick"
    latency = f"a {each} every {period} cycles when nobody waits" if period else "as long as there are events to handle"
    return Bench(script, formats, f"{latency}; an input word waits at most {info.patience} cycles, longer while "
                                  f"answers are not read", about)


def core(name: str, s, seed: str) -> Bench:
    """The core of NET, which has to be of class `name`: parameters on their bus, then its two streams."""
    case = _case(s)
    unit = circuit(case.net).core(case.net)
    if type(unit).__name__ != name:
        raise ValueError(f"{case.net.name} is no network for it: its core is a {type(unit).__name__}")
    script, traffic = Script(unit), _traffic(case, s, seed)
    script.load([(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data)) for addr, data in case.image.pairs],
                half=1)
    script.tick(unit.info.settle)
    script.note("put in force")
    script.drive(want_half=1)
    script.tick(4)
    script.source("i", [script.packed("i_payload", x=word, first=int(word) >> FIRST_BIT)
                        for words in traffic.given for word in words])
    script.sink("o", [script.packed("o_payload", y=word, last=n == len(words) - 1)
                      for words in traffic.answers for n, word in enumerate(words)])
    return _bench(case, script, unit.info, traffic)


def top(s, seed: str) -> Bench:
    """The same behind a bus: registers, image with its checksum, words in and out."""
    case = _case(s)
    unit = NetworkTop(case.net)
    script, image, at = Script(unit), case.image, {name: register.offset for name, register in REGISTERS.items()}
    traffic = _traffic(case, s, seed)
    script.tick(4)
    fingerprint, ones = int(case.net.fingerprint, 16), 0xFFFFFFFF
    constants = {"magic": MAGIC, "fingerprint_low": fingerprint & ones, "fingerprint_high": fingerprint >> 32,
                 "parameter_words": len(image)}
    found = [Access(False, at[name], value, mask=ones) for name, value in constants.items()]
    found.append(Access(True, at["load_begin"], 1))
    found += [Access(True, int(addr), int(data)) for addr, data in image.pairs]
    # bit 1 falls when the image is in force, then bit 0 is set
    found += [Access(True, at["load_commit"], image.crc), Access(False, at["status"], 1, wait=2, mask=3),
              Access(False, at["errors"], 0, mask=ones)]
    valid, last = 1 << VALID_BIT, 1 << LAST_BIT
    mask = valid | last | WORD_MASK
    # answers to a unit are read when the next one has been written
    for written, read in zip([*traffic.given, []], [[], *traffic.answers], strict=True):
        found += [Access(True, INPUT, int(word)) for word in written]
        words = (valid | (n == len(read) - 1) * last | int(word) & WORD_MASK for n, word in enumerate(read))
        found += [Access(False, OUTPUT, word, wait=valid, mask=mask) for word in words]
    script.accesses += found
    return _bench(case, script, unit.core.info, traffic)
