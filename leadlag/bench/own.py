"""Group `own` of `leadlag bench`: networks of one's own, on data that this repository does not ship, by recipes."""

import hashlib
import zipfile
from pathlib import Path

from golden.checks import check
from golden.data.dataset import DataSet
from golden.data.sets import find
from golden.files import write_whole
from golden.recipe import load
from leadlag import flow, ladder
from leadlag.bench import sources
from leadlag.terminal import status
from leadlag.training import reported

#: PyPI's package with JapaneseVowels (Kudo, Toyama, Shimbo 1999; UCI), and SHA-256 of its two files
WHEEL, INSIDE = "aeon-1.6.0-py3-none-any.whl", "aeon/datasets/data/JapaneseVowels"
SUMS = {"JapaneseVowels_TRAIN.ts": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
        "JapaneseVowels_TEST.ts": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"}
SEEDS = (1, 2, 3)
#: what of a build's report is kept, where it has it
PLACED = ("fmax_mhz", "clock_mhz", "cycles_per_tick", "ticks_per_s", "ticks_per_s_at_fmax", "lanes", "lane_use", "lut4",
          "comb", "ff", "dsp", "bram", "wall_s", "nextpnr_seed", "timing_met")
EXAMPLES = "examples/own_rate.py", "examples/own_spiking.py"


def own(console) -> dict:
    """JapaneseVowels from its .ts file by two recipes: float, integers, circuit; lines of the Python examples."""
    figures, equal = {"seed": 0}, []
    for kind, made in (("rate", rate), ("spiking", spiking)):
        case = made(console)
        rungs, found = ladder.climb(case, console=console)
        scores = {rung["rung"].split()[0]: rung["accuracy"] for rung in rungs}
        figures |= {f"vowels_{kind}_accuracy": scores["integers"], f"vowels_{kind}_float_accuracy": scores["float"],
                    f"vowels_{kind}_size": case.net.size, f"vowels_{kind}_train_cpu_s":
                    case.real.training["train_cpu_s"]}
        equal.append(found["equal"])
    lines = [len((sources.ROOT / name).read_text(encoding="utf-8").splitlines()) for name in EXAMPLES]
    return figures | {"test_sequences": len(found["batch"].y), "rtl_equal_sequences": min(equal),
                      "example_lines": max(lines)}


def rate(console) -> flow.Case:
    """The GLE network for JapaneseVowels, trained."""
    from golden.train import gle
    return _case("examples/vowels_rate.toml", gle, console)


def spiking(console) -> flow.Case:
    """The network for JapaneseVowels whose delays are all that is learnt, trained."""
    from golden.train import delays
    return _case("examples/vowels_spiking.toml", delays, console)


def build_rate(console) -> dict:
    """Place and route of the GLE network for JapaneseVowels on the ULX3S-85F."""
    return _place(rate(console), console)


def build_spiking(console) -> dict:
    """Place and route of the network of delays for JapaneseVowels on the ULX3S-85F."""
    return _place(spiking(console), console)


def _place(case: flow.Case, console) -> dict:
    from boards.build import build
    with status(console, "place and route") as say:
        report = build(case.net, flow.board(flow.DEFAULT_BOARD), out_dir=flow.BUILD, seeds=SEEDS,
                       progress=lambda text: say(f"place and route: {text}")).report
    return {name: report[name] for name in PLACED if name in report} | {"seed": report["nextpnr_seed"]}


def vowels(folder: Path = flow.BUILD / "data") -> DataSet:
    """JapaneseVowels, taken out of the wheel in `folder`; ValueError says how it gets there, or that it is another."""
    for name, want in SUMS.items():
        path = folder / name
        if not path.exists():
            check((folder / WHEEL).is_file(), f"no {WHEEL} in {folder}: pip download --no-deps aeon==1.6.0 -d {folder}")
            with zipfile.ZipFile(folder / WHEEL) as wheel:
                write_whole(path, wheel.read(f"{INSIDE}/{name}"))
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        check(found == want, f"{path} is not the expected data: SHA-256 {found[:12]}..., expected {want[:12]}...")
    return find(str(folder / "JapaneseVowels_TRAIN.ts"))


def _case(origin: str, trainer, console) -> flow.Case:
    """A training, made once for each state of the recipe and of the code that trains."""
    data = vowels()
    recipe = load(str(sources.ROOT / origin), [f"data={data.source}"])
    state = hashlib.sha256(f"{sources.code(trainer.fit)} {recipe.settings()}".encode()).hexdigest()
    out = flow.BUILD / "bench" / f"{recipe.name}-{state[:8]}.safetensors"
    if not out.exists():
        with reported(console, recipe.name, recipe.epochs, trainer.SHOWN) as report:
            trainer.fit(recipe, data, report=report).save(out)
    return flow.case_of(flow.find(str(out)), data=data)


GROUPS = {"own": own, f"build.vowels-rate.{flow.DEFAULT_BOARD}": build_rate,
          f"build.vowels-spiking.{flow.DEFAULT_BOARD}": build_spiking}
