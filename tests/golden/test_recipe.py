"""Recipes: those of the zoo, files of a user's, other values for fields, and one line for what is wrong."""

import dataclasses
import shlex
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from golden import recipe as recipes
from golden.data.dataset import own
from golden.data.series import Raw
from golden.data.sets import find
from golden.fixed import QFormat
from golden.rate.recipe import RateLayer, RateRecipe
from golden.recipe import load
from golden.spiking.recipe import PSP, SpikingRecipe

RATE = 'kind = "rate"\nname = "mine"\ndata = "mnist1d"\n[[layers]]\nneurons = 4\ntau_m = 1\ntau_r = 0.2\n'
SPIKING = 'kind = "spiking"\nname = "mine"\ndata = "digits"\nhidden = [8]\n'


@pytest.fixture
def file(tmp_path):
    def write(text, name="mine.toml"):
        (tmp_path / name).write_text(text)
        return str(tmp_path / name)
    return write


def test_zoo():
    assert set(recipes.names()) == {"gle-mnist1d", "gle-mnist1d-42k", "delays-fashion-256", "delays-fashion-800",
                                    "delays-mnist", "delays-digits", "cascade-fashion", "cascade-digits",
                                    "ltc-fashion", "ltc-vowels"}
    for name in recipes.names():
        recipe = load(name)
        assert (recipe.name, recipe.origin) == (name, name)
        assert type(recipe)(**recipe.settings()) == recipe, "not the same again from plain values"
    wide = load("gle-mnist1d")
    assert [layer.size for layer in wide.chain()] == [53] * 6
    assert [layer.activation for layer in wide.chain()] == ["linear", *["tanh"] * 5]
    assert sorted({tuple(taus) for taus in wide.layers[0].taus.T.tolist()}) == [(0.6, 0.2), (1.2, 0.2), (1.2, 1.2)]
    assert load("delays-digits").state == QFormat(4, 6)


def test_without_torch():
    code = "import sys; from golden.recipe import *; list(map(load, names())); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_fields_from_a_file(file):
    recipe = load(file(RATE))
    assert recipe.layers == (RateLayer(neurons=4, tau_m=1.0, tau_r=0.2, activation="tanh"),)
    assert recipe == RateRecipe(name="mine", data="mnist1d", layers=(RateLayer(neurons=4, tau_m=1, tau_r=0.2),))
    assert load(file(SPIKING)) == SpikingRecipe(name="mine", data="digits", hidden=(8,))


def test_other_values(file):
    path = file(RATE)
    changes = ["epochs=3", "layers.0.neurons = [2, 3]", "layers.0.activation=relu", 'loss="cross_entropy"', "rest=true"]
    recipe = load(path, changes)
    assert (recipe.epochs, recipe.layers[0].neurons, recipe.layers[0].activation) == (3, (2, 3), "relu")
    assert (recipe.loss, recipe.rest) == ("cross_entropy", True)
    assert load(path, ["data=mnist=a folder/b"]).data == "mnist=a folder/b"
    psp = load("delays-digits", ["form=psp", "epochs=2"])
    assert {name: recipes.plain(getattr(psp, name)) for name in PSP} == PSP, "what goes with the form"
    assert psp.step_slope is None
    assert load("delays-digits", ["form=psp", "ticks=12"]).ticks == 12


def test_data_beside_the_file(file, tmp_path, monkeypatch):
    path = file(SPIKING.replace("digits", "mine.npz"))
    assert load(path).data == "mine.npz"
    (tmp_path / "mine.npz").write_bytes(b"")
    assert load(path).data == str(tmp_path / "mine.npz")
    assert load(path, ["data=mine.npz"]).data == "mine.npz", "what the command says is found where it runs"
    monkeypatch.chdir(tmp_path)
    assert load("mine.toml").data == "mine.npz"


def sequences(n=12, ticks=6, channels=2, **changed):
    return own({"train": Raw(np.ones((n, ticks, channels)), changed.get("y", np.arange(n) % 2))}, name="it")


