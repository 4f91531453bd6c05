"""How samples become spikes: a data set's reals or bytes (golden.data.dataset.Samples) to lines that spike in ticks."""

from dataclasses import dataclass

import numpy as np

from golden.checks import check, is_int

MAX_TICKS = 255


@dataclass(frozen=True, kw_only=True)
class LatencyCode:
    """Intensities 0..255 to ticks: brighter is earlier, one spike a pixel in ticks 0..bins - 1, dark pixels never.

    A pixel of v >= `dark` spikes at tick (255 - v) * bins // 255, at most bins - 1.
    """

    bins: int
    dark: int = 1

    def __post_init__(self):
        check(is_int(self.bins, 1, MAX_TICKS), f"latency code: bins must be in 1..{MAX_TICKS}, not {self.bins!r}")
        check(is_int(self.dark, 0, 255), f"latency code: dark must be in 0..255, not {self.dark!r}")

    def check(self, ticks: int, inputs: int) -> None:
        """ValueError unless the spikes fit in the ticks of a network; it has a line a pixel."""
        check(self.bins <= ticks, f"network: spikes in {self.bins} ticks do not fit in {ticks}")

    def encode(self, ticks: int, pixels, lengths=None) -> np.ndarray:
        """Images (images, pixels) of uint8 -> spikes (images, ticks, pixels) bool."""
        pixels = np.asarray(pixels)
        check(pixels.ndim == 2 and pixels.dtype == np.uint8 and lengths is None,
              f"images are uint8 of shape (images, pixels), not {pixels.dtype} of shape {pixels.shape}")
        tick = np.minimum((255 - pixels.astype(np.int64)) * self.bins // 255, self.bins - 1)
        tick = np.where(pixels >= max(self.dark, 1), tick, -1)
        return tick[:, None] == np.arange(ticks)[None, :, None]


@dataclass(frozen=True, kw_only=True)
class LevelCode:
    """Sequences of reals to ticks: in every tick each channel spikes on one of its lines, that of the level it has.

    levels: for each channel the same number of ascending thresholds, L; the channel has L + 1 lines, and spikes on the
    line whose number is how many of the thresholds its value reaches. Lines of channel 0 come first. Behind the end of
    a sequence nothing spikes.
    """

    levels: tuple[tuple[float, ...], ...]

    def __post_init__(self):
        rows = self.levels
        check(isinstance(rows, list | tuple) and len(rows) > 0 and all(isinstance(row, list | tuple) for row in rows),
              f"level code: levels must be a list of thresholds for each channel, not {rows!r}")
        values = [value for row in rows for value in row]
        check(all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e30 for v in values),
              "level code: levels must be finite numbers")
        rows = tuple(tuple(map(float, row)) for row in rows)
        check(all(len(row) == len(rows[0]) > 0 for row in rows),
              "level code: channels differ in their number of levels, or have none")
        check(all(list(row) == sorted(row) for row in rows), "level code: levels of a channel must ascend")
        object.__setattr__(self, "levels", rows)

    @property
    def lines(self) -> int:
        return len(self.levels) * (len(self.levels[0]) + 1)

    def check(self, ticks: int, inputs: int) -> None:
        """ValueError unless a network has the code's lines."""
        check(self.lines == inputs, f"network: a code of {self.lines} lines does not fit {inputs} inputs")

    def encode(self, ticks: int, x, lengths=None) -> np.ndarray:
        """Sequences (n, ticks, channels) of reals, with lengths (n,) -> spikes (n, ticks, lines) bool."""
        x = np.asarray(x)
        check(x.ndim == 3 and x.dtype.kind in "iuf" and x.shape[2] == len(self.levels),
              f"sequences are reals of shape (n, ticks, {len(self.levels)}), not {x.dtype} of shape {x.shape}")
        lengths = np.full(len(x), x.shape[1]) if lengths is None else np.asarray(lengths)
        longest = int(lengths.max(initial=0))
        check(longest <= ticks, f"a sequence of {longest} ticks does not fit in {ticks}")
        x = x[:, :longest]
        spikes = np.zeros((len(x), ticks, len(self.levels), len(self.levels[0]) + 1), bool)
        level = sum((x >= row).astype(np.int64) for row in np.array(self.levels).T)
        sequence, tick, channel = np.nonzero((np.arange(longest) < lengths[:, None])[..., None] & np.ones_like(x, bool))
        spikes[sequence, tick, channel, level[sequence, tick, channel]] = True
        return spikes.reshape(len(x), ticks, self.lines)


#: by the field that names them in JSON
CODES = {"bins": LatencyCode, "levels": LevelCode}


def level_code(x, lengths, count: int) -> LevelCode:
    """The code whose `count` levels part the values of sequences (n, ticks, channels) into parts of one size."""
    inside = np.arange(x.shape[1]) < np.asarray(lengths)[:, None]
    share = (np.arange(count) + 1) / (count + 1)
    # six digits, so that a description reads well
    levels = np.quantile(np.asarray(x)[inside].astype(np.float64), share, axis=0).T
    return LevelCode(levels=tuple(tuple(float(f"{value:.6g}") for value in row) for row in levels))
