"""Float training as a command does it: the trainer of a network by its name, with a sign of how far it is."""

from contextlib import contextmanager
from pathlib import Path

from leadlag.terminal import bars

#: networks whose delays learn; the others are rates
DELAYS = "delays-"


def train(name: str, *, out: Path | None = None, console=None, **options) -> dict:
    """Train the network `name`, write it to `out` where given, and return its figures.

    options: what golden.train.gle.train takes, or golden.train.delays.train for a name that starts with DELAYS.
    ValueError for a network or a setting that there is not, ModuleNotFoundError without torch.
    """
    check(name)
    if name.startswith(DELAYS):
        from golden.train import delays as trainer
        shown = "loss {:.3f}"
    else:
        from golden.train import gle as trainer
        shown = "{:.1%} while learning"
    with reported(console, name, options.get("epochs") or trainer.SETTINGS[name].epochs, shown) as report:
        return trainer.train(name, out=out, progress=False, report=report, **options)


@contextmanager
def reported(console, name: str, epochs: int, shown: str = "{:.3f}"):
    """A bar of epochs; gives what the trainers take as `report`, whose second value is put into the text `shown`."""
    with bars(console) as bar:
        task = bar.add_task(f"train {name}", total=epochs)

        def report(epoch, value, *_):
            bar.update(task, completed=epoch, description=f"train {name}, {shown.format(value)}")
        yield report


def check(name: str) -> None:
    """ValueError where there is no such network to train, ModuleNotFoundError without torch."""
    from golden.train import delays, gle
    known = [*gle.SETTINGS, *delays.SETTINGS]
    if name not in known:
        raise ValueError(f"no network {name!r} to train here: there is {', '.join(known)}")
