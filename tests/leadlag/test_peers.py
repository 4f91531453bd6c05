"""`leadlag bench peers`: what a checkout has to hold, what a row says, a circuit alone through the flow."""

import json

import pytest

from boards import BOARDS
from boards.bare import Bare, figures
from golden.programs import ToolError
from leadlag.bench import peers

#: a module of a peer's name, and nothing more
COUNTER = """
module tinyODIN(input CLK, output reg [7:0] count);
    initial count = 0;
    always @(posedge CLK) count <= count + 1;
endmodule
"""


@pytest.mark.parametrize(("name", "files", "message"), [
    ("tinyodn", {}, "no peer 'tinyodn': there is tinyodin, odin"),
    ("odin", None, "no folder with a checkout of odin"),
    ("odin", {"a.v": COUNTER}, "none of 1 Verilog files has the module ODIN of odin"),
    ("tinyodin", {"a.v": COUNTER.replace("tinyODIN", "tinyODIN2")}, "has the module tinyODIN of tinyodin"),
])
def test_what_is_no_checkout(name, files, message, tmp_path):
    folder = tmp_path / "peer"
    if files is not None:
        folder.mkdir()
        for file, text in files.items():
            (folder / file).write_text(text)
    with pytest.raises(ValueError, match=message):
        peers.sources(name, folder)


def test_comments_in_any_code_page(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/top.v").write_bytes("// Universit\xe9\n".encode("latin-1") + COUNTER.encode())
    assert list(peers.sources("tinyodin", tmp_path)) == ["top.v"]


def test_a_row():
    routed = {"lut4": 2000, "fmax_median": 40.0}
    found = peers.row("x", routed, {1: 1024, 10: 5632, 100: 51200}, boundary="core")
    assert found["cycles_per_operation"] == 2
    assert found["cycles_per_operation_by_spikes"] == {"1": 4, "10": 2.2, "100": 2}
    assert found["operations_per_s"] == 20_000_000
    assert found["per_lut4"] == 10_000
    assert found["boundary"] == "core"
    json.dumps(found)


def test_a_circuit_that_does_not_work_is_no_row(tmp_path):
    """Its pins are not those of the peer: Icarus says so; nothing is made up."""
    with pytest.raises((RuntimeError, ToolError)):
        peers.cycles("tinyodin", {"top.v": COUNTER})


def test_a_circuit_alone_through_the_flow():
    board = BOARDS["ulx3s-25f"]
    found = figures(Bare({"top.v": COUNTER}, "tinyODIN", "CLK"), board, mhz=100, seeds=(1, 2))
    assert found["ff"] == 8
    assert (found["bram"], found["dsp"], found["seeds"]) == (0, 0, [1, 2])
    assert found["fmax_range"] == [min(found["fmax_seeds"]), max(found["fmax_seeds"])]
    assert found["fmax_range"][0] > 100


def test_options_of_bench():
    from click.testing import CliRunner

    from leadlag.cli import cli
    found = CliRunner().invoke(cli, ["bench", "own", "--peer", "tinyodin=."])
    assert found.exit_code == 2
    assert "--peer: only for the group peers alone, not for own" in str(found.output) + str(found.exception)


@pytest.mark.parametrize(("given", "message"), [("tinyodin", "NAME=FOLDER is expected"), ("tinyodin=", "NAME=FOLDER"),
                                                ("x=.", "no peer 'x'"), ("odin=nowhere", "nowhere: no folder with")])
def test_checkouts_that_are_none(given, message):
    with pytest.raises(ValueError, match=message):
        peers.checkouts_of([given])
