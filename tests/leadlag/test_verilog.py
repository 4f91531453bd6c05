# amaranth: UnusedElaboratable=no
"""`leadlag verilog`: units pass their own benches in Icarus, broken circuits do not; all files are written or none."""

import json
import os
import re

import click
import events
import pytest
from ltcs import random_trained

import leadlag
from golden.event.trained import EventTrained
from golden.programs import ToolError
from leadlag.verilog import check
from leadlag.verilog.command import emit, listing
from leadlag.verilog.script import Script
from leadlag.verilog.units import units
from rtl.units.delay import DelayLine

#: units with other parameters than their defaults
VARIANTS = {
    "LeadLag": ["state=Q3.4 lead=Q1.6 lag=Q0.7", "state=Q0.2 lead=Q2.1 lag=Q1.2", "state=Q5.11 lag=Q1.16 guard=3"],
    "Activation": ["function=softplus state=Q3.6 out=Q4.6", "function=relu", "function=tanh derivative=true",
                   "function=hard_sigmoid derivative=true state=Q2.7 out=Q1.5"],
    "DelayLine": ["size=1 depth=0", "size=8 depth=4 ahead=true"],
    "MacLanes": ["count=10 words=10 lanes=10 first_bank=4", "count=5 words=4 lanes=1 shift=0 weight=18 operand=18"],
    "Plasticity": ["weight=Q1.16 error=Q0.17 rate=Q5.8 shift=22", "shift=0 seed=131071"],
    "TimeConstant": ["lag=Q1.12 tau_rate=3 tau_min=1", "tau=Q4.5 lag=Q0.9 error=Q3.6 tau_rate=2 tau_min=2"],
    "BlockWeights": ["blocks=1 plus=16 minus=0", "blocks=5 seed=4294967295"],
    "Extrapolator": ["kind=second_order spacing=3 history=6", "kind=fir spacing=2 rate=2 quiet=10 max_delay=5",
                     "kind=neural spacing=2 history=9 shared=false", "delay=0"],
    "PredictedLine": ["kind=second_order spacing=3 history=6", "kind=fir spacing=2 rate=2 quiet=10",
                      "kind=neural spacing=2 history=4 taps=3", "delay=0"],
    "DenseLayer": ["inputs=12 outputs=5 lanes=5 activation=linear", "inputs=3 outputs=4 lanes=1 guard=2 delay=0"],
}
#: those that are broken, too, and are looked at whole there; and on a part of few lanes, which are quickly simulated
BROKEN = {"SpikingCore": "network=delays-digits board=ice40-hx8k sequences=2",
          "NetworkTop": "network=delays-digits board=ice40-hx8k sequences=1"}
NETWORKS = [("NetworkCore", "network=gle-mnist1d board=ulx3s-25f sequences=2 ticks=3"),
            ("CascadeCore", "network=cascade-digits sequences=6"),
            ("LtcCore", "network={gated} sequences=3 ticks=4"), ("EventCore", "network={event} sequences=2")]
CASES = [(unit, given) for unit in VARIANTS for given in ("", *VARIANTS[unit])]


def passes(folder, name):
    """Run a bench; a missing Icarus skips, and fails on the build server."""
    try:
        return check.passes(folder, name)
    except ToolError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def written(unit, given, folder, **options):
    return emit(unit, given.split(), out=folder, command=f"leadlag verilog --unit {unit}", **options)


@pytest.mark.parametrize(("unit", "given"), [*CASES, *NETWORKS], ids=str)
def test_a_unit_passes_its_own_bench(unit, given, tmp_path):
    gated = tmp_path / "gated.safetensors"
    if "{gated}" in given:
        random_trained(3).save(gated)
    event = tmp_path / "graph.safetensors"
    if "{event}" in given:
        net, params, _ = events.case("verilog", 1, largest=8, lanes=1)
        EventTrained(net=net, params=params, training={}).save(event)
    passes_whole(written(unit, given.format(gated=gated, event=event), tmp_path / "out"))


