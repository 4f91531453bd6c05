"""Generated block of docs/nir.md, from docs/bench.json."""

import textwrap


def nir(table, data) -> str:
    """Agreement of imported graphs, damaged files, a large file, and a network of snnTorch as a bitstream."""
    g, said = data.get("nir", {}), []
    made = ""
    if "float_agreement" in g:
        rows = [(case, f"{share:.2%}", f"{g['rtl_equal_words'].get(case.split()[0], 0):,}")
                for case, share in g["float_agreement"].items()]
        made = table(("imported", "neurons and ticks that agree with float64", "words of the circuit, golden's"), rows)
        said.append(f"{g['samples']} samples of {g['ticks']} ticks, formats chosen on others; of "
                    f"{g['fuzzed_files']:,} damaged files {g['refused']:,} are refused in one line, the others are "
                    f"read, {g['tracebacks']} tracebacks; {g['import_synapses']:,} synapses with delays to "
                    f"{g['import_longest_delay']}, one matrix a delay, are imported in {g['import_s']:g} s of a core "
                    f"and {g['import_mib']:,.0f} MiB (`leadlag bench nir`).")
    if "membrane_error" in g:
        said.append(f"Membranes of CubaLI behind LIF: at most {g['membrane_error']:.2%} of the largest off, "
                    f"{g['membrane_labels']:.0%} of the labels equal, {g['membrane_words']:,} words of the circuit, "
                    f"golden's.")
    if "integer_accuracy" in (g := data.get("nir.import", {})):
        said.append(f"Trained in snnTorch with delays that learn, to {g['longest_delay']} steps: "
                    f"{g['snntorch_accuracy']:.1%} of {g['test_samples']} drawn test samples there, "
                    f"{g['integer_accuracy']:.1%} in integers, each spike of {g['board_equal_samples']} samples the "
                    f"same on the simulated board; on {g['board']} {g['lut4']:,} LUT4, {g['bram']} block RAMs, Fmax "
                    f"{g['fmax_mhz']:.1f} MHz (`leadlag bench nir.import`).")
    parts = [*([made] if made else []), *(textwrap.fill(each, 118, break_on_hyphens=False) for each in said)]
    return "\n\n".join(parts) if parts else "Not measured yet: `leadlag bench nir nir.import`."
