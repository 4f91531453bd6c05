"""Groups of `leadlag bench` for boards without a host: answers from the flash alone, saves that lose their power."""

import random

from firmware import keeper as asking
from firmware.board import Board
from firmware.learning import Learner
from firmware.playback import content, heard, listen
from golden.flash import ERASED
from golden.image import build_image, learning_addresses
from golden.keeper import Kept, Slot, parse_slot
from golden.tasks import learning as tasks
from leadlag import flow
from leadlag.terminal import status
from sim.harness.board import CYCLES_PER_SECOND, SimulatedBoard

NETWORK, SAMPLES = "gle-mnist1d", 20
CUTS, SEED, TICKS = 100, 0, 400
#: clock cycles from one look at the flash to the next
STEP = 97
#: seconds of the board's time after which it has said everything
SILENCE = 0.005


def flash(console) -> dict:
    """Words of MNIST-1D from the flash alone that are golden's, and power cuts in a save that leave a valid slot."""
    return saves(console) | answers(console)


def answers(console) -> dict:
    """The simulated board plays parameters and samples to itself; every word that it says, beside golden's."""
    case = flow.prepare(NETWORK)
    batch = flow.samples(case, "test", SAMPLES)
    with status(console, f"compile {NETWORK} with its flash"):
        line = SimulatedBoard(case.net, quick=True,
                              flash=content(case.net, case.image, case.net.units(batch.x)))
    with line, status(console, f"{SAMPLES} samples from the flash alone"):
        got = case.net.outputs_of(heard(listen(line)), batch.x)
        cycles = line.cycles
    want = flow.integer_outputs(case, batch.x)
    return {"network": case.net.name, "samples": SAMPLES, "words": int(want.size), "flash_cycles": cycles,
            "words_equal": int((got == want).sum())}


def saves(console) -> dict:
    """LagLine learns on the simulated board and is saved; the power goes in CUTS moments of that and comes back."""
    net = tasks.lagline()
    image, addresses = build_image(net, tasks.lagline_start(net, SEED)), learning_addresses(net)
    with status(console, "compile LagLine with processor and flash"):
        line = SimulatedBoard(net, flash=content(net, image), keeps=True, quick=True)

    def words(board):
        return [board.read(int(at), 1)[0] for at in addresses]

    def power(held):
        line.plug(held)
        heard(listen(line, silence=SILENCE))

    with line, status(console, f"LagLine learns, and its power goes {CUTS} times"):
        board, stream = Board(line, net), tasks.lagline_stream(net, TICKS)
        power(content(net, image))
        half, before = len(stream.x) // 2, []
        for part, first in ((slice(0, half), True), (slice(half, None), False)):
            Learner(board).learn(stream.x[part], stream.target[part], first=first, learn=stream.learn[part],
                                 teach=stream.teach[part])
            before.append(words(board))
            if first:
                asking.save(board)
        moments = _moments(line, board)
        good = 0
        for held in random.Random(SEED).sample(moments, CUTS):
            power(content(net, image).ljust(line.slots.address, bytes([ERASED])) + held)
            newest = max((slot.sequence for slot in _valid(line, held) if slot), default=0)
            good += newest > 0 and asking.state(board).kept == Kept.RESTORED and words(board) == before[newest - 1]
    assert before[0] != before[1]
    return {"kept_network": net.name, "kept_words": len(addresses), "save_cycles": STEP * len(moments),
            "power_cuts": CUTS, "recovered": good, "seed": SEED}


def _moments(line, board) -> list[bytes]:
    """What the slots would hold if the power went, in every STEP of a save."""
    board.set("save", 1)
    found = []
    while not (found and all(_valid(line, found[-1]))):
        line.read(1, STEP / CYCLES_PER_SECOND)
        found.append(line.flash(cut=len(found), start=line.slots.address))
    return found


def _valid(line, held: bytes) -> list[Slot | None]:
    """The two slots."""
    return [parse_slot(held[at:at + line.slots.size]) for at in (0, line.slots.size)]


GROUPS = {"flash": flash}