@pytest.mark.slow
def test_a_network_of_the_zoo_passes_its_own_bench(tmp_path):
    passes_whole(written("LtcCore", "network=ltc-vowels sequences=2 ticks=3", tmp_path))


def passes_whole(found, least=4):
    verdict = passes(found.folder, found.name)
    assert verdict.passed, verdict.said
    # every word is looked at, and there are some
    assert int(re.match(r"PASS: (\d+) words in \d+ cycles$", verdict.said)[1]) >= least
    assert not set(re.findall(r"^\w+", "\n".join(os.listdir(found.folder)), re.MULTILINE)) - {
        "README", *(path.name.partition(".")[0] for path in found.files)}, "the bench has left something"


def test_every_public_circuit_is_a_unit():
    circuits = {name for name in leadlag.__all__ if hasattr(getattr(leadlag, name), "elaborate")}
    # what it is behind its serial line is NetworkTop
    assert circuits - set(units()) == {"SerialTop"}
    assert set(units()) == {*VARIANTS, *BROKEN, *(unit for unit, _ in NETWORKS)}
    assert {row["unit"] for row in listing()} == set(units())


def broken(text):
    """Circuits with one line changed, for every kind of line that there is: (what, text)."""
    for what, old, new in (("sum", r"(assign \S+ = .*) \+ ", r"\1 - "),
                           ("inverted", r"(<= )(\\?\w+\s?;)", r"\1~\2"), ("product", r"(assign .*\)) \* ", r"\1 + "),
                           ("stuck", r"(assign o_valid = ).*;", r"\g<1>1'b0;"),
                           ("comparison", r" < ", " > ")):
        changed = re.sub(old, new, text, count=1)
        if changed != text:
            yield what, changed


@pytest.mark.parametrize("unit", ["LeadLag", "Plasticity", "DelayLine", "DenseLayer"])
def test_a_broken_circuit_fails(unit, tmp_path):
    found = written(unit, "", tmp_path)
    circuit = found.folder / f"{found.name}.v"
    text, seen = circuit.read_text(), []
    for what, changed in broken(text):
        circuit.write_text(changed)
        verdict = passes(found.folder, found.name)
        assert not verdict.passed, f"{what}: {verdict.said}"
        assert re.match(r"FAIL: cycle \d+: \S+.* is -?[\dx]+, expected -?\d+$", verdict.said), verdict.said
        seen.append(what)
    assert len(seen) >= 2


@pytest.mark.parametrize("unit", BROKEN)
def test_a_network_passes_and_a_broken_one_fails(unit, tmp_path):
    """A wrong word, one that comes twice, and a circuit that hangs."""
    found = written(unit, BROKEN[unit], tmp_path)
    circuit = found.folder / f"{found.name}.v"
    text, port = circuit.read_text(), "o_valid" if unit == "SpikingCore" else "bus_ack"
    passes_whole(found, least=2)
    hung = re.sub(rf"(assign {port} = ).*;|({port} <= ).*;", rf"assign {port} = 1'b0;", text)
    circuit.write_text(hung.replace(f"reg {port};", f"wire {port};"))
    assert "nothing has moved for" in passes(found.folder, found.name).said
    circuit.write_text(text)
    words = found.folder / f"{found.name}_{'o' if unit == 'SpikingCore' else 'bus'}.hex"
    lines = words.read_text().splitlines()
    words.write_text("\n".join([*lines[:-1], f"{int(lines[-1], 16) ^ 1 << (0 if port == 'o_valid' else 64):x}"]))
    said = passes(found.folder, found.name).said
    where = r"word 1: o_payload\[17:0\] \(y\) is" if port == "o_valid" else r"bus access \d+: 0x00000101 holds"
    assert re.match(rf"FAIL: cycle \d+: {where}", said), said


@pytest.mark.parametrize("missing", ["inputs", "expected", "mask"])
def test_damaged_vectors_fail(missing, tmp_path):
    found = written("DelayLine", "", tmp_path)
    path = found.folder / f"{found.name}_{missing}.hex"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:len(lines) // 2]))
    assert not passes(found.folder, found.name).passed
    path.unlink()
    assert not passes(found.folder, found.name).passed


