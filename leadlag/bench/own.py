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
from leadlag.training import reported

#: PyPI's package with JapaneseVowels (Kudo, Toyama, Shimbo 1999; UCI), and SHA-256 of its two files
WHEEL, INSIDE = "aeon-1.6.0-py3-none-any.whl", "aeon/datasets/data/JapaneseVowels"
SUMS = {"JapaneseVowels_TRAIN.ts": "68a430eabd919cc77f40b1f5f3bc0dcafacc1486bca9260785aeb7d262cc78cd",
        "JapaneseVowels_TEST.ts": "b3d41d6a0ca3bcad3afb9ca7d4365382aa51341e2e58bae2a574babdda5b9462"}
EXAMPLES = "examples/own_rate.py", "examples/own_spiking.py"


def own(console) -> dict:
    """JapaneseVowels from its .ts file by two recipes: float, integers, circuit; lines of the Python examples."""
    from golden.train import delays, gle
    data, figures, equal = vowels(), {"seed": 0}, []
    for kind, trainer, origin in (("rate", gle, "examples/vowels_rate.toml"),
                                  ("spiking", delays, "examples/vowels_spiking.toml")):
        case = flow.case_of(_trained(origin, trainer, data, console), data=data)
        rungs, found = ladder.climb(case, console=console)
        scores = {rung["rung"].split()[0]: rung["accuracy"] for rung in rungs}
        figures |= {f"vowels_{kind}_accuracy": scores["integers"], f"vowels_{kind}_float_accuracy": scores["float"],
                    f"vowels_{kind}_size": case.net.size, f"vowels_{kind}_train_cpu_s":
                    case.real.training["train_cpu_s"]}
        equal.append(found["equal"])
    lines = [len((sources.ROOT / name).read_text(encoding="utf-8").splitlines()) for name in EXAMPLES]
    return figures | {"test_sequences": len(found["batch"].y), "rtl_equal_sequences": min(equal),
                      "example_lines": max(lines)}


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


def _trained(origin: str, trainer, data: DataSet, console):
    """A training, made once for each state of the recipe and of the code that trains."""
    recipe = load(str(sources.ROOT / origin), [f"data={data.source}"])
    state = hashlib.sha256(f"{sources.code(trainer.fit)} {recipe.settings()}".encode()).hexdigest()
    out = flow.BUILD / "bench" / f"{recipe.name}-{state[:8]}.safetensors"
    if not out.exists():
        with reported(console, recipe.name, recipe.epochs, trainer.SHOWN) as report:
            trainer.fit(recipe, data, report=report).save(out)
    return flow.find(str(out))


GROUPS = {"own": own}
