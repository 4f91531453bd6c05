"""The commands that learn on the chip, and the studies: `leadlag learn`, `adapt`, `video`, `study`."""

import shlex

import click

from golden.files import check_writable
from leadlag import flow
from leadlag.options import (
    FOLDER,
    JOBS,
    SEED,
    Command,
    Finite,
    Group,
    board_option,
    command_line,
    data_option,
    only_for,
    port_option,
)
from leadlag.results import answer, answers, figures_table
from leadlag.terminal import Table, notes, status


@click.command(cls=Command, short_help="Learn on the chip: golden and circuit side by side.")
@click.argument("system", type=click.Choice(["lagline", "fourier", "mnist1d", "late-fourier"]))
@click.option("--seed", default=0, show_default=True, type=SEED, help="Of the random weights that it starts from.")
@click.option("--no-rtl", is_flag=True, help="Leave the circuit out.")
@click.option("--hold-out", is_flag=True, help="mnist1d: learn 3,200 of the 4,000 sequences, answer the rest.")
@click.option("--delay", default=40, show_default=True, type=click.IntRange(0),
              help="late-fourier: ticks of 0.05 ms that messages are late.")
@click.option("--predictor", default="nlms", show_default=True,
              type=click.Choice(["none", "linear", "second_order", "nlms", "neural"]),
              help="late-fourier: what makes up for the delay.")
@click.option("--out", type=FOLDER, help="build/learnt-SYSTEM by default.")
@answers
def learn(system, seed, no_rtl, hold_out, delay, predictor, out):
    """Learn a system with the integer rule; the circuit must do the same, word by word. Writes what was learnt."""
    from leadlag.experiments import learning, prospective
    late = system == "late-fourier"
    only_for("late-fourier", late, "delay", "predictor", given=system)
    only_for("mnist1d", system == "mnist1d", "hold_out", given=system)
    only_for("delays of a tick or more", delay > 0 or predictor == "none", "predictor", given=f"--delay {delay}")
    out = out or flow.BUILD / f"learnt-{system}"
    check_writable(out / "network.json")
    if late:
        learnt = prospective.learn_late(seed, delay=delay, kind=predictor, rtl=not no_rtl, console=notes)
    else:
        learnt = learning.learn(system, seed=seed, rtl=not no_rtl, hold_out=hold_out, console=notes)
    files = learning.save(learnt, out)
    answer(learnt.figures | {"network": learnt.net.name, "written": files},
           figures_table(f"{learnt.net.name}, seed {seed}", learnt.figures), "written: " + ", ".join(map(str, files)))


@click.command(cls=Command, short_help="Destroy an output layer and learn it again on a board.")
@click.argument("network", metavar="NET", default="gle-mnist1d")
@data_option
@board_option
@port_option(default="sim", show_default=True)
@click.option("-n", "--samples", default=2560, show_default=True, type=click.IntRange(10),
              help="Sequences to learn, rounded up to one a class.")
@click.option("--on-board", default=100, show_default=True, type=click.IntRange(0),
              help="So many of them on the board, rounded up to one a class; golden learns the rest.")
@answers
def adapt(network, data, board, port, samples, on_board):
    """Relearn the output layer of a network through the host driver, and print how well it answers."""
    from leadlag.experiments import adaptation
    only_for("sequences that are learnt on a board", on_board > 0, "port", given="--on-board 0")
    figures = adaptation.adapt(network, data=data, samples=samples, on_board=on_board, board=board, port=port,
                               console=notes)
    table = Table("samples learnt", "test accuracy", title=f"{network}, before: {figures['before']:.1%}")
    for count, value in figures["relearn"]:
        table.add_row(f"{count:,}", f"{value:.1%}")
    page, said = adaptation.write_page(figures, command_line()), adaptation.claim(figures, port)
    device = [f"the board says: {figures['device']}"] if "device" in figures else []
    learnt = figures["relearn"][-1][0]
    by = f"read back after {figures['board_samples']}" if device else f"golden has learnt it from {learnt:,}"
    files = f"written: {', '.join(map(str, figures['written']))}, as {by} sequences"
    then = f"leadlag build {figures['written'][0]} --board {board}" if port == "sim" else None
    coarser = [figures["coarser"]] if "coarser" in figures else []
    answer(figures | {"page": page}, table, *coarser, f"report {page}", *device, files, said, then=then)


@click.command(cls=Command, short_help="Predict video with late messages, with and without PM.")
@click.option("--data", default="digits", show_default=True, metavar="NAME",
              help="digits, vtest (Debian package opencv-doc), or the path of a video that ffmpeg reads.")
@click.option("--steps", default=6, show_default=True, type=click.IntRange(1, 30), help="Roll-out steps.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Of weights and training windows.")
@answers
def video(data, steps, seed):
    """Learn to predict video, then roll out predictions: without delay, with delay, with prospective messaging."""
    from leadlag.experiments import video as experiment
    check_writable(experiment.folder(data) / "rows.json")
    with status(notes, "video") as say:
        result = experiment.experiment(data, steps=steps, seed=seed, progress=say)
    names = (*experiment.CONDITIONS, *experiment.BASELINES)
    table = Table("step", *names, title=f"{result.name}, mean squared error x 1000 of {result.facts['roll_outs']} "
                                        f"held-out roll-outs")
    for step, values in enumerate(zip(*map(result.mse, names), strict=True), 1):
        table.add_row(str(step), *(f"{1000 * value:.3f}" for value in values))
    page, saturated = experiment.write_page(result, command_line()), result.facts["errors_saturated"]
    lines = ["error words saturated: " + ", ".join(saturated)] if saturated else []
    answer({"rows": result.rows, "facts": result.facts, "page": page}, table, *lines,
           f"report {page}, figures {page.with_name('rows.json')}")


