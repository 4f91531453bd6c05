"""What the commands have in common: strict parsing, types of options, options of one system, the line to repeat."""

import math
import re
import shlex
from collections import Counter
from pathlib import Path

import click
from click.core import ParameterSource

from leadlag import flow
from leadlag.help import EXAMPLES

#: of weights, windows and of nextpnr, which takes 31 bits
SEED = click.IntRange(0, 2**31 - 1)
COUNT, JOBS = click.IntRange(1), click.IntRange(1, 256)
FILE, FOLDER = click.Path(dir_okay=False, path_type=Path), click.Path(file_okay=False, path_type=Path)
board_option = click.option("--board", default=flow.DEFAULT_BOARD, show_default=True,
                            help="Board to fold for, or a file with one, BOARD.py.")


class Finite(click.FloatRange):
    """A number within a range; neither infinite nor none."""

    def convert(self, value, param, ctx):
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class Command(click.Command):
    """A command that refuses an option given twice, of which only the last one would count."""

    def parse_args(self, ctx, args):
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(args=list(args))
            for option, times in Counter(order).items():
                if times > 1 and isinstance(option, click.Option) and not (option.multiple or option.is_flag):
                    raise click.UsageError(f"{_name(option)} is given {times} times", ctx)
        return super().parse_args(ctx, args)

    def format_epilog(self, ctx, formatter):
        """An example, as it is typed: not wrapped, so that it can be copied."""
        if self.name in EXAMPLES:
            with formatter.section("Example"):
                formatter.write(f"  {EXAMPLES[self.name]}\n")


class Group(click.Group):
    """A group of such commands."""

    command_class = Command
    group_class = type


def only_for(what: str, holds: bool, *names: str, given: str) -> None:
    """UsageError where options were given that mean nothing here.

    names: parameters that are for `what` alone; holds: whether this is it; given: what this is instead.
    """
    ctx = click.get_current_context()
    wrong = [_name(option) for option in ctx.command.params if option.name in names and _is_given(ctx, option)]
    if wrong and not holds:
        raise click.UsageError(f"{', '.join(wrong)}: only for {what}, not for {given}", ctx)


def is_given(name: str) -> bool:
    """Whether a parameter of the running command was given."""
    ctx = click.get_current_context()
    return any(_is_given(ctx, option) for option in ctx.command.params if option.name == name)


def command_line() -> str:
    """The running command as a line for a shell, with its arguments and all options that were given."""
    ctx, names = click.get_current_context(), []
    options, arguments = [], []
    for param in ctx.command.params:
        value = ctx.params.get(param.name)
        values = [str(entry) for entry in (value if isinstance(value, tuple | list) else [value]) if entry is not None]
        if isinstance(param, click.Argument):
            arguments += values
        elif _is_given(ctx, param):
            name = _name(param)
            # a value that looks like an option
            options += [name] if param.is_flag else [word for entry in values for word in (
                [f"{name}={entry}"] if entry.startswith("-") else [name, entry])]
    while ctx.parent is not None:
        names.insert(0, ctx.info_name)
        ctx = ctx.parent
    if any(word.startswith("-") for word in arguments):
        arguments.insert(0, "--")
    return " ".join(map(_quoted, ["leadlag", *names, *options, *arguments]))


def _quoted(word: str) -> str:
    """A word for a shell; bytes that are no UTF-8 as the shell's $'\\xNN'."""
    if re.search("[\udc80-\udcff]", word):
        plain = word.replace("\\", "\\\\").replace("'", "\\'")
        return "$'" + re.sub("[\udc80-\udcff]", lambda found: f"\\x{ord(found[0]) - 0xdc00:02x}", plain) + "'"
    return shlex.quote(word)


def _is_given(ctx, param) -> bool:
    return ctx.get_parameter_source(param.name) not in (None, ParameterSource.DEFAULT, ParameterSource.DEFAULT_MAP)


def _name(param) -> str:
    return param.name.upper() if isinstance(param, click.Argument) else max(param.opts, key=len)


#: the data set of a command
data_option = click.option("--data", metavar="NAME[=FOLDER]|FILE", help="Data set; the network's own by default.")


class Port(click.ParamType):
    """A serial port by name; sim: whether it may be the simulated board."""

    name = "text"

    def __init__(self, sim: bool):
        self.sim = sim

    def get_missing_message(self, param, ctx):
        return f"Name a serial port{', or sim for the simulated board' if self.sim else ''}."


def port_option(*, sim: bool = True, **options):
    """A port, looked for before anything is done for it; sim: whether it may be the simulated board."""
    def check(ctx, param, port):
        if port not in (None, "sim"):
            from firmware.transport import check_port
            check_port(port)
        return port
    said = "Serial port of the board, or `sim` for the simulated one." if sim else "Serial port of the board."
    return click.option("--port", type=Port(sim), callback=check, help=said, **options)


def named(board: str) -> str:
    """The option --board for the command that comes next, where it was given for this one."""
    return f" --board {board}" if is_given("board") else ""
