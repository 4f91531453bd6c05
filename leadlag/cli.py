"""The `leadlag` command: one thin function a subcommand. Errors are one line, exit code 2; a failed check 1."""

import sys

import click

from golden.files import check_writable
from golden.programs import end_on_signals
from golden.recipe import load as load_recipe
from leadlag import __version__, flow, training
from leadlag.doctor import doctor
from leadlag.lists import boards, datasets, networks
from leadlag.options import (
    COUNT,
    FILE,
    FOLDER,
    JOBS,
    SEED,
    Finite,
    Group,
    board_option,
    command_line,
    is_given,
    only_for,
)
from leadlag.results import answer, answers, figures_table
from leadlag.terminal import Table, bars, console, escape, notes, reason, status
from leadlag.verilog.cli import verilog
from rtl.systems import circuit

#: of click 8.2; before, the help is printed and that was all
NoArgs = getattr(click.exceptions, "NoArgsIsHelpError", ())
network_argument = click.argument("network", metavar="NET")
data_option = click.option("--data", metavar="NAME[=FOLDER]", help="Data set; the network's own by default.")


def port_option(**options):
    """A port, looked for before anything is done for it."""
    def check(ctx, param, port):
        if port != "sim":
            from firmware.transport import check_port
            check_port(port)
        return port
    return click.option("--port", callback=check, help="Serial port of the board, or `sim` for the simulated one.",
                        **options)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def cli():
    """Networks that live in physical time, from torch to a bitstream.

    NET is a network of the zoo (`leadlag networks`) or the path of a .safetensors file.
    """


for command in (boards, networks, datasets, doctor, verilog):
    cli.add_command(command)


@cli.command(short_help="Train a recipe in float.")
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
def train(name, seed, epochs, hold_out, changes, out, **fields):
    """Train a network in float and write safetensors.

    RECIPE is one of the zoo (`leadlag networks`) or the path of a .toml file (`leadlag new` writes one).
    """
    short = {"form": fields.pop("form"), "epochs": epochs} | fields
    changes = [*(f"{field}={value}" for field, value in short.items() if value is not None), *changes]
    out = out or flow.BUILD / load_recipe(name, changes).name / "float.safetensors"
    figures = training.train(name, changes=changes, seed=seed, hold_out=hold_out, out=out, console=notes)
    console.print(figures_table(f"{name}, written to {out}", figures))


@cli.command()
@network_argument
@board_option
@click.option("--out", type=FOLDER, help="build/NAME by default.")
def quantize(network, board, out):
    """Turn real parameters into words: description, parameters and image."""
    case = _fitting(network, board)
    out = out or flow.BUILD / case.net.name
    check_writable(out / "network.json")
    files = flow.write_words(case.net, case.params, out)
    heading, rows = case.net.table()
    table = Table(*heading)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(f"{case.net.name}: {case.net.size}, {case.net.lanes} lanes, {len(case.image):,} words, design "
                  f"{case.net.fingerprint}")
    for note in circuit(case.net).notes(case.net):
        console.print(note)
    console.print("written: " + ", ".join(map(str, files)))


@cli.command(short_help="Accuracy of float, integers and RTL.")
@network_argument
@board_option
@data_option
@click.option("-n", "--count", type=COUNT, help="The first N sequences; all by default.")
@click.option("--split", type=click.Choice(["test", "held_out"]), default="test", show_default=True)
@click.option("--no-rtl", is_flag=True, help="Leave the circuit out.")
def evaluate(network, board, data, count, split, no_rtl):
    """Accuracy of float, integers and RTL side by side; RTL must equal the integers word by word."""
    from leadlag import ladder
    case = flow.prepare(network, board, data) if no_rtl else _fitting(network, board, data, must=is_given("board"))
    rungs, _ = ladder.climb(case, split, count, rtl=not no_rtl, console=notes)
    console.print(ladder.table(rungs, case.data.unit))


