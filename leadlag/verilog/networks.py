"""Benches of whole networks: the parameter image, then words in and words out, with pauses of both partners."""

import inspect
from typing import NamedTuple

import numpy as np

from golden import regmap
from golden.rate.engine import network_step
from golden.rate.engine import run as run_rates
from golden.regmap import BANK_SHIFT, FIRST_BIT, INPUT, LAST_BIT, MAGIC, OUTPUT, REGISTERS, VALID_BIT
from golden.spiking.engine import neuron_step
from golden.spiking.engine import run as run_spikes
from golden.spiking.words import FIRED_BIT, input_words
from leadlag import flow
from leadlag.verilog.script import Access, Bench, Script
from leadlag.verilog.settings import within
from rtl.host.top import NetworkTop
from rtl.rate.core import NetworkCore
from rtl.rate.schedule import cycles_per_tick
from rtl.spiking.core import SpikingCore
from sim.vectors import corners, generator

WORD_MASK = (1 << 18) - 1


class Traffic(NamedTuple):
    """What a network is given and has to answer, unit by unit (a tick, an image): words (word, first), (word, last)."""

    given: list[list[tuple[int, bool]]]
    answers: list[list[tuple[int, bool]]]


def _rates(case, s, rng) -> Traffic:
    fmt = case.net.layers[0].operand
    shape = s.sequences, s.ticks, case.net.inputs
    x = rng.integers(fmt.min, fmt.max + 1, shape)
    x = np.where(rng.random(shape) < 0.2, rng.choice(corners(fmt), shape), x)
    y = run_rates(case.net, case.params, x)
    return Traffic([[(int(word), tick == 0 and n == 0) for n, word in enumerate(words)]
                    for sequence in x for tick, words in enumerate(sequence)],
                   [[(int(word), n == case.net.outputs - 1) for n, word in enumerate(words)]
                    for sequence in y for words in sequence])


def _spikes(case, s, rng) -> Traffic:
    net = case.net
    spikes = rng.random((s.sequences, net.ticks, net.inputs)) < rng.choice([0.05, 0.25], (s.sequences, 1, 1))
    found = run_spikes(net, case.params, spikes).answers
    return Traffic([[(int(word), False) for word in input_words(net, spikes[n:n + 1])] for n in range(s.sequences)],
                   [[(int(label) | int(tick) << 8 | int(fired) << FIRED_BIT, True)] for label, tick, fired in
                    zip(*found, strict=True)])


class System(NamedTuple):
    """What this module has to know of a kind of network: core, golden steps, traffic, what a header says of time.

    patience: cycles that no word moves after which a bench gives up.
    """

    core: type
    golden: tuple
    traffic: object
    latency: object
    patience: object


_SYSTEMS = {
    "rate": System(NetworkCore, (network_step,), _rates,
                   lambda net: f"a tick every {cycles_per_tick(net)} cycles when nobody waits",
                   lambda net: 1000 + 20 * cycles_per_tick(net)),
    "spiking": System(SpikingCore, (run_spikes, neuron_step), _spikes,
                      lambda net: f"by the spikes; a word waits {SpikingCore.longest_wait(net)} cycles at most",
                      lambda net: 1000 + 2 * SpikingCore.longest_wait(net)),
}


def system(net) -> System:
    """The system of a description."""
    return _SYSTEMS["rate" if hasattr(net, "dt") else "spiking"]


def _case(s, seed: str):
    """The case of NET, its system and its traffic."""
    if not s.network:
        raise ValueError("a network is missing: leadlag verilog NET, or --set network=NET")
    within(1, 10_000, sequences=s.sequences, ticks=s.ticks)
    case = flow.prepare(s.network, s.board)
    known = system(case.net)
    return case, known, known.traffic(case, s, generator(seed))


def _writes(case) -> list[tuple[int, int, int]]:
    """(bank, word, data) of the image."""
    return [(int(addr) >> BANK_SHIFT & 0xFFF, int(addr) & 0x3FFF, int(data)) for addr, data in case.image.pairs]


def _bench(case, known: System, script: Script) -> Bench:
    net = case.net
    formats = {} if not hasattr(net.layers[0], "operand") or script.accesses else {
        "i_payload.x": net.layers[0].operand, "o_payload.y": net.layers[-1].rate}
    about = {"network": f"{net.name}, design {net.fingerprint}, {len(case.image):,} words of parameters\n"
                        f"{net.to_json()}"}
    if script.accesses:
        about["registers"] = "\n".join([inspect.getdoc(regmap), "", *(
            f"{register.offset:#04x}  {register.access.ljust(2)}  {name}: {register.doc}"
            for name, register in REGISTERS.items())])
    return Bench(script, formats, known.latency(net), about, known.golden)


def core(circuit: type, s, seed: str) -> Bench:
    """The core of NET, which has to be a `circuit`: parameters on their bus, then its two streams."""
    case, known, traffic = _case(s, seed)
    if known.core is not circuit:
        raise ValueError(f"{case.net.name} is no network for it: its core is a {known.core.__name__}")
    script = Script(known.core(case.net))
    script.patience = known.patience(case.net)
    script.load(_writes(case), half=1)
    script.tick(sum(layer.lanes for layer in case.net.layers) + 5 * len(case.net.layers) + 20)
    script.note("put in force")
    script.drive(want_half=1)
    script.tick(4)
    script.source("i", [script.packed("i_payload", x=word, first=first) for unit in traffic.given
                        for word, first in unit])
    script.sink("o", [script.packed("o_payload", y=word, last=last) for unit in traffic.answers for word, last in unit])
    return _bench(case, known, script)


def top(s, seed: str) -> Bench:
    """The same behind a bus: registers, image with its checksum, words in and out."""
    case, known, traffic = _case(s, seed)
    script, image, at = Script(NetworkTop(case.net)), case.image, {n: r.offset for n, r in REGISTERS.items()}
    script.patience = known.patience(case.net)
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
    valid = 1 << VALID_BIT
    for n in range(len(traffic.given) + 1):     # answers of a unit are read when the next one has been written
        for word, first in traffic.given[n] if n < len(traffic.given) else ():
            found.append(Access(True, INPUT, word & WORD_MASK | first << FIRST_BIT))
        for word, last in traffic.answers[n - 1] if n else ():
            found.append(Access(False, OUTPUT, valid | last << LAST_BIT | word & WORD_MASK, wait=valid,
                                mask=valid | 1 << LAST_BIT | WORD_MASK))
    script.accesses += found
    return _bench(case, known, script)
