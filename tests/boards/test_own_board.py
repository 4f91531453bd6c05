"""`--board FILE.py`: a board of one's own, and files that have none."""

import os

import pytest

from boards.build import build
from boards.pins import whose
from leadlag import flow
from leadlag.flash import booting, content, frames_of

TEXT = """
from amaranth_boards.icesugar_pro import ICESugarProPlatform
from boards.base import Board
from boards.families.ecp5 import part
from beside import MHZ
MINE = Board(name="mine", title="Mine", part=part("25", "CABGA256"), platform=ICESugarProPlatform,
             clock="clk25", input_mhz=25, clock_mhz=MHZ, baud=1_000_000)
"""


def with_flash(resource, address=0x100000, size=1 << 24) -> str:
    return TEXT.replace("import part", "import part\nfrom boards.flash import SpiFlash").replace(
        "MHZ, ", f"MHZ, flash=SpiFlash({resource}, address={address}, size={size}, loader=''), ")


def with_platform(text: str) -> str:
    """A platform of the file's own, `Own`, and what is in it."""
    return TEXT.replace("MINE =", f"""
from amaranth.build import Clock, Pins, Resource
from amaranth.vendor import LatticePlatform, SiliconBluePlatform
from amaranth_boards.resources import UARTResource
class Own{text}
MINE =""").replace("platform=ICESugarProPlatform", "platform=Own")


#: two signals at one ball; an oscillator without its frequency
TWICE = """(ICESugarProPlatform):
    resources = [Resource("clk25", 0, Pins("P6", dir="i"), Clock(25e6)), UARTResource(0, rx="A9", tx="A9")]"""
