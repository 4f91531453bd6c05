"""A board that keeps what it learns: saved into slots of its flash by its processor, restored at power-up.

The whole board is compiled, processor and program included, before a model of the flash that can lose its power.
"""

import random

import numpy as np
import pytest
from cases import random_network
from device import learner, learner_params

from firmware import keeper as asking
from firmware.board import Board
from firmware.learning import Learner
from firmware.playback import content, heard, listen
from firmware.protocol import LinkError
from golden.image import build_image, learning_addresses
from golden.keeper import (
    PAGE,
    SAVE,
    SECTOR,
    Kept,
    Saved,
    Slot,
    Slots,
    State,
    pack_slot,
    parse_slot,
    slot_bytes,
    slot_to_save,
)
from rtl.host.top import Flash, SerialTop
from sim.harness.board import CYCLES_PER_SECOND, SimulatedBoard

NET = learner()
PARAMS = learner_params(NET)
IMAGE = build_image(NET, PARAMS)
ADDRESSES = learning_addresses(NET)
HELD = content(NET, IMAGE)
WHERE = np.searchsorted(IMAGE.pairs[:, 0], ADDRESSES)


@pytest.fixture(scope="module")
def line():
    with SimulatedBoard(NET, flash=HELD, quick=True, keeps=True) as board:
        yield board


def power(line, flash) -> Board:
    """The board after power-up with that in its flash."""
    line.plug(bytes(flash))
    assert not len(heard(listen(line, silence=0.005)))
    board = Board(line, NET)
    board._stale = False        # the line is silent, and looking at that takes longer than all else
    return board


def weights(board) -> np.ndarray:
    """The words that learn, as the device has them."""
    return np.array(Learner(board)._read_words(ADDRESSES), np.uint32)


def vectors(seed: int, ticks: int = 6):
    rng = np.random.default_rng(seed)
    fmt, rate = NET.layers[0].operand, NET.layers[-1].rate
    return (rng.integers(fmt.min, fmt.max + 1, (ticks, NET.streams, NET.inputs)),
            rng.integers(rate.min, rate.max + 1, (ticks, NET.streams, NET.outputs)))


def slots(line, flash) -> list[Slot | None]:
    return [parse_slot(flash[at:at + line.slots.size]) for at in line.slots.addresses]


def flash_with(line, *found: bytes) -> bytes:
    """A flash whose slots hold that."""
    flash = bytearray(HELD.ljust(line.slots.address + 2 * line.slots.size, b"\xff"))
    for at, data in zip(line.slots.addresses, found, strict=True):
        flash[at:at + len(data)] = data
    return bytes(flash)


def some(seed: int, sequence: int, **fields) -> Slot:
    """A slot of this design with random words."""
    words = np.random.default_rng(seed).integers(0, 1 << 11, len(ADDRESSES)).astype(np.uint32)
    return Slot(NET.fingerprint, IMAGE.crc, sequence, words)._replace(**fields)


def test_a_save_is_restored_bit_for_bit(line):
    """Two saves: each goes into the older slot, the newer one is in force after the next power-up."""
    board = power(line, HELD)
    assert asking.state(board) == State(Kept.NOTHING, Saved.NEVER, 0)
    learnt = []
    for n in range(2):
        Learner(board).learn(*vectors(n))
        assert asking.save(board) == n + 1
        learnt.append(weights(board))
    before = IMAGE.pairs[WHERE, 1]
    assert (before != learnt[0]).any()
    assert (learnt[0] != learnt[1]).any()
    flash = line.flash()
    for slot, sequence, words in zip(slots(line, flash), (1, 2), learnt, strict=True):
        assert slot._replace(words=None) == Slot(NET.fingerprint, IMAGE.crc, sequence, None)
        assert np.array_equal(slot.words, words)
    for at, slot in zip(line.slots.addresses, slots(line, flash), strict=True):
        assert flash[at:at + line.slots.size] == pack_slot(slot).ljust(line.slots.size, b"\xff")
    board = power(line, flash)
    assert asking.state(board) == State(Kept.RESTORED, Saved.NEVER, 2)
    assert np.array_equal(weights(board), learnt[1])
    assert not board.get("errors")
    # what does not learn is the image's: outputs are golden's with those words
    pairs = IMAGE.pairs.copy()
    pairs[WHERE, 1] = learnt[1]
    x = vectors(5)[0][:, 0][None]
    assert np.array_equal(board.run(x), NET.run(NET.unpack(pairs[:, 1]), x))
    assert asking.save(board) == 3
    assert [slot.sequence for slot in slots(line, line.flash())] == [3, 2]