@cli.command()
@network_argument
@board_option
@data_option
@click.option("-n", "--count", default=4, type=COUNT, show_default=True, help="Number of test sequences.")
@click.option("--ticks", default=40, type=click.IntRange(1, 360), show_default=True,
              help="Ticks of each (the whole top in a Python bench is slow).")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True)
def simulate(network, board, data, count, ticks, simulator):
    """Run the circuit in cocotb against the golden model."""
    from leadlag import ladder
    case = _fitting(network, board, data, must=is_given("board"))
    is_free = "tick" in case.net.SAMPLE
    only_for("networks that run any number of ticks", is_free, "ticks", given=network)
    with status(notes, f"{case.net.name} on {simulator}"):
        words = ladder.cocotb_check(case, count, ticks if is_free else None, simulator)
    console.print(f"{case.net.name} on {simulator}: {words:,} output words of {count} {case.data.unit}, all equal to "
                  f"golden")


@cli.command(short_help="Learn on the chip: golden and circuit side by side.")
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
    console.print(figures_table(f"{learnt.net.name}, seed {seed}", learnt.figures))
    console.print("written: " + ", ".join(map(str, files)))


@cli.command(short_help="Destroy an output layer and learn it again on a board.")
@click.argument("network", metavar="NET", default="gle-mnist1d")
@port_option(default="sim", show_default=True)
@click.option("-n", "--samples", default=2560, show_default=True, type=click.IntRange(10), help="Sequences to learn.")
@click.option("--on-board", default=100, show_default=True, type=click.IntRange(0),
              help="So many of them on the board; golden learns the rest.")
def adapt(network, port, samples, on_board):
    """Relearn the output layer of a network through the host driver, and print how well it answers."""
    from leadlag.experiments import learning
    only_for("sequences that are learnt on a board", on_board > 0, "port", given="--on-board 0")
    figures = learning.adapt(network, samples=samples, on_board=on_board, port=port, console=notes)
    table = Table("samples learnt", "test accuracy", title=f"{network}, before: {figures['before']:.1%}")
    for count, value in figures["relearn"]:
        table.add_row(f"{count:,}", f"{value:.1%}")
    console.print(table)
    console.print(f"report {learning.write_page(figures, command_line())}")
    if "device" in figures:
        console.print(f"the board says: {figures['device']}")
    console.print(learning.claim(figures, port))


@cli.command()
@network_argument
@board_option
@click.option("--clock", type=Finite(0, min_open=True), help="PLL clock in MHz; the board's own by default.")
@click.option("--seed", "seeds", type=SEED, multiple=True, default=(1,), show_default=True,
              help="nextpnr seed; give several to try them until one meets the clock.")
@click.option("--jobs", default=1, show_default=True, type=JOBS, help="Seeds side by side.")
def build(network, board, clock, seeds, jobs):
    """Synthesise, place and route; write bitstream and report."""
    from boards.build import build as make
    from leadlag.report.page import write_report
    case = flow.prepare(network, board)
    check_writable(flow.BUILD / case.net.name / board / "report.json")
    flow.board(board).clock_for(clock)
    with status(notes, "build") as say:
        result = make(case.net, flow.board(board), out_dir=flow.BUILD, clock_mhz=clock, seeds=seeds, jobs=jobs,
                      progress=lambda text: say(f"{case.net.name}: {text}"))
    page = write_report({"title": f"{case.net.name} on {board}", "build": result.report, "commands": [command_line()],
                         "tools": result.report["tools"]}, result.path / "page")
    console.print(result.summary())
    for note in circuit(case.net).notes(case.net):
        console.print(note)
    console.print(f"bitstream {result.bitstream}, report {page}")
    if not result.ok:
        raise flow.CheckFailed(f"timing is not met at {result.report['clock_mhz']:g} MHz: try other --seed or --clock")


