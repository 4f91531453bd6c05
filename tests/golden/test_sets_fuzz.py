"""Any text, bytes and arrays for a data set: read, or refused in one line."""

from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from set_files import arrays

from golden.data import series
from golden.data.dataset import Samples, own
from golden.data.series import Raw


def tried(reader, *arguments):
    try:
        found = own(reader(*arguments), name="it")
    except ValueError as failed:
        said = str(failed)
        assert "\n" not in said, said
        return
    for split in ("train", "fit", "held_out", "test"):
        part = found.load(split)
        assert isinstance(part, Samples)
        assert len(part.x) == len(part.y) == len(part.lengths) > 0
        assert np.isfinite(part.x).all()


CELL = st.sampled_from(["1", "0.5", "-2", "", "a", "b", "nan", "inf", "?", "train", "test", "1e40", " ", '"', "é",
                        "\0"])
FUZZ = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])


@FUZZ
@given(st.lists(st.sampled_from(["label", "target", "target2", "series", "split", "a", "b", ""]), max_size=5),
       st.lists(st.lists(CELL, max_size=5), max_size=9))
def test_any_csv(heading, rows):
    tried(series._csv, "\n".join(",".join(row) for row in [heading, *rows]), Path("it.csv"))


@FUZZ
@given(st.lists(st.sampled_from(["@data", "@classLabel true a b", "@targetLabel true", "@dimensions 2", "@", "#", "x",
                                 "@timeStamps", "@univariate true", "@dimensions \u0663"]), max_size=4),
       st.lists(st.lists(st.lists(CELL, max_size=4), max_size=3), max_size=9))
def test_any_ts(head, lines):
    body = [":".join(",".join(part) for part in line) for line in lines]
    tried(series._ts, "\n".join([*head, "@data", *body]), Path("it.ts"))


@FUZZ
@given(st.binary(max_size=400), st.integers(0, 3000), st.sampled_from([".npz", ".csv", ".ts"]))
def test_any_bytes(tmp_path_factory, junk, at, end):
    """Nonsense, and a file that was overwritten somewhere."""
    folder = tmp_path_factory.mktemp("bytes")
    whole = (folder / "whole.npz")
    np.savez(whole, **arrays(n=6, classes=2))
    data = whole.read_bytes()
    for content in (junk, data[:at] + junk + data[at + len(junk):]):
        (folder / f"it{end}").write_bytes(content)
        tried(series.read, folder / f"it{end}")


@FUZZ
@given(st.integers(0, 9), st.integers(0, 3), st.sampled_from(["f8", "i4", "u1", "U2", "c8", "?", "M8[D]"]),
       st.sampled_from(["f8", "i4", "U1", "?"]), st.integers(1, 3))
def test_any_arrays(n, ndim, x_type, y_type, y_ndim):
    x = np.ones((n, 4, 2)[:ndim] if ndim else ()).astype(x_type)
    y = (np.arange(n ** min(y_ndim, 1)) % 2).reshape((n, 1, 1)[:y_ndim]).astype(y_type)

    def reader():
        return {"train": Raw(x, y)}
    tried(reader)
