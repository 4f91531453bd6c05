"""Group `peers` of `leadlag bench`: published spiking cores and ours through one flow, on one part, side by side.

A peer is a checkout of the user (`--peer tinyodin=FOLDER`): its Verilog is read as it is. Beside it stands a bench of
ours, NAME_tb.v, which drives its pins in Icarus and counts the cycles of a tick of 1, 10 and 100 spikes, each to all
256 neurons, with whatever else a tick takes.
"""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

from boards.bare import Bare, figures
from golden.files import write_whole
from golden.programs import ICARUS, find, program, run
from leadlag import flow
from leadlag.bench import event
from leadlag.terminal import status
from rtl.host.top import NetworkTop, SerialTop
from sim.verilog import to_rtlil

BOARD, TARGET_MHZ, SEEDS = "ulx3s-25f", 100, (1, 2, 3, 4, 5)
SYNAPSES = 256      # of a spike
#: spikes a tick in which cycles are counted; the last one is what operations a second are for
SPIKES = event.SPIKES
#: ours: lanes, whether delays are axonal, and whether registers, loader and serial line are around the core
OWN = ((2, False, True), (2, False, False), (4, True, True), (4, True, False))
DIVISOR = 100       # clock cycles a bit of the serial line


@dataclass(frozen=True)
class Peer:
    """A published core: its module, the port of its clock, and what a row has to say of it.

    boundary: what of a whole the circuit is; features: delays, learning, bits of weight and membrane, how it is
    programmed; left_out: what its own published figures leave out.
    """

    title: str
    top: str
    clock: str
    boundary: str
    features: str
    left_out: str


PEERS = {
    "tinyodin": Peer(
        "tinyODIN, 256 neurons", "tinyODIN", "CLK", "with SPI and address events",
        "no delays, no learning, weights of 4 bits, membranes of 12; loaded by SPI",
        "no FPGA figures are published; its cycles an operation leave out the leak of all neurons, 512 a tick"),
    "odin": Peer(
        "ODIN, 256 neurons", "ODIN", "CLK", "with SPI and address events",
        "no delays, learns (SDSP), weights of 3 bits, membranes of 8; loaded by SPI",
        "published for a chip of 28 nm; its cycles an operation leave out the leak of all neurons, 512 a tick"),
}


def sources(name: str, folder) -> dict[str, str]:
    """The Verilog of a checkout by file name; ValueError where it is not that of the peer."""
    if name not in PEERS:
        raise ValueError(f"no peer {name!r}: there is {', '.join(PEERS)}")
    folder = Path(folder)
    if not folder.is_dir():
        raise ValueError(f"{folder}: no folder with a checkout of {name}")
    # comments are in any code page; what a tool reads is ASCII
    found = {path.name: path.read_text(encoding="ascii", errors="replace") for path in sorted(folder.rglob("*.v"))}
    top = PEERS[name].top
    if not any(re.search(rf"^\s*module\s+{top}\b", text, re.MULTILINE) for text in found.values()):
        raise ValueError(f"{folder}: none of {len(found)} Verilog files has the module {top} of {name}")
    return found


def cycles(name: str, files: dict[str, str]) -> dict[int, int]:
    """Cycles of a tick by its spikes, measured in Icarus; RuntimeError where the synapses were not walked."""
    compiler, bench = program(ICARUS), Path(__file__).with_name(f"{name}_tb.v")
    with tempfile.TemporaryDirectory(prefix="leadlag-peer-") as place:
        for file, text in files.items():
            write_whole(Path(place) / file, text)
        run([compiler, "-g2005", "-s", "peer_tb", "-o", "peer.vvp", *files, str(bench)], cwd=place)
        said = run([find("vvp") or "vvp", "-N", "peer.vvp"], cwd=place).stdout.splitlines()
    found = {int(spikes): int(count) for word, spikes, count, *_ in map(str.split, filter(str.strip, said))
             if word == "TICK"}
    if any(line.startswith("FAIL") for line in said) or tuple(found) != SPIKES:
        raise RuntimeError(f"{name}: the bench says {said[-1] if said else 'nothing'}")
    return found


def row(design: str, routed: dict, by_spikes: dict[int, int], **about) -> dict:
    """A row of the table: what the flow found, and what cycles make of it at the median of Fmax."""
    most = max(by_spikes)
    each = by_spikes[most] / (most * SYNAPSES)
    rate = 1e6 * routed["fmax_median"] / each
    return {"design": design, **about, **routed,
            "cycles_per_tick": {str(spikes): count for spikes, count in by_spikes.items()},
            "cycles_per_operation": round(each, 3),
            "cycles_per_operation_by_spikes": {str(spikes): round(count / (spikes * SYNAPSES), 3)
                                               for spikes, count in by_spikes.items()},
            "operations_per_s": round(rate), "per_lut4": round(rate / routed["lut4"])}


def peers(console, checkouts=()) -> dict:
    """Published spiking cores and ours side by side; peers are checkouts: --peer tinyodin=FOLDER, odin=FOLDER."""
    folders, board = checkouts_of(checkouts), flow.board(BOARD)
    rows = [of_ours(*each, console) for each in OWN]
    rows += [of_a_peer(name, folder, console) for name, folder in folders.items()]
    return {"rows": rows, "part": board.part.name, "target_mhz": TARGET_MHZ, "fmax_seeds": list(SEEDS),
            "spikes": list(SPIKES), "seed": 0}


def of_ours(lanes: int, axonal: bool, whole: bool, console) -> dict:
    """The row of the event engine."""
    net, params = event.drawn(lanes, axonal)
    title = f"{net.name}, {lanes} lane{'s' * (lanes > 1)}"
    circuit = SerialTop(net, divisor=DIVISOR, vendor="ecp5") if whole else NetworkTop(net, vendor="ecp5").core
    with status(console, f"peers: {title}") as say:
        by_spikes = event.cycles_by_spikes(net, params)
        bare = Bare({"design.il": to_rtlil(circuit, name="event")}, "event", "clk")
        routed = figures(bare, flow.board(BOARD), mhz=TARGET_MHZ, seeds=SEEDS,
                         progress=lambda text: say(f"peers: {title}, {text}"))
    delays = f"delays of 1 to {net.max_delay} a {'source' if axonal else 'synapse'}"
    return row(title, routed, by_spikes, left_out="",
               boundary="with registers, loader and serial line" if whole else "the core",
               features=f"{delays}, no learning, weights of {net.weight_bits} bits, membranes of "
                        f"{net.populations[0].state}; loaded at run time")


def of_a_peer(name: str, folder, console) -> dict:
    """The row of a peer's checkout."""
    peer, files = PEERS[name], sources(name, folder)
    with status(console, f"peers: {peer.title}") as say:
        by_spikes = cycles(name, files)
        routed = figures(Bare(files, peer.top, peer.clock), flow.board(BOARD), mhz=TARGET_MHZ, seeds=SEEDS,
                         progress=lambda text: say(f"peers: {peer.title}, {text}"))
    return row(peer.title, routed, by_spikes, boundary=peer.boundary, features=peer.features, left_out=peer.left_out)


def checkouts_of(given) -> dict[str, str]:
    """NAME=FOLDER each, looked at before anything is measured; ValueError, one line."""
    found = {}
    for text in given:
        name, equals, folder = text.partition("=")
        if not equals or not folder:
            raise ValueError(f"--peer {text}: NAME=FOLDER is expected, such as tinyodin=../tinyODIN")
        sources(name, folder)
        found[name] = folder
    return found


GROUPS = {"peers": peers}
