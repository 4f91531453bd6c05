"""Generated blocks and the picture of docs/ltc.md, and its rows of the README, from docs/bench.json."""

import textwrap

#: lines of the picture: name in the bench, and what it is called
RULES = {"fptt": "FPTT", "bptt": "through time"}
#: routed networks, and the groups that routed them
BUILDS = {"28-128-128-10": "build.ltc-fashion.ulx3s-85f", "12-64-9": "build.ltc-vowels.ulx3s-85f",
          "12-64-9 that learns": "build.ltc-vowels-learn.ulx3s-85f"}
#: groups that say on how many test sequences the circuit is equal, and the name of their data
EQUAL = {"fptt.fashion": "Fashion-MNIST", "fptt.vowels": "JapaneseVowels"}


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _seeds(values) -> str:
    return ", ".join(map(_percent, values))


def _mean(values) -> float:
    return sum(values) / len(values)


def _fashion(data) -> dict:
    return data.get("fptt.fashion_bptt", {}) | data.get("fptt.fashion", {})


def ltc_accuracy(table, data) -> str:
    """Test accuracies of the networks of the zoo and of S- and PS-MNIST: FPTT, through time, integers."""
    rows = []
    if "fptt_accuracy_seeds" in (g := data.get("fptt.vowels", {})):
        rows.append((f"JapaneseVowels, 12-64-9, K = T; mean of {len(g['seeds'])} seeds, n = {g['test_sequences']}",
                     f"{_percent(g['fptt_accuracy'])} ({_seeds(g['fptt_accuracy_seeds'])})",
                     f"{_percent(_mean(g['bptt_accuracy_seeds']))} ({_seeds(g['bptt_accuracy_seeds'])})",
                     _percent(g["integer_accuracy"]), f"{_mean(g['train_cpu_s_seeds']):.0f}", "fptt.vowels"))
    if "fptt_accuracy" in (g := _fashion(data)):
        through = f"{100 * g['bptt_accuracy']:.2f}" if "bptt_accuracy" in g else "-"
        through += f" ({g['bptt_epochs']} epochs, not {g['epochs']})" if "bptt_epochs" in g else ""
        rows.append((f"Fashion-MNIST by rows, 28-128-128-10, K = 7; n = {g['test_sequences']:,}",
                     f"{100 * g['fptt_accuracy']:.2f}", through,
                     f"{100 * g['integer_accuracy']:.2f}", f"{g['train_cpu_s']:.0f}", "fptt.fashion"))
    g = data.get("fptt.smnist", {})
    for name, title in (("smnist", "S-MNIST"), ("psmnist", "PS-MNIST")):
        if f"{name}_fptt_accuracy_seeds" in g:
            pixels = g["pixels_a_tick"]
            rows.append((f"{title}, {pixels} pixels a tick, {pixels}-128-10, K = 7; n = {g['test_sequences']:,}",
                         _seeds(g[f"{name}_fptt_accuracy_seeds"]), _seeds(g[f"{name}_bptt_accuracy_seeds"]), "-",
                         f"{g[f'{name}_fptt_train_cpu_s']:.0f}", "fptt.smnist"))
    if not rows:
        return "Not measured yet: `leadlag bench fptt.vowels fptt.fashion fptt.smnist`."
    made = table(("test accuracy (%)", "FPTT", "through time", "integers", "CPU-s of training", "group"), rows)
    return f"{made}\n\nS- and PS-MNIST: {g['split']}." if "split" in g else made