def test_data_that_cannot_be_learnt():
    rate = RateRecipe(name="r", layers=(RateLayer(neurons=4, tau_m=1, tau_r=0.2),))
    spiking = SpikingRecipe(name="s", hidden=(4,))
    targets = sequences(y=np.arange(12.0))
    for recipe, data, said in (
            (rate, load("delays-digits").found(), "r: digits has images, and a network of rates takes sequences"),
            (rate, dataclasses.replace(sequences(), answer_from=6), "it train has a sequence of 6 ticks: answers coun"),
            (dataclasses.replace(rate, loss="cross_entropy"), targets, "has targets and no classes"),
            (dataclasses.replace(rate, activation_out="tanh", refit=False), sequences(), "must be linear for cro"),
            (rate, sequences(channels=5000), "has 5000 channels, 4096 at most"),
            (spiking, targets, "has targets, and a spiking network answers with a class"),
            (spiking, sequences(80, y=np.arange(80) % 40), "has 40 classes, a spiking network 32 at most"),
            (spiking, sequences(channels=600), "takes 4,800 lines, 4,096 at most: fewer levels than 7"),
            (spiking, sequences(ticks=17), "has sequences of 17 ticks: ticks must be as many")):
        with pytest.raises(ValueError, match=said):
            recipe.check_data(data)
    rate.check_data(targets)
    spiking.check_data(sequences(80, y=np.arange(80) % 32))
    with pytest.raises(ValueError, match="has sequences of 17 ticks"):      # in either split
        spiking.check_data(own({"train": Raw(np.ones((8, 5)), np.arange(8) % 2),
                                "test": Raw(np.ones((8, 17)), np.arange(8) % 2)}, name="it"))
    assert (rate.loss_for(targets), rate.loss_for(sequences())) == ("squared_error", "cross_entropy")
    with pytest.raises(ValueError, match='r: no data: say data = "FILE" in the recipe, or --data'):
        rate.found()


BAD = {
    "kind": (SPIKING.replace('"spiking"', '"spking"'), r"be one of rate, spiking, cascade, ltc, not 'spking' \(did"),
    "no kind": ('name = "mine"\n', "kind must be one of rate, spiking, cascade, ltc, not None"),
    "misspelt": (SPIKING + "epoch = 3\n", r"recipe: no field epoch \(did you mean epochs\?\): there is name, data"),
    "other kind": (SPIKING + "dt = 0.2\n", "recipe: no field dt: there is"),
    "missing": (SPIKING.replace("hidden = [8]\n", ""), "recipe: hidden missing"),
    "missing in a layer": (RATE.replace("tau_r = 0.2\n", ""), r"layers\[0\]: tau_r missing"),
    "misspelt in a layer": (RATE + 'activaton = "tanh"\n', r"layers\[0\]: no field activaton \(did you mean acti"),
    "no layers": (RATE.partition("[[")[0] + "layers = []\n", "layers must be a list of 1 to 63"),
    "layers": (RATE.partition("[[")[0] + "layers = 3\n", "layers must be a list of 1 to 63, not 3"),
    "layer": (RATE.partition("[[")[0] + "layers = [3]\n", r"layers\[0\] must be a table of fields, not 3"),
    "toml": ("kind = rate\n", "not a TOML file: .*line 1"), "bytes": ("kind = '\x00'", "not a TOML file"),
    "name": (SPIKING.replace('"mine"', '"../x"'), "name must be lower-case letters, digits, - and _, not '../x'"),
    "number": (SPIKING + 'epochs = "3"\n', "epochs must be a whole number in 1..1000000, not '3'"),
    "truth": (SPIKING + "epochs = true\n", "epochs must be a whole number in 1..1000000, not True"),
    "range": (SPIKING + "drop = 1.5\n", "drop must be a number in 0..0.99, not 1.5"),
    "nan": (SPIKING + "rate = nan\n", "rate must be a number in .*, not nan"),
    "format": (SPIKING + 'state = "8 bits"\n', "state: a format is written like Q5.11, not '8 bits'"),
    "choice": (SPIKING + 'mode = "delay"\n', r"mode must be one of delays, .*, not 'delay' \(did you mean delays\?\)"),
    "shares": (SPIKING + "shares = [[8, 8]]\n", "shares must be a list of 2 to 16"),
    "more shares": (SPIKING + "shares = [[8, 8], [8, 8], [8, 8]]\n", "shares has 3 entries, one a layer makes 2"),
    "sixteenths": (SPIKING + "shares = [[8, 9], [8, 8]]\n", r"shares\[0\] must be 1 to 16 sixteenths together, not 17"),
    "delays": (SPIKING + "delays = [0, 16]\n", r"delays must lie in 0..15 for delay_bits = 4, and ascend, not 0 to 16"),
    "bins": (SPIKING + "ticks = 5\n", "bins: spikes in 6 ticks do not fit in ticks = 5"),
    "leak": (SPIKING + "leak = [1, 1]\n", r"leak \[1, 1\] leaves nothing of a membrane"),
    "weights": (SPIKING + 'mode = "both"\nweights = "ternary"\n', 'weights that learn are stored, weights must be '),
    "psp": (SPIKING + 'form = "psp"\n', "form = \"psp\" takes thresholds"),
    "groups": (RATE.replace("neurons = 4", "neurons = [4, 4]").replace("tau_m = 1", "tau_m = [1, 1, 1]"),
               "lists of one layer differ in length"),
    "many": (RATE.replace("neurons = 4", "neurons = [4096, 1]"), "neurons: 4097 in a layer, 4096 at most"),
    "deep": (RATE + "repeat = 40\n[[layers]]\nneurons = 4\ntau_m = 1\ntau_r = 1\nrepeat = 30\n", "layers: 70 with"),
    "fast": (RATE.replace("0.2", "0.1"), r"layers\[0\]: a time constant of 0.1 is below a tick of dt = 0.2"),
    "fast out": (RATE.replace("[[", "tau_out = 0.1\n[["), "tau_out of 0.1 is below a tick"),
    "outputs": (RATE.replace("[[", 'activation_out = "tanh"\nloss = "cross_entropy"\n[['), "takes linear outputs"),
    "refit": (RATE.replace("[[", 'activation_out = "tanh"\n[['), "refit = false with tanh outputs"),
    "activation": (RATE + 'activation = "swish"\n', "activation must be one of linear, .*, not 'swish'"),
    "read": (SPIKING + 'read_as = "film"\n', "read_as must be one of sequence, image, not 'film'"),
}


