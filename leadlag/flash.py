"""`leadlag flash-image`, `flash`, `listen` and `board`: boards that answer by themselves, real and simulated ones."""

import json
import shlex
from pathlib import Path

import click

from boards.base import BOOTING, ROM
from golden import flash
from golden.checks import check
from golden.files import check_writable, write_whole
from golden.programs import BuildError
from golden.tools import OPENFPGALOADER, locate, tell
from leadlag import flow, ladder
from leadlag.options import COUNT, FILE, Command, Finite, board_option, is_given, port_option
from leadlag.results import answer, answers
from leadlag.terminal import notes, status

network_argument = click.argument("network", metavar="NET")
count_option = click.option("-n", "--count", type=COUNT, default=3, show_default=True,
                            help="Test samples that it answers at power-up.")
IMAGE, BAKED = "flash.bin", "baked.bit"
#: seconds after the last byte until a board has said everything
SILENCE = 2.0


def booting(name: str):
    """(name, board) of the one which plays what its flash holds; ValueError where there is none.

    A name is what `--board` takes: of a board of one's own that of its file.
    """
    name += "" if flow.board(name).boots else BOOTING
    return name, flow.board(name)


def content(network: str, board: str, count: int):
    """The description of a network on a board, and its parameters and first test samples as frames."""
    from firmware.playback import content as frames
    if not count:
        net, image = flow.device(network, board).loaded
        return net, frames(net, image)
    case = flow.prepare(network, board)
    return case.net, frames(case.net, case.image, case.net.units(flow.samples(case, "test", count).x))


def frames_of(data: bytes, board, net, what) -> bytes:
    """The frames in an image of a flash, or frames alone; ValueError where they are for another board or design."""
    found = data if data[:len(flash.MAGIC)] == flash.MAGIC else data[board.flash.address:]
    check(found[:len(flash.MAGIC)] == flash.MAGIC,
          f"{what} is no flash image for {board.name}: there are no frames at 0x{board.flash.address:06x}")
    design = found[len(flash.MAGIC):flash.HEADER][::-1].hex()
    check(design == net.fingerprint, f"{what} is for design {design}, {net.name} on {board.name} is design "
                                     f"{net.fingerprint}")
    return found


@click.command(name="flash-image", cls=Command, short_help="Bitstream, parameters and samples as one file.")
@network_argument
@board_option
@click.option("-n", "--count", type=click.IntRange(0), default=3, show_default=True,
              help="Test samples to answer at power-up; 0, for a .json always, for parameters alone.")
@click.option("--frames-only", is_flag=True, help="Leave out the bitstream: what belongs behind it.")
@click.option("--out", type=FILE, help=f"{IMAGE} beside the bitstream by default.")
@answers
def flash_image(network, board, count, frames_only, out):
    """Write what the flash of a board holds that answers by itself: after power-up, without a host.

    The bitstream has to be built for BOARD+flash before, which has the circuit that reads the flash.
    """
    name, board = booting(board)
    if network.endswith(".json") and not is_given("count"):
        count = 0
    net, held = content(network, name, count)
    folder = flow.BUILD / net.name / board.name
    out = out or folder / IMAGE
    check_writable(out)
    if not frames_only:
        bits = _bitstream(network, folder, net, name)
        if not board.flash.apart:
            held = bits.ljust(board.flash.address, bytes([flash.ERASED])) + held
    room = board.slots(net).address if board.keeps else board.flash.size
    if frames_only or board.flash.apart:
        room -= board.flash.address
    check(len(held) <= room, f"{net.name} with {count} samples takes {len(held):,} bytes, the flash of "
                             f"{board.name} has room for {room:,}")
    write_whole(out, held)
    said = f"{net.name}: {out}, {len(held):,} bytes, {count} samples"
    answer({"network": net.name, "board": board.name, "design": net.fingerprint, "file": out,
            "bytes": len(held), "samples": count}, said,
           then=f"leadlag flash {network} --board {name}" if board.flash.loader and not frames_only else
           f"leadlag board {network} --simulate {name} --pty --flash {out}")


