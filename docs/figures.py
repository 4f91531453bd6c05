"""Pictures and generated tables of README.md and docs/: `python docs/figures.py` writes them all.

The same input gives the same bytes; tests/test_docs.py compares.

    docs/pipeline.svg       from training to a board, and the engine, with the numbers of the network of the zoo
    docs/rates.svg          a test sequence on its way through the layers, in integers
    docs/relearn.svg        an output layer learnt again (where docs/bench.json has the run)
    docs/delays.svg         error against delay, with and without predictors (docs/late_figures.py)
    docs/video.svg          roll-outs of video with late messages
    docs/cascade.svg        accuracy against time of cascaded networks (docs/cascade_figures.py)
    docs/ltc_add.svg        the add task learnt by FPTT and through time (docs/ltc_figures.py)
    docs/ltc_adapt.svg      a new speaker learnt on a board (docs/ltc_figures.py)
    docs/faults.svg         accuracy with flipped bits (docs/faults_figures.py)
    docs/utilisation.svg    what a routed design takes of its part (where docs/bench.json has a build)
    <!-- name --> blocks    BLOCKS, from docs/bench.json, the code, and a simulated layer
"""

import json
import re
import sys
import textwrap
from collections import Counter, defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from docs import (
    boards_figures,
    cascade_figures,
    data_figures,
    event_figures,
    faults_figures,
    late_figures,
    link_figures,
    ltc_figures,
    nir_figures,
    peers_figures,
    recipe_figures,
    spiking_figures,
    systems_figures,
    unit_table,
    verify_figures,
)
from docs.pictures import pipeline_svg, tick
from docs.placed_figures import fmax
from golden.files import write_whole
from golden.rate.network import Network
from golden.rate.trained import FloatNetwork, Widths, describe
from golden.regmap import ERRORS, REGISTERS

ROOT = Path(__file__).resolve().parent.parent
BENCH = ROOT / "docs" / "bench.json"
NETWORK = ROOT / "zoo" / "gle-mnist1d.safetensors"
BOARD, BUILD = "ulx3s-85f", "build.gle-mnist1d.ulx3s-85f"
PAGES = ("README.md", *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))))
LEARN_BUILD = "build.le-mnist1d.ulx3s-85f"
SEQUENCE = 0                            # of the test split, in docs/rates.svg

# ---- what the blocks say


def network() -> Network:
    """The network of the zoo as it goes onto the board."""
    from boards import BOARDS
    return BOARDS[BOARD].fold(describe(FloatNetwork.load(NETWORK)))