@cli.command(short_help="Load parameters onto a board.")
@network_argument
@board_option
@port_option(required=True)
def load(network, board, port):
    """Load parameters onto a board; they change only when the whole image has arrived intact."""
    from leadlag.ladder import open_board
    case = _fitting(network, board)
    with open_board(case.net, port, notes) as device, bars(notes) as bar:
        task = bar.add_task(f"board at {port}: load", total=len(case.image))
        device.load(case.image, progress=lambda n: bar.advance(task, n))
    console.print(f"{case.net.name}: {len(case.image):,} words loaded, CRC {case.image.crc:08x}, design "
                  f"{case.net.fingerprint}")


@cli.command(short_help="Stream test sequences through a board.")
@network_argument
@board_option
@port_option(required=True)
@click.option("-n", "--count", default=5, type=COUNT, show_default=True, help="Number of test sequences.")
@data_option
@click.option("--rates", is_flag=True, help="Print the mean output of every class.")
def run(network, board, port, count, data, rates):
    """Load parameters, stream test sequences through a board and print its answers."""
    from leadlag import ladder
    case = _fitting(network, board, data)
    only_for("networks whose outputs have values", "output" in case.net.SAMPLE, "rates", given=network)
    rows = ladder.run_on_board(case, port, count, notes)
    console.print(ladder.runs_table(case, rows, rates))


@cli.command(short_help="The whole way, from the zoo to a bitstream.")
@board_option
@click.option("--network", default="gle-mnist1d", show_default=True)
@click.option("--train", "train_first", is_flag=True, help="Train the network first instead of taking it from the zoo.")
@click.option("-n", "--count", type=COUNT, help="Test sequences to simulate; all by default.")
@click.option("--seed", "seeds", type=SEED, multiple=True, help="nextpnr seeds to try.")
@click.option("--no-build", is_flag=True, help="Leave out place and route.")
def demo(board, network, train_first, count, seeds, no_build):
    """The whole way: quantise, simulate bit-exactly, place and route, load, run, report."""
    from leadlag.demo import demo as whole_way
    only_for("place and route", not no_build, "seeds", given="--no-build")
    whole_way(network, board, train_first=train_first, count=count, seeds=seeds or None, place=not no_build,
              console=console, command=command_line())


@cli.command(short_help="Predict video with late messages, with and without PM.")
@click.option("--data", default="digits", show_default=True, metavar="NAME",
              help="digits, vtest (Debian package opencv-doc), or the path of a video that ffmpeg reads.")
@click.option("--steps", default=6, show_default=True, type=click.IntRange(1, 30), help="Roll-out steps.")
@click.option("--seed", default=0, show_default=True, type=SEED, help="Of weights and training windows.")
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
    console.print(table)
    if result.facts["errors_saturated"]:
        console.print("error words saturated: " + ", ".join(result.facts["errors_saturated"]))
    page = experiment.write_page(result, command_line())
    console.print(f"report {page}, figures {page.with_name('rows.json')}")


@cli.command(short_help="Measure the figures of README and docs.")
@click.argument("groups", nargs=-1)
@click.option("--list", "list_groups", is_flag=True, help="Print the groups, which of them are current, and end.")
@click.option("--stale", is_flag=True, help="Only groups whose figures are not those of the code at hand.")
@answers
def bench(groups, list_groups, stale):
    """Measure what README and docs claim; merges into build/bench.json and docs/bench.json."""
    from leadlag.bench import groups as benches
    only_for("measuring", not list_groups, "groups", "stale", given="--list")
    if list_groups:
        rows = benches.listing()
        lines = (f"{row['group']}: {row['what']} ({row['status']})" for row in rows)
        return answer({"groups": rows}, *lines, then="leadlag bench --stale")
    benches.check(groups)
    for name in benches.stale(groups) if stale else groups or benches.GROUPS:
        figures = benches.measure(name, notes)
        answer({name: figures}, figures_table(name, figures))


@cli.group()
def study():
    """Sweeps over settings and seeds: resumable, one table and one picture."""


