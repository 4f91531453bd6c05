"""Generated block of docs/event.md, from docs/bench.json."""

import textwrap

#: routed networks: title, group, name in event.engine
BUILDS = (("a delay a synapse, 1..127", "build.event-256.ulx3s-25f", ""),
          ("a delay a source (axonal), 1..127", "build.event-256-axonal.ulx3s-25f", "axonal_"))


def event_cost(table, data) -> str:
    """The network of 256 neurons, all to all, on an LFE5U-25F; cycles of ticks; RISP."""
    rows, ticks = [], data.get("event.engine", {})
    for title, group, name in BUILDS:
        if "lut4" in (g := data.get(group, {})):
            cycles = ticks.get(f"{name}cycles_by_spikes", {})
            low, high = g["fmax_range"]
            rows.append((title, str(g["lanes"]), f"{g['lut4']:,} ({g['comb']:,})", f"{g['ff']:,}", str(g["bram"]),
                         str(g["dsp"]), f"{g['fmax_median']:.1f} ({low:.1f} to {high:.1f})",
                         f"{g['operations_per_s'] / 1e6:,.0f} M at {g['clock_mhz']:g} MHz",
                         " / ".join(f"{value:,.0f}" for value in cycles.values()) or "-"))
    said = []
    if "rtl_equal_ticks" in ticks:
        said.append(f"The compiled circuit says what the integers say in {ticks['rtl_equal_ticks']} ticks with "
                    f"{ticks['spikes']:,} spikes (`leadlag bench event.engine`).")
    if "networks" in (g := data.get("event.risp", {})):
        said.append(f"RISP: of {g['networks']} drawn networks with {g['spikes']:,} spikes {g['golden_equal']} are "
                    f"equal in integers, {g['rtl_equal']} in the circuit, {g['board_equal']} on the simulated board "
                    f"(`leadlag bench event.risp`).")
    if not rows:
        said.insert(0, "Not routed yet: `leadlag bench build.event-256.ulx3s-25f`.")
        return "\n".join(textwrap.wrap(" ".join(said), 120))
    made = table(("256 neurons, 65,536 synapses, LFE5U-25F", "lanes", "LUT4 (packed, with carries)", "FF", "block RAMs",
                  "MULT18", "Fmax over five seeds (MHz)", "operations a second",
                  "cycles of a tick of 1 / 10 / 100 spikes"), rows)
    return "\n".join([made, *([""] if said else []), *textwrap.wrap(" ".join(said), 120)])


def summary(data) -> list[tuple[str, str, str]]:
    """Rows of the README: label, figure, group."""
    found = []
    for title, group, _ in BUILDS:
        if "lut4" in (g := data.get(group, {})):
            found.append((f"256 spiking neurons, all to all, {title}: LUT4, block RAM, Fmax over five seeds",
                          "{:,}, {}, {:.0f} to {:.0f} MHz".format(g["lut4"], g["bram"], *g["fmax_range"]), group))
    if "networks" in (g := data.get("event.risp", {})):
        found.append(("RISP networks equal in integers, circuit, on the simulated board",
                      f"{g['golden_equal']}, {g['rtl_equal']}, {g['board_equal']} of {g['networks']}", "event.risp"))
    return found