def bench() -> str:
    """The figures table from docs/bench.json; a figure that was not measured is not in it."""
    data, rows = _bench(), []

    def row(label, group, text, *needs):
        if all(name in data.get(group, {}) for name in needs):
            rows.append((label, text(data[group]), f"`leadlag bench {group}`"))
    for group, size in (("gle_15k", "15k"), ("gle_42k", "42k")):
        row(f"MNIST-1D, {size} network, float", group,
            lambda g: f"{g['float_accuracy']:.1%}" + _seeds(g, "float_accuracy_seeds"), "float_accuracy")
        row("the same before the fit of the read-out", group,
            lambda g: f"{g['float_accuracy_before_refit']:.1%}" + _seeds(g, "float_accuracy_before_refit_seeds"),
            "float_accuracy_before_refit")
        row("training, CPU seconds", group,
            lambda g: f"{g['train_cpu_s']:.0f}, {g['epochs']} epochs", "train_cpu_s", "epochs")
        row(f"MNIST-1D, {size} network, integers", group, lambda g: f"{g['integer_accuracy']:.1%}", "integer_accuracy")
        row(f"circuit equals integers, {size}", group,
            lambda g: f"{g['rtl_equal_sequences']:,} of {g['test_sequences']:,} sequences", "rtl_equal_sequences",
            "test_sequences")
    for errors in ("prospective", "instantaneous"):
        row(f"LagLine (w 1, 2; tau 1, 2), {errors} errors", "lagline", lambda g, e=errors: _chain(g[e]), errors)
    row(f"{BOARD}: Fmax, clock", BUILD, fmax, "fmax_mhz", "clock_mhz")
    row(f"{BOARD}: ticks a second at that clock (at Fmax)", BUILD,
        lambda g: f"{g['ticks_per_s']:,.0f} ({g['ticks_per_s_at_fmax']:,.0f}), {g['cycles_per_tick']} cycles each",
        "ticks_per_s", "ticks_per_s_at_fmax", "cycles_per_tick")
    row(f"{BOARD}: lane-cycles that multiply", BUILD, lambda g: f"{g['lane_use']:.1%} of {g['lanes']} lanes",
        "lane_use", "lanes")
    row(f"{BOARD}: LUT4, FF, DSP, block RAM", BUILD,
        lambda g: f"{g['lut4']:,}, {g['ff']:,}, {g['dsp']}, {g['bram']}", "lut4", "ff", "dsp", "bram")
    rows += _learning_rows(data, short=True)
    rows += [(label, value, f"`leadlag bench {group}`") for label, value, group in late_figures.summary(data)]
    for pages in (spiking_figures, cascade_figures, ltc_figures, event_figures, link_figures, verify_figures,
                  faults_figures):
        rows += [(label, value, f"`leadlag bench {group}`") for label, value, group in pages.summary(data)]
    row("JapaneseVowels by a recipe, GLE: integers, float (370 test sequences)", "own",
        lambda g: f"{g['vowels_rate_accuracy']:.1%}, {g['vowels_rate_float_accuracy']:.1%}; {g['vowels_rate_size']}",
        "vowels_rate_accuracy", "vowels_rate_float_accuracy", "vowels_rate_size")
    row("the same by a network whose delays are all that is learnt", "own",
        lambda g: f"{g['vowels_spiking_accuracy']:.1%}, {g['vowels_spiking_float_accuracy']:.1%}; "
                  f"{g['vowels_spiking_size']}",
        "vowels_spiking_accuracy", "vowels_spiking_float_accuracy", "vowels_spiking_size")
    row("circuit equals integers, either of them", "own",
        lambda g: f"{g['rtl_equal_sequences']:,} of {g['test_sequences']:,} sequences", "rtl_equal_sequences",
        "test_sequences")
    row("cycles a second, compiled", "simulation", lambda g: f"{g['cycles_per_s']:,}", "cycles_per_s")
    row("random networks compared", "simulation", lambda g: f"{g['property_networks']}", "property_networks")
    row("random networks of every family: circuit equals golden", "random_networks",
        lambda g: f"{g['equal']} of {g['networks']}, {g['words_compared']:,} words", "equal", "networks",
        "words_compared")
    rows += verify_figures.proved(data)
    if "mutants" in data:
        group = data["mutants"]
        rows.append(("single changes of golden, circuit and driver that the unit's tests notice",
                     f"{group['killed']} of {group['mutants']}", f"`{group['command']}`"))
    if not rows:
        return "Nothing measured yet: `leadlag bench` measures, `python docs/figures.py` makes the table."
    return _table(("figure", "value", "command"), rows) + "\n\n" + _provenance(data)


