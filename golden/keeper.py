"""What a device keeps of its learning over a power cut: two slots in the flash, and the map of what writes them.

    slot:   words of the header (HEADER), 4 bytes each   erased up to PAGE   words that learn, 4 bytes each

Numbers are little-endian. Words that learn stand in the order of the image (golden.image.learning_addresses). Words
come first and the header last, its sequence number and CRC-32 with it: until that is whole the slot is none, and the
other one holds what was saved before. The CRC-32 runs over the words, then over the header before it.

A small processor on the board writes the slots (rtl/host/keeper.py, firmware/riscv/keeper.c). Its program is the same
for every design; REGION, PORTS and the numbers here are what circuit and program mean the same by.
"""

import importlib.util
import struct
import zlib
from collections.abc import Iterable
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.description import Description
from golden.image import learning_addresses
from golden.programs import ToolError

MAGIC = int.from_bytes(b"LLWS", "little")
#: words of a slot's header, in this order
HEADER = ("magic", "fingerprint_low", "fingerprint_high", "image_crc", "count", "sequence", "crc")
_HEADER = struct.Struct(f"<{len(HEADER)}I")
#: files of the processor
_SERV = ("serv_synth_wrapper", "serv_top", "serv_rf_ram_if", "serv_state", "serv_decode", "serv_immdec",
         "serv_bufreg", "serv_bufreg2", "serv_ctrl", "serv_alu", "serv_rf_if", "serv_mem_if", "serv_csr",
         "serv_aligner", "serv_compdec")
#: bytes that are programmed at a time, and erased at a time
PAGE, SECTOR = 256, 4096
#: bytes of the processor's memory
MEMORY = 4096


class Kept(IntEnum):
    """What became of the slots at power-up: bits 3..0 of the register `kept`."""

    LOOKING = 0
    NOTHING = 1     # no slot was written for this design and image: those of the image are in force
    RESTORED = 2    # the newer valid slot is in force
    DAMAGED = 3     # slots were written, none is valid: those of the image are in force
    NO_IMAGE = 4    # no image was played from the flash (register `boot`): nothing can be kept


class Saved(IntEnum):
    """What became of the last save: bits 7..4 of the register `kept`."""

    NEVER = 0
    SAVING = 1
    DONE = 2
    FAILED = 3      # what the flash holds is not what was written
    REFUSED = 4     # the image in force is not the one in the flash


#: where in the register `kept` those are, and the sequence number
SAVED_SHIFT, SEQUENCE_SHIFT = 4, 8


class State(NamedTuple):
    """The register `kept`; `sequence` is that of the newer valid slot (24 bits), 0 where there is none."""

    kept: Kept
    saved: Saved
    sequence: int

    @classmethod
    def of(cls, word: int) -> "State":
        """What a word of the register says; ValueError for what no device says."""
        return cls(Kept(word & 15), Saved(word >> SAVED_SHIFT & 15), word >> SEQUENCE_SHIFT)


#: bits of the port `asked`
ASKED_SAVE, ASKED_ANOTHER = 1, 2
#: where the processor finds what: byte addresses. `bus` is that of the device, addresses of golden.regmap times four
REGION = {"memory": 0, "ports": 0x4000_0000, "bus": 0x8000_0000, "bus_parameters": 0xC000_0000}
#: words in `ports`: access, and what each is
PORTS = {
    "select": ("w", "1 selects the flash"),
    "byte": ("rw", "sends a byte; then the one that came for it"),
    "crc": ("rw", "adds a word to the CRC-32; the CRC-32"),
    "crc_start": ("w", "begins a CRC-32"),
    "shut": ("w", "1 keeps input words of the host waiting"),
    "learns": ("rw", "an address of the device; whether its word learns"),
    "kept": ("w", "the register `kept`"),
    "asked": ("rw", "bit 0: a save is asked for; a write forgets it; bit 1: the host has begun to load an image"),
    "every": ("r", "the register `save_every`"),
    "boot": ("r", "the register `boot`"),
    "image": ("r", "address in the flash of what is played at power-up"),
    "slots": ("r", "address in the flash of the first slot"),
    "slot_bytes": ("r", "bytes of a slot"),
}


class Slots(NamedTuple):
    """Two slots, one behind the other: address of the first in the flash, bytes of each."""

    address: int
    size: int

    @property
    def addresses(self) -> tuple[int, int]:
        return self.address, self.address + self.size


#: what a save does to its slot, one after the other; then it reads the slot back, and only what is there counts
SAVE = ("erase", "words", "header")


def slot_to_save(newest: int | None) -> int:
    """The slot that a save goes into, 0 or 1: never the newer valid one. newest: its number, None where there is none.

    Whatever becomes of a save, the newer valid slot stays as it is: tests/helpers/slot_proofs.py has the proof.
    """
    return 1 if newest == 0 else 0


def slot_bytes(net: Description) -> int:
    """Bytes of a slot: whole sectors."""
    return -(-(PAGE + 4 * len(learning_addresses(net))) // SECTOR) * SECTOR


class Slot(NamedTuple):
    """What a valid slot says."""

    fingerprint: str
    image_crc: int
    sequence: int
    words: np.ndarray


def pack_slot(slot: Slot) -> bytes:
    """The bytes of a slot, without what is erased behind them."""
    words = np.asarray(slot.words, "<u4").tobytes()
    print_ = int(slot.fingerprint, 16)
    head = _HEADER.pack(MAGIC, print_ & 0xFFFFFFFF, print_ >> 32, slot.image_crc, len(words) // 4, slot.sequence,
                        0)[:-4]
    return (head + struct.pack("<I", zlib.crc32(words + head))).ljust(PAGE, b"\xff") + words


def parse_slot(data: bytes) -> Slot | None:
    """A slot from the bytes that it begins with; None where it is not valid."""
    if len(data) < PAGE:
        return None
    magic, low, high, image_crc, count, sequence, crc = _HEADER.unpack_from(data)
    words = data[PAGE:PAGE + 4 * count]
    if magic != MAGIC or len(words) != 4 * count or zlib.crc32(words + data[:_HEADER.size - 4]) != crc:
        return None
    return Slot(f"{high << 32 | low:016x}", image_crc, sequence, np.frombuffer(words, "<u4"))


def program_text(words: Iterable[int]) -> str:
    """A program as it is kept: a word a line, eight hexadecimal digits."""
    return "".join(f"{word:08x}\n" for word in words)


def program() -> tuple[int, ...]:
    """The words of the processor's program; firmware/riscv/build.py makes the file."""
    return tuple(int(line, 16) for line in Path(__file__).with_name("keeper.hex").read_text(encoding="utf-8").split())


def processor() -> str:
    """Verilog of SERV, from its wheel; ToolError where that is missing."""
    spec = importlib.util.find_spec("pythondata_cpu_serv")
    if spec is None:
        raise ToolError("SERV, the processor of boards that keep what they learn, is missing: pip install "
                        "pythondata-cpu-serv")
    folder = Path(spec.origin).parent / "verilog" / "rtl"
    return "".join((folder / f"{name}.v").read_text(encoding="utf-8") for name in _SERV)
