"""Generated blocks and the picture of docs/spiking.md, from docs/bench.json."""

from docs.placed_figures import fmax

SIZES = {"delay_only_256": "784-256-10", "delay_only_800": "784-800-10", "delay_only_digits": "64-48-10 (8x8 digits)"}
BUILDS = {"784-256-10": "build.delays-fashion-256.ulx3s-85f", "784-800-10": "build.delays-fashion-800.ulx3s-85f",
          "64-48-10 (8x8 digits)": "build.delays-digits.ice40-hx8k"}
_ACCURACIES = (("float", "float_accuracy"), ("integers", "integer_accuracy"),
               ("weights and delays trained, in float", "trained_weights_accuracy"),
               ("hidden delays as drawn", "random_delays_accuracy"), ("all delays equal", "equal_delays_accuracy"))


def spiking_accuracy(table, data) -> str:
    """Accuracies of the networks and their controls."""
    groups = [group for group in SIZES if group in data]
    if not groups:
        return "Not measured yet: `leadlag bench delay_only_256`."
    rows = [(label, *(_percent(data[group], name) for group in groups)) for label, name in _ACCURACIES]
    rows.append(("circuit equals integers, images", *(
        f"{data[g]['rtl_equal_images']:,} of {data[g]['test_images']:,}" for g in groups)))
    rows.append(("training, CPU seconds (epochs)", *(
        f"{data[g]['train_cpu_s']:.0f} ({data[g]['epochs']})" for g in groups)))
    notes, both = [], data.get("delay_only_digits", {})
    if "trained_weights_rtl_equal_images" in both:
        accuracy, equal = both["trained_weights_integer_accuracy"], both["trained_weights_rtl_equal_images"]
        notes.append("Weights and delays trained, weights stored, on 8x8 digits: "
                     f"integers {accuracy:.2%}, circuit equal on {equal:,} images.")
    if "delay_only_mnist" in data:
        found = data["delay_only_mnist"]
        notes.append(f"784-256-10 on MNIST ({found['split']}): {found['float_accuracy']:.2%}.")
    head = ("test accuracy", *(f"{SIZES[group]}, `leadlag bench {group}`" for group in groups))
    return "\n\n".join([table(head, rows), *notes])


def spiking_cost(table, data) -> str:
    """Lanes, cycles, block RAM and routed figures."""
    groups = [group for group in SIZES if group in data]
    if not groups:
        return "Not measured yet: `leadlag bench delay_only_256`."
    rows = []

    def row(label, text, *needs, builds=False):
        cells = []
        for group in groups:
            build = BUILDS[SIZES[group]]
            found = data.get(build, {}) | {"board": build.rpartition(".")[2]} if builds else data[group]
            cells.append(text(found) if all(name in found for name in needs) else "-")
        if set(cells) != {"-"}:
            rows.append((label, *cells))
    row("synapses", lambda g: f"{g['synapses']:,}", "synapses")
    row("lanes (neurons each)", lambda g: f"{g['lanes']} ({', '.join(map(str, g['folds']))})", "lanes", "folds")
    row("input spikes an image", lambda g: f"{g['spikes_per_image']:.0f}", "spikes_per_image")
    row("cycles an image, early stop (to the end)",
        lambda g: f"{g['cycles_per_image']:.0f} ({g['cycles_per_image_to_the_end']:.0f})", "cycles_per_image",
        "cycles_per_image_to_the_end")
    row("cycles a synaptic event", lambda g: f"{g['cycles_per_event']:.5f}", "cycles_per_event")
    row("line through zero: cycles a spike, R^2", lambda g: f"{g['events_fit_slope']:.3f}, {g['events_fit_r2']:.4f}",
        "events_fit_slope", "events_fit_r2")
    row("free line: cycles a spike, an image",
        lambda g: f"{g['events_free_fit']['cycles_per_spike']:.3f}, {g['events_free_fit']['cycles_per_image']:.0f}",
        "events_free_fit")
    row("block RAMs for synapses, weights from seeds", lambda g: f"{g['bram_regenerated_weights']}",
        "bram_regenerated_weights")
    row("block RAMs for synapses, weights stored", lambda g: f"{g['bram_stored_weights']}", "bram_stored_weights")
    row("routed for: board, lanes, cycles an image",
        lambda g: f"{g['board']}, {g['lanes']}, {g['cycles_per_image']:.0f}", "lanes", "cycles_per_image", builds=True)
    row("routed: Fmax, clock of the bitstream", fmax, "fmax_mhz", "clock_mhz", builds=True)
    row("routed: images a second at that clock (at Fmax)",
        lambda g: f"{g['images_per_s']:,.0f} ({g['images_per_s_at_fmax']:,.0f})", "images_per_s",
        "images_per_s_at_fmax", builds=True)
    row("routed: LUT4, cells with carries, FF, block RAM",
        lambda g: f"{g['lut4']:,}, {g['comb']:,}, {g['ff']:,}, {g['bram']}", "lut4", "comb", "ff", "bram", builds=True)
    return table(("", *(SIZES[group] for group in groups)), rows)


def summary(data) -> list[tuple[str, str, str]]:
    """Rows (label, value, group) of the README."""
    rows = []
    for group, size in SIZES.items():
        found = data.get(group, {})
        what = "8x8 digits" if "digits" in group else "Fashion-MNIST"
        if {"integer_accuracy", "float_accuracy", "trained_weights_accuracy"} <= set(found):
            values = [f"{found[name]:.2%}" for name in ("integer_accuracy", "float_accuracy",
                                                        "trained_weights_accuracy")]
            rows.append((f"{what}, {size.split(' ')[0]} spiking, delays learnt: integers, float, weights learnt, too",
                         ", ".join(values), group))
        routed = data.get(BUILDS[size], {})
        if "images_per_s" in routed:
            board = BUILDS[size].rpartition(".")[2]
            value = (f"{fmax(routed)}; {routed['images_per_s']:,.0f} "
                     f"({routed['images_per_s_at_fmax']:,.0f}); {routed['bram']}")
            rows.append((f"{board}: Fmax, clock; images a second at that clock (at Fmax); block RAM", value,
                         BUILDS[size]))
    return rows


def _percent(group, name) -> str:
    return f"{group[name]:.2%}" if name in group else "-"
