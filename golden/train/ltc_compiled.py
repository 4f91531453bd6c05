"""LTC networks that learn by FPTT in C++: `Learner.sequence` of golden.train.ltc, many times as fast on small networks.

ltc_compiled.cpp has a part of a sequence forwards and backwards, the loss and the update, in float32, with the sgemm of
torch's own BLAS. Where there is no compiler, or no such sgemm, training goes on in torch (golden.train.ltc_closed).
"""

import ctypes
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from golden.native import build
from golden.train.fptt import Fptt
from golden.train.ltc_net import GATES, Cell, Network

SOURCE = Path(__file__).with_suffix(".cpp")
_LONG, _REAL, _AT = ctypes.c_int64, ctypes.c_float, ctypes.c_void_p


class Rule(ctypes.Structure):
    """`Rule` of the C++ text."""

    _fields_ = [*((name, _LONG) for name in ("size", "adam", "updates")),
                *((name, _AT) for name in ("w", "gradient", "wbar", "lam", "first", "second")),
                *((name, _REAL) for name in ("alpha", "beta", "clip", "rate", "decay"))]


@lru_cache
def library():
    """The library and the address of sgemm, or None, with one warning, where there is none."""
    try:
        found = ctypes.CDLL(str(build(SOURCE, "ltc")))
        folder = Path(torch.__file__).parent / "lib"
        blas = next(path for path in folder.iterdir() if path.stem.endswith("torch_cpu"))
        gemm = ctypes.cast(ctypes.CDLL(str(blas)).sgemm_, _AT)
    except (RuntimeError, OSError, AttributeError, StopIteration) as error:
        warnings.warn(f"{error}; training goes on in plain torch, several times slower", stacklevel=2)
        return None
    found.make.argtypes, found.make.restype = (_AT, _LONG, _LONG, _REAL, *(_LONG,) * 5, _AT), _AT
    found.drop.argtypes, found.drop.restype = (_AT,), None
    found.learn.argtypes, found.learn.restype = (*(_AT,) * 7, *(_LONG,) * 3), ctypes.c_double
    found.run.argtypes, found.run.restype = (*(_AT,) * 3, *(_LONG,) * 2, *(_AT,) * 2), None
    return found, gemm


def able(net: Network) -> bool:
    """Whether the compiled form has such a network: cells of one kind, no norms, float32."""
    cells = net.layers
    return all(isinstance(cell, Cell) and cell.norm is None for cell in cells) and \
        len({(cell.adaptive, cell.b0, cell.gates) for cell in cells}) == 1 and \
        cells[0].bias.dtype == torch.float32 and library() is not None


class Compiled:
    """Room for a network's parts of up to `ticks` ticks of `batch` sequences; `whole`: its parameters (fptt.flat)."""

    def __init__(self, net: Network, whole: Tensor, ticks: int, batch: int):
        self.whole, self.ticks, self.batch, cells = whole, ticks, batch, net.layers
        self.outputs, self.layers = net.readout.outputs, len(cells)
        self.library, gemm = library()
        sizes = np.array([cells[0].inputs, *(cell.size for cell in cells), self.outputs])
        self.net = self.library.make(sizes.ctypes.data, len(cells), 1 + cells[0].adaptive, cells[0].b0,
                                     GATES.index(cells[0].gates), net.readout.gated, net.membrane, ticks, batch, gemm)

    def __del__(self):
        if hasattr(self, "net"):
            self.library.drop(self.net)

    def learn(self, rule: Rule, x: Tensor, label: Tensor, weight: Tensor, counts: Tensor | None, span: int) -> float:
        """Learn whole sequences x (ticks, batch, inputs): the sum of the parts' losses.

        label: classes int64 (batch,), or float32 targets (batch, outputs) for the squared error; weight and counts as
        golden.train.fptt.loss has them. All contiguous, and but for classes float32.
        """
        self._check(span, x)
        whole = label.dtype == torch.int64
        return self.library.learn(self.net, ctypes.addressof(rule), x.data_ptr(), label.data_ptr() if whole else None,
                                  None if whole else label.data_ptr(), weight.data_ptr(),
                                  None if counts is None else counts.data_ptr(), len(x), x.shape[1], span)

    def run(self, x: Tensor) -> tuple[Tensor, np.ndarray]:
        """Outputs (ticks, batch, outputs) of sequences (ticks, batch, inputs), and each layer's share of spikes."""
        self._check(1, x)
        y, rates = torch.empty(len(x), x.shape[1], self.outputs), np.zeros(self.layers)
        self.library.run(self.net, self.whole.data_ptr(), x.data_ptr(), len(x), x.shape[1], y.data_ptr(),
                         rates.ctypes.data)
        return y, rates

    def _check(self, span: int, x: Tensor) -> None:
        if span > self.ticks or x.shape[1] > self.batch or x.dtype != torch.float32 or not x.is_contiguous():
            raise ValueError(f"{span} ticks of {tuple(x.shape)} {x.dtype} at a time: there is room for {self.ticks} of "
                             f"{self.batch} sequences, contiguous float32")


def rule_of(fptt: Fptt, whole: Tensor, *, adam: bool, decay: float) -> tuple[Rule, list[Tensor]]:
    """The rule of an Fptt over one vector, its optimiser's moments at rest; and the tensors that it points to."""
    moments = [torch.zeros_like(whole.data) for _ in range(2)]
    kept = [whole.data, whole.grad, *(fptt.wbar or [whole.data]), *(fptt.lam or [whole.data]), *moments]
    names = ("w", "gradient", "wbar", "lam", "first", "second")
    rule = Rule(size=whole.numel(), adam=adam, alpha=fptt.alpha, beta=fptt.beta, clip=fptt.clip or 0, decay=decay,
                **{name: each.data_ptr() for name, each in zip(names, kept, strict=True)})
    return rule, kept
