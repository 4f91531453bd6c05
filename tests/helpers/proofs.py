"""What is proved of the circuits, each beside a bug of its unit that the proof has to find."""

import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import cases
import ltcs
import spikes
from amaranth.lib import data
from bus_proofs import Answers, Master
from delayed import Delayed
from load_proofs import Commits, Crc, Halves
from monitors import Holds, RecallHolds, Rounds, Saturates
from ring_proofs import Arrivals, Sums, Turns
from slot_proofs import Saves

from golden.event.network import EventNetwork
from golden.event.parts import INPUT, Block, Population
from golden.fixed import QFormat
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.spiking.layer import SpikingLayer
from rtl.host.top import NetworkTop
from sim.proof import Verdict, prove

WIDTHS, SHIFTS = (12, 18, 24, 36, 48), (1, 3, 9, 16)
NET = EventNetwork(name="proof", lines=3, input_bits=3, delay_bits=6, weight_bits=3, entries=3, raster=(0, 1),
                   populations=(Population(size=2, state=6),),
                   blocks=(Block(source=INPUT, target=0), Block(source=0, target=0)))
RATE, SPIKING = cases.random_network("network 1"), spikes.random_spiking("proof")
LTC = ltcs.random_network("p", largest=3, layers=1)


def one_neuron(**options) -> Network:
    """A network of one neuron with one input: the smallest."""
    short = QFormat(0, 2)
    return Network(name="one", dt=0.1, layers=(Dense(
        inputs=1, outputs=1, activation="linear", operand=short, weight=short, state=QFormat(1, 4), rate=short,
        lead=short, lag=QFormat(1, 2), **options),))


ONE = one_neuron(max_delay=1)
TWO = Network(name="two", dt=0.1, layers=(replace(ONE.layers[0], outputs=2, lanes=2),
                                          replace(ONE.layers[0], inputs=2, outputs=3, lanes=2)))
#: parameters in place, where load_begin waits for a tick; and a layer that learns
IN_PLACE, LEARNER = one_neuron(halves=1), cases.random_learner("learner 7", largest=2)
LANE = SpikingLayer(inputs=4, outputs=6, lanes=2, weight=QFormat(0, 3), delay_bits=2, state=QFormat(4, 3), order=1,
                    leak=(3,), threshold=8, refractory=1)
_TAG = data.StructLayout({"tag": 3})


class Proof(NamedTuple):
    """A claim, its unit's module, the components made of that, way and depth (sim.proof), and a bug: (old, new)."""

    claim: str
    module: str
    make: Callable
    way: str
    depth: int
    bug: tuple[str, str]


def verdict(proof: Proof, module: ModuleType | None = None) -> Verdict:
    """What comes of a proof; module: in the place of the unit's own, with a bug."""
    parts, seconds = proof.make(module or importlib.import_module(proof.module)), 0.0
    for part in parts if isinstance(parts, Iterator) else (parts,):
        found = prove(part, proof.way, proof.depth)
        seconds += found.seconds
        if not found.holds:
            break
    return found._replace(seconds=seconds)


def planted(proof: Proof) -> ModuleType:
    """The unit's module with its bug, which stands there once."""
    module, (old, new) = importlib.import_module(proof.module), proof.bug
    path = Path(module.__file__)
    source = path.read_text(encoding="utf-8")
    if source.count(old) != 1:
        raise ValueError(f"{path}: what the bug changes stands there {source.count(old)} times: {old!r}")
    found = ModuleType(f"{module.__name__}_with_a_bug")
    sys.modules[found.__name__] = found       # classes look for the module of their names
    exec(compile(source.replace(old, new), str(path), "exec"), vars(found))
    return found


def _holds(place: str, unit: Callable, bug: tuple[str, str], way: str = "unbounded", depth: int = 3, *,
           monitor=Holds) -> Proof:
    """The claim of a class of a module of rtl."""
    return Proof(f"{place}: a word that is offered stays until it is taken", f"rtl.{place.rpartition('.')[0]}",
                 lambda found: monitor(unit(found)), way, depth, bug)


