"""What a platform of Amaranth says of a board's pins, held against what the board says."""

import re

from amaranth.build import DiffPairs, Pins, Subsignal

from golden.checks import check

#: directions of Amaranth, from the FPGA
WAYS = {"i": "input", "o": "output", "oe": "output", "io": "input and output"}


def check_platform(board: str, platform: type, part, wanted, clock: str, input_mhz: int) -> None:
    """ValueError, one line, where a platform is of another part, lacks a signal, or has two of them at one ball.

    part: a boards.part.Part; wanted: {(name, number): {signal: "i" or "o"}} of what the board uses, "" where a resource
    is one signal; clock: the oscillator among them, of `input_mhz`.
    """
    _check_part(board, platform, part)
    known, me = {(each.name, each.number): each for each in platform.resources}, platform.__name__
    for name, number in wanted:
        check((name, number) in known, f"{board}: {me} has no {name} {number}")
    taken = {}
    for each in wanted:
        for signal, ball, _ in _balls(known[each], "{} {}".format(*each)):
            check(ball not in taken, f"{board}: {taken.get(ball)} and {signal} of {me} are both at {ball}")
            taken[ball] = signal
    _check_directions(f"{board}: {me}", known, wanted)
    at = [ball for _, ball, _ in _balls(known[clock, 0], "")]
    check(not part.clock_balls or set(at) <= set(part.clock_balls),
          f"{board}: {clock} of {me} is at {', '.join(at)}, the PLL of {part.name} takes its clock from pin "
          f"{' or '.join(part.clock_balls)}")
    check(known[clock, 0].clock is not None, f"{board}: {clock} of {me} has no frequency: Clock({input_mhz:g}e6) is "
                                             "missing in its resource")
    frequency = known[clock, 0].clock.frequency
    check(round(frequency) == input_mhz * 1_000_000,
          f"{board}: {clock} of {me} has {frequency / 1e6:g} MHz, input_mhz is {input_mhz:g}")


def _check_directions(who: str, known, wanted) -> None:
    """ValueError where a resource has not the signals that are used, or one of them goes the other way."""
    for each, signals in wanted.items():
        found = {signal.strip(): way for signal, _, way in _balls(known[each], "")}
        for signal, way in signals.items():
            name = "{} {} {}".format(*each, signal).strip()
            there = ", ".join(filter(None, found)) or "no names"
            check(signal in found, f"{who} has no {name}: its {each[0]} has {there}")
            check(found[signal] in (way, "io"), f"{who} has {name} as an {WAYS[found[signal]]} of the FPGA, not as an "
                                                f"{WAYS[way]}")


def _check_part(board: str, platform, part) -> None:
    """ValueError where the platform class is of another family, incomplete, or of another part or package."""
    base = part.family.platform
    check(isinstance(platform, type), f"{board}: platform is a class, not {platform!r}")
    me = platform.__name__
    check(issubclass(platform, base), f"{board}: {me} is no {base.__name__}, which platforms with {part.name} are "
                                      "derived from (amaranth.vendor)")
    missing = sorted(platform.__abstractmethods__)
    check(not missing, f"{board}: {me} does not say: {', '.join(missing)}")
    # a Gowin platform has its part in the place of device and package
    device, package = getattr(platform, "device", getattr(platform, "part", None)), getattr(platform, "package", None)
    check(not isinstance(device, str) or device == part.name,
          f"{board}: the part is {part.name}, {me} is for {device}")
    check(not isinstance(package, str) or part.package in (None, part.family.package(package)),
          f"{board}: the package of the part is {part.package}, that of {me} is {package}")


def facts(platform: type, wanted) -> dict[str, str]:
    """Where every signal of `wanted` is: {"uart 0 rx": "B1", ...}."""
    return {signal: ball for each in platform.resources if (each.name, each.number) in wanted
            for signal, ball, _ in _balls(each, f"{each.name} {each.number}")}


#: how tools name a ball in what they say of it
_BALL = re.compile(r"[Pp]in (?:named )?'?([A-Z]{0,2}[0-9]+)\b")


def whose(platform: type, wanted, said: str) -> str:
    """" (led 0 of Platform)" behind what a tool says of a ball; nothing where it names none of `wanted`."""
    balls = {ball: signal for signal, ball in facts(platform, wanted).items()}
    found = next((balls[ball] for ball in _BALL.findall(said) if ball in balls), None)
    return f" ({found} of {platform.__name__})" if found else ""


def balls_of(platform: type, name: str, number: int) -> dict[str, list[str]]:
    """Balls of a resource by signal, "" where it is one: {"rx": ["B1"], "tx": ["A1"]}; {} where there is none."""
    found = {}
    for resource in getattr(platform, "resources", ()):
        if (resource.name, resource.number) == (name, number):
            for signal, ball, _ in _balls(resource, ""):
                found.setdefault(signal.strip(), []).append(ball)
    return found


def _balls(resource, signal: str):
    """(signal, ball, direction) of everything in a resource, or in a part of one."""
    for each in resource.ios:
        if isinstance(each, Subsignal):
            yield from _balls(each, f"{signal} {each.name}")
        elif isinstance(each, DiffPairs):
            yield from ((signal, ball, each.dir) for half in (each.p, each.n) for ball in half.names)
        elif isinstance(each, Pins):
            yield from ((signal, ball, each.dir) for ball in each.names)
