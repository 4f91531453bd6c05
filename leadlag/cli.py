"""The `leadlag` command: one thin function a subcommand. Errors are one line, exit code 2; a failed check 1."""

import sys
import warnings

import click

from golden.files import check_writable
from golden.programs import end_on_signals
from leadlag import __version__, flow
from leadlag.doctor import doctor
from leadlag.experiments.cli import adapt, learn, study, video
from leadlag.flash import bake, board_command, flash_command, flash_image, listen
from leadlag.foreign_cli import export_command, import_command, raster_command
from leadlag.lists import boards, datasets, networks
from leadlag.options import (
    COUNT,
    FILE,
    JOBS,
    SEED,
    Finite,
    Group,
    board_option,
    command_line,
    data_option,
    is_given,
    named,
    only_for,
    port_option,
)
from leadlag.recipes import new, train
from leadlag.results import answer, answers, as_json, figures_table
from leadlag.terminal import bars, console, escape, let_go, notes, reason, status
from leadlag.verify.cli import verify
from leadlag.verilog.cli import verilog
from leadlag.words import quantize
from rtl.systems import circuit

#: of click 8.2; before, the help is printed and that was all
NoArgs = getattr(click.exceptions, "NoArgsIsHelpError", ())
network_argument = click.argument("network", metavar="NET")


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__)
def cli():
    """Networks that live in physical time, from torch to a bitstream.

    NET is a network of the zoo (`leadlag networks`) or the path of a .safetensors file. Commands that need no samples
    also take the path of a network.json, which quantize, learn, adapt and import write.
    """


for command in (new, train, import_command, export_command, raster_command, boards, networks, datasets, doctor, verilog,
                verify, quantize, learn, adapt, video, study, flash_image, flash_command, bake, listen, board_command):
    cli.add_command(command)


@cli.command(short_help="Accuracy of float, integers and RTL.")
@network_argument
@board_option
@data_option
@click.option("-n", "--count", type=COUNT, help="The first N sequences; all by default.")
@click.option("--split", type=click.Choice(["test", "held_out"]), default="test", show_default=True)
@click.option("--no-rtl", is_flag=True, help="Leave the circuit out.")
@click.option("--words", type=FILE, help="Of a network that has learnt on a board: its network.json.")
@answers
def evaluate(network, board, data, count, split, no_rtl, words):
    """Accuracy of float, integers and RTL side by side; RTL must equal the integers word by word."""
    from leadlag import ladder
    case = flow.prepare(network, board, data) if no_rtl else _fitting(network, board, data, must=is_given("board"))
    if words is not None:
        case = flow.with_words(case, words)
    rungs, _ = ladder.climb(case, split, count, rtl=not no_rtl, console=notes)
    answer({"network": case.net.name, "ladder": rungs}, ladder.table(rungs, case.data.unit),
           then=f"leadlag build {network if words is None else words}{named(board)}")


@cli.command()
@network_argument
@board_option
@data_option
@click.option("-n", "--count", default=4, type=COUNT, show_default=True, help="Number of test sequences.")
@click.option("--ticks", default=40, type=click.IntRange(1, 360), show_default=True,
              help="Ticks of each (the whole top in a Python bench is slow).")
@click.option("--simulator", type=click.Choice(["verilator", "icarus"]), default="verilator", show_default=True)
@answers
def simulate(network, board, data, count, ticks, simulator):
    """Run the circuit in cocotb against the golden model."""
    from leadlag import ladder
    case = _fitting(network, board, data, must=is_given("board"))
    is_free = "tick" in case.net.SAMPLE
    only_for("networks that run any number of ticks", is_free, "ticks", given=network)
    count = count if is_given("count") else flow.at_most(case, "test", count)
    with status(notes, f"{case.net.name} on {simulator}"):
        words = ladder.cocotb_check(case, count, ticks if is_free else None, simulator)
    answer({"network": case.net.name, "simulator": simulator, "samples": count, "equal_words": words},
           f"{case.net.name} on {simulator}: {words:,} output words of {count} {case.data.unit}, all equal to golden",
           then=f"leadlag build {network}{named(board)}")


@cli.command()
@network_argument
@board_option
@click.option("--clock", type=Finite(0, min_open=True), help="PLL clock in MHz; the board's own by default.")
@click.option("--seed", "seeds", type=SEED, multiple=True, default=(1,), show_default=True,
              help="nextpnr seed; give several to try them until one meets the clock.")
@click.option("--jobs", default=1, show_default=True, type=JOBS, help="Seeds side by side; all of them are waited for.")
@answers
def build(network, board, clock, seeds, jobs):
    """Synthesise, place and route; write bitstream and report."""
    from boards.build import build as make
    from leadlag.report.page import write_report
    net, part = flow.device(network, board).net, flow.board(board)
    check_writable(flow.BUILD / net.name / part.name / "report.json")
    part.clock_for(clock)
    with status(notes, "build") as say:
        result = make(net, part, out_dir=flow.BUILD, clock_mhz=clock, seeds=seeds, jobs=jobs,
                      progress=lambda text: say(f"{net.name}: {text}"))
    page = write_report({"title": f"{net.name} on {part.name}", "build": result.report,
                         "commands": [command_line()], "tools": result.report["tools"]}, result.path / "page")
    answer(result.report | {"bitstream": result.bitstream, "page": page}, result.summary(),
           *circuit(net).notes(net), f"bitstream {result.bitstream}, report {page}",
           then=f"leadlag flash-image {network} --board {board}" if part.boots else
                f"leadlag bake {network} --board {board}" if part.holds else
                f"leadlag {'load' if network.endswith('.json') else 'run'} {network} --board {board} --port PORT, "
                "when the board has the bitstream")
    if not result.ok:
        raise flow.CheckFailed(f"timing is not met at {result.report['clock_mhz']:g} MHz: try other --seed or --clock")