def ltc_ablation(table, data) -> str:
    """What changes with a part of the rule, or with the neuron."""
    group = data.get("fptt.ablation", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench fptt.ablation`."
    rows = [(row["change"], _percent(row["accuracy"]), _seeds(row["accuracy_seeds"]), f"{row['parameters']:,}",
             f"{row['cpu_s']:.0f}") for row in group["rows"]]
    made = table((f"JapaneseVowels, 64 neurons, {group['epochs']} epochs", "mean (%)", "seeds",
                  "parameters of the layer", "CPU-s"), rows)
    return f"{made}\n\nn = {group['test_sequences']}: an utterance is {100 / group['test_sequences']:.2f} points."


def ltc_memory(table, data) -> str:
    """Memory that training takes, against the length of sequences."""
    group = data.get("fptt.memory", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench fptt.memory`."
    names = (("fptt_mib", "FPTT, torch"), ("bptt_mib", "through time, torch"), ("fptt_compiled_mib", "FPTT, compiled"),
             ("bptt_compiled_mib", "through time, compiled"))
    rows = [(title, *(f"{row[name]:,.1f}" for row in group["rows"])) for name, title in names]
    return table(("MiB beyond a batch of 20 ticks, at ticks", *(f"{row['steps']:,}" for row in group["rows"])), rows)


def ltc_speed(table, data) -> str:
    """CPU seconds an epoch of three ways to the same gradients."""
    group = data.get("fptt.speed", {})
    if "rows" not in group:
        return "Not measured yet: `leadlag bench fptt.speed`."
    rows = [(f"{row['network']}, {row['updates_a_sequence']} updates a sequence", f"{row['autograd_cpu_s']:.1f}",
             f"{row['closed_cpu_s']:.1f}", f"{row['compiled_cpu_s']:.2f}", f"{row['ratio']:.1f}")
            for row in group["rows"]]
    return table(("CPU-s an epoch", "autograd", "by hand, torch", "by hand, compiled", "autograd / compiled"), rows)


def ltc_cost(table, data) -> str:
    """Routed designs, and test sequences on which the circuit is equal."""
    shown = {name: data[group] for name, group in BUILDS.items() if group in data}
    if not shown:
        return f"Not measured yet: `leadlag bench {next(iter(BUILDS.values()))}`."

    def cell(group, text, *needs):
        return text(group) if all(name in group for name in needs) else ""
    lines = (
        ("lanes", lambda g: f"{g['lanes']}", "lanes"),
        ("cycles a tick", lambda g: f"{g['cycles_per_tick']:,}", "cycles_per_tick"),
        ("cycles of a learning tick", lambda g: f"{g['learn_cycles_per_tick']:,}", "learn_cycles_per_tick"),
        ("lane-cycles that multiply", lambda g: f"{g['lane_use']:.1%}", "lane_use"),
        ("routed: Fmax, clock of the bitstream", lambda g: f"{g['fmax_mhz']:.1f} MHz, {g['clock_mhz']:g} MHz",
         "fmax_mhz", "clock_mhz"),
        ("sequences a second at that clock", lambda g: f"{g['sequences_per_s']:,.0f}", "sequences_per_s"),
        ("from the first word of a sequence to its answer", lambda g: f"{g['latency_us']:.0f} us", "latency_us"),
        ("LUT4, cells with carries, FF, DSP, block RAM",
         lambda g: f"{g['lut4']:,}, {g['comb']:,}, {g['ff']:,}, {g['dsp']}, {g['bram']}", "lut4", "comb", "ff", "dsp",
         "bram"))
    rows = [(label, *(cell(group, text, *needs) for group in shown.values())) for label, text, *needs in lines]
    said = table(("", *(f"{name}, `leadlag bench {BUILDS[name]}`" for name in shown)), rows)
    equal = [f"{data[group]['rtl_equal_sequences']:,} of {data[group]['test_sequences']:,} test sequences of {title}"
             for group, title in EQUAL.items() if "rtl_equal_sequences" in data.get(group, {})]
    if equal:
        said += "\n\n" + textwrap.fill(f"Every output word of the compiled circuit is that of the integers on "
                                 f"{' and '.join(equal)}.", 120, break_on_hyphens=False)
    return said


def ltc_learnt(table, data) -> str:
    """JapaneseVowels learnt whole on the chip."""
    group = data.get("fptt.learn")
    if not group:
        return "Not measured yet: `leadlag bench fptt.learn`."
    seeds = group["integer_accuracy_seeds"]
    rows = [("test accuracy in integers, three random starts", f"{_seeds(seeds)}: mean {_percent(_mean(seeds))} %"),
            ("the float rule with Adam", f"{_percent(group['float_adam_accuracy'])} %"),
            ("epochs, streams", f"{group['epochs']}, {group['streams']}"),
            ("frames on which every word of the circuit is golden's", f"{group['rtl_equal_frames']:,}"),
            ("weights read back, all equal", f"{group['rtl_equal_weights']:,}"),
            ("cycles of a learning frame, clock", f"{group['cycles_per_frame']:.0f}, " + (
                f"{group['clock_mhz']:g} MHz" if "clock_mhz" in group else "not routed yet"))]
    return table(("learnt from random weights (`leadlag bench fptt.learn`)", "figure"), rows)


def ltc_adapt(data) -> str:
    """A speaker who was left out, before and after she was learnt on a board; the picture."""
    group = data.get("fptt.adapt")
    if not group:
        return "Not measured yet: `leadlag bench fptt.adapt`, then `python docs/figures.py`."
    meetings = len(group["newcomer_curve"]) - 1
    said = (f"Right answers to her test utterances: {_percent(group['newcomer_before'])} % before, "
            f"{_percent(group['newcomer_after'])} % after {meetings} meetings with her first {group['utterances']} "
            f"utterances; to those of the others {_percent(group['others_before'])} % and "
            f"{_percent(group['others_after'])} %. All {group['board_equal_weights']:,} weights that were read back "
            f"from the board after the first meeting are golden's (`leadlag bench fptt.adapt`).")
    return "![Right answers to a new speaker and to the others, meeting by meeting](ltc_adapt.svg)\n\n" + \
        textwrap.fill(said, 120, break_on_hyphens=False)


def adapt_svg(data) -> str | None:
    """Right answers to the newcomer and to the others after each meeting; None without a bench."""
    group = data.get("fptt.adapt")
    if not group:
        return None
    from leadlag.report import pictures

    def draw(figure):
        axes = figure.subplots()
        for (name, title), (colour, marker, dashes) in zip(
                {"newcomer": "new speaker", "others": "the others"}.items(), pictures.STYLES, strict=False):
            axes.plot([100 * share for share in group[f"{name}_curve"]], color=colour, linestyle=dashes, marker=marker,
                      markersize=4, markevery=0.1, markerfacecolor="white", linewidth=1.4, label=title)
        axes.set(xlabel="meetings", ylabel="right answers to test utterances (%)", ylim=(0, 102))
        axes.grid()
        axes.legend(loc="lower right", fontsize=8)
    return pictures.svg(draw, 3.2)


def ltc_picture(data) -> str:
    """The picture of the add task and what it says."""
    group = data.get("fptt.add", {})
    if ltc_svg(data) is None:
        return "Not measured yet: `leadlag bench fptt.add`, then `python docs/figures.py`."
    said = (f"After training FPTT has a mean squared error of {group['fptt_mse']:.4f} and training through time one of "
            f"{group['bptt_mse']:.4f} on new sequences of {group['steps']:,} ticks, after "
            f"{group['fptt_settings']['batches']:,} and {group['bptt_settings']['batches']:,} batches; "
            f"whoever always says 1 has 0.167.")
    return "![Squared error of the add task against sequences learnt, FPTT and through time](ltc_add.svg)\n\n" + \
        textwrap.fill(said, 120, break_on_hyphens=False)


def summary(data) -> list[tuple[str, str, str]]:
    """Rows (label, value, group) of the README."""
    rows = []
    if {"fptt_accuracy", "integer_accuracy"} <= set(g := _fashion(data)):
        through, beside = (f" ({g['bptt_accuracy']:.2%})", " (through time)") if "bptt_accuracy" in g else ("", "")
        rows.append((f"Fashion-MNIST by rows, LTC network trained by FPTT{beside}: float; integers",
                     f"{g['fptt_accuracy']:.2%}{through}; {g['integer_accuracy']:.2%}", "fptt.fashion"))
    if "fptt_accuracy_seeds" in (g := data.get("fptt.vowels", {})):
        rows.append((f"JapaneseVowels, LTC network trained by FPTT: mean of {len(g['seeds'])} seeds",
                     f"{g['fptt_accuracy']:.1%}", "fptt.vowels"))
    if "fptt_mse" in (g := data.get("fptt.add", {})):
        rows.append((f"add task, {g['steps']:,} ticks: squared error by FPTT (through time)",
                     f"{g['fptt_mse']:.4f} ({g['bptt_mse']:.4f})", "fptt.add"))
    if "integer_accuracy_seeds" in (g := data.get("fptt.learn", {})):
        rows.append(("JapaneseVowels, LTC network learnt whole on the chip, three starts; in float with Adam",
                     f"{_seeds(g['integer_accuracy_seeds'])}%; {_percent(g['float_adam_accuracy'])}%", "fptt.learn"))
    for name, build in BUILDS.items():
        if {"fmax_mhz", "clock_mhz", "sequences_per_s", "latency_us"} <= set(g := data.get(build, {})):
            value = (f"{g['fmax_mhz']:.1f} MHz, {g['clock_mhz']:g} MHz; {g['sequences_per_s']:,.0f}; "
                     f"{g['latency_us']:.0f} us")
            rows.append((f"ulx3s-85f, LTC network, {name}: Fmax, clock; sequences a second at that clock; each", value,
                         build))
    return rows


def ltc_svg(data) -> str | None:
    """Squared error of the add task against sequences that were learnt; None without a bench."""
    group = data.get("fptt.add", {})
    if not {f"{name}_curve" for name in RULES} <= set(group):
        return None
    from leadlag.report import pictures

    def draw(figure):
        axes = figure.subplots()
        for (name, title), (colour, marker, dashes) in zip(RULES.items(), pictures.STYLES, strict=False):
            batch = group[f"{name}_settings"]["batch"]
            axes.plot([n * batch for n, _ in group[f"{name}_curve"]], [e for _, e in group[f"{name}_curve"]],
                      color=colour, linestyle=dashes, marker=marker, markersize=4, markevery=0.1,
                      markerfacecolor="white", linewidth=1.4, label=title)
        axes.axhline(1 / 6, color="#888888", linewidth=1, linestyle=pictures.DASHES[0], label="always 1")
        axes.set(xlabel="sequences learnt", ylabel="mean squared error, new sequences", yscale="log")
        axes.grid()
        axes.legend(loc="best", fontsize=8)
    return pictures.svg(draw, 3.2)
