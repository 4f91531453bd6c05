"""New contents for the memory that a board plays at power-up (boards.base.ROM), without place and route.

The routed design has noise there; ecpbram or icebram puts frames in its place, and the packer makes the bitstream.
"""

import os
import tempfile
from pathlib import Path

from boards.base import Board
from golden.description import Description
from golden.files import write_whole
from golden.flash import noise
from golden.programs import exclusive, run
from golden.tools import ECPBRAM, ICEBRAM, Tool, cache_folder, locate, tell
from rtl.host.rom import WORD, rom_words

#: what puts contents into a routed design, by the ending of that
TOOLS = {"config": ECPBRAM, "asc": ICEBRAM}


def room(net: Description) -> int:
    """Bytes that the memory of a design of `net` has."""
    return WORD * len(rom_words(noise(net)))


def bake(net: Description, board: Board, folder: Path, content: bytes, out: Path) -> None:
    """Write the bitstream `out`: that of the design which was built in `folder`, with `content` to play.

    ValueError where that takes more bytes than `room`; ToolError, BuildError where a tool is missing or fails.
    """
    if len(content) > room(net):
        raise ValueError(f"{len(content):,} bytes of frames, a design of {net.name} has room for {room(net):,}")
    family = board.part.family
    with tempfile.TemporaryDirectory() as name:
        work, design = Path(name), f"design.{family.routed}"
        for each, held in (("old", noise(net)), ("new", content.ljust(room(net), b"\xff"))):
            write_whole(work / f"{each}.hex", "".join(f"{word:04x}\n" for word in rom_words(held)))
        write_whole(work / design, _changed(TOOLS[family.routed], (folder / design).resolve(), work))
        tell(locate(family.tools[family.packer]), family.packer, (*board.part.pack, *family.pack), work,
             f"{family.packer}.log")
        write_whole(out, (work / family.bitstream).read_bytes())


def _changed(tool: Tool, design: Path, work: Path) -> str:
    """The routed design with new.hex where it had old.hex."""
    found = locate(tool)
    if tool is ECPBRAM:
        write_whole(work / "in.config", design.read_text(encoding="utf-8"))
        cache = cache_folder()
        cache.mkdir(parents=True, exist_ok=True)
        with exclusive(cache):          # its first use compiles it, which `locate` does for the others
            tell(found, "ecpbram", ("-i", "in.config", "-o", "out.config", "-f", "old.hex", "-t", "new.hex"), work,
                 "ecpbram.log")
        return (work / "out.config").read_text(encoding="utf-8")
    with design.open(encoding="utf-8") as held:
        return run([*found.command, "old.hex", "new.hex"], name="icebram", cwd=work, stdin=held,
                   env=os.environ | found.environment).stdout