def test_learning_goes_on_after_a_save(line):
    """Errors run on where they were: the same words as without a save in between."""
    found = []
    for saves in (False, True):
        board = power(line, HELD)
        asking.state(board)
        Learner(board).learn(*vectors(3))
        if saves:
            asking.save(board)
        found += [Learner(board).learn(*vectors(4), first=False), weights(board)]
    assert np.array_equal(found[0], found[2])
    assert np.array_equal(found[1], found[3])


def test_saved_by_itself_while_it_learns(line):
    board = power(line, HELD)
    asking.state(board)
    board.set("save_every", 10)
    assert board.get("save_every") == 10
    Learner(board).learn(*vectors(1, 10))
    while (found := asking.state(board)).saved in (Saved.NEVER, Saved.SAVING):
        pass
    assert found.saved == Saved.DONE
    words = weights(board)
    newest = max((slot for slot in slots(line, line.flash()) if slot), key=lambda slot: slot.sequence)
    assert newest.sequence == found.sequence
    assert len(newest.words) == len(words)


def test_another_image_is_not_saved(line):
    """Its words would be mixed with those of the image in the flash."""
    board = power(line, flash_with(line, pack_slot(some(1, 1)), b""))
    assert asking.state(board).kept == Kept.RESTORED
    board.load(build_image(NET, learner_params(NET, seed=2)))
    with pytest.raises(LinkError, match="saved nothing: the image in force is not the one in its flash"):
        asking.save(board)
    assert slots(line, line.flash())[1] is None
    assert np.array_equal(weights(board), build_image(NET, learner_params(NET, seed=2)).pairs[WHERE, 1])


def test_without_an_image_nothing_is_kept(line):
    board = power(line, b"\xff" * 64)
    assert asking.state(board).kept == Kept.NO_IMAGE
    with pytest.raises(LinkError, match="saved nothing"):
        asking.save(board)


