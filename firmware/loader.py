"""Loader: which design a device is, and its parameters, at the other end of a transport."""

import time
from dataclasses import dataclass

from firmware.link import IN_PLACE, LOADED, LOADING, Link, writes
from firmware.protocol import MAX_WORDS, LinkError, PortError
from golden.image import Image
from golden.regmap import ERRORS, MAGIC, REGISTERS, VERSION

#: times that a load begins again
ATTEMPTS = 3


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What a device says of itself."""

    version: int
    fingerprint: str
    inputs: int
    outputs: int
    parameter_words: int
    cycles_per_tick: int
    output_ticks: int


class Loader(Link):
    """Identity and parameters of a device: the half of firmware.board.Board that needs no description.

    A subclass says with `_settle_run` what a run that was cut short needs before an image may be loaded.
    """

    _identity: Identity | None = None

    def _settle_run(self) -> None:
        """Bring what is under way to its end."""

    def identify(self) -> Identity:
        """Registers that say which design this is; LinkError if it is none of ours."""
        words = self.read(REGISTERS["magic"].offset, REGISTERS["output_ticks"].offset + 1)
        found = {name: words[register.offset] for name, register in REGISTERS.items() if register.offset < len(words)}
        if found["magic"] != MAGIC:
            raise LinkError(f"the device answers with magic 0x{found['magic']:08x}, a board of this project "
                            f"with 0x{MAGIC:08x}")
        if found["version"] != VERSION:
            raise LinkError(f"the device has address map version {found['version']}, this program speaks {VERSION}")
        self._identity = Identity(
            version=found["version"], fingerprint=f"{found['fingerprint_high']:08x}{found['fingerprint_low']:08x}",
            inputs=found["shape"] & 0xFFFF, outputs=found["shape"] >> 16,
            **{name: found[name] for name in ("parameter_words", "cycles_per_tick", "output_ticks")})
        return self._identity

    # ---- parameters

    def load(self, image: Image, progress=None) -> None:
        """Send an image and put it in force.

        Up to ATTEMPTS times where the link fails; the device keeps the parameters it had until a commit succeeds, but
        for one that is loaded in place, which has none from `load_begin` on. ValueError when the image is for another
        design. `progress(n)` is called with the words sent since the last call, with a negative number where they have
        to be sent again. A network that learns begins like a new one: a sequence with errors that was cut short is
        completed before, as its ticks would move the registers that round steps of the weights.
        """
        identity = self.identify()
        if image.fingerprint != identity.fingerprint:
            raise ValueError(f"the image is for design {image.fingerprint}, the device is design "
                             f"{identity.fingerprint}: another network, or the same folded for another board")
        if len(image) != identity.parameter_words:
            raise ValueError(f"the image has {len(image)} words, the device takes {identity.parameter_words}")
        parts, lost, sent = frames(image), False, 0

        def each(request):
            nonlocal sent
            sent += request.count
            if progress is not None:
                progress(request.count)
        for attempt in range(1, ATTEMPTS + 1):
            sent = 0
            try:
                self._settle_run()
                self.set("errors", (1 << 32) - 1)
                lost = bool(self.get("status") & IN_PLACE)
                self.set("load_begin", 1)
                self._all(writes(parts), each)
                self._commit(image.crc)
                return
            except PortError as error:
                if lost:
                    raise PortError(f"{error}; the device has no parameters now") from None
                raise
            except LinkError as error:
                if attempt == ATTEMPTS:
                    left = "has no parameters now" if lost else "keeps those it had"
                    raise LinkError(f"the parameters did not load in {ATTEMPTS} attempts, the device {left}: "
                                    f"{error}") from None
                if progress is not None and sent:
                    progress(-sent)

    def _commit(self, crc):
        self.set("load_commit", crc)
        deadline = time.monotonic() + self.patience
        while self.get("status") & LOADING:
            if time.monotonic() > deadline:
                raise LinkError(f"the device is still loading {self.patience:g} s after the commit")
        errors = self.get("errors")
        if errors:
            names = [name for name, bit in ERRORS.items() if errors >> bit & 1] or [f"0x{errors:x}"]
            raise LinkError(f"the device refused the parameters: {', '.join(names)}")
        if not self.get("status") & LOADED:
            raise LinkError("the device says neither that it loaded the parameters nor why not")


def frames(image: Image) -> list[tuple[int, list[int]]]:
    """(address, words) of at most MAX_WORDS consecutive addresses each."""
    found = []
    for addr, word in image.pairs.tolist():
        if found and addr == found[-1][0] + len(found[-1][1]) and len(found[-1][1]) < MAX_WORDS:
            found[-1][1].append(word)
        else:
            found.append((addr, [word]))
    return found