@click.command(cls=Command, short_help="Put parameters into a built bitstream.")
@network_argument
@board_option
@click.option("-n", "--count", type=click.IntRange(0), default=0, show_default=True,
              help="Test samples to answer at power-up, too; not for a .json.")
@click.option("--out", type=FILE, help=f"{BAKED} beside the bitstream by default.")
@answers
def bake(network, board, count, out):
    """Put parameters into a bitstream that is built for BOARD+rom: without place and route.

    The board then plays them to itself at power-up. It needs neither a host nor a flash of its own.
    """
    from boards.bake import bake as write
    name = board + ("" if flow.board(board).holds else ROM)
    board = flow.board(name)
    net, held = content(network, name, count)
    folder = flow.BUILD / net.name / board.name
    out = out or folder / BAKED
    check_writable(out)
    _built(network, folder, net, name)
    with status(notes, f"{net.name} on {board.name}: new contents"):
        write(net, board, folder, held, out)
    answer({"network": net.name, "board": board.name, "design": net.fingerprint, "file": out, "frames": len(held),
            "samples": count}, f"{net.name}: {out}, {len(held):,} bytes of frames inside, {count} samples")


def _bitstream(network: str, folder: Path, net, name: str) -> bytes:
    """That of the design, short enough for the room before the frames; ValueError where it was not built."""
    found, board = _built(network, folder, net, name), flow.board(name)
    check(board.flash.apart or len(found) <= board.flash.address,
          f"the bitstream in {folder} has {len(found):,} bytes, frames begin at byte {board.flash.address:,} "
          f"(0x{board.flash.address:06x})")
    return found


def _built(network: str, folder: Path, net, name: str) -> bytes:
    """The bitstream of a design for the board of that name; ValueError where it was not built."""
    board = flow.board(name)
    try:
        report = dict(json.loads((folder / "report.json").read_text(encoding="utf-8")))
        found, facts = (folder / board.part.family.bitstream).read_bytes(), board.facts
        odd = {what: was for what, was in dict(report.get("built_for", facts)).items() if facts.get(what) != was}
    except (OSError, ValueError, TypeError):
        raise ValueError(f"{folder} has no bitstream: leadlag build {network} --board {name}") from None
    check(report.get("fingerprint") == net.fingerprint,
          f"the bitstream in {folder} is of another design: leadlag build {network} --board {name}")
    for what, was in odd.items():
        raise ValueError(f"the bitstream in {folder} was built for {what} {was}, now {board.name} has "
                         f"{facts.get(what, 'none')}: leadlag build {network} --board {name}")
    return found


@click.command(name="flash", cls=Command, short_help="Write a flash image into the flash of a board.")
@network_argument
@board_option
@click.option("--image", type=FILE, help=f"From flash-image; {IMAGE} beside the bitstream by default.")
@click.option("--dry-run", is_flag=True, help="Print the call of openFPGALoader, and end.")
@answers
def flash_command(network, board, image, dry_run):
    """Write bitstream, parameters and samples into the flash of a board, with openFPGALoader."""
    name, board = booting(board)
    net = flow.device(network, name).net
    folder = flow.BUILD / net.name / board.name
    image = image or folder / IMAGE
    check(board.flash.loader, f"{board.name} has no `loader`, a name of openFPGALoader --list-boards: write {image} at "
                              f"address 0 of its flash with the board's own programmer")
    try:
        data = image.read_bytes()
    except OSError:
        raise ValueError(f"no {image}: leadlag flash-image {network} --board {name}") from None
    frames_of(data, board, net, image)
    if board.flash.apart:
        if not dry_run:
            _built(network, folder, net, name)
    else:
        check(data[:len(flash.MAGIC)] != flash.MAGIC, f"{image} has no bitstream: it was written with --frames-only")
    calls = list(_calls(board, folder, image))
    lines = [shlex.join([OPENFPGALOADER.native, *arguments]) for arguments in calls]
    said = {"network": net.name, "board": board.name, "image": image, "commands": lines, "written": not dry_run}
    if dry_run:
        return answer(said, *lines)
    found = locate(OPENFPGALOADER)
    with status(notes, f"{board.name}: write {len(data):,} bytes"):
        try:
            for arguments in calls:
                tell(found, OPENFPGALOADER.native, arguments, Path(), "openFPGALoader.log")
        except BuildError as error:
            raise flow.CheckFailed(str(error)) from None
    return answer(said, f"{board.name}: {len(data):,} bytes written and running",
                  then=f"leadlag listen {network} --board {name} --port PORT, and press its reset")


