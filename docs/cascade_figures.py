"""Generated blocks and the picture of docs/cascade.md, from docs/bench.json."""

import textwrap

#: curves in the order of the tables: name in the bench, and what it is called ([CASCADE] arXiv 2102.09808, figure 3)
CURVES = {"td": "TD(0.5)", "label_every_step": "label at every step (TD(1))", "label_last_step": "CascadedCE",
          "serial_td": "SerialTD", "serial_label": "SerialCE"}
_BASE = "cascade"
#: machines, and the group of their build
BUILDS = {"an engine a block": "build.cascade-fashion.ulx3s-85f",
          "one engine for all blocks": "build.cascade-fashion-blocks.ulx3s-85f",
          "8x8 digits, dense": "build.cascade-digits.ice40-hx8k"}
#: accuracies (%) that the second half of the picture shows
NEAR = 86, 94


def cascade_accuracy(table, data) -> str:
    """Accuracy by step and area of every training, seeds, integers beside float, and what training cost."""
    group = data.get(_BASE, {})
    if "accuracy_steps" not in group:
        return "Not measured yet: `leadlag bench cascade`."
    steps = len(group["float_accuracy_steps"])
    head = ("test accuracy (%) at step, seed 0", *map(str, range(steps)), "area")
    rows = [(title, *_points(group["accuracy_steps"][name][0]), f"{group['area_seeds'][name][0]:.1f}")
            for name, title in CURVES.items()]
    rows.append(("zoo, float", *_points(group["float_accuracy_steps"]), ""))
    rows.append(("zoo, integers", *_points(group["integer_accuracy_steps"]), ""))
    return "\n\n".join([table(head, rows), *map(_filled, _notes(group))])


def _notes(group):
    """What the table does not show: other seeds, the choice of lambda, what training costs."""
    for name, title in CURVES.items():
        if len(found := group["accuracy_steps"][name]) > 1:
            steps = "; ".join(" ".join(_points(row)) for row in found)
            areas = ", ".join(f"{value:.2f}" for value in group["area_seeds"][name])
            yield f"{title}, seeds {', '.join(map(str, group['seeds'][name]))}: {steps}; area {areas}."
    held = group["held_out_accuracy_steps"]
    yield (f"Held-out images, trainings of {group['held_out_epochs']} epochs, "
           f"{'mean of seeds' if len(group['held_out_seeds']) > 1 else 'seed'} "
           f"{', '.join(map(str, group['held_out_seeds']))}: " +
           "; ".join(f"{CURVES[name]} {' '.join(_points(_mean(rows)))}" for name, rows in held.items()) + ".")
    seconds = ", ".join(f"{CURVES[name]} {value:.0f}" for name, value in group["train_cpu_s_by_training"].items())
    yield (f"CPU seconds of a training of {group['epochs']} epochs: {seconds}. A training step of 128 images block by "
           f"block {group['train_step_ms']:.0f} ms, as a literal loop {group['literal_step_ms']:.0f} ms: "
           f"{group['literal_loop_ratio']:.1f} times as long.")


def _filled(text: str) -> str:
    return textwrap.fill(text, 120, break_on_hyphens=False)


def _mean(rows) -> list[float]:
    return [sum(column) / len(column) for column in zip(*rows, strict=True)]


def _points(values) -> list[str]:
    return [f"{100 * value:.1f}" for value in values]