def _delayed(said: str, sizes, depths, bug: tuple[str, str]) -> Proof:
    """The claim of delay lines of several sizes, for sources that are late and that are ahead."""
    return Proof(f"units.delay.DelayLine, {said}: a read gives the word of its message, zero where there is none",
                 "rtl.units.delay", lambda found: (
                     Delayed(found, size=size, depth=depth, ahead=ahead, fmt=QFormat(0, 2))
                     for size in sizes for depth in depths for ahead in (False, True)),
                 "unbounded", 2, bug)


def _halves(said: str, net, depth: int) -> Proof:
    """The claim of the parameter banks of a whole network."""
    return Proof(f"host.top.NetworkTop, {said}: no write reaches the half of a parameter bank that is in force",
                 "rtl.host.image", lambda found: Halves(NetworkTop(net), image=found), "unbounded", depth,
                 ("        return load.settling\n", "        return 0\n"))


PROOFS = [
    Proof(f"round_shift is its definition: {', '.join(map(str, WIDTHS))} bits, shifts {', '.join(map(str, SHIFTS))}",
          "rtl.fixed", lambda found: Rounds(found, WIDTHS, SHIFTS),
          "all inputs", 1, ("(1 << (n - 1))", "(1 << (n - 1)) - 1")),
    Proof("saturate is its definition: the same widths, formats of 2 to 18 bits", "rtl.fixed",
          lambda found: Saturates(found, WIDTHS, ("Q1.0", "Q0.7", "Q3.8", "Q5.12")),
          "all inputs", 1, ("top = x[fmt.width - 1:]", "top = x[fmt.width:]")),
    _delayed("3 words, 2 ticks", (3,), (2,), ("- self.delay - (not self.ahead)", "- self.delay - self.ahead")),
    _delayed("every size to 4 words, 3 ticks", (1, 2, 3, 4), range(4),
             ("known.eq(now >= self.delay + (not self.ahead))", "known.eq(now >= self.delay)")),
    Proof("host.master.BusMaster: one request at a time, still until acknowledged or withdrawn, then a time of rest; "
          "busy only what nobody acknowledged", "rtl.host.master", lambda found: Master(found.BusMaster(5)),
          "unbounded", 4, ("with m.If(bus.ack | late):", "with m.If(late):")),
    Proof("host.control.Control: a request is acknowledged once, and one that is withdrawn is forgotten in time",
          "rtl.host.control", lambda found: (Answers(found, net, boots=boots) for net, boots in (
              (ONE, False), (ONE, True), (IN_PLACE, False))),
          "unbounded", 3, ("with m.Elif(~self.bus.write):", "with m.Elif(0):")),
    Proof("host.control.Control, of a network that learns: the same, where a core answers before its master gives up",
          "rtl.host.control", lambda found: Answers(found, LEARNER, patience=9), "unbounded", 3,
          ('m.next = "probe"', 'm.next = "answer"')),
    Proof("host.image.loader: an image is put in force only behind a commit of all its words and their checksum",
          "rtl.host.image", lambda found: (Commits(net, image=found) for net in (ONE, IN_PLACE)), "unbounded", 4,
          ("complete.eq(load.count == expected)", "complete.eq(load.count >= expected)")),
    Proof("host.image.loader: its checksum is CRC-32", "rtl.host.image", lambda found: Crc(ONE, image=found),
          "unbounded", 1, ("CRC32_ISO_HDLC(data_width=8)", "crc.catalog.CRC32_MPEG_2(data_width=8)")),
    _halves("one neuron", ONE, 6),
    _halves("two layers, every lane of two", TWO, 8),
    Proof("golden.keeper.slot_to_save: whatever of a save fails, wherever the power is cut, the slot of the last save "
          "that was done is valid", "golden.keeper", Saves, "unbounded", 2, ("1 if newest == 0 else 0", "0")),
    Proof("event.ring.Ring: of any address, what is read is all that was added since it was cleared", "rtl.event.ring",
          lambda found: (Sums(found, depth=depth, width=9, weight=4, arrivals=arrivals) for depth, arrivals in (
              (1, False), (5, True))), "unbounded", 1, ("older.eq(old)", "older.eq(new)")),
    Proof("spiking.lanes.Lane: of any neuron and tick, what arrives is all that was added since it was taken",
          "rtl.spiking.lanes", lambda found: (Arrivals(found, layer, vendor) for layer, vendor in (
              (LANE, "generic"), (LANE, "up5k"), (replace(LANE, lanes=6), "generic"),
              (replace(LANE, lanes=6), "up5k"))),
          "unbounded", 3, ("ring.read_port(transparent_for=[write])", "ring.read_port()")),
    Proof("spiking.engine.Issue, of several folds: two operations in a row are of two folds", "rtl.spiking.engine",
          lambda found: (Turns(found.Issue(replace(LANE, lanes=lanes, order=order)), module=found)
                         for lanes, order in ((2, 1), (3, 2))),
          "unbounded", 3, ("[fold.eq(0), slot.eq(slot + is_image)]", "slot.eq(slot + is_image)")),
    _holds("host.link.HostLink", lambda found: found.HostLink(idle_cycles=9, ack_cycles=6),
           ("sender.ready & ~sender.o.valid & ~responder.send", "1")),
    _holds("host.sender.Sender", lambda found: found.Sender(),
           ("m.d.comb += [room.eq(~o.valid | o.ready)", "m.d.comb += [room.eq(1)")),
    _holds("host.sender.OldHost", lambda found: found.OldHost(),
           ("with m.If(o.valid & o.ready):", "with m.If(o.valid):")),
    _holds("host.uart.UartRx", lambda found: found.UartRx(4),
           ("with m.Elif(~self.o.valid | self.o.ready):", "with m.Else():")),
    _holds("event.finder.Finder", lambda found: found.Finder(16, _TAG), ("with m.Elif(o.ready):", "with m.Else():")),
    _holds("event.expander.Expander", lambda found: found.Expander(NET, vendor="generic"),
           ("with m.If(self.o.ready | ~(fits & served)):", "with m.If(1):")),
    _holds("event.history.History", lambda found: found.History(NET, vendor="generic"),
           ("finder.o.ready.eq(self.o.ready)", "finder.o.ready.eq(1)")),
    _holds("event.history.Recall", lambda found: found.Recall(NET, vendor="generic"),
           ("with m.Elif(~ready):", "with m.Else():"), depth=4, monitor=RecallHolds),
    _holds("event.control.Control", lambda found: found.Control(NET),
           ("spike.valid.eq(here)", "spike.valid.eq(here & ~self.quiet)")),
    _holds("event.scan.DenseScan", lambda found: found.DenseScan(NET, lane=0, vendor="generic"),
           ("finder.o.ready.eq(o.ready)", "finder.o.ready.eq(1)")),
    _holds("event.scan.ListScan", lambda found: found.ListScan(NET, lane=0, vendor="generic"),
           ("with m.If(valid & o.ready):", "with m.If(valid):")),
    _holds("event.core.EventCore", lambda found: found.EventCore(NET),
           ("queue.r_en.eq(~self.o.valid | self.o.ready)", "queue.r_en.eq(1)")),
    _holds("rate.core.NetworkCore", lambda found: found.NetworkCore(RATE),
           ("buffer.r_en.eq(self.o.ready & self.o.valid)", "buffer.r_en.eq(self.o.valid)")),
    _holds("ltc.core.LtcCore", lambda found: found.LtcCore(LTC),
           ("queue.r_en.eq(self.o.ready & self.o.valid)", "queue.r_en.eq(self.o.valid)")),
    _holds("pipeline.Relay", lambda found: found.Relay(_TAG), ("with m.If(o.ready | ~o.valid):", "with m.If(1):")),
    _holds("spiking.engine.Serializer", lambda found: found.Serializer(SPIKING.layers[0]),
           ("wiring.connect(m, out.o, wiring.flipped(self.o))", ("m.d.comb += [self.o.valid.eq(out.o.valid), "
            "self.o.payload.eq(out.o.payload), out.o.ready.eq(1)]"))),
    _holds("spiking.engine.Decision", lambda found: found.Decision(SPIKING.layers[-1], stop_early=True),
           ("queue.r_en.eq(o.ready)", "queue.r_en.eq(1)")),
    _holds("cascade.answers.AnswerQueue", lambda found: found.AnswerQueue(_TAG, depth=8, vendor="generic"),
           ("queue.r_en.eq(o.ready)", "queue.r_en.eq(1)")),
    _holds("cascade.joint.Outbox", lambda found: found.Outbox(4),
           ("queue.r_en.eq(self.o.ready)", "queue.r_en.eq(1)")),
]
