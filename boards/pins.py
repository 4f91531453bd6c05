"""What a platform of Amaranth says of a board's pins, held against what the board says."""

from amaranth.build import DiffPairs, Pins, Subsignal

from golden.checks import check


def check_platform(board: str, platform: type, part: str, wanted, clock: str, input_mhz: int) -> None:
    """ValueError, one line, where a platform is of another part, lacks a resource, or has two signals at one ball.

    wanted: (name, number) of what the board uses; clock: the oscillator among them, of `input_mhz`.
    """
    known = {(each.name, each.number): each for each in getattr(platform, "resources", ())}
    if not known:
        return
    device, me = getattr(platform, "device", None), platform.__name__
    check(not isinstance(device, str) or device in part, f"{board}: the part is {part}, {me} is for {device}")
    for name, number in wanted:
        check((name, number) in known, f"{board}: {me} has no {name} {number}")
    taken = {}
    for each in wanted:
        for signal, ball in _balls(known[each], f"{each[0]} {each[1]}"):
            check(ball not in taken, f"{board}: {taken.get(ball)} and {signal} of {me} are both at {ball}")
            taken[ball] = signal
    frequency = known[clock, 0].clock and known[clock, 0].clock.frequency
    check(frequency is None or round(frequency) == input_mhz * 1_000_000,
          f"{board}: {clock} of {me} has {(frequency or 0) / 1e6:g} MHz, input_mhz is {input_mhz:g}")


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
