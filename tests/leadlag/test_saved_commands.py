"""The command that a trained file says made it is one that there is."""

import itertools
import shlex

import pytest

from golden.rate.trained import FloatNetwork
from leadlag import flow
from leadlag.cli import cli


def parsed(command: str) -> dict:
    """The values that click makes of a command line; it is not run."""
    program, name, *words = shlex.split(command)
    assert program == "leadlag", command
    with cli.commands[name].make_context(name, words) as context:      # raises for what is not there
        return context.params


@pytest.mark.parametrize("name", flow.NETWORKS)
def test_zoo(name):
    training = flow.find(name).training
    found = parsed(training["command"])
    assert (found["name"], found["seed"], found["epochs"]) == (name, training["seed"], training["epochs"])


@pytest.mark.parametrize("hold_out", [False, True])
def test_rate_networks(hold_out, tmp_path):
    gle = pytest.importorskip("golden.train.gle")
    import torch
    figures = {"seed": 7, "data": f"mnist1d {'fit' if hold_out else 'train'}"}
    for name, s in gle.SETTINGS.items():
        for epochs in (s.epochs, 3):
            layers = gle.new_layers(s, torch.Generator().manual_seed(0))
            gle.save(name, layers, figures, gle.replace(s, epochs=epochs), tmp_path / "net.safetensors")
            saved = FloatNetwork.load(tmp_path / "net.safetensors").training
            found = parsed(saved["command"])
            assert (found["name"], found["seed"], found["epochs"], found["hold_out"]) == (name, 7, epochs, hold_out)
        assert "settings" in gle.made_by("mine", s, figures), "a name that nothing trains"
        other = gle.made_by(name, gle.replace(s, rate=0.5), figures)
        assert other["settings"]["rate"] == 0.5
        assert "command" not in other, "it would train something else"


def test_spiking_networks(tmp_path):
    delays = pytest.importorskip("golden.train.delays")
    folder = tmp_path / "a folder; with ' in it"
    folder.mkdir()
    ways = itertools.product(delays.SETTINGS, delays.MODES, delays.FORMS, delays.LOSSES, delays.WEIGHTS, (None, folder))
    for n, (name, mode, form, loss, weights, place) in enumerate(ways):
        s = delays.replace(delays.SETTINGS[name], **(delays.PSP if form == "psp" else {}))
        figures = {"seed": n, "data": f"{s.data} {('fit', 'train')[n % 2]}", "mode": mode, "form": form, "loss": loss,
                   "weights": weights}
        found = parsed(delays.made_by(name, s, figures, place)["command"])
        want = {"name": name, "epochs": s.epochs, "hold_out": n % 2 == 0, "folder": place and str(place)} | figures
        assert {key: found[key] for key in want if key != "data"} == {key: want[key] for key in want if key != "data"}
        assert "settings" in delays.made_by(name, delays.replace(s, drop=0.9), figures, place)