def _calls(board, folder: Path, image: Path):
    """Arguments of openFPGALoader, call by call. Frames come first: the bitstream's call starts the board."""
    to = ["--board", board.flash.loader]
    if board.flash.apart:
        yield [*to, "--external-flash", "--offset", f"0x{board.flash.address:x}", str(image)]
        image = folder / board.part.family.bitstream
    yield [*to, "--write-flash", str(image)]


@click.command(cls=Command, short_help="Hear what a board answers by itself.")
@network_argument
@board_option
@port_option(sim=False, required=True)
@count_option
@click.option("--wait", type=Finite(0), default=30, show_default=True, help="Seconds until it begins.")
@answers
def listen(network, board, port, count, wait):
    """Hear what a board answers from its flash at power-up, and compare every word with golden."""
    from firmware import playback
    from firmware.transport import connect
    check(port != "sim", "the simulated board answers to whoever opens it: leadlag board NET --simulate BOARD --pty")
    case = flow.prepare(network, booting(board)[0])
    batch = flow.samples(case, "test", count)
    with connect(port) as line, status(notes, f"board at {port}: waiting for its answers"):
        words = playback.heard(playback.listen(line, silence=SILENCE, wait=wait))
    check(len(words), f"nothing was heard at {port}: reset the board while this waits, or was all of it said before?")
    got = case.net.outputs_of(words, batch.x)
    check(len(got) == count, f"the board at {port} has answered {len(got)} samples, -n says {count}")
    flow.compare(case, got, flow.integer_outputs(case, batch.x), f"board at {port}")
    found = flow.answers(case, got, batch)
    rows = [(batch.y[n], found.label[n] if case.data.classes else found.score[n],
             None if found.score is None else found.score[n]) for n in range(count)]
    answer({"network": case.net.name, "words": len(words), "runs": [
        dict(zip(("right", "answer", "scores"), row, strict=True)) for row in rows]},
        ladder.runs_table(case, rows, False), f"{len(words):,} words, all as golden has them")


@click.command(name="board", cls=Command, short_help="A simulated board behind a serial port.")
@network_argument
@click.option("--simulate", "board", required=True, help="The board.")
@click.option("--pty", is_flag=True, help="Open a pseudo-terminal: any program for serial ports can use it.")
@click.option("--flash", "image", type=FILE, help="What its flash holds, from flash-image.")
@click.option("--link", type=FILE, help="A link to the port, by a name that stays.")
@answers
def board_command(network, board, pty, image, link):
    """Run the compiled top of a board behind a serial port of this computer, until Ctrl-C."""
    from sim.harness.board import SimulatedBoard
    from sim.harness.pty import Port
    check(pty, "say how it is reached: --pty")
    name, board = (board, flow.board(board)) if image is None else booting(board)
    net = flow.device(network, name).net
    held = frames_of(image.read_bytes(), board, net, image) if image is not None else b"" if board.boots else None
    with status(notes, "compile the simulated board"):
        transport = SimulatedBoard(net, flash=held, keeps=board.keeps, scrubs=board.scrubs)
    with transport, Port(transport, link) as port:
        answer({"network": net.name, "board": board.name, "port": port.name},
               f"{net.name} on a simulated {board.name}: {port.name}",
               then=f"leadlag {'load' if network.endswith('.json') else 'run'} {network} --board {name} --port "
                    f"{port.name}" + ("; before it, leadlag listen with -n as flash-image" if image else ""))
        click.get_text_stream("stdout").flush()
        port.serve()