def _learning_rows(data, *, short: bool) -> list:
    """What was learnt on the chip; `short` leaves out what docs/learning.md has."""
    rows = []

    def row(label, group, text, *needs, detail=False):
        if all(name in data.get(group, {}) for name in needs) and not (short and detail):
            rows.append((label, text(data[group]), f"`leadlag bench {group}`"))

    def chain(g, prefix=""):
        return "; ".join(f"{name} {', '.join(f'{value:.3f}' for value in g[prefix + name])}" for name in ("w", "tau"))
    row("learnt on the chip: LagLine (w 1, 2; tau 1, 2)", "learn.lagline", chain, "w", "tau")
    row("the same, two other starts", "learn.lagline", lambda g: " / ".join(
        chain({"w": w, "tau": tau}) for w, tau in zip(g["w_seeds"][1:], g["tau_seeds"][1:], strict=True)),
        "w_seeds", "tau_seeds", detail=True)
    row("the same with instantaneous errors", "learn.lagline", lambda g: chain(g, "instantaneous_"), "instantaneous_w",
        "instantaneous_tau")
    row("circuit equals golden, LagLine, all starts", "learn.lagline",
        lambda g: f"{g['rtl_equal_ticks']:,} ticks, all", "rtl_equal_ticks", detail=True)
    row("learnt on the chip: Fourier synthesis, squared error (variance 0.333)", "learn.fourier",
        lambda g: f"{g['mse_final']:.4f}, in float {g['mse_float']:.4f}", "mse_final", "mse_float")
    row("the same, three starts", "learn.fourier", lambda g: ", ".join(f"{v:.4f}" for v in g["mse_final_seeds"]),
        "mse_final_seeds", detail=True)
    row("circuit equals golden, Fourier, all starts", "learn.fourier",
        lambda g: f"{g['rtl_equal_ticks']:,} ticks, all", "rtl_equal_ticks", detail=True)
    row("learnt on the chip: MNIST-1D, test accuracy", "learn.mnist1d",
        lambda g: f"{g['integer_accuracy']:.1%}" + _seeds(g, "integer_accuracy_seeds"), "integer_accuracy")
    row("the float rule with Adam on the same network (published: 90.9%)", "learn.mnist1d",
        lambda g: f"{g['float_adam_accuracy']:.1%}, {g['float_adam_epochs']} epochs", "float_adam_accuracy")
    row("circuit equals golden, MNIST-1D, first and last ticks", "learn.mnist1d",
        lambda g: f"{g['rtl_equal_ticks']:,} of {g['ticks']:,} ticks run", "rtl_equal_ticks", "ticks", detail=True)
    row("output layer learnt again: before, destroyed, after", "learn.adapt",
        lambda g: f"{g['before']:.1%}, {g['destroyed']:.1%}, {g['after']:.1%} after {g['relearn'][-1][0]:,} sequences",
        "relearn", "before")
    row(f"{BOARD}, le-mnist1d: Fmax, clock", LEARN_BUILD, fmax, "fmax_mhz", "clock_mhz")
    row(f"{BOARD}, le-mnist1d: ticks a second at that clock (at Fmax), learning; inference", LEARN_BUILD,
        lambda g: f"{g['learn_ticks_per_s']:,.0f} ({g['learn_ticks_per_s_at_fmax']:,.0f}), "
                  f"{g['learn_cycles_per_tick']} cycles each; {g['ticks_per_s']:,.0f} "
                  f"({g['ticks_per_s_at_fmax']:,.0f}), {g['cycles_per_tick']} cycles each",
        "learn_ticks_per_s", "learn_ticks_per_s_at_fmax")
    row(f"{BOARD}, le-mnist1d: LUT4, FF, DSP, block RAM", LEARN_BUILD,
        lambda g: f"{g['lut4']:,}, {g['ff']:,}, {g['dsp']}, {g['bram']}", "lut4", detail=True)
    row("lane-cycles a synapse and learning tick (with the time that lanes wait)", "learn.cost",
        lambda g: f"{g['lane_cycles_per_synapse_tick']:.2f} "
                  f"({g['lane_cycles_per_synapse_tick_with_idle']:.2f})", "lane_cycles_per_synapse_tick")
    for weights, what in (("positive", "positive weights"), ("signed", "weights of either sign")):
        pair = (f"{weights}_prospective", f"{weights}_instantaneous")
        row(f"LagNet, {what}: cosine of local and adjoint gradient in hidden 1, median", "learn.lagnet",
            lambda g, pair=pair: " / ".join(f"{g[kind]['cosine']['hidden_1'][1]:.3f}" for kind in pair)
            + " (prospective / instantaneous)", *pair, detail=True)
        row(f"LagNet, {what}: teacher found", "learn.lagnet",
            lambda g, pair=pair: f"{g[pair[0]]['learnt']['local']} / {g[pair[1]]['learnt']['local']} / "
                                 f"{g[pair[0]]['learnt']['adjoint']} of {g[pair[0]]['students']} "
                                 f"(prospective / instantaneous / adjoint)", *pair, detail=True)
    row("LagNet: phase of a slow neuron's error against the adjoint, largest median", "learn.lagnet",
        lambda g: " / ".join(f"{max(row[1] for row in g[kind]['phase']['hidden_2_slow']):.1f}"
                             for kind in ("positive_prospective", "positive_instantaneous"))
        + " degrees (prospective / instantaneous)", "positive_prospective", "positive_instantaneous", detail=True)
    return rows


def learning() -> str:
    """Everything learnt on the chip."""
    data = _bench()
    rows = _learning_rows(data, short=False)
    return _table(("figure", "value", "command"), rows) if rows else "Nothing measured yet: `leadlag bench`."


def relearn() -> str:
    """The picture of an output layer learnt again."""
    if relearn_svg() is None:
        return "No run measured yet: `leadlag bench learn.adapt`, then `python docs/figures.py`."
    return "![Accuracy while the output layer of gle-mnist1d is learnt again](relearn.svg)"


def relearn_svg() -> str | None:
    """The curve of the bench; None without one."""
    from leadlag.report.pictures import relearn_svg as draw
    found = _bench().get("learn.adapt", {})
    if "relearn" not in found:
        return None
    return draw({"curve": found["relearn"], "before": found["before"], "board": found["board_samples"]})