def cascade_noise(table, data) -> str:
    """Noisy frames, held and new in every step, against the plain network; exits of typical and other images."""
    group = data.get("cascade.noise", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench cascade.noise`."
    rows = [(row["network"], f"{row['learnt_with_noise']:g}", row["frames"], *_points(row["accuracy_steps"]))
            for row in group["rows"]]
    head = ("network", "noise in training", "frames", *map(str, range(len(group["rows"][0]["accuracy_steps"]))))
    steps = ", ".join(f"{value:.2f}" for value in group["exit_step_by_typicality"])
    said = (f"Gaussian noise of deviation {group['noise']:g} of full scale; trainings with noise have "
            f"{group['noise_epochs']} epochs. Mean exit step at softmax {group['exit_threshold']:g} by typicality "
            f"(what the plain network gives the label), a fifth of the images each, from the least typical on: "
            f"{steps}; rank correlation {group['exit_step_rank_correlation']:.2f}.")
    return f"{table(head, rows)}\n\n{_filled(said)}"


def summary(data) -> list[tuple[str, str, str]]:
    """Rows (label, value, group) of the README."""
    group, rows = data.get(_BASE, {}), []
    if {"float_accuracy_steps", "integer_accuracy_steps"} <= set(group):
        floats, integers = group["float_accuracy_steps"], group["integer_accuracy_steps"]
        value = f"{integers[1]:.2%}, {integers[-1]:.2%} ({floats[1]:.2%}, {floats[-1]:.2%})"
        rows.append(("Fashion-MNIST, cascaded network, step 1 and last: integers (float)", value, _BASE))
        areas = ", ".join(f"{group['area'][name]:.1f}" for name in ("td", "label_last_step", "serial_td"))
        rows.append(("mean accuracy over mean exit time: TD, trained on the last step, serial TD", areas, _BASE))
    if "literal_loop_ratio" in group:
        rows.append(("training step as a literal loop over time, against block by block (4 was hoped for)",
                     f"{group['literal_loop_ratio']:.1f} times as long", _BASE))
    for name, build in BUILDS.items():
        routed = data.get(build, {})
        if {"fmax_mhz", "clock_mhz", "frames_per_s", "step1_ms"} <= set(routed):
            value = (f"{routed['fmax_mhz']:.1f} MHz, {routed['clock_mhz']:g} MHz; {routed['frames_per_s']:,.0f} "
                     f"({routed['frames_per_s_at_fmax']:,.0f}); {routed['step1_ms']:.2f} ms")
            what = f"{build.rpartition('.')[2]}, cascade, {name}"
            rows.append((f"{what}: Fmax, clock; frames a second at that clock (at Fmax); step 1", value, build))
    return rows


def cascade_svg(data) -> str | None:
    """Accuracy against mean exit time, a line a training; None without a bench."""
    curves = data.get(_BASE, {}).get("curves")
    if not curves:
        return None
    from leadlag.report import pictures

    def draw(figure):
        both = figure.subplots(1, 2, gridspec_kw={"wspace": 0.22})
        for (name, title), (colour, marker, dashes) in zip(CURVES.items(), pictures.STYLES, strict=True):
            time, accuracy = curves[name]
            order = sorted(range(len(time)), key=lambda n: time[n])
            for axes in both:
                axes.plot([time[n] for n in order], [100 * accuracy[n] for n in order], color=colour, linestyle=dashes,
                          linewidth=1.4, marker=marker, markersize=4, markevery=0.1, markerfacecolor="white",
                          label=title)
        for axes, low, high in zip(both, (0, NEAR[0]), (100, NEAR[1]), strict=True):
            axes.set_xlabel("mean exit step")
            axes.set_ylim(low, high)
            axes.grid()
        both[0].set_ylabel("test accuracy (%)")
        both[0].legend(loc="lower right", fontsize=8, labelspacing=0.2, borderaxespad=0.1)
        both[1].set_title(f"the same from {NEAR[0]} % on", fontsize=9)
    return pictures.svg(draw, 3.4)


def cascade_layers(table) -> str:
    """Layers of the network of the zoo and what its engines do in a step, from the code."""
    from leadlag import flow
    from rtl.systems import circuit
    net = flow.prepare("cascade-fashion").net
    found, rows = circuit(net).pace(net, 0, 0), []
    for entry, (name, maps, kernel, weights, lanes, cycles) in zip(found["engines"], net.table()[1][:-1], strict=True):
        use = entry["products"] / entry["multipliers"] / found["cycles_per_step"]
        rows.append((name, maps, kernel, weights, f"{entry['products']:,}", lanes, cycles, f"{use:.0%}"))
    return table(("layer", "maps", "kernel", "weights", "real products", "lanes (C x S)", "cycles",
                  "share of a step on real taps"), rows) + (
        f"\n\n{net.size}, {net.lanes} multipliers that convolve; a step takes {found['cycles_per_step']:,} cycles, and "
        f"{found['tap_use']:.1%} of the\nlane-cycles of the blocks multiply by a real tap.")


def cascade_cost(table, data) -> str:
    """Routed designs: cycles, frames a second, resources."""
    shown = {name: data[group] for name, group in BUILDS.items() if group in data}
    if not shown:
        return f"Not measured yet: `leadlag bench {next(iter(BUILDS.values()))}`."
    rows = []

    def row(label, text, *needs):
        cells = [text(group) if all(name in group for name in needs) else "-" for group in shown.values()]
        if set(cells) != {"-"}:
            rows.append((label, *cells))
    row("multipliers that convolve", lambda g: f"{g['lanes']}", "lanes")
    row("cycles a step, measured in the circuit", lambda g: f"{g['cycles_per_step_measured']:,.0f}",
        "cycles_per_step_measured")
    row("lane-cycles on real taps", lambda g: f"{g['tap_use']:.1%}", "tap_use")
    row("routed: Fmax, clock of the bitstream", lambda g: f"{g['fmax_mhz']:.1f} MHz, {g['clock_mhz']:g} MHz",
        "fmax_mhz", "clock_mhz")
    row("frames a second, streamed, at that clock (at Fmax)",
        lambda g: f"{g['frames_per_s']:,.0f} ({g['frames_per_s_at_fmax']:,.0f})", "frames_per_s",
        "frames_per_s_at_fmax")
    row("answer of step 1; of the last step; serial, of the last block",
        lambda g: f"{g['step1_ms']:.2f} ms; {g['final_ms']:.2f} ms; {g['serial_final_ms']:.2f} ms", "step1_ms",
        "final_ms", "serial_final_ms")
    row("LUT4, cells with carries, FF, DSP, block RAM",
        lambda g: ", ".join(f"{g[name]:,}" for name in ("lut4", "comb", "ff", "dsp", "bram")), "lut4", "comb", "ff",
        "dsp", "bram")
    made = table(("", *(f"{name}, `leadlag bench {BUILDS[name]}`" for name in shown)), rows)
    equal = data.get("cascade.circuit", {})
    if "rtl_equal_images" not in equal:
        return made
    words = sum(value for name, value in equal.items() if name.endswith("_words"))
    return (f"{made}\n\nEvery word of the compiled circuit is that of the integers on {equal['rtl_equal_images']:,} "
            f"still images and on\n{equal['rtl_equal_frames']:,} frames of streams with cuts, in both modes: {words:,} "
            f"words (`leadlag bench cascade.circuit`).")


def cascade_comparison(table, data) -> str:
    """Cycles until the answer of each step is out, of every machine and mode, measured in the compiled circuits."""
    found = data.get("cascade.comparison", {}).get("rows")
    if not found:
        return "Not measured yet: `leadlag bench cascade.comparison`."
    names = {("engines", "parallel"): "cascade, an engine a block", ("engines", "serial"): "serial, the same engines",
             ("one_engine", "parallel"): "cascade, one engine", ("one_engine", "serial"): "serial, one engine"}
    rows = [(names[row["machine"], row["mode"]], f"{row['multipliers']}",
             *(f"{cycles:,}" for cycles in row["cycles_to_step"])) for row in found]
    steps = len(found[0]["cycles_to_step"])
    return table(("cycles from the first word of a frame to the answer of step", "multipliers",
                  *map(str, range(steps))), rows)


def cascade_picture(data) -> str:
    """The picture of all trainings, or how to get it."""
    if cascade_svg(data) is None:
        return "No curves measured yet: `leadlag bench cascade`, then `python docs/figures.py`."
    return "![Test accuracy against mean exit step, five trainings of the same network](cascade.svg)"