UNTIMED = """(ICESugarProPlatform):
    resources = [Resource("clk25", 0, Pins("P6", dir="i")), UARTResource(0, rx="A9", tx="B9")]"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "beside.py").write_text("MHZ = 100\n")
    (tmp_path / "mine.py").write_text(TEXT)
    return tmp_path / "mine.py"


def test_a_board_of_a_file(mine):
    """By any path, with what lies beside it; the same object, until the file changes."""
    found = flow.board("mine.py")
    assert (found.name, found.clock_mhz, found.part.name) == ("mine", 100, "LFE5U-25F")
    assert flow.board(str(mine)) is found
    case = flow.prepare("gle-mnist1d", "mine.py")
    assert case.net.lanes == flow.prepare("gle-mnist1d", "icesugar-pro").net.lanes
    mine.write_text(TEXT.replace("MHZ,", "80,"))
    os.utime(mine, ns=(1, 1))
    assert flow.board("mine.py").clock_mhz == 80


@pytest.mark.parametrize(("text", "said"), [
    ("1 +", "mine.py raised SyntaxError: invalid syntax"),
    ("1 / 0", "mine.py raised ZeroDivisionError: division by zero"),
    ("", "mine.py has 0 boards at its top, where one is expected: NAME = Board"),
    (TEXT + "from dataclasses import replace\nOTHER = replace(MINE, name='other')\n",
     "mine.py has 2 boards at its top, where one is expected: mine, other"),
    (TEXT.replace('part("25"', 'part("44"'), "mine.py raised ValueError: no LFE5U-44F: sizes are 12, 25, 45, 85"),
    (TEXT.replace("input_mhz=25", "input_mhz='25'"), "ValueError: mine: input_mhz is a positive number, not '25'"),
    (with_flash('"nope"'), "ValueError: mine: ICESugarProPlatform has no nope 0"),
    (with_flash('("spi_flash", 0)'), r"resource of a flash is a name of the platform, not \('spi_flash', 0\)"),
    (with_flash('"spi_flash"', address=0x1001), "address of a flash is a multiple of 0x10000, not 4097"),
    (with_flash('"spi_flash"', size="'16M'"), "size of a flash is a multiple of 0x10000, not '16M'"),
    (with_flash('"spi_flash"', size=1 << 16), "a flash of 0x10000 bytes has no address 0x100000"),
    (TEXT.replace('clock="clk25"', 'clock="clk25", reset_button="button"'), "reset_button is a name and a number, "),
    (TEXT.replace("input_mhz=25", "input_mhz=50"), "mine.py raised ValueError: .*50"),
    (TEXT.replace('part("25"', 'part("45"'),
     "ValueError: mine: the part is LFE5U-45F, ICESugarProPlatform is for LFE5U-25F"),
    (TEXT.replace('"CABGA256"', '"BG256"'), r"no package 'BG256' \(did you mean CABGA256\?\): nextpnr's are TQFP144, "),
    (TEXT.replace('name="mine"', 'name="icepi-zero"'), "mine.py: icepi-zero is the name of another board"),
    (TEXT.replace('clock="clk25"', 'clock="clk25", reset_button=("button", 0)'), "has no button 0"),
    (with_platform(TWICE), "ValueError: mine: uart 0 rx and uart 0 tx of Own are both at A9"),
    (with_platform(UNTIMED), r"ValueError: mine: clk25 of Own has no frequency: Clock\(25e6\) is missing"),
    (with_platform("(SiliconBluePlatform): pass"),
     "ValueError: mine: Own is no LatticePlatform, which platforms with LFE5U-25F are derived from"),
    (with_platform("(LatticePlatform): device, package = 'LFE5U-25F', 'BG256'"),
     "ValueError: mine: Own does not say: connectors, resources, speed$"),
    (with_platform(": pass"), "ValueError: mine: Own is no LatticePlatform"),
    (TEXT.replace("platform=ICESugarProPlatform", "platform=ICESugarProPlatform()"),
     "ValueError: mine: platform is a class, not <"),
    (with_platform("(ICESugarProPlatform): package = 'BG381'"),
     "ValueError: mine: the package of the part is CABGA256, that of Own is BG381"),
    (TEXT.replace('part=part("25", "CABGA256")', 'part="LFE5U-25F"'), "mine: part is a Part of boards.families, not "),
    (TEXT.replace('clock="clk25"', 'clock="clk25", leds=5'), "ValueError: mine: leds is 0 to 4, not 5"),
    (TEXT.replace('name="mine"', 'name="a/b"'), "the name of a board is letters, digits, .* and '.', not 'a/b'"),
    (TEXT.replace("families.ecp5", "families.ice40"), r"no iCE40 '25': there is HX8K, LP8K, UP5K"),
    (TEXT.replace("families.ecp5", "families.ice40").replace('"25"', '"HX8K"'),
     "no package 'CABGA256': nextpnr's of an iCE40HX8K are bg121, cb132, cm225, ct256"),
    (TEXT.replace("families.ecp5", "families.gowin"), "no device 'CABGA256': there is GW1N-9C, GW2A-18C")])
def test_files_without_a_board(text, said, mine):
    mine.write_text(text)
    os.utime(mine, ns=(len(text), len(text)))
    with pytest.raises(ValueError, match=said) as caught:
        flow.board("mine.py")
    assert "\n" not in str(caught.value)


def test_what_amaranth_refuses(mine, tmp_path):
    """In one line, and by the board's name: what a package is called is known to Amaranth alone."""
    mine.write_text(with_platform("(ICESugarProPlatform): package = 'CABGA256'"))
    os.utime(mine, ns=(7, 7))
    net = flow.prepare("delays-digits", "mine.py").net
    with pytest.raises(ValueError, match="^mine: Amaranth refuses Own: 'dict object' has no attribute 'CABGA256'$"):
        build(net, flow.board("mine.py"), out_dir=tmp_path)


@pytest.mark.parametrize("said", [
    "ERROR: IO pin 'uart_0__rx__io$tr_io' constrained to pin 'A9', which does not exist for package 'CABGA256'.",
    "ERROR: package does not have a pin named 'A9' (on line 1)"])
def test_whose_ball_it_is(said, mine):
    """What tools say of a ball, as they were heard; nothing where it is of no signal of ours."""
    board = flow.board("mine.py")
    assert whose(board.platform, board.wanted, said) == " (uart 0 rx of ICESugarProPlatform)"
    assert whose(board.platform, board.wanted, said.replace("A9", "Z99")) == ""
    assert whose(flow.BOARDS["tang-nano-9k"].platform, flow.BOARDS["tang-nano-9k"].wanted,
                 "ERROR: Pin 18 not found (pin# style)") == " (uart 0 rx of TangNano9kPlatform)"


