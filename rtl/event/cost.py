"""What an event-driven network takes, and as many lanes as a part has room for."""

from golden.event.geometry import WORD, raster_words
from golden.event.layout import dense_names, memories
from golden.event.network import LANES, EventNetwork
from golden.regmap import WORD_BITS
from rtl.event.core import ANSWERS, answer_bits, output_ticks, recalls
from rtl.event.history import History, sizes
from rtl.event.layouts import COLUMN, Kind, bits, plan, value_shape
from rtl.event.neuron import columns, factor_cycles
from rtl.event.store import page_words
from rtl.inventory import Budget, Inventory, Memory


def widths(net: EventNetwork) -> dict[str, int]:
    """Bits of the words of each memory that is loaded, but those of neurons."""
    g = plan(net).g
    size = sum(g.entry)
    return {"starts": bits(g.listed + 1), "delays": net.delay_bits,
            **{name: min(WORD_BITS, g.width - k * WORD_BITS) for k, name in enumerate(dense_names(net))},
            **{f"plane{k}": g.chunk for k in range(net.delay_bits - g.fine)},
            **{f"list{k}": min(WORD_BITS, size - low) for k, low in enumerate(range(0, size, WORD_BITS))}}


def inventory(net: EventNetwork) -> Inventory:
    """Synapses, sums, neurons and histories; multipliers of decays and values."""
    p, g, width, found = plan(net), plan(net).g, widths(net), []
    for name, _, words in memories(net):
        if name in width:
            page = page_words(words, width[name])
            found += [Memory(min(page, words - start), width[name]) for start in range(0, words, page)]
    names, lanes, size = columns(net), net.folded, sizes(net)
    arrivals = any(each.on_arrival for each in net.populations)
    found += [Memory(g.depth << g.fine, net.sum_width + arrivals, lanes),
              Memory(g.depth, COLUMN * len(names), lanes, columns=len(names)), Memory(size.words * size.ticks, WORD),
              Memory(max(ANSWERS, len(raster_words(net)) + 8), answer_bits(net) + 1, form="inferred"),
              Memory(History.QUEUE, WORD + 12, form="inferred")]
    if recalls(net):
        found.append(Memory(net.lines << net.delay_bits, value_shape(net).width))
    if Kind.DENSE in p.kinds:
        found.append(Memory(16, g.chunk + 16, lanes, "inferred"))
    decays = sum(any(getattr(each, name) for each in net.populations) for name in ("leak", "current_leak"))
    each = (decays if factor_cycles(net) else 0) + p.multiplies
    factors = ((COLUMN, COLUMN, lanes * decays),) if decays else ()
    if p.multiplies:
        factors += ((net.weight_bits, value_shape(net).width, lanes),)
    return Inventory(tuple(found), lanes * each, {"engine": 1 + 0.6 * lanes}, factors)


def fold_within(net: EventNetwork, budget: Budget) -> EventNetwork:
    """With the most lanes that a part has room for: all of its block RAMs may be taken.

    ValueError where one lane is too much, or what only sparse synapses need.
    """
    for lanes in sorted(LANES if net.dense else LANES[:1], reverse=True):
        found = net.with_lanes([lanes])
        need = inventory(found)
        short = [f"{what}: {needed} needed, {there} available" for what, needed, there in (
            ("multipliers", need.multipliers, budget.multipliers), ("block RAMs", budget.blocks(need), budget.bram),
            ("LUTs", budget.luts(need), budget.routable_lut4)) if there is not None and needed > there]
        if not short:
            return found
    raise ValueError(f"{net.name} has {net.synapses:,} synapses, which do not fit: {'; '.join(short)}")


def pace(net: EventNetwork, clock_mhz: float, fmax_mhz: float) -> dict:
    """A tick takes as long as it has spikes: the circuit has to run them (`leadlag bench` does)."""
    return {"synapses": net.synapses, "operations_per_s": round(net.folded * clock_mhz * 1e6),
            "operations_per_s_at_fmax": round(net.folded * fmax_mhz * 1e6)}


def notes(net: EventNetwork) -> list[str]:
    """What a tick takes beside its spikes."""
    g = plan(net).g
    # membranes leave one after another
    update = sum(-(-each.size // WORD) * WORD // (net.folded if each.fires else 1) for each in net.populations)
    words = (g.visits - 1) * sizes(net).words
    return [f"a synapse a cycle and lane; a tick: {update} cycles of updates, {words} words of earlier spikes",
            f"answers of up to {output_ticks(net)} ticks wait"]
