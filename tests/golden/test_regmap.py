"""The address map, pinned: driver and circuit take it from one file, so only a number can tell that it has moved."""

import pytest

from golden import regmap
from golden.regmap import BOOT_REGISTERS, ERRORS, KEEPER_REGISTERS, REGISTERS, SCRUB_REGISTERS, parameter_address


def test_registers_stay_where_they_are():
    assert [(register.offset, name, register.access) for name, register in REGISTERS.items()] == [
        (0, "magic", "r"), (1, "version", "r"), (2, "fingerprint_low", "r"), (3, "fingerprint_high", "r"),
        (4, "shape", "r"), (5, "parameter_words", "r"), (6, "cycles_per_tick", "r"), (7, "output_ticks", "r"),
        (8, "status", "r"), (9, "errors", "rw"), (10, "load_begin", "w"), (11, "load_commit", "w"), (12, "ticks", "rw"),
        (13, "busy_cycles", "rw"), (14, "stall_cycles", "rw"), (15, "scratch", "rw"), (16, "learning", "rw"),
        (17, "halvings", "rw"), (18, "teacher", "r"), (19, "learn_cycles", "r"), (20, "overflow", "rw"),
        (21, "lost", "rw"), (22, "boot", "r"), (23, "kept", "r"), (24, "save", "w"), (25, "save_every", "rw"),
        (26, "scrub_rounds", "rw"), (27, "scrub_flips", "rw"), (28, "scrub_mends", "rw")]
    assert (BOOT_REGISTERS, KEEPER_REGISTERS) == (("boot",), ("kept", "save", "save_every"))
    assert SCRUB_REGISTERS == ("scrub_rounds", "scrub_flips", "scrub_mends")
    assert ERRORS == {"load_crc": 0, "load_count": 1, "load_idle": 2, "address": 3}


def test_words_and_their_flags():
    assert (regmap.MAGIC.to_bytes(4, "big"), regmap.VERSION) == (b"LLAG", 2)
    assert (regmap.INPUT, regmap.OUTPUT, regmap.AWAITED) == (0x100, 0x101, 0x102)
    assert (regmap.FIRST_BIT, regmap.LEARN_BIT, regmap.TEACH_BIT) == (31, 30, 29)
    assert (regmap.VALID_BIT, regmap.LAST_BIT) == (31, 30)


def test_parameter_addresses():
    assert parameter_address(0, 0) == 0x8000_0000
    assert parameter_address(1, 2) == 0x8001_0002
    assert parameter_address(4095, 16383) == 0x8FFF_3FFF
    for bank, word in ((-1, 0), (4096, 0), (0, -1), (0, 16384)):
        with pytest.raises(ValueError, match=f"no word {word} in bank {bank}"):
            parameter_address(bank, word)
