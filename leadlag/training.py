"""Float training as a command does it: a recipe, the trainer of its kind, and a sign of how far it is."""

from contextlib import contextmanager
from pathlib import Path

from golden import systems
from golden.checks import check, nearest
from golden.data.dataset import DataSet
from golden.description import Trained
from golden.files import check_writable, write_whole
from golden.recipe import FOLDER, HERE, Recipe, load, names, parse
from leadlag.terminal import bars, notes


def train(origin: str, *, changes=(), seed: int = 0, hold_out: bool = False, out: Path, console=None) -> dict:
    """Train a recipe of the zoo, or of a file, write the network to `out`, and return its figures.

    changes: texts FIELD=VALUE that take the place of fields. ValueError, one line, for a recipe or data that are wrong;
    OSError where `out` cannot be written; ModuleNotFoundError without torch. All of it before anything is trained.
    """
    recipe = load(origin, changes)
    data = recipe.found()
    check_writable(out)
    trained = fitted(recipe, data, seed=seed, hold_out=hold_out, console=console)
    trained.save(out)
    notes.print(f"{data.name}: {data.doc}")
    return {name: value for name, value in trained.training.items() if name not in ("command", "settings")}


def new(kind: str, name: str, out: Path) -> None:
    """Write a commented recipe that trains as it is, or a recipe of the zoo under another name.

    ValueError or OSError where kind, name or `out` cannot be.
    """
    kinds, zoo = systems.learnt_kinds(), names()
    check(kind in (*kinds, *zoo), f"no kind {kind!r} of networks{nearest(kind, (*kinds, *zoo))}: there is "
                                  f"{', '.join(kinds)}, or a recipe of the zoo: {', '.join(zoo)}")
    if kind in zoo:
        text = (FOLDER / f"{kind}.toml").read_text(encoding="utf-8").replace(f'name = "{kind}"', f'name = "{name}"')
    else:
        text = (HERE / kind / "new.toml").read_text(encoding="utf-8").replace("NAME", name)
    check(not out.exists(), f"{out} is there already: give another --out")
    parse(text)
    write_whole(out, text)


def fitted(recipe: Recipe, data: DataSet, *, seed: int = 0, hold_out: bool = False, console=None) -> Trained:
    """The network of a recipe, trained."""
    trainer = systems.trainer(recipe.kind)
    with reported(console, recipe.name, recipe.epochs, trainer.SHOWN) as report:
        return trainer.fit(recipe, data, seed=seed, hold_out=hold_out, report=report)


@contextmanager
def reported(console, name: str, epochs: int, shown: str = "{:.3f}"):
    """A bar of epochs; gives what the trainers take as `report`, whose second value is put into the text `shown`."""
    with bars(console) as bar:
        task = bar.add_task(f"train {name}", total=epochs)

        def report(epoch, value, *_):
            bar.update(task, completed=epoch, description=f"train {name}, {shown.format(value)}")
        yield report
