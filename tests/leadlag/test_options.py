"""What commands have in common: the line that repeats them, options given twice, options of one system only."""

import os
import shlex
import subprocess

import click
import pytest

from leadlag import cli, options
from leadlag.help import EXAMPLES


def commands(group=cli.cli, names=()):
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, (*names, name))
        else:
            yield (*names, name)


def parsed(words):
    """The context of a command line."""
    ctx, words = click.Context(cli.cli, info_name="whatever it is called"), list(words)
    while isinstance(ctx.command, click.Group):
        name = words.pop(0)
        command = ctx.command.commands[name]
        if not isinstance(command, click.Group):
            return command.make_context(name, words, parent=ctx)
        ctx = click.Context(command, info_name=name, parent=ctx)
    return None


def another(param, folder):
    """Words of a value that is not the default, as hard to quote as the type allows."""
    kind, default = param.type, param.default
    if isinstance(kind, click.Choice):
        return [next(choice for choice in reversed(kind.choices) if choice != default)]
    if isinstance(kind, click.Path):
        return [str(folder)]
    if isinstance(kind, click.types.IntParamType):
        low = max(kind.min or 0, 1) if isinstance(kind, click.IntRange) else 1
        values = [value for value in range(low, low + 999) if value != default]
        return [str(value) for value in values[:2 if param.multiple else 1]]
    if isinstance(kind, click.types.FloatParamType):
        return ["0.1"]
    return ["-it's a \"value\" $HOME"]


def words_of(names, folder, given):
    found, command = list(names), parsed_command(names)
    for param in command.params:
        if isinstance(param, click.Argument):
            continue
        if not (given or param.required) or not param.expose_value or param.name == "help":
            continue
        name = max(param.opts, key=len)
        found += [name] if param.is_flag else [f"{name}={value}" for value in another(param, folder)]
    arguments = [param for param in command.params if isinstance(param, click.Argument) and (given or param.required)]
    return [*found, "--", *(word for param in arguments for word in another(param, folder))]


def parsed_command(names):
    command = cli.cli
    for name in names:
        command = command.commands[name]
    return command


@pytest.mark.parametrize("given", [True, False], ids=["all options", "no options"])
@pytest.mark.parametrize("names", list(commands()), ids=" ".join)
def test_the_line_that_repeats_a_command(names, given, tmp_path):
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    if any(isinstance(param.type, click.Path) and not param.type.dir_okay for param in parsed_command(names).params):
        folder = folder / "file"
    for param in parsed_command(names).params:
        if isinstance(param.type, click.Path) and param.type.exists:
            folder.touch()
    ctx = parsed(words_of(names, folder, given))
    with ctx:
        line = options.command_line()
    words = shlex.split(line)
    assert words[:1 + len(names)] == ["leadlag", *names]
    again = parsed(words[1:])
    assert again.params == ctx.params, line
    plain = [param for param in ctx.command.params if isinstance(param, click.Option) and param.expose_value]
    assert sum(word.startswith("--") and word != "--" for word in words) >= len(plain) * given


def test_what_was_not_given_is_left_out():
    with parsed(["adapt", "gle-mnist1d", "-n", "30"]):
        assert options.command_line() == "leadlag adapt --samples 30 gle-mnist1d"
    with parsed(["build", "--seed", "2", "--seed", "1", "net.safetensors", "--clock", "90"]):
        assert options.command_line() == "leadlag build --clock 90.0 --seed 2 --seed 1 net.safetensors"
    with parsed(["demo"]):
        assert options.command_line() == "leadlag demo"


def test_bytes_that_are_no_text_can_be_pasted():
    name = b"a'\xff\\ \xfe.safetensors"
    with parsed(["evaluate", os.fsdecode(name)]):
        line = options.command_line()
    line.encode()
    line = line.replace("leadlag evaluate", "printf %s")
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True)
    assert done.stdout == name


def test_an_option_given_twice():
    for words in (["build", "net", "--clock", "9", "--clock=9"], ["evaluate", "net", "-n", "3", "--count", "3"]):
        with pytest.raises(click.UsageError, match="--(clock|count) is given 2 times"):
            parsed(words)
    assert parsed(["build", "net", "--seed", "1", "--seed", "2"]).params["seeds"] == (1, 2)
    assert parsed(["evaluate", "net", "--no-rtl", "--no-rtl"]).params["no_rtl"]


def test_options_of_one_system():
    with parsed(["train", "net", "--mode", "weights", "--epochs", "3"]):
        options.only_for("delays-*", True, "mode", "form", given="net")
        options.only_for("delays-*", False, "form", given="net")
        with pytest.raises(click.UsageError, match=r"^--epochs, --mode: only for delays-\*, not for net$"):
            options.only_for("delays-*", False, "mode", "form", "epochs", given="net")
        assert options.is_given("epochs")
        assert not options.is_given("seed")


@pytest.mark.parametrize("value", ["nan", "inf", "1e999"])
def test_numbers_are_finite(value):
    with pytest.raises(click.UsageError, match="is not a finite number"):
        parsed(["build", "net", "--clock", value])


@pytest.mark.parametrize("names", list(commands()), ids=" ".join)
def test_every_command_has_an_example_that_it_takes(names):
    example = shlex.split(EXAMPLES[names[-1]])
    assert tuple(example[1:len(names) + 1]) == names
    # a serial port that is here no more than another
    with parsed(["sim" if each.startswith("/dev/") else each for each in example[1:]]) as ctx:
        assert ctx.get_help().rstrip().endswith(f"Example:\n  {EXAMPLES[names[-1]]}")


def test_no_example_is_left_over():
    assert set(EXAMPLES) == {names[-1] for names in commands()}