@pytest.mark.parametrize("name", BAD)
def test_refusals(file, name):
    text, said = BAD[name]
    with pytest.raises(ValueError, match=said) as failed:
        load(file(text))
    assert str(failed.value).count("\n") == 0
    assert "mine.toml: " in str(failed.value), "the file is not named"


def test_files_that_cannot_be_read(file, tmp_path):
    for path, said in ((str(tmp_path / "no.toml"), "no.toml: no such file"), ("gle-mnist1", "did you mean gle-mnist1d"),
                       ("nothing", "no network 'nothing' to train here: there is cascade-digits, cascade-"),
                       (file("#" * (recipes.LIMIT + 1)), "1,048,577 bytes: 1,048,576 at most")):
        with pytest.raises(ValueError, match=said):
            load(path)
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(ValueError, match="folder.toml cannot be read: Is a directory"):
        load(str(tmp_path / "folder.toml"))


@pytest.mark.parametrize(("change", "said"), [
    ("epochs", "--set takes FIELD=VALUE, not 'epochs'"), ("=3", "--set takes FIELD=VALUE"),
    ("epoch=3", r"no field epoch \(did you mean epochs\?\)"), ("layers.1.neurons=3", "no 1"),
    ("layers.x.neurons=3", "no x"), ("layers.0.neuron=3", r"layers\[0\]: no field neuron \(did you mean neurons\?\)"),
    ("data.x=3", "no data"), ("layers.0=3", r"layers\[0\] must be a table"), ("epochs=1.5", "epochs must be a whole"),
    ("nothing.x=1", "no nothing"), ("layers.7=1", "no 7")])
def test_changes_that_cannot_be(file, change, said):
    with pytest.raises(ValueError, match=said):
        load(file(RATE), [change])