def _seeds(group, name) -> str:
    values = group.get(name)
    return f" (three seeds: {', '.join(f'{value:.1%}' for value in values)})" if values else ""


def _chain(found):
    w, tau = (", ".join(f"{value:.3f}" for value in found[name]) for name in ("w", "tau"))
    return f"w {w}; tau {tau}; loss {found['loss']:.1e}"


def _provenance(data) -> str:
    """Where the figures come from: the commit whose code most of them are of, and what is not measured at it."""
    groups = {name: group for name, group in data.items() if "commit" in group}
    if not groups:
        return "Measured at an unknown commit."
    code_of = {name: group.get("same_code_at", group["commit"]) for name, group in groups.items()}
    count = Counter(code_of.values())
    commit = max(count, key=lambda each: (not each.endswith("-dirty"), count[each], each))
    same = defaultdict(list)
    other = defaultdict(list)
    for name, group in groups.items():
        if code_of[name] != commit:
            other[code_of[name]].append(name)
        elif group["commit"] != commit:
            same[group["commit"]].append(name)
    dates, cpus = (sorted({group[name] for group in groups.values() if name in group}) for name in ("date", "cpu"))
    said = [f"Measured at commit {commit}, {' to '.join(dict.fromkeys((dates[0], dates[-1])))}, on {', '.join(cpus)}."]
    if same:
        said.append(f"Earlier, and the code that they run has not changed since: {_by_commit(same)}.")
    if other:
        said.append(f"At other commits: {_by_commit(other)}.")
    return textwrap.fill(" ".join(said), 120, break_on_hyphens=False)


def _by_commit(groups) -> str:
    return "; ".join(f"{', '.join(f'`{name}`' for name in names)} at {commit}" for commit, names in groups.items())


def utilisation() -> str:
    """The picture of a routed design, or how to get it."""
    if utilisation_svg() is None:
        return f"No build measured yet: `leadlag bench {BUILD}`, then `python docs/figures.py`."
    return f"![What gle-mnist1d takes of {BOARD}](utilisation.svg)"


def registers() -> str:
    """The registers and error flags of golden.regmap."""
    rows = [(f"`0x{r.offset:02x}`", f"`{name}`", r.access, r.doc) for name, r in REGISTERS.items()]
    flags = ", ".join(f"{bit} `{name}`" for name, bit in ERRORS.items())
    return _table(("address", "register", "access", "holds"), rows) + f"\n\nBits of `errors`: {flags}."


def formats() -> str:
    """Formats that golden.rate.trained chose for the network of the zoo."""
    rows = [(str(n), f"{x.inputs} x {x.outputs}", x.activation, *map(str, (
        x.operand, x.weight, x.acc_bits, x.shift, x.state, x.lead, x.lag, x.rate)))
        for n, x in enumerate(network().layers)]
    return _table(("layer", "size", "activation", "operand", "weight", "acc bits", "shift", "state", "lead", "lag",
                   "rate"), rows)


def lengths() -> str:
    """Accuracy with other word lengths, of the bench."""
    found = _bench().get("formats")
    if not found:
        return "Not measured yet: `leadlag bench formats`."
    rows = [("float", f"{found['float_accuracy']:.2%}")]
    for row in found["rows"]:
        changed = ", ".join(f"{name.replace('_', ' ')} {fmt}" for name, fmt in row["changed"].items())
        rows.append((changed or "the formats in force", f"{row['accuracy']:.2%}"))
    return _table(("changed", "held-out accuracy"), rows)


def widths() -> str:
    """The word lengths in force; what they were chosen from is in the text around the block."""
    w = Widths()
    rows = [("input", str(w.input)), ("weights and biases", str(w.weight)),
            ("membrane, sum, prospective membrane", str(w.state)),
            ("lead", str(w.lead)), ("lag", str(w.lag)),
            ("rate of tanh, sigmoid, hard sigmoid", str(w.bounded_rate)), ("rate of the others", str(w.unbounded_rate))]
    return _table(("quantity", "format"), rows)


def _table(head, rows) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _bench() -> dict:
    return json.loads(BENCH.read_text(encoding="utf-8")) if BENCH.exists() else {}


def rates_svg() -> str | None:
    """A test sequence through the layers, by golden; None where the network is not in the zoo."""
    if not NETWORK.exists():
        return None
    from leadlag import flow
    from leadlag.report.pictures import rates_svg as draw
    case = flow.prepare("gle-mnist1d", BOARD)
    words = flow.samples(case, "test", SEQUENCE + 1).x
    x, net = words[SEQUENCE], case.net
    layers = [{"name": name, "values": values} for name, values in net.signals(case.params, x)]
    found = net.answers(net.run(case.params, x[None]), case.data.answer_from)
    return draw({"layers": layers, "answer": int(found.label[0])})