@cli.command(short_help="Load parameters onto a board.")
@network_argument
@board_option
@port_option(required=True)
@answers
def load(network, board, port):
    """Load parameters onto a board; they change only when the whole image has arrived intact."""
    from leadlag.ladder import open_board
    net, image = flow.device(network, board).loaded
    flow.check_room(net, board)
    with open_board(net, port, notes) as device, bars(notes) as bar:
        task = bar.add_task(f"board at {port}: load", total=len(image))
        device.load(image, progress=lambda n: bar.advance(task, n))
    answer({"network": net.name, "words": len(image), "crc": f"{image.crc:08x}", "design": net.fingerprint},
           f"{net.name}: {len(image):,} words loaded, CRC {image.crc:08x}, design {net.fingerprint}",
           then=None if network.endswith(".json") else f"leadlag run {network} --board {board} --port {port}")


@cli.command(short_help="Stream test sequences through a board.")
@network_argument
@board_option
@port_option(required=True)
@click.option("-n", "--count", default=5, type=COUNT, show_default=True, help="Number of test sequences.")
@data_option
@click.option("--rates", is_flag=True, help="Print the mean output of every class.")
@answers
def run(network, board, port, count, data, rates):
    """Load parameters, stream test sequences through a board and print its answers."""
    from leadlag import ladder
    case = _fitting(network, board, data)
    only_for("networks whose outputs have values", "output" in case.net.SAMPLE, "rates", given=network)
    count = count if is_given("count") else flow.at_most(case, "test", count)
    rows = ladder.run_on_board(case, port, count, notes)
    answer({"network": case.net.name, "runs": [dict(zip(("right", "answer", "scores"), row, strict=True))
                                               for row in rows]}, ladder.runs_table(case, rows, rates))


@cli.command(short_help="The whole way, from the zoo to a bitstream.")
@board_option
@click.option("--network", default="gle-mnist1d", show_default=True)
@click.option("--train", "train_first", is_flag=True, help="Train the network first instead of taking it from the zoo.")
@click.option("-n", "--count", type=COUNT, help="Test sequences to simulate; all by default.")
@click.option("--seed", "seeds", type=SEED, multiple=True, help="nextpnr seeds to try.")
@click.option("--no-build", is_flag=True, help="Leave out place and route.")
@click.option("--netlist", is_flag=True, help="Compare the synthesised circuit, too: minutes of the CPU.")
@answers
def demo(board, network, train_first, count, seeds, no_build, netlist):
    """The whole way: quantise, simulate bit-exactly, place and route, load, run, report."""
    from leadlag.demo import demo as whole_way
    only_for("place and route", not no_build, "seeds", given="--no-build")
    figures = whole_way(network, board, train_first=train_first, count=count, seeds=seeds or None, place=not no_build,
                        netlist=netlist, console=notes if as_json() else console, command=command_line())
    answer(figures, then=f"open {flow.BUILD / 'demo' / 'report.html'}")


@cli.command(short_help="Measure the figures of README and docs.")
@click.argument("groups", nargs=-1)
@click.option("--list", "list_groups", is_flag=True, help="Print the groups, which of them are current, and end.")
@click.option("--stale", is_flag=True, help="Only groups whose figures are not those of the code at hand.")
@click.option("--peer", "peers", multiple=True, metavar="NAME=FOLDER", help="A checkout, for the group peers.")
@answers
def bench(groups, list_groups, stale, peers):
    """Measure what README and docs claim; merges into build/bench.json and docs/bench.json."""
    from leadlag.bench import groups as benches
    only_for("measuring", not list_groups, "groups", "stale", "peers", given="--list")
    only_for("the group peers alone", groups == ("peers",), "peers", given=" ".join(groups) or "all groups")
    if list_groups:
        rows = benches.listing()
        lines = (f"{row['group']}: {row['what']} ({row['status']})" for row in rows)
        return answer({"groups": rows}, *lines, then="leadlag bench --stale")
    benches.check(groups)
    for name in benches.stale(groups) if stale else groups or benches.GROUPS:
        figures = benches.measure(name, notes, **({"checkouts": peers} if peers else {}))
        answer({name: figures}, figures_table(name, figures))


def _fitting(network, board, data=None, *, must=True):
    """A case for a board that it fits; unless it `must`, that it does not fit is no more than said."""
    case = flow.prepare(network, board, data)
    try:
        flow.check_room(case.net, board)
    except ValueError as error:
        if must:
            raise
        notes.print(f"note: {error}")
    return case


def main() -> None:
    """Entry point: every expected error becomes one line."""
    end_on_signals()
    escape()
    # of a design whose build was given up half way; its reason is the one line that is wanted
    warnings.filterwarnings("ignore", message=".* created but never used")
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
    let_go()
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message, code) -> int:
    print(f"leadlag: {' '.join(str(message).split())}", file=sys.stderr)
    return code
