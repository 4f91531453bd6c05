"""The delay line: what is written in tick n leaves in tick n + 1 + delay; before that, zeros.

A line is a tuple of depth + 1 messages (batch, index), newest first. `depth` is the longest delay that the circuit
holds, `delay` the one in force. A message that takes D ticks takes D ticks ([PM] arXiv 2407.05494).
"""

#: ticks that a message may be late
MAX_DELAY = 1023


def delay_line(like, depth: int) -> tuple:
    """An empty line for messages shaped as `like` (batch, index)."""
    return (like * 0,) * (depth + 1)


def delay_write(line: tuple, message) -> tuple:
    """The line one tick later, with `message` the newest."""
    return (message, *line[:-1])


def delay_read(line: tuple, delay: int):
    """The message of `delay` ticks before the newest."""
    if not 0 <= delay < len(line):
        raise ValueError(f"delay must be in 0..{len(line) - 1}, not {delay}")
    return line[delay]
