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
    ("lagline", None): ("45bc968cb6c9d05a", "446095d69f3d8a9e", "bb194412543fc930", None),
    ("gle-mnist1d", "ulx3s-85f"): ("0b5e18bbfe96b311", "2b3135b952d905b7", "469978985ccd9c1f", "a0d47df7"),
    ("gle-mnist1d-42k", "ulx3s-85f"): ("29bc0d59f336efa4", "53b9cbf2862f8fd3", "9e2f5c43c1f606af", "34203d20"),
    ("delays-fashion-256", "ulx3s-85f"): ("217f9d4d8fb64749", "94e85933da86cd79", "474455d554f03646", "44f60a21"),
    ("delays-digits", "ice40-hx8k"): ("13159e8a4c78fc7a", "0428486bf42159e5", "74850fc0e17645ed", "c6834de7"),
    ("delays-digits", "ulx3s-85f"): ("e7f0dbe12c4db9f1", "5bbe54a96ce4f139", "ff7eba28c7847d75", "3ffc02b2"),
    ("cascade-fashion", "ulx3s-85f"): ("e0b000c8d12cee1b", "912f724c99a71a55", "b08f1525210d590d", "94bdabb2"),
    ("cascade-digits", "ice40-hx8k"): ("19c2b2911cda956a", "c558d4a6bd57bb29", "9a10d3c8e0d5be49", "7dc506f5"),
    ("ltc-fashion", "ulx3s-85f"): ("d9a97229c685d21a", "271cf26ff5e19485", "9a3bebed55f59c37", "eae8082b"),
    ("ltc-vowels", "ulx3s-85f"): ("a1e1151c5a52879c", "b2aef3fbd82de5c7", "15b9508ebdd6e2bf", "494e784a"),
}
#: RTLIL of eight random cores of a family in a row
FAMILIES = {"rate": "c4931f21a0dc077b", "learner": "818326d9d0bc00a6", "late": "152c900cdc45fcac",
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