def test_limits_and_defaults():
    assert load("gle-mnist1d", ["epochs=1000000"]).epochs == 1_000_000
    with pytest.raises(ValueError, match="epochs must be a whole number in 1..1000000, not 1000001"):
        load("gle-mnist1d", ["epochs=1000001"])
    assert load("delays-digits", ["leak=[]"]).made_by(0, False)["command"].endswith("--set 'leak=[]'")
    assert "settings" in load("gle-mnist1d", ["layers.0.neurons=[1, 2, 3]"]).made_by(0, False)
    # two that go together only
    both = ["delay_bits=3", "delays=[0, 7]"]
    command = load("delays-digits", both).made_by(0, False)["command"]
    assert load("delays-digits", [word for word in shlex.split(command) if "=" in word]) == load(
        "delays-digits", both)
    plain, rate = SpikingRecipe(name="x", hidden=(4,)), RateRecipe(name="x", layers=[{"neurons": 3, "tau_m": 1,
                                                                                      "tau_r": 1}])
    assert [plain.amsgrad, rate.rest, rate.scale, rate.refit] == [False, False, False, True]
    assert (plain.for_threshold(5.0).sharp, plain.for_threshold(5.0).share) == (2.0, 1.0)
    assert load("delays-digits").for_threshold(5.0) == load("delays-digits")


@pytest.mark.parametrize(("make", "said"), [
    (lambda: RateRecipe(name="x", layers=[{"neurons": 3, "tau_m": 1}]), r"layers\[0\]: tau_r missing"),
    (lambda: RateRecipe(name="x", layers="deep"), "layers must be a list"),
    (lambda: SpikingRecipe(name="X", hidden=(8,)), "name must be lower-case"),
    (lambda: SpikingRecipe(name="x", hidden=8), "hidden must be a list of 1 to 15, not 8")])
def test_recipes_in_python_are_checked(make, said):
    with pytest.raises(ValueError, match=said):
        make()


VALUES = st.one_of(st.none(), st.booleans(), st.integers(-5, 300), st.just(10 ** 400), st.floats(), st.text(max_size=4),
                   st.sampled_from(["rate", "Q5.10", "Q-9.99", "tanh", "leaky", "psp", "x" * 5000, "\0", "a:b"]),
                   st.lists(st.integers(0, 20), max_size=3),
                   st.lists(st.lists(st.integers(0, 9), max_size=2), max_size=3),
                   st.dictionaries(st.sampled_from(["neurons", "tau_m", "tau_r", "x"]), st.integers(0, 9), max_size=4))


@pytest.mark.parametrize("kind", [RateRecipe, SpikingRecipe])
@settings(max_examples=300, deadline=None, derandomize=True)
@given(data=st.data())
def test_any_fields(kind, data):
    """A recipe, or one line; what is a recipe says itself again."""
    names = [each.name for each in dataclasses.fields(kind) if "convert" in each.metadata]
    entry = data.draw(st.dictionaries(st.sampled_from([*names, "other"]), VALUES, max_size=6))
    good = {"name": "x", "layers": [{"neurons": 3, "tau_m": 1, "tau_r": 1}]} if kind is RateRecipe else \
        {"name": "x", "hidden": [4]}
    try:
        made = kind(**recipes.known(kind, good | entry, "recipe"))
        assert kind(**made.settings()) == made
        made.found()
    except ValueError as failed:
        said = str(failed)
        assert "\n" not in said, said


@pytest.mark.parametrize("text", ["x" * 5000, "x" * 5000 + ".npz", "\0.npz", "a\0b", "x" * 300 + "/y.csv"])
def test_paths_that_cannot_be(text, tmp_path):
    with pytest.raises(ValueError, match="no data set|no such file|cannot be read|name too long|null") as failed:
        find(text)
    assert "\n" not in str(failed.value)
    (tmp_path / "mine.toml").write_bytes(SPIKING.replace("digits", text.replace("\0", "\\u0000")).encode())
    with pytest.raises(ValueError, match="."):
        load(str(tmp_path / "mine.toml")).found()


@pytest.mark.parametrize(("change", "least", "most"), [("epochs", 1, 1_000_000), ("answer_from", 0, 1 << 20)])
def test_ends_of_whole_numbers(file, change, least, most):
    path = file(RATE)
    for value in (least, most):
        assert getattr(load(path, [f"{change}={value}"]), change) == value
    for value in (least - 1, most + 1):
        with pytest.raises(ValueError, match=f"{change} must be a whole number in {least}..{most}, not {value}"):
            load(path, [f"{change}={value}"])
