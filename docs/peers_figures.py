"""The table of peers: published spiking cores and ours through one flow, for docs/figures.py."""

import textwrap

#: what a row has to have
NEEDS = {"design", "boundary", "lut4", "comb", "ff", "bram", "fmax_median", "fmax_range",
         "cycles_per_operation_by_spikes", "operations_per_s", "per_lut4", "features", "left_out"}


def peers(table, data) -> str:
    """The table, what its columns are, and what each row leaves out."""
    group = data.get("peers", {})
    rows = [row for row in group.get("rows", ()) if set(row) >= NEEDS]
    if not rows:
        return "Not measured yet: `leadlag bench peers --peer tinyodin=FOLDER`."
    head = ("circuit", "LUT4 (packed)", "FF", "block RAM", "DSP", "Fmax, MHz: median (range)",
            "cycles an operation at 1, 10, 100 spikes a tick", "million operations a second", "the same a LUT4, 1/s",
            "the same a block RAM, million")
    body = []
    for row in rows:
        low, high = row["fmax_range"]
        each = ", ".join(f"{value:.2f}" for value in row["cycles_per_operation_by_spikes"].values())
        body.append((f"{row['design']}, {row['boundary']}", f"{row['lut4']:,} ({row['comb']:,})", f"{row['ff']:,}",
                     str(row["bram"]), str(row["dsp"]), f"{row['fmax_median']:.1f} ({low:.1f} to {high:.1f})", each,
                     f"{row['operations_per_s'] / 1e6:.1f}", f"{row['per_lut4']:,}",
                     f"{row['operations_per_s'] / max(row['bram'], 1) / 1e6:.1f}"))
    said = (f"All on the {group['part']}, {len(group['fmax_seeds'])} seeds of nextpnr each, asked for "
            f"{group['target_mhz']:g} MHz; LUT4 as yosys counts them, and cells after packing, carries among them. An "
            "operation is one synapse of one spike; every spike goes to 256 neurons. Cycles are measured in a "
            "simulation and have all that a tick takes; operations a second are those of 100 spikes a tick at the "
            "median. No power was measured.")
    notes = {row["design"]: f"{row['features']}." + (f" What its own figures leave out: {row['left_out']}."
                                                     if row["left_out"] else "") for row in rows}
    lines = [textwrap.fill(f"- {design}: {text}", 120, subsequent_indent="  ", break_on_hyphens=False)
             for design, text in notes.items()]
    return "\n\n".join((table(head, body), textwrap.fill(said, 120, break_on_hyphens=False), "\n".join(lines)))
