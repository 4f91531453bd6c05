"""Commands that take a description by path, with the image beside it, as networks have it that learnt on the chip."""

import json

import numpy as np
import pytest
from cases import random_network
from test_cli import leadlag, refused

from firmware.playback import content
from golden.image import build_image
from golden.tasks import learning
from leadlag import flow

NET = learning.lagline()
PARAMS = learning.lagline_start(NET, 0)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A folder with what `leadlag learn lagline` leaves."""
    folder = tmp_path_factory.mktemp("described")
    flow.write_words(NET, PARAMS, folder / "words")
    return folder


def test_a_description_stands_as_it_is(written):
    found = flow.device(str(written / "words" / "network.json"), "ulx3s-12f")
    assert found.net == NET
    assert found.loaded == (NET, build_image(NET, PARAMS))


def test_without_words(written, tmp_path):
    (tmp_path / "network.json").write_text(NET.to_json())
    found = flow.device(str(tmp_path / "network.json"))
    assert found == flow.Device(NET, None)
    with pytest.raises(ValueError, match="^lagline has no words: no parameters.image lies beside its network"):
        _ = found.loaded
    for command in (("load", "--port", "x"), ("flash-image", "--frames-only")):
        assert "has no words" in refused(command[0], "network.json", *command[1:], cwd=tmp_path)


def test_words_of_another_design(written, tmp_path):
    (tmp_path / "parameters.image").write_bytes((written / "words" / "parameters.image").read_bytes())
    (tmp_path / "network.json").write_text(random_network("described", largest=3).to_json())
    assert "the image is for design" in refused("load", "network.json", "--port", "x", cwd=tmp_path)


def test_commands_that_take_it(written):
    rows = json.loads(leadlag("boards", "--for", "words/network.json", "--json", cwd=written).stdout)["boards"]
    assert {row["board"] for row in rows if not row["fits"]} == {"ice40-hx8k", "icebreaker", "tang-nano-9k"}
    assert not any("its lanes" in row["short"] for row in rows if not row["fits"]), "none of them has room for it"
    assert {row["lanes"] for row in rows if row["fits"]} == {NET.lanes}
    done = leadlag("flash-image", "words/network.json", "--board", "ulx3s-12f+learn", "--frames-only", "--out", "f.bin",
                   cwd=written)
    assert done.returncode == 0, done.stderr
    assert (written / "f.bin").read_bytes() == content(NET, build_image(NET, PARAMS))
    assert "lagline needs 22 multipliers, tang-nano-9k" in refused(
        "build", "words/network.json", "--board", "tang-nano-9k", cwd=written)


def test_the_lanes_of_another_board(tmp_path):
    """The same words: what a network.json for a large board is on a smaller one, and that boards says so."""
    large, small = (flow.prepare("gle-mnist1d", board) for board in ("ulx3s-85f", "ulx3s-45f"))
    flow.write_words(large.net, large.params, tmp_path / "words")
    rows = json.loads(leadlag("boards", "--for", "words/network.json", "--board", "ulx3s-45f", "--board", "ulx3s-12f",
                              "--json", cwd=tmp_path).stdout)["boards"]
    assert [row["short"] for row in rows] == [f"its lanes: {large.net.lanes}, where {small.net.lanes} would fit",
                                              "gle-mnist1d needs 35 block RAMs, ulx3s-12f (LFE5U-12F) has 32"]
    done = leadlag("quantize", "words/network.json", "--board", "ulx3s-45f", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    net, image = flow.device(str(tmp_path / "words" / "network.json")).loaded
    assert (net, image.pairs.tolist()) == (small.net, small.image.pairs.tolist())
    assert "next: leadlag build words/network.json --board ulx3s-45f" in done.stdout + done.stderr
    assert "--bits: only for real parameters, not for a description" in refused(
        "quantize", "words/network.json", "--bits", "12", cwd=tmp_path)


@pytest.mark.parametrize(("network", "small", "large"), [
    ("gle-mnist1d", "ulx3s-25f", "ulx3s-85f"), ("ltc-fashion", "ulx3s-85f", "ulx3s-85f"),
    ("delays-digits", "ice40-hx8k", "ulx3s-12f"), ("cascade-digits", "ice40-hx8k", "ulx3s-12f")])
def test_where_it_was_before_makes_no_difference(network, small, large, tmp_path):
    """One half of parameters, too, is given up again where there is room for two."""
    was, wanted = flow.prepare(network, small), flow.prepare(network, large)
    flow.write_words(was.net, was.params, tmp_path)
    net, params, image = flow.refolded(str(tmp_path / "network.json"), large)
    assert net == wanted.net
    assert image.pairs.tolist() == wanted.image.pairs.tolist()
    assert build_image(net, params).pairs.tolist() == image.pairs.tolist()


def test_commands_that_need_more(written):
    for command in ("evaluate", "simulate"):
        assert "a description has no samples and no real parameters; build, load," in refused(
            command, "words/network.json", cwd=written)
    assert "a description has no samples" in refused(
        "flash-image", "words/network.json", "--board", "ulx3s-12f", "--frames-only", "-n", "2", cwd=written)


def test_words_that_were_learnt(written, tmp_path):
    """A network judged by other words of its kind: those that a board has learnt, here by chance."""
    case = flow.prepare("delays-digits")
    words = tuple(each._replace(**{name: value[::-1].copy() for name, value in each._asdict().items()
                                   if isinstance(value, np.ndarray)}) for each in case.params)
    flow.write_words(case.net, words, tmp_path)
    found = flow.with_words(case, tmp_path / "network.json")
    batch = flow.samples(found, "test", 50)
    assert np.array_equal(flow.integer_outputs(found, batch.x), case.net.run(words, batch.x))
    rungs = json.loads(leadlag("evaluate", "delays-digits", "--no-rtl", "-n", "50", "--words",
                               tmp_path / "network.json", "--json").stdout)["ladder"]
    assert rungs[-1]["accuracy"] == flow.judge(found, case.net.run(words, batch.x), batch)["accuracy"] < 0.5
    with pytest.raises(ValueError, match="network.json: lagline is a rate network of 1 inputs and 1 outputs, "
                                         "delays-digits a spiking network of 64 and 10"):
        flow.with_words(case, written / "words" / "network.json")


def test_adapt_for_another_board():
    said = refused("adapt", "gle-mnist1d", "--board", "ulx3s-25f", "-n", "10", "--on-board", "0")
    assert "gle-mnist1d-adaptive needs 79 block RAMs, ulx3s-25f (LFE5U-25F) has 56" in said