def flipped(data: bytes, bit: int) -> bytes:
    return data[:bit // 8] + bytes([data[bit // 8] ^ 1 << bit % 8]) + data[bit // 8 + 1:]


def bits(slot: Slot) -> list[int]:
    """Numbers of the bits of a packed slot that say something."""
    return [*range(28 * 8), *range(PAGE * 8, (PAGE + 4 * len(slot.words)) * 8)]


def check_flips(line, chosen):
    """The newer slot with a flipped bit is not used; with both damaged the board says so and runs its image."""
    old, new = pack_slot(some(1, 7)), pack_slot(some(2, 8))
    for bit in chosen:
        board = power(line, flash_with(line, old, flipped(new, bit)))
        assert asking.state(board) == State(Kept.RESTORED, Saved.NEVER, 7), bit
        assert np.array_equal(weights(board), some(1, 7).words), bit
        board = power(line, flash_with(line, flipped(old, bit), flipped(new, bit)))
        assert asking.state(board) == State(Kept.DAMAGED, Saved.NEVER, 0), bit
        assert np.array_equal(weights(board), IMAGE.pairs[WHERE, 1]), bit


def test_a_slot_with_a_flipped_bit_is_not_used(line):
    check_flips(line, random.Random("flips").sample(bits(some(1, 1)), 1))


@pytest.mark.slow
def test_a_flipped_bit_in_every_byte(line):
    rng = random.Random("every byte")
    check_flips(line, [bit + rng.randrange(8) for bit in bits(some(1, 1))[::8]])


@pytest.mark.parametrize("fields", [
    {"image_crc": 1}, *(pytest.param({"fingerprint": each}, marks=pytest.mark.slow)
                        for each in (NET.fingerprint[:8] + "00000000", "00000000" + NET.fingerprint[8:]))])
def test_slots_of_another_design_or_image(line, fields):
    board = power(line, flash_with(line, pack_slot(some(1, 1, **fields)), b""))
    assert asking.state(board).kept == Kept.NOTHING
    assert np.array_equal(weights(board), IMAGE.pairs[WHERE, 1])
    assert asking.save(board) == 1


def test_a_count_beyond_the_slot(line):
    """Not even read: its words would go on in the other slot, or for ever."""
    data = bytearray(pack_slot(some(1, 1)))
    data[16:20] = b"\xff\xff\xff\x7f"
    board = power(line, flash_with(line, bytes(data), b""))
    assert asking.state(board).kept == Kept.DAMAGED


class Cuts:
    """A save of which the slots are looked at in every step: what they would hold after a power cut."""

    def __init__(self, line, step: int):
        board = power(line, flash_with(line, pack_slot(some(1, 1)), pack_slot(some(2, 2))))
        assert asking.state(board).sequence == 2
        Learner(board).learn(*vectors(1))
        self.line, self.words = line, {2: some(2, 2).words, 3: weights(board)}
        self.found = self._watch(board, step)

    def _watch(self, board, step) -> list[tuple[bytes, bytes]]:
        board.set("save", 1)
        found, size = [], self.line.slots.size
        while not (found and self._newest(found[-1]).sequence == 3):
            self.line.read(1, step / CYCLES_PER_SECOND)
            held = self.line.flash(cut=len(found), start=self.line.slots.address)
            found.append((held[:size], held[size:]))
            assert len(found) * step < 3_000_000
        while asking.state(board).saved == Saved.SAVING:
            pass
        assert asking.state(board) == State(Kept.RESTORED, Saved.DONE, 3)
        return found

    def _newest(self, held) -> Slot:
        return max((slot for slot in map(parse_slot, held) if slot), key=lambda slot: slot.sequence)

    def steps(self, number: int) -> tuple[str, ...]:
        """What of golden.keeper.SAVE the processor does to a slot, in its order; the other slot stays as it is."""
        first, last = (found[number] for found in (self.found[0], self.found[-1]))
        assert {found[1 - number] for found in self.found} == {self.found[0][1 - number]}
        steps, erased = [], b"\xff" * len(first)
        for held in (found[number] for found in self.found):
            if held[:PAGE] != erased[:PAGE] and held[PAGE:] == last[PAGE:]:
                step = "header"
            elif held[:PAGE] == erased[:PAGE] and held != erased and all(
                    byte & end == end for byte, end in zip(held, last, strict=True)):
                step = "words"
            elif not steps or steps[-1] == "erase":
                step = "erase"
            if steps[-1:] != [step]:
                steps.append(step)
        return tuple(steps)

    def check(self, held, *, circuit: bool) -> int:
        """Old or new words are left, whole; the sequence number. circuit: the board says so, too."""
        newest = self._newest(held)
        assert np.array_equal(newest.words, self.words[newest.sequence])
        if circuit:
            board = power(self.line, flash_with(self.line, *held))
            assert asking.state(board) == State(Kept.RESTORED, Saved.NEVER, newest.sequence)
            assert np.array_equal(weights(board), newest.words)
        return newest.sequence


def test_power_cuts_leave_a_valid_slot(line):
    """At 100 random moments of a save: in golden's eyes all of them, on the board some."""
    cuts, rng = Cuts(line, step=701), random.Random("cuts")
    chosen = rng.sample(cuts.found, 100)
    assert [cuts.check(held, circuit=n < 3) for n, held in enumerate(chosen)].count(2) > 90
    assert cuts.check(cuts.found[-1], circuit=True) == 3
    assert len(set(chosen)) > 3
    assert cuts.steps(slot_to_save(1)) == SAVE


@pytest.mark.slow
def test_power_cuts_at_every_byte(line):
    """Of one save, erased sector and every byte that is programmed: the board itself comes up with old or new words."""
    cuts = Cuts(line, step=32)
    different = list(dict.fromkeys(cuts.found))
    # the bytes of words and header, each cut short
    assert len(different) > 28 + 4 * len(ADDRESSES)
    found = [cuts.check(held, circuit=True) for held in different]
    assert found == sorted(found)


def test_what_cannot_be_kept():
    net = random_network("keeper", largest=3)
    with pytest.raises(ValueError, match="has no teacher and no plastic layer: there is nothing to keep"):
        SerialTop(net, divisor=4, flash=Flash(address=0, half=2, slots=Slots(0, SECTOR)))


def test_slots_by_hand():
    slot = Slot("0123456789abcdef", 0x11223344, 5, np.array([1, 0x3FFFF], np.uint32))
    data = pack_slot(slot)
    assert data[:24].hex() == "4c4c575353" [:8] + "efcdab89" + "67452301" + "44332211" + "02000000" + "05000000"
    assert data[28:PAGE] == b"\xff" * (PAGE - 28)
    assert data[PAGE:].hex() == "01000000ffff0300"
    found = parse_slot(data + b"\xff" * 100)
    assert found._replace(words=None) == slot._replace(words=None)
    assert np.array_equal(found.words, slot.words)
    for bit in [*range(28 * 8), *range(PAGE * 8, len(data) * 8)]:
        assert parse_slot(flipped(data, bit)) is None, bit
    for end in (0, 27, PAGE - 1, PAGE, len(data) - 1):
        assert parse_slot(data[:end]) is None
    assert slot_bytes(NET) == SECTOR


def test_states():
    assert State.of(0x00000321) == State(Kept.NOTHING, Saved.DONE, 3)
    with pytest.raises(ValueError, match="15"):
        State.of(15)
