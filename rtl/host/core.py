"""What a core tells of itself, so that registers, link and simulations fit any of them."""

from typing import NamedTuple

from amaranth.hdl import signed
from amaranth.lib.wiring import In, Out

from golden.description import Description
from rtl.pipeline import ADDR_BITS, BANK_BITS, WORD_BITS


class CoreInfo(NamedTuple):
    """Of a component with streams i and o, params, want_half, half, tick, busy, stall and lost.

    One that learns has learning, halve, moved, running, overflow, probe, probe_bank, probe_addr, probe_valid and
    probe_data, too (rtl.rate.core.NetworkCore says what they are).

      constants   values of read-only registers (golden.regmap), by name
      settle      cycles from the last parameter word sent to the last one in its place
      patience    cycles for which an input word may be held before it is taken
      halves      2, an image is put in force between two ticks; 1, it is loaded in place
      readable    ranges of banks whose words can be read back
      learns      whether there is what networks that learn have
      drain       of a core of one half that is told to hold its ticks while an image is loaded (its member `hold`):
                  cycles behind `busy` in which parameters are still read; 0: it is not told
      scrubs      whether every parameter can be read back while no tick runs: read, read_bank, read_addr, read_valid
                  and read_data are there then
    """

    constants: dict[str, int]
    settle: int
    patience: int
    halves: int = 2
    readable: tuple[range, ...] = ()
    learns: bool = False
    drain: int = 0
    scrubs: bool = False


def read_members() -> dict:
    """Members of what is asked for a word in force: `read`, at a core until `read_valid`, at its parts for a cycle."""
    return {"read": In(1), "read_bank": In(BANK_BITS), "read_addr": In(ADDR_BITS), "read_valid": Out(1),
            "read_data": Out(signed(WORD_BITS))}


def settle_cycles(net: Description) -> int:
    """Words hop from lane to lane and from layer to layer."""
    return net.lanes + 3 * len(net.layers) + 4


def ranges(numbers) -> tuple[range, ...]:
    """Ascending numbers as ranges."""
    found = []
    for n in numbers:
        if found and found[-1].stop == n:
            found[-1] = range(found[-1].start, n + 1)
        else:
            found.append(range(n, n + 1))
    return tuple(found)
