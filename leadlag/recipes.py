"""The commands that make networks of recipes: `leadlag new` and `leadlag train`."""

from pathlib import Path

import click

from golden.recipe import load
from leadlag import flow, training
from leadlag.options import FILE, SEED, Command
from leadlag.results import answer, answers, figures_table
from leadlag.terminal import notes


@click.command(cls=Command, short_help="Write a recipe for a network of one's own.")
@click.argument("kind")
@click.argument("name")
@click.option("--out", type=FILE, help="NAME.toml by default.")
@answers
def new(kind, name, out):
    """Write a commented recipe of a KIND of network (rate, spiking) that trains as it is, on digits, in seconds.

    KIND may also be a network of the zoo: its recipe, under another name, to be changed.
    """
    out = out or Path(f"{name}.toml")
    training.new(kind, name, out)
    answer({"written": out}, f"written: {out}", then=f"leadlag train {out}")


@click.command(cls=Command, short_help="Train a recipe in float.")
@click.argument("name", metavar="RECIPE")
@click.option("--seed", default=0, show_default=True, type=SEED)
@click.option("--epochs", type=click.IntRange(1), help="Length of the run; the recipe's own by default.")
@click.option("--hold-out", is_flag=True, help="Learn all but a held-out part of the training set; answer that.")
@click.option("--set", "changes", metavar="FIELD=VALUE", multiple=True, help="Another value for a field of the recipe.")
@click.option("--data", metavar="NAME[=FOLDER]|FILE", help="Data set, in place of the recipe's.")
@click.option("--mode", help="As --set mode=...: what learns in a spiking network.")
@click.option("--form", help="As --set form=...: its neurons.")
@click.option("--loss", help="As --set loss=...: what the outputs are held to.")
@click.option("--weights", help="As --set weights=...: from a seed, or stored.")
@click.option("--out", type=FILE, help="build/NAME/float.safetensors by default.")
@answers
def train(name, seed, epochs, hold_out, changes, out, **fields):
    """Train a network in float and write safetensors.

    RECIPE is one of the zoo (`leadlag networks`) or the path of a .toml file (`leadlag new` writes one).
    """
    # the form first: it changes other fields
    short = {"form": fields.pop("form"), "epochs": epochs} | fields
    changes = [*(f"{field}={value}" for field, value in short.items() if value is not None), *changes]
    out = out or flow.BUILD / load(name, changes).name / "float.safetensors"
    figures = training.train(name, changes=changes, seed=seed, hold_out=hold_out, out=out, console=notes)
    answer(figures | {"written": out}, figures_table(name, figures), f"written: {out}", then=f"leadlag evaluate {out}")
