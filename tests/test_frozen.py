"""What networks are stays as it is while code moves: circuits, designs and images, by their hashes."""

import hashlib

import cascades
import events
import ltcs
import pytest
from amaranth.back import rtlil
from cases import random_learner, random_network, with_delays
from spikes import random_spiking

from golden.tasks import learning as tasks
from leadlag import flow
from rtl.cascade.core import CascadeCore
from rtl.event.core import EventCore
from rtl.host.top import SerialTop
from rtl.ltc.core import LtcCore
from rtl.rate.core import NetworkCore
from rtl.spiking.core import SpikingCore
from rtl.systems import circuit

pytestmark = pytest.mark.slow
#: network, board -> RTLIL of core and serial top, fingerprint, CRC of the image
FROZEN = {
    ("lagline", None): ("01c852e198063bd8", "36efc5f2899885b2", "bb194412543fc930", None),
    ("gle-mnist1d", "ulx3s-85f"): ("48a8fd1bc795af76", "8f4332e2617be47d", "469978985ccd9c1f", "a0d47df7"),
    ("gle-mnist1d-42k", "ulx3s-85f"): ("5ca1bc00679bafa0", "4228105292e2126e", "9e2f5c43c1f606af", "34203d20"),
    ("delays-fashion-256", "ulx3s-85f"): ("217f9d4d8fb64749", "85f6b0c964be9bb4", "474455d554f03646", "44f60a21"),
    ("delays-digits", "ice40-hx8k"): ("13159e8a4c78fc7a", "ee0bb43b9b7e381a", "74850fc0e17645ed", "c6834de7"),
    ("delays-digits", "ulx3s-85f"): ("e7f0dbe12c4db9f1", "3a3abcaf4c537a1d", "ff7eba28c7847d75", "3ffc02b2"),
    ("cascade-fashion", "ulx3s-85f"): ("e0b000c8d12cee1b", "a9a8e33ba10f45d8", "b08f1525210d590d", "94bdabb2"),
    ("cascade-digits", "ice40-hx8k"): ("19c2b2911cda956a", "3d610f7966f28bdc", "9a10d3c8e0d5be49", "7dc506f5"),
    ("ltc-fashion", "ulx3s-85f"): ("d9a97229c685d21a", "299e05390d6cb8e7", "9a3bebed55f59c37", "eae8082b"),
    ("ltc-vowels", "ulx3s-85f"): ("a1e1151c5a52879c", "49fe39f38c323f1c", "15b9508ebdd6e2bf", "494e784a"),
}
#: RTLIL of eight random cores of a family in a row
FAMILIES = {"rate": "95a88bd030a2550b", "learner": "91f86460c6234fba", "late": "20d3594e64360ddc",
            "spiking": "0d174fd35826bed2", "cascade": "a02df18604aa48c4", "ltc": "c7d728f1cc38265f",
            "event": "bbd67ff7ff23a5f5"}


def digest(*components) -> str:
    found = hashlib.sha256()
    for each in components:
        found.update(rtlil.convert(each, emit_src=False).encode())
    return found.hexdigest()[:16]


@pytest.mark.parametrize(("name", "board"), FROZEN)
def test_zoo_is_frozen(name, board):
    if name == "lagline":
        net, vendor, crc = tasks.lagline(), "ecp5", None
    else:
        case, vendor = flow.prepare(name, board), flow.board(board).part.family.name
        net, crc = case.net, f"{case.image.crc:08x}"
    core, top = digest(circuit(net).core(net, vendor=vendor)), digest(SerialTop(net, divisor=8, vendor=vendor))
    assert (core, top, net.fingerprint, crc) == FROZEN[name, board]


@pytest.mark.parametrize("family", FAMILIES)
def test_random_cores_are_frozen(family):
    draw = {"rate": lambda n: NetworkCore(random_network(f"network {n}")),
            "learner": lambda n: NetworkCore(random_learner(f"learner {n}")),
            "late": lambda n: NetworkCore(with_delays(random_learner(f"late {n}"), f"late {n}")),
            "spiking": lambda n: SpikingCore(random_spiking(f"spiking {n}")),
            "cascade": lambda n: CascadeCore(cascades.drawn(n)), "ltc": lambda n: LtcCore(ltcs.random_network(n)),
            "event": lambda n: EventCore(events.case(f"frozen {n}", 1)[0])}[family]
    assert digest(*map(draw, range(8))) == FAMILIES[family]
