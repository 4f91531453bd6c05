"""Whether the parts of an event-driven network go together: ValueError, one line, names the one that does not."""

from golden.checks import check, is_int
from golden.event.parts import INPUT


def check_block(net, me: str, block) -> None:
    """Of a block called `me`: its ends are there, and its source fires."""
    pops = len(net.populations)
    check(block.source < pops and block.target < pops, f"{me}: there are populations 0..{pops - 1}")
    check(block.source == INPUT or net.populations[block.source].fires, f"{me}: its source never fires")
    size = net.size_of(block.source)
    check(block.first < size and block.first + net.count(block) <= size,
          f"{me}: sources {block.first}..{block.first + net.count(block) - 1} are not within 0..{size - 1}")
    check(block.kind != "direct" or block.into + net.count(block) <= net.populations[block.target].size,
          f"{me}: reaches beyond population {block.target}")


def check_raster(net) -> None:
    """Neurons, each once; among them all that do not fire."""
    raster = set(net.raster)
    check(len(raster) > 0 and all(is_int(each, 0, net.neurons - 1) for each in raster) and
          len(raster) == len(net.raster), f"network: raster must be neurons in 0..{net.neurons - 1}, each once")
    for n, population in enumerate(net.populations):
        check(population.fires or raster.issuperset(range(*net.starts[n:n + 2])),
              f"population {n} does not fire: all of its neurons must be in raster")