@study.command(short_help="Late messages and what makes up for them.")
@click.option("--delays", "delays_ms", metavar="MS,...", default="0,0.25,0.5,1,2,5", show_default=True)
@click.option("--predictors", metavar="NAME,...", default="none,linear,second_order,nlms,neural", show_default=True)
@click.option("--seeds", metavar="N,...", default="0,1,2", show_default=True)
@click.option("--arithmetic", type=click.Choice(["float", "integer"]), default="float", show_default=True)
@click.option("--ms", default=1200.0, show_default=True, type=Finite(0, min_open=True), help="Length of a run.")
@click.option("--jobs", default=1, show_default=True, type=JOBS, help="Runs side by side.")
@click.option("--scheduler", metavar="ADDRESS", help="A Dask scheduler that runs them, such as tcp://host:8786.")
@click.option("--out", type=FOLDER, help="build/study/delays by default.")
def delays(delays_ms, predictors, seeds, arithmetic, ms, jobs, scheduler, out):
    """Fourier synthesis over delayed messages: delays x predictors x seeds. Finished runs are not run again."""
    from leadlag.experiments import study as studies
    only_for("runs on this machine", scheduler is None, "jobs", given="--scheduler")
    out = out or flow.BUILD / "study" / "delays"
    check_writable(out / studies.FILES[0])
    table = studies.delays(_listed("--delays", delays_ms, float), _listed("--predictors", predictors, str),
                           _listed("--seeds", seeds, int), arithmetic=arithmetic, ms=ms, jobs=jobs,
                           scheduler=scheduler, out=out, console=notes)
    console.print(studies.console_table(table))
    console.print("written: " + ", ".join(table["files"]))


@study.command("two-boards", short_help="A network cut in two boards, joined by cables.")
@click.option("--latencies", metavar="TICKS,...", default="0,5,20,40,100", show_default=True)
@click.option("--predictors", metavar="NAME,...", default="none,linear,nlms", show_default=True)
@click.option("--seed", default=0, show_default=True, type=SEED)
def two_boards_command(latencies, predictors, seed):
    """Error against link latency; words of both simulated boards have to equal golden."""
    from leadlag.experiments.two_boards import two_boards
    found = two_boards(_listed("--latencies", latencies, int), _listed("--predictors", predictors, str), seed, notes)
    table = Table("ticks", "predictor", "squared error", "cable, cycles", "cycles a tick", "a tick longer", "equal")
    for row in found["rows"]:
        table.add_row(str(row["latency_ticks"]), row["predictor"], f"{row['mse']:.4f}", f"{row['link_cycles']:,}",
                      f"{row['cycles_per_tick']:.1f}", f"{row['one_tick_longer']:.1f}", f"{row['equal']:,}")
    console.print(table)


def _listed(option, text, kind):
    try:
        return [kind(entry.strip()) for entry in text.split(",") if entry.strip()]
    except ValueError:
        raise click.UsageError(f"{option}: {text!r} is no list of numbers such as 1,2") from None


def _fitting(network, board, data=None, *, must=True):
    """A case for a board that it fits; unless it `must`, that it does not fit is no more than said."""
    case = flow.prepare(network, board, data)
    try:
        flow.check_room(case, board)
    except ValueError as error:
        if must:
            raise
        notes.print(f"note: {error}")
    return case


def main() -> None:
    """Entry point: every expected error becomes one line."""
    end_on_signals()
    escape()
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        code = 130
    except NoArgs as error:
        error.show()
        code = error.exit_code
    except click.ClickException as error:
        code = _fail(error.format_message(), error.exit_code)
    except flow.CheckFailed as error:
        code = _fail(error, 1)
    except AssertionError as error:
        # a bench that failed; its first line says which
        code = _fail(str(error).splitlines()[0] if str(error) else "a check failed", 1)
    except ModuleNotFoundError as error:
        code = _fail(f"{error.name} is missing: pip install 'leadlag[train]'" if error.name else error, 2)
    except (ValueError, OSError, RuntimeError) as error:
        # ToolError, BuildError, LinkError and what parsers raise are all of these
        code = _fail(reason(error), 2)
    except KeyboardInterrupt:
        code = 130
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message, code) -> int:
    print(f"leadlag: {' '.join(str(message).split())}", file=sys.stderr)
    return code
