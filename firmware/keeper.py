"""What a device keeps of its learning in its flash (golden/keeper.py): asked for, and told."""

import time

from firmware.link import Link
from firmware.protocol import LinkError
from golden.keeper import Kept, Saved, State
from golden.regmap import REGISTERS

#: why a save came to nothing
REASONS = {Saved.REFUSED: "the image in force is not the one in its flash, which a reset loads",
           Saved.NEVER: "it was not asked for", Saved.FAILED: "the flash does not hold what was written"}


def state(link: Link) -> State:
    """What the device says of its slots, once it has looked at them; LinkError where it says what none of ours does."""
    deadline = time.monotonic() + link.patience
    while True:
        word = link.get("kept")
        try:
            found = State.of(word)
        except ValueError:
            raise LinkError(f"the device has 0x{word:08x} in register {REGISTERS['kept'].offset}, which no board that "
                            f"keeps what it learns says") from None
        if found.kept != Kept.LOOKING:
            return found
        if time.monotonic() > deadline:
            raise LinkError(f"the device is still looking at its slots after {link.patience:g} s")


def save(link: Link) -> int:
    """Have the words that learn saved; the sequence number of their slot, once the device has read it back.

    Learning stands still while the words are read. LinkError where they were not saved: what was saved before is
    still there.
    """
    state(link)
    link.set("save", 1)
    deadline = time.monotonic() + link.patience
    while (found := state(link)).saved == Saved.SAVING:
        if time.monotonic() > deadline:
            raise LinkError(f"the device is still saving after {link.patience:g} s")
    if found.saved != Saved.DONE:
        raise LinkError(f"the device has saved nothing: {REASONS[found.saved]}")
    return found.sequence