def test_constraints_of_a_board_of_another_vendor(tmp_path):
    """The network behind a serial line, every port of it with a pin, and in both files that nobody has built it."""
    emit("SpikingCore", BROKEN["SpikingCore"].split(), out=tmp_path, name="digits", template="arty-a7",
         command="make it")
    circuit, pins = ((tmp_path / name).read_text() for name in ("digits_serial.v", "digits_arty_a7.xdc"))
    assert "Nobody has built it" in circuit
    assert "Nobody has built it" in pins
    assert "make it" in pins
    ports = re.search(r"module digits_serial\(([^)]*)\)", circuit)[1].replace(",", " ").split()
    assert sorted(ports) == ["busy", "clk", "rst", "rx", "tx"]
    assert {port: pin for pin, port in re.findall(r"PACKAGE_PIN (\w+) .*get_ports (\w+)", pins)} == {
        "clk": "E3", "rst": "D9", "rx": "A9", "tx": "D10", "busy": "H5"}
    assert "create_clock -period 10 [get_ports clk]" in pins


def test_the_head_of_a_circuit(tmp_path):
    found = written("LeadLag", "state=Q3.4", tmp_path, name="my-unit", seed=5)
    assert found.name == "my_unit"
    text = (tmp_path / "my_unit.v").read_text(encoding="ascii")
    for part in ("// my_unit: written by leadlag ", "//   leadlag verilog --unit LeadLag\n", "SPDX-License-Identifier",
                 "circuit rtl.units.leadlag.LeadLag", "y = sat(seen + round_shift(lead * d, p.lead.frac_bits))",
                 "state = Q3.4\n", "latency\n//   7 cycles", "[7:0]", "x  Q3.4, [-8, 8) in steps of 2**-4",
                 "\nmodule my_unit("):
        assert part in text, part
    readme = (tmp_path / "README.txt").read_text(encoding="ascii")
    assert "iverilog -g2005 -o my_unit.vvp my_unit.v my_unit_tb.v\n  vvp my_unit.vvp\n" in readme
    assert all(path.name in readme for path in found.files[:-1])
    again = tmp_path / "again"
    written("LeadLag", "state=Q3.4", again, name="my-unit", seed=5)
    assert all((again / path.name).read_bytes() == path.read_bytes() for path in found.files), "other files each time"
    written("LeadLag", "state=Q3.4", again, name="my-unit", seed=6)
    assert (again / "my_unit_inputs.hex").read_text() != (tmp_path / "my_unit_inputs.hex").read_text()