def utilisation_svg() -> str | None:
    """What the routed design takes; None without a build in docs/bench.json."""
    from boards import BOARDS
    from leadlag.report.pictures import utilisation_svg as draw
    build, part = _bench().get(BUILD, {}), BOARDS[BOARD].part
    available = {"dsp": part.dsp, "bram": part.bram, "comb": part.lut4, "ff": part.lut4}
    return draw(build | {"available": available}) if set(available) <= set(build) else None

# ---- writing


BLOCKS = {"bench": bench, "units": lambda: unit_table.units(_table, network(), BOARD),
          "registers": registers, "formats": formats, "widths": widths,
          "lengths": lengths, "learning": learning, "relearn": relearn, "tick": tick, "utilisation": utilisation} | {
    name: lambda name=name: getattr(late_figures, name)(_table, _bench())
    for name in ("predictors", "late_fourier", "late_hardware", "two_boards", "late_video")} | {
    name: lambda name=name: getattr(spiking_figures, name)(_table, _bench())
    for name in ("spiking_accuracy", "spiking_cost")} | {
    name: lambda name=name: getattr(cascade_figures, name)(_table, _bench())
    for name in ("cascade_accuracy", "cascade_noise", "cascade_cost", "cascade_comparison")} | {
    "cascade_layers": lambda: cascade_figures.cascade_layers(_table),
    "cascade_picture": lambda: cascade_figures.cascade_picture(_bench())} | {
    name: lambda name=name: getattr(ltc_figures, name)(_table, _bench())
    for name in ("ltc_accuracy", "ltc_ablation", "ltc_memory", "ltc_speed", "ltc_cost", "ltc_learnt")} | {
    "ltc_picture": lambda: ltc_figures.ltc_picture(_bench()),
    "systems": lambda: systems_figures.systems(_table, _bench()), "recipes": lambda: recipe_figures.recipes(_table),
    "data_sets": lambda: data_figures.data_sets(_table),
    "boards": lambda: boards_figures.boards(_table), "pins": lambda: boards_figures.pins(_table),
    "builds": lambda: boards_figures.builds(_table, _bench()),
    "event_cost": lambda: event_figures.event_cost(_table, _bench()),
    "peers": lambda: peers_figures.peers(_table, _bench()),
    "verify": lambda: verify_figures.verify(_table, _bench()),
    "proofs": lambda: verify_figures.proofs(_table, _bench()),
    "ltc_adapt": lambda: ltc_figures.ltc_adapt(_bench()),
    "faults": lambda: faults_figures.faults(_table, _bench()),
    "faults_picture": lambda: faults_figures.faults_picture(_bench()),
    "nir": lambda: nir_figures.nir(_table, _bench()), "link": lambda: link_figures.link(_table, _bench())}
PICTURES = {"pipeline.svg": lambda: pipeline_svg(network()), "rates.svg": rates_svg,
            "relearn.svg": relearn_svg, "delays.svg": lambda: late_figures.delays_svg(_bench()),
            "video.svg": lambda: late_figures.video_svg(_bench()),
            "cascade.svg": lambda: cascade_figures.cascade_svg(_bench()),
            "ltc_add.svg": lambda: ltc_figures.ltc_svg(_bench()),
            "ltc_adapt.svg": lambda: ltc_figures.adapt_svg(_bench()),
            "faults.svg": lambda: faults_figures.faults_svg(_bench()), "utilisation.svg": utilisation_svg}


def fill(text: str) -> str:
    """`text` with the contents of every block of BLOCKS made anew."""
    def block(match):
        return f"<!-- {match[1]} -->\n{BLOCKS[match[1]]()}\n<!-- /{match[1]} -->"
    return re.sub(rf"<!-- ({'|'.join(BLOCKS)}) -->\n.*?<!-- /\1 -->", block, text, flags=re.DOTALL)


def main() -> None:
    """Write everything and say what has changed."""
    made = {page: fill((ROOT / page).read_text(encoding="utf-8")) for page in PAGES}
    made |= {f"docs/{name}": text for name, draw in PICTURES.items() if (text := draw()) is not None}
    for name, text in made.items():
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            write_whole(path, text)
            print(f"written: {name}")


if __name__ == "__main__":
    main()
