"""What a platform of Amaranth says of a board's pins, held against what the board says."""

import re

from amaranth.build import DiffPairs, Pins, Subsignal

from golden.checks import check


def check_platform(board: str, platform: type, part, wanted, clock: str, input_mhz: int) -> None:
    """ValueError, one line, where a platform is of another part, lacks a resource, or has two signals at one ball.

    part: a boards.base.Part; wanted: (name, number) of what the board uses; clock: the oscillator among them, of
    `input_mhz`.
    """
    _check_part(board, platform, part)
    known, me = {(each.name, each.number): each for each in platform.resources}, platform.__name__
    for name, number in wanted:
        check((name, number) in known, f"{board}: {me} has no {name} {number}")
    taken = {}
    for each in wanted:
        for signal, ball in _balls(known[each], f"{each[0]} {each[1]}"):
            check(ball not in taken, f"{board}: {taken.get(ball)} and {signal} of {me} are both at {ball}")
            taken[ball] = signal
    check(known[clock, 0].clock is not None, f"{board}: {clock} of {me} has no frequency: Clock({input_mhz:g}e6) is "
                                             "missing in its resource")
    frequency = known[clock, 0].clock.frequency
    check(round(frequency) == input_mhz * 1_000_000,
          f"{board}: {clock} of {me} has {frequency / 1e6:g} MHz, input_mhz is {input_mhz:g}")


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


#: how tools name a ball in what they say of it
_BALL = re.compile(r"[Pp]in (?:named )?'?([A-Z]{0,2}[0-9]+)\b")


def whose(platform: type, wanted, said: str) -> str:
    """" (led 0 of Platform)" behind what a tool says of a ball; nothing where it names none of `wanted`."""
    balls = {ball: signal for each in platform.resources if (each.name, each.number) in wanted
             for signal, ball in _balls(each, f"{each.name} {each.number}")}
    found = next((balls[ball] for ball in _BALL.findall(said) if ball in balls), None)
    return f" ({found} of {platform.__name__})" if found else ""


def balls_of(platform: type, name: str, number: int) -> dict[str, list[str]]:
    """Balls of a resource by signal, "" where it is one: {"rx": ["B1"], "tx": ["A1"]}; {} where there is none."""
    found = {}
    for resource in getattr(platform, "resources", ()):
        if (resource.name, resource.number) == (name, number):
            for signal, ball in _balls(resource, ""):
                found.setdefault(signal.strip(), []).append(ball)
    return found


def _balls(resource, signal: str):
    """(signal, ball) of everything in a resource, or in a part of one."""
    for each in resource.ios:
        if isinstance(each, Subsignal):
            yield from _balls(each, f"{signal} {each.name}")
        elif isinstance(each, DiffPairs):
            yield from ((signal, ball) for half in (each.p, each.n) for ball in half.names)
        elif isinstance(each, Pins):
            yield from ((signal, ball) for ball in each.names)