@pytest.mark.parametrize(("unit", "given", "message"), [
    ("LeadLg", "", r"no unit 'LeadLg': did you mean LeadLag\?"), ("x", "", "no unit 'x': there is LeadLag, "),
    ("LeadLag", "stat=Q1.2", r"LeadLag has no parameter 'stat': did you mean state\?"),
    ("LeadLag", "state", "--set state: NAME=VALUE is expected"),
    ("LeadLag", "state=5", "LeadLag: state: a format is written like Q5.11, not '5'"),
    ("LeadLag", "state=Q9.9", "LeadLag: state Q9.9 is 19 bits wide, 17 at most"),
    ("LeadLag", "guard=9", "LeadLag: guard must be in 0..8, not 9"),
    ("LeadLag", "guard=2 lag=Q9.2", "LeadLag: lag Q9.2 needs more fraction bits than the 2 guard bits"),
    ("LeadLag", "lead=Q1.0", "LeadLag: lead Q1.0 needs a fraction bit"),
    ("LeadLag", "guard=two", "LeadLag: guard: an integer, not 'two'"),
    ("DelayLine", "ahead=1", "DelayLine: ahead: true or false, not '1'"),
    ("DelayLine", "size=0", "DelayLine: size must be in 1..4096, not 0"),
    ("DelayLine", "depth=-1", "DelayLine: depth must be in 0..1023, not -1"),
    ("Activation", "function=sin", "Activation: function: one of linear, .*, not 'sin'"),
    ("Plasticity", "seed=0", "Plasticity: a seed is 1 to 131071, not 0"),
    ("MacLanes", "lanes=9", "MacLanes: rows: lanes must be an integer in 1..6, not 9"),
    ("MacLanes", "first_bank=5000", "MacLanes: first_bank must be in 0..4092, not 5000"),
    ("Extrapolator", "delay=9", "Extrapolator: delay must be in 0..4, not 9"),
    ("Extrapolator", "size=0", "Extrapolator: size must be in 1..4096, not 0"),
    ("Extrapolator", "bank=4096", "Extrapolator: bank must be in 0..4095, not 4096"),
    ("Extrapolator", "kind=fir spacing=1 rate=2 seed=0", "Extrapolator: a seed is 1 to 131071, not 0"),
    ("PredictedLine", "kind=fir", "PredictedLine: predictor: spacing must be an integer"),
    ("BlockWeights", "plus=9 minus=8", "BlockWeights: ternary weights: plus and minus are 1 to 16 sixteenths"),
    ("BlockWeights", "blocks=0", "BlockWeights: blocks must be in 1..4096, not 0"),
    ("TimeConstant", "tau_min=0", "TimeConstant: .*tau_min must be an integer"),
    ("DenseLayer", "lanes=20", "DenseLayer: dense layer: lanes must be an integer in 1..7, not 20"),
    ("NetworkCore", "", "NetworkCore: a network is missing"),
    ("NetworkCore", "network=nothing", "NetworkCore: no network 'nothing'"),
    ("NetworkCore", "network=delays-digits", "delays-digits is no network for it: its core is a SpikingCore"),
    ("NetworkTop", "network=delays-digits ticks=0", "NetworkTop: ticks must be in 1..10000, not 0"),
])
def test_what_does_not_go_is_one_line(unit, given, message, tmp_path):
    with pytest.raises(ValueError, match=message) as error:
        written(unit, given, tmp_path / "out")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "out").exists()


def test_all_files_or_none(tmp_path):
    """A bench that is there already stays, with its circuit, where a file cannot take its place."""
    found = written("DelayLine", "", tmp_path)
    before = {path: path.read_bytes() for path in found.files if path.name != "README.txt"}
    (tmp_path / "README.txt").unlink()
    (tmp_path / "README.txt").mkdir()
    with pytest.raises(OSError, match="README.txt cannot be written: it is there already, and is no file"):
        written("DelayLine", "size=4", tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


@pytest.mark.parametrize("name", ["3d", "ä", " ", "a" * 70, "wire", "start"])
def test_names_that_a_module_cannot_have(name, tmp_path):
    with pytest.raises(ValueError, match="is no name of a module|'start' is a pin of the module"):
        written("DelayLine", "", tmp_path / "out", name=name)
    assert not (tmp_path / "out").exists()


def test_a_script_that_is_wrong():
    script = Script(DelayLine(size=2, fmt=leadlag.QFormat(1, 3), depth=1))
    with pytest.raises(ValueError, match="read_data is an output"):
        script.drive(read_data=1)
    script.expect(3, read_data=1)
    script.tick(3)
    with pytest.raises(ValueError, match="something is expected in cycle 3, the script has 3"):
        script.expected()


def test_the_command(monkeypatch, tmp_path, capsys):
    from leadlag import cli
    monkeypatch.chdir(tmp_path)

    def run(line):
        try:
            cli.cli.main(line.split(), standalone_mode=False)
        except click.ClickException as error:
            return error.format_message()
        return capsys.readouterr()
    said = run("verilog --unit DelayLine --set size=2 --json")
    assert said.err == ""
    found = json.loads(said.out)
    assert found["unit"] == "DelayLine"
    assert found["folder"] == "build/verilog/delayline"
    assert all((tmp_path / path).is_file() for path in found["files"])
    assert "//   leadlag verilog --unit DelayLine --set size=2 --json\n" in (tmp_path / found["files"][0]).read_text()
    assert run("verilog --list --out x") == "--out: only for writing, not for --list"
    assert run("verilog --unit LeadLag --board x").startswith("--board: only for networks")
    assert run("verilog --list --unit LeadLag -q").err == ""
