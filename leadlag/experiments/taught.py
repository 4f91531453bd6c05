"""Networks that learn as vectors of `leadlag verify`: ticks with a teacher, and what was learnt read back."""

from dataclasses import dataclass

import numpy as np

from firmware.board import Board
from firmware.learning import Learner
from golden.image import Image, build_image
from golden.rate.compiled import CompiledLearner
from golden.rate.network import Network
from golden.tasks import learning as tasks
from leadlag.experiments.learning import equal_params, equal_words

#: networks of `leadlag learn` that are small enough for any board: description, parameters at the start, stream
NETWORKS = {"lagline": (tasks.lagline, tasks.lagline_start, tasks.lagline_stream),
            "fourier": (tasks.fourier, tasks.fourier_start, tasks.fourier_stream)}
TICKS = 1500


@dataclass(frozen=True)
class Learning:
    """Ticks of a network that learns while they run; weights and time constants are read back and compared, too."""

    net: Network
    params: tuple
    stream: tasks.Stream

    @property
    def image(self) -> Image:
        return build_image(self.net, self.params)

    @property
    def count(self) -> str:
        return f"{len(self.stream.x):,} ticks"

    def on(self, device) -> np.ndarray:
        """Output words of a Device, or of a Board, that has the image."""
        learner = Learner(device) if isinstance(device, Board) else device
        return learner.learn(self.stream.x, self.stream.target, learn=self.stream.learn, teach=self.stream.teach)

    def compare(self, device, got, what: str) -> None:
        """CheckFailed with the first word that differs, of the output or of what was learnt."""
        golden = CompiledLearner(self.net, self.params)
        want = golden.run(self.stream.x, self.stream.target, first=True, learn=self.stream.learn,
                          teach=self.stream.teach)
        equal_words(self.net, got, want, what)
        read = Learner(device).read_parameters if isinstance(device, Board) else device.read_params
        equal_params(self.net, read(self.params), golden.params)


def ticks_of(network: str, count: int | None = None) -> Learning:
    """The first `count` ticks of one of NETWORKS, from its first start."""
    make, start, stream = NETWORKS[network]
    net = make()
    return Learning(net, start(net, 0), _first(stream(net), count or TICKS))


def _first(stream: tasks.Stream, ticks: int) -> tasks.Stream:
    """The first ticks of a stream, of which the teacher speaks in the second half at least."""
    rows = [part[:ticks] if isinstance(part, np.ndarray) else part for part in stream]
    taught = np.arange(len(rows[0]))[:, None] >= len(rows[0]) // 2
    return tasks.Stream(*rows[:2], teach=rows[2] | taught if isinstance(rows[2], np.ndarray) else rows[2],
                        learn=rows[3] | taught if isinstance(rows[3], np.ndarray) else rows[3])
