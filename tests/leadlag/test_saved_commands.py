"""The command that a trained file says made it is one that there is."""

import contextlib
import itertools
import shlex
from dataclasses import replace

import pytest

from golden.recipe import load, names
from golden.spiking.recipe import SpikingRecipe
from leadlag import flow, training
from leadlag.cli import cli


def parsed(command: str) -> dict:
    """The values that click makes of a command line; it is not run."""
    program, name, *words = shlex.split(command)
    assert program == "leadlag", command
    with cli.commands[name].make_context(name, words) as context:      # raises for what is not there
        return context.params


@pytest.mark.parametrize("name", flow.zoo())
def test_zoo(name):
    training = flow.find(name).training
    found = parsed(training["command"])
    assert (found["name"], found["seed"], found["epochs"]) == (name, training["seed"], training["epochs"])


CHANGES = ([], ["form=psp", "loss=van_rossum"], ["mode=both", "weights=real"], ["data=digits"],
           ["drop=0.25", "epochs=3"], ["thresholds=[1.5, 2]", "state=Q5.8"], ["answer_from=3"],
           ["layers.0.neurons=[3, 4, 5]"], ["rest=true"])


def ways():
    """Recipes of the zoo, and what may change in each."""
    for name, changes in itertools.product(names(), CHANGES):
        with contextlib.suppress(ValueError):       # a field of the other kind
            yield name, changes, load(name, changes)


@pytest.mark.parametrize("hold_out", [False, True])
def test_recipes_of_the_zoo(hold_out):
    """What a training notes makes the same recipe again."""
    seen = set()
    for name, changes, recipe in ways():
        made = recipe.made_by(7, hold_out)
        if any("layers" in change for change in changes):
            assert made == {"settings": recipe.settings()}, "no command has these layers"
            continue
        found = parsed(made["command"])
        assert (found["name"], found["seed"], found["epochs"], found["hold_out"]) == (name, 7, recipe.epochs, hold_out)
        assert load(name, [f"epochs={found['epochs']}", *found["changes"]]) == recipe, f"{name} {changes}: {made}"
        seen.add(tuple(changes))
    assert len(seen) == len(CHANGES) - 1


def test_a_recipe_of_a_file(tmp_path):
    path = tmp_path / "a folder; with ' in it" / "mine.toml"
    path.parent.mkdir()
    path.write_text('kind = "spiking"\nname = "mine"\ndata = "digits"\nhidden = [8]\n')
    recipe = load(str(path), ["hidden=[9]", "noise=0.5"])
    found = parsed(recipe.made_by(1, False)["command"])
    assert (found["name"], list(found["changes"])) == (str(path), ["hidden=[9]", "noise=0.5"])
    assert load(found["name"], found["changes"]) == recipe
    own = SpikingRecipe(name="mine", hidden=(8,))
    assert own.made_by(1, False) == {"settings": own.settings()}, "made in Python: no command has it"
    assert SpikingRecipe(**own.made_by(1, False)["settings"]) == own


@pytest.mark.parametrize("name", names())
def test_a_recipe_of_the_zoo_under_another_name(name, tmp_path):
    training.new(name, "mine", tmp_path / "mine.toml")
    assert load(str(tmp_path / "mine.toml")) == replace(load(name), name="mine")
