"""`leadlag verify`: vectors, rows, refusals; whole boards through the tools, with and without a fault (slow)."""

import os
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from boards import BOARDS
from boards.whole import Whole
from docs import figures, verify_figures
from firmware.protocol import LinkError
from golden.data import sets
from golden.files import write_npz
from golden.fixed import QFormat
from golden.programs import ToolError
from golden.rate.trained import FloatLayer, FloatNetwork
from golden.spiking.codes import LatencyCode
from golden.spiking.layer import SpikingLayer
from golden.spiking.network import SpikingNetwork
from golden.spiking.trained import SpikingTrained
from golden.units.weights import Ternary
from leadlag import flow
from leadlag.bench import verify
from leadlag.cli import cli
from leadlag.experiments import taught
from leadlag.verify import rungs
from leadlag.verify.vectors import Samples, vectors
from sim.harness.device import SimulationError

SMALL, HX8K, NANO = BOARDS["ulx3s-12f"], BOARDS["ice40-hx8k"], BOARDS["tang-nano-9k"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of a network 2-3-2 and of samples for it."""
    rng, place = np.random.default_rng(0), tmp_path_factory.mktemp("verify")
    layers = tuple(FloatLayer(weight=rng.normal(0, 0.6, (o, i)), bias=rng.normal(0, 0.1, o), tau_m=np.full(o, 1.0),
                              tau_r=np.full(o, 0.2), activation=name)
                   for i, o, name in ((2, 3, "tanh"), (3, 2, "linear")))
    FloatNetwork(name="tiny", dt=0.2, layers=layers, training={}).save(place / "tiny.safetensors")
    write_npz(place / "tiny.npz", {f"{name}_{split}": value for split in ("train", "test") for name, value in (
        ("x", rng.normal(0, 1, (20, 30, 2))), ("y", rng.integers(0, 2, 20)))})
    return place


@pytest.fixture(scope="module")
def rates(folder):
    return vectors(str(folder / "tiny.safetensors"), SMALL.name, str(folder / "tiny.npz"), 6)


@pytest.fixture(scope="module")
def spikes(tmp_path_factory):
    """Images for a spiking network 64-16-10 on an iCE40."""
    fields = {"delay_bits": 4, "state": QFormat(6, 4), "leak": (4,), "threshold": 40, "refractory": 255}
    layers = tuple(SpikingLayer(inputs=i, outputs=o, weight=Ternary(plus=4, minus=4, seed=1), **fields)
                   for i, o in ((64, 16), (16, 10)))
    net = SpikingNetwork(name="few", ticks=20, layers=layers, code=LatencyCode(bins=6))
    rng = np.random.default_rng(0)
    delays = tuple(rng.uniform(0, 15, (layer.outputs, layer.inputs)) for layer in layers)
    real = SpikingTrained(net=net, delays=delays, weights=(None, None), training={})
    case = flow.case_of(real, HX8K.name, sets.find("digits"))
    return Samples(case, flow.samples(case, "test", 12).x)


class Told:
    """A Device that says what it was told to say."""

    def __init__(self, words, error=None):
        self.words, self.error, self.cycles, self.times = words, error, 5, {"synth": 1.5}

    def load(self, pairs):
        self.pairs = pairs

    def run(self, x):
        if self.error is not None:
            raise self.error
        self.cycles += 1000
        return self.words


def told(monkeypatch, device):
    """Every rung is `device`; the faults that were asked for."""
    asked = []
    monkeypatch.setattr(rungs, "_netlist", lambda net, target, rung, fault, quick, say: (
        asked.append((rung, fault, quick)), (device, device.times))[1])
    return asked


def test_row_of_equal_words(monkeypatch, rates):
    want = flow.integer_outputs(rates.case, rates.x)
    device = Told(want)
    asked = told(monkeypatch, device)
    row = rungs.verify(rates, SMALL, "netlist", fault="ram", quick=True)
    assert asked == [("netlist", "ram", True)]
    np.testing.assert_array_equal(device.pairs, rates.case.image.pairs)
    assert {name: row[name] for name in ("network", "board", "rung", "vectors", "words", "equal", "cycles")} == {
        "network": "tiny", "board": "ulx3s-12f", "rung": "netlist", "vectors": "6 sequences", "words": want.size,
        "equal": want.size, "cycles": 1000}
    assert row["tools_cpu_s"] == {"synth": 1.5}
    shown = rungs.table([row])
    assert shown.rows == [("tiny", "ulx3s-12f", "netlist", "6 sequences", f"{want.size} of {want.size}", "1,000",
                           "synth 2", f"{row['cycles_per_s']:,}")]


def test_first_word_that_differs_is_named(monkeypatch, rates):
    want = flow.integer_outputs(rates.case, rates.x)
    wrong = want.copy()
    wrong[2, 7, 1] += 1
    wrong[3, 0, 0] += 1
    told(monkeypatch, Told(wrong))
    with pytest.raises(flow.CheckFailed, match=rf"^netlist on ulx3s-12f: sequence 2, tick 7, output 1 is "
                                               rf"{wrong[2, 7, 1]}, the golden model says {want[2, 7, 1]}$"):
        rungs.verify(rates, SMALL, "netlist")


@pytest.mark.parametrize("error", [SimulationError("it does not answer"), LinkError("no response within 1 s"),
                                   ValueError("the image is for design a, the device is design b")])
def test_device_that_says_nothing_is_a_difference(monkeypatch, rates, error):
    told(monkeypatch, Told(None, error))
    with pytest.raises(flow.CheckFailed, match=f"^tiny, netlist on ulx3s-12f: {error}$"):
        rungs.verify(rates, SMALL, "netlist")


def test_vectors_of_a_network_that_learns():
    found = taught.ticks_of("lagline", 40)
    assert found.count == "40 ticks"
    assert len(found.stream.x) == len(found.stream.target) == 40
    assert found.stream.teach[:, 0].tolist() == found.stream.learn[:, 0].tolist() == [False] * 20 + [True] * 20
    golden = taught.CompiledLearner(found.net, found.params)
    want = golden.run(found.stream.x, found.stream.target, first=True, learn=found.stream.learn,
                      teach=found.stream.teach)
    device = SimpleNamespace(read_params=lambda params: golden.params)
    found.compare(device, want, "told")
    with pytest.raises(flow.CheckFailed, match="lagline, told: tick 3, stream 0, output 0 is"):
        found.compare(device, want + (np.arange(40) == 3)[:, None, None], "told")
    # what was learnt is compared, too
    with pytest.raises(flow.CheckFailed, match="of layer 0 as read back is not what golden has learnt"):
        found.compare(SimpleNamespace(read_params=lambda params: found.params), want, "told")


def test_where_the_tools_stop_short(monkeypatch, rates, spikes):
    for board, rung, why in ((SMALL, "bitstream", "no tool makes a netlist of an ECP5 bitstream"),
                             (HX8K, "routed", "what nextpnr-ice40 writes of a routed design has no clock at its pad"),
                             (NANO, "routed", "nothing here turns what nextpnr-himbaechel routes back into cells"),
                             (NANO, "bitstream", "gowin_unpack gives neither multipliers nor the contents")):
        with pytest.raises(ValueError, match=f"^{board.name} has no rung {rung}: {why}"):
            rungs.check_rung(board, rung)
    part = SMALL.part
    strange = replace(SMALL, part=replace(part, family=replace(part.family, name="strange")))
    with pytest.raises(ValueError, match="^ulx3s-12f has no rung netlist: there are no models of cells of strange$"):
        rungs.check_rung(strange, "netlist")
    routed = SimpleNamespace(times={}, cells={"SB_MAC16": 3, "SB_LUT4": 9}, module={})
    monkeypatch.setattr(rungs, "Whole", lambda net, board, **options: SimpleNamespace(
        key="", routed=lambda folder, say: routed))
    monkeypatch.setattr(rungs, "check_rung", lambda target, rung: None)
    monkeypatch.setattr(rungs.SimulatedBoard, "of", lambda design, reset, quick: design.verilog())
    with pytest.raises(ValueError, match="^ice40-hx8k has no rung bitstream for few: icebox_vlog drops SB_MAC16; "
                                         "--rung netlist has models of them$"):
        rungs.verify(spikes, HX8K, "bitstream")


def test_missing_decoder_says_what_brings_it(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolError, match="^icebox_vlog is missing, which decodes a bitstream: apt-get install "
                                        "fpga-icestorm$"):
        rungs.check_rung(HX8K, "bitstream")


@pytest.mark.parametrize(("arguments", "said"), [
    (("nothing",), "no network 'nothing'"), (("lagline", "--board", "nowhere"), "no board 'nowhere'"),
    (("gle-mnist1d", "--board", "ulx3s-12f"), "gle-mnist1d needs 35 block RAMs, ulx3s-12f (LFE5U-12F) has 32"),
    (("lagline", "--data", "mnist1d"), "lagline has data of its own, not mnist1d"),
    (("delays-digits", "--rung", "bitstream"), "ulx3s-85f has no rung bitstream"),
    (("delays-digits", "-n", "100000"), "digits test has 1 to 360 images, not 100000")])
def test_what_the_command_refuses(monkeypatch, tmp_path, arguments, said):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["verify", *arguments])
    assert isinstance(done.exception, ValueError)
    assert str(done.exception).startswith(said)
    assert not any(tmp_path.rglob("*verif*"))


def test_pads_are_those_of_the_design(rates, spikes):
    """Names, and levels of what nobody touches."""
    for board, net, idle in ((SMALL, rates.net, {"button_fire_0__io": 0}), (HX8K, spikes.net, {})):
        made = Whole(net, board, divisor=4, clock_mhz=board.input_mhz)
        assert made.idle == idle
        for port in (*made.pads.values(), *made.idle):
            assert f"wire width 1 input {port}" in made._files["design.il"] or \
                f"\\{port}\n" in made._files["design.il"], port


def available(vectors, *arguments, **options) -> dict:
    """The row, where the tools are."""
    try:
        return rungs.verify(vectors, *arguments, **options)
    except ToolError as error:
        if os.environ.get("CI") == "true" and "icebox_vlog" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize(("of", "board", "rung"), [("rates", SMALL, "netlist"), ("rates", SMALL, "routed"),
                                                   ("spikes", HX8K, "netlist"), ("spikes", HX8K, "bitstream"),
                                                   ("rates", NANO, "netlist")])
def test_rungs_equal_golden_and_find_faults(request, of, board, rung):
    given = request.getfixturevalue(of)
    row = available(given, board, rung, quick=True)
    assert row["words"] == row["equal"] > 0
    assert min(row["tools_cpu_s"].values()) >= 0
    for fault in ("lut", "ram"):
        with pytest.raises(flow.CheckFailed, match=f"{rung} on {board.name}: "):
            available(given, board, rung, fault=fault, quick=True)


@pytest.mark.slow
def test_learning_board_equals_golden():
    for rung in ("netlist", "routed"):
        row = available(taught.ticks_of("lagline", 200), BOARDS["ulx3s-25f"], rung, quick=True)
        assert row["words"] == row["equal"] == 200


def test_table_and_limits_of_the_docs():
    row = {"network": "tiny", "board": "ulx3s-12f", "rung": "bitstream", "vectors": "6 sequences", "words": 4000,
           "equal": 4000, "cycles": 12345, "cycles_per_s": 678, "tools_cpu_s": {"synth": 1.4, "place": 20.6}}
    data = {"ladder": {"rows": [row, {"rung": "half a row"}]}}
    text = verify_figures.verify(figures._table, data)
    assert ("| bitstream | `tiny` | ulx3s-12f | 6 sequences | 4,000 of 4,000 | 12,345 | 678 | "
            "synth 1, place 21 |") in text
    assert text.count("\n|") == 2
    limits = {(rung, board.part.family.name) for board in BOARDS.values() for rung in board.part.family.limits}
    assert {("bitstream", "ecp5"), ("routed", "ice40"), ("bitstream", "gowin")} <= limits
    assert text.count("\n- `") == len(limits)
    assert verify_figures.summary(data) == [("ulx3s-12f, tiny, bitstream: output words equal to golden",
                                             "4,000 of 4,000, 6 sequences", "ladder")]
    assert verify_figures.verify(figures._table, {}).startswith("Not measured yet: `leadlag bench ladder`")
    assert [verify_figures.GROUP] == list(verify.GROUPS)


def test_the_table_of_proofs():
    """A row a claim, with all units of which it is the same; a planted bug that was missed is said."""
    def row(name, seconds, bug=True):
        return {"property": name, "result": "holds", "way": "unbounded", "depth": 3, "seconds": seconds,
                "bug_found": bug}
    data = {"proofs": {"commit": "c", "command": "make prove", "rows": [
        row("a.B: it holds", 1.0), row("c.D, of two: it holds", 2.5), row("e.F: it ends", 0.5, bug=False)]}}
    text = verify_figures.proofs(figures._table, data)
    assert text.startswith("2 of 3 hold, 4 s in all, measured at c.")
    assert "| `a.B`; c.D, of two | it holds | unbounded | 3 | 3.5 | found |" in text
    assert "| `e.F` | it ends | unbounded | 3 | 0.5 | missed |" in text
    assert verify_figures.proved(data)[0][1:] == ("2 of 3 hold, 4 s in all", "`make prove`")
    assert verify_figures.proofs(figures._table, {}) == "Not measured yet: `make prove`."
    assert verify_figures.proved({}) == []