jobs_option = click.option("--jobs", default=1, show_default=True, type=JOBS, help="Runs side by side.")
scheduler_option = click.option("--scheduler", metavar="ADDRESS",
                                help="A Dask scheduler that runs them, such as tcp://host:8786.")


@click.group(cls=Group)
def study():
    """Sweeps over settings and seeds: resumable, one table and one picture."""


@study.command(short_help="Late messages and what makes up for them.")
@click.option("--delays", "delays_ms", metavar="MS,...", default="0,0.25,0.5,1,2,5", show_default=True)
@click.option("--predictors", metavar="NAME,...", default="none,linear,second_order,nlms,neural", show_default=True)
@click.option("--seeds", metavar="N,...", default="0,1,2", show_default=True)
@click.option("--arithmetic", type=click.Choice(["float", "integer"]), default="float", show_default=True)
@click.option("--ms", default=1200.0, show_default=True, type=Finite(0, min_open=True), help="Length of a run.")
@jobs_option
@scheduler_option
@click.option("--out", type=FOLDER, help="build/study/delays by default.")
@answers
def delays(delays_ms, predictors, seeds, arithmetic, ms, jobs, scheduler, out):
    """Fourier synthesis over delayed messages: delays x predictors x seeds. Finished runs are not run again."""
    from leadlag.experiments import study as studies
    only_for("runs on this machine", scheduler is None, "jobs", given="--scheduler")
    out = out or flow.BUILD / "study" / "delays"
    check_writable(out / studies.FILES[0])
    table = studies.delays(_listed("--delays", delays_ms, float), _listed("--predictors", predictors, str),
                           _listed("--seeds", seeds, int), arithmetic=arithmetic, ms=ms, jobs=jobs,
                           scheduler=scheduler, out=out, console=notes)
    answer(table, studies.console_table(table), "written: " + ", ".join(table["files"]))


@study.command("recipe", short_help="Values of fields of a recipe, each from several seeds.")
@click.argument("recipe", metavar="RECIPE")
@click.option("--vary", metavar="FIELD=VALUE,...", multiple=True, required=True,
              help="Values that a field takes; every combination of several fields is trained.")
@click.option("--set", "changes", metavar="FIELD=VALUE", multiple=True, help="Another value for a field, in all runs.")
@click.option("--seeds", metavar="N,...", default="0,1,2", show_default=True)
@jobs_option
@scheduler_option
@click.option("--out", type=FOLDER, help="build/study/recipe-NAME by default.")
@answers
def recipe_command(recipe, vary, changes, seeds, jobs, scheduler, out):
    """Train every combination of values, and judge it on held-out samples; the test set is not read.

    RECIPE is one of the zoo (`leadlag networks`) or the path of a .toml file. Finished runs are not run again.
    """
    from leadlag.experiments import fields
    only_for("runs on this machine", scheduler is None, "jobs", given="--scheduler")
    table = fields.study(recipe, vary, seeds=_listed("--seeds", seeds, int), changes=changes, jobs=jobs,
                         scheduler=scheduler, out=out, console=notes)
    best = [f"{name}={value}" for name, value in (table["best"] or {}).items()]
    sets = [f"--set {shlex.quote(each)}" for each in (*best, *changes)]
    then = " ".join(["leadlag train", shlex.quote(recipe), *sets])
    answer(table, fields.console_table(table), "written: " + ", ".join(table["files"]), then=then if best else None)


@study.command("two-boards", short_help="A network cut in two boards, joined by cables.")
@click.option("--latencies", metavar="TICKS,...", default="0,5,20,40,100", show_default=True)
@click.option("--predictors", metavar="NAME,...", default="none,linear,nlms", show_default=True)
@click.option("--seed", default=0, show_default=True, type=SEED)
@answers
def two_boards_command(latencies, predictors, seed):
    """Error against link latency; words of both simulated boards have to equal golden."""
    from leadlag.experiments.two_boards import two_boards
    found = two_boards(_listed("--latencies", latencies, int), _listed("--predictors", predictors, str), seed, notes)
    table = Table("ticks", "predictor", "squared error", "cable, cycles", "cycles a tick", "a tick longer", "equal")
    for row in found["rows"]:
        table.add_row(str(row["latency_ticks"]), row["predictor"], f"{row['mse']:.4f}", f"{row['link_cycles']:,}",
                      f"{row['cycles_per_tick']:.1f}", f"{row['one_tick_longer']:.1f}", f"{row['equal']:,}")
    answer(found, table)


def _listed(option, text, kind):
    try:
        return [kind(entry.strip()) for entry in text.split(",") if entry.strip()]
    except ValueError:
        raise click.UsageError(f"{option}: {text!r} is no list of numbers such as 1,2") from None