def test_a_flash_of_its_own(mine):
    """Commands that put something into it know the board by its file, too."""
    mine.write_text(with_flash('"spi_flash_1x"'))
    os.utime(mine, ns=(9, 9))
    name, board = booting("mine.py")
    assert (name, board.name) == ("mine.py+flash", "mine+flash")
    assert booting(name) == (name, board)
    net, frames = content("delays-digits", name, 1)
    assert frames_of(frames, board, net, "it") == frames


def test_names_that_are_none(mine):
    for name, said in (("no.py", "no.py cannot be read: No such file"), ("mine", "or a file with one of your own"),
                       ("mine.py+flash", "mine has no flash"), ("mine.py+x", "no board 'mine.py.x'")):
        with pytest.raises(ValueError, match=said):
            flow.board(name)



#: of a UP5K, whose PLL is at a pin, and whose flash has a clock like other signals
UP5K = """
from amaranth.build import Clock, Pins, Resource, Subsignal
from amaranth.vendor import SiliconBluePlatform
from boards.base import Board
from boards.families.ice40 import part
from boards.flash import SpiFlash
class Own(SiliconBluePlatform):
    device, package, default_clk, connectors = "iCE40UP5K", "SG48", "clk12", []
    resources = [
        Resource("clk12", 0, Pins("35", dir="i"), Clock(12e6)),
        Resource("uart", 0, Subsignal("rx", Pins("6", dir="i")), Subsignal("tx", Pins("9", dir="o"))),
        Resource("led", 0, Pins("11", dir="o")), Resource("button", 0, Pins("10")),
        Resource("spi", 0, Subsignal("cs", Pins("16", dir="o")), Subsignal("clk", Pins("15", dir="o")),
                 Subsignal("copi", Pins("14", dir="o")), Subsignal("cipo", Pins("17", dir="i")))]
MINE = Board(name="mine", title="Mine", part=part("UP5K", "sg48"), platform=Own, clock="clk12", input_mhz=12, leds=1,
             clock_mhz=24, baud=1_000_000, reset_button=("button", 0),
             flash=SpiFlash("spi", address=0x20000, size=1 << 24, loader=""))
"""


def test_a_whole_board_of_a_file(mine):
    mine.write_text(UP5K)
    os.utime(mine, ns=(11, 11))
    assert flow.board("mine.py+flash").facts == {
        "part": "iCE40UP5K", "oscillator": "12 MHz", "baud": "1,000,000", "flash address": "0x020000",
        "flash size": "0x1000000", "clk12 0": "35", "uart 0 rx": "6", "uart 0 tx": "9", "led 0": "11", "button 0": "10",
        "spi 0 cs": "16", "spi 0 clk": "15", "spi 0 copi": "14", "spi 0 cipo": "17"}


@pytest.mark.parametrize(("change", "said"), [
    (('Pins("35"', 'Pins("20"'),
     "mine: clk12 of Own is at 20, the PLL of iCE40UP5K takes its clock from pin 35$"),
    (('"rx", Pins("6", dir="i"', '"rx", Pins("6", dir="o"'),
     "mine: Own has uart 0 rx as an output of the FPGA, not as an input$"),
    (('Pins("11", dir="o"', 'Pins("11", dir="i"'), "mine: Own has led 0 as an input of the FPGA, not as an output$"),
    (('"cipo", Pins("17", dir="i"', '"cipo", Pins("17", dir="o"'), "has spi 0 cipo as an output of the FPGA"),
    (('Subsignal("clk", Pins("15", dir="o")),', ""), "mine: Own has no spi 0 clk: its spi has cs, copi, cipo$"),
    (('Subsignal("tx", Pins("9", dir="o"))', 'Subsignal("out", Pins("9", dir="o"))'),
     "mine: Own has no uart 0 tx: its uart has rx, out$"),
    (('Resource("led", 0, Pins("11", dir="o"))', 'Resource("led", 0, Subsignal("r", Pins("11", dir="o")))'),
     "mine: Own has no led 0: its led has r$"),
    (("address=0x20000", "address=0x10000"),
     "mine: a bitstream of iCE40UP5K has 104,090 bytes, and the address of the flash is byte 65,536, inside it$")])
def test_signals_that_do_not_go_together(change, said, mine):
    mine.write_text(UP5K.replace(*change))
    os.utime(mine, ns=(hash(change) % 10**9, hash(change) % 10**9))
    with pytest.raises(ValueError, match=said):
        flow.board("mine.py")
