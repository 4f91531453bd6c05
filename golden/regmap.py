"""The address map of a board: registers, streams and parameter banks, one 32-bit word an address.

0x0000_0000 ..  registers (REGISTERS)
0x0000_0100     input words   (write: bits 17..0 the word, bit 31 set on the first word of a sequence; where errors run
                target words follow the inputs, and in the last word of a tick bit 30 lets weights move and bit 29
                lets the teacher speak)
0x0000_0101     output words  (read: bits 17..0 the word, bit 30 set on the last word of a tick, bit 31 set if valid)
0x0000_0102     output words, waited for: a read is answered when there is one; a write throws them away until no
                tick is under way (where the register `boot` is)
0x8000_0000 ..  parameter banks: bits 27..16 the bank, bits 13..0 the word; writes go to the half not in force,
                reads of what learns come from the half in force, between two ticks
"""

from dataclasses import dataclass

MAGIC = 0x4C4C4147          # "LLAG"
#: of this map and of the frames; 1 had CRC-16 and no numbers
VERSION = 2
INPUT, OUTPUT, AWAITED = 0x100, 0x101, 0x102
FIRST_BIT, LAST_BIT, VALID_BIT = 31, 30, 31
LEARN_BIT, TEACH_BIT = 30, 29
PARAMETER_BASE = 0x8000_0000
BANK_SHIFT = 16
#: a word on the parameter bus and in the streams
WORD_BITS = 18
WORD_MASK = (1 << WORD_BITS) - 1
#: the largest value of the register `halvings`
MAX_HALVINGS = 7

#: sticky flags of the `errors` register; writing a one clears it
ERRORS = {
    "load_crc": 0,       # the checksum given with `load_commit` was not that of the words received
    "load_count": 1,     # `load_commit` before all words of the design had arrived, or after too many
    "load_idle": 2,      # a parameter word or `load_commit` without `load_begin`
    "address": 3,        # read or write of an address that does not exist
}


@dataclass(frozen=True)
class Register:
    """A 32-bit register: `access` is r (read), w (write acts) or rw; `doc` says what it holds."""

    offset: int
    access: str
    doc: str


REGISTERS = {
    "magic": Register(0, "r", "0x4C4C4147"),
    "version": Register(1, "r", "version of this map and of the frames"),
    "fingerprint_low": Register(2, "r", "fingerprint of the design, low word"),
    "fingerprint_high": Register(3, "r", "fingerprint of the design, high word"),
    "shape": Register(4, "r", "inputs in bits 15..0, outputs in bits 31..16"),
    "parameter_words": Register(5, "r", "words that a complete image writes"),
    "cycles_per_tick": Register(6, "r", "clock cycles from tick to tick without a stall"),
    "output_ticks": Register(7, "r", "ticks that the output buffer holds"),
    "status": Register(8, "r", "bit 0 parameters loaded, bit 1 loading (until the new half is in force), bit 2 half in "
                       "force, bit 3 tick under way, bit 4 weights have moved since their image was put in force "
                       "(bit 4 and the weights outlive a reset, bit 0 does not), bit 5 errors run in this sequence, "
                       "bit 6 parameters are loaded in place: none from `load_begin` on until an image is in force"),
    "errors": Register(9, "rw", "sticky error flags, a one clears"),
    "load_begin": Register(10, "w", "any value: start receiving an image"),
    "load_commit": Register(11, "w", "CRC-32 of the image: put it in force between two ticks if it is right"),
    "ticks": Register(12, "rw", "ticks since the last write"),
    "busy_cycles": Register(13, "rw", "cycles spent in ticks since the last write"),
    "stall_cycles": Register(14, "rw", "cycles in which a tick waited for room in the output buffer"),
    "scratch": Register(15, "rw", "holds what was written, to test a link"),
    "learning": Register(16, "rw", "bit 0: errors run, from the next first word of a sequence on"),
    "halvings": Register(17, "rw", "learning rates are divided by two to this power, from the next tick on"),
    "teacher": Register(18, "r", "target words of a tick in bits 15..0, streams in bits 31..16; 0: nothing learns"),
    "learn_cycles": Register(19, "r", "clock cycles from tick to tick where errors run"),
    "overflow": Register(20, "rw", "a bit a layer: an error word was at an end of its format; a one clears"),
    "lost": Register(21, "rw", "two bits for each of the first 16 layers: a prediction of a message into the layer, or "
                     "of an error that it sends down, did not fit its format or came of taps that have diverged, and "
                     "the message itself was sent; a one clears"),
    "boot": Register(22, "r", "what became of the frames in the flash (golden.flash.Boot): 0 being played, 1 done, 2 "
                     "none there, 3 refused; only in designs that play them at power-up"),
    "kept": Register(23, "r", "what became of the slots for learnt weights (golden.keeper.State): bits 3..0 at "
                     "power-up, bits 7..4 in the last save, bits 31..8 sequence number of the newer valid one; only in "
                     "designs that keep what they learn, as the next two"),
    "save": Register(24, "w", "any value: save the words that learn into the older slot"),
    "save_every": Register(25, "rw", "ticks with errors after which they are saved without being asked; 0: never"),
    "scrub_rounds": Register(26, "rw", "rounds in which all parameters in force were read and held against the "
                             "checksum of their image, since the last write; only in designs that scrub, as the next "
                             "two"),
    "scrub_flips": Register(27, "rw", "those rounds whose checksum was another: a bit has flipped"),
    "scrub_mends": Register(28, "rw", "how often the image was put in force again from the flash for that"),
}
#: registers that only some designs have, by what has to be there
BOOT_REGISTERS, KEEPER_REGISTERS = ("boot",), ("kept", "save", "save_every")
SCRUB_REGISTERS = ("scrub_rounds", "scrub_flips", "scrub_mends")


def parameter_address(bank: int, word: int) -> int:
    """Address of a word in a parameter bank."""
    if not 0 <= bank < 4096 or not 0 <= word < 1 << 14:
        raise ValueError(f"no word {word} in bank {bank}")
    return PARAMETER_BASE | bank << BANK_SHIFT | word
