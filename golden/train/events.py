"""Spikes through delayed synapses, and the neurons behind them, for training: real membranes, integer delays.

    a_j[n] = sum over i of w_ji s_i[n - k_ji],  k = floor(d + 1/2), as golden.spiking.engine.round_delays
    dL/dd_ji = w_ji sum over n of s_i[n] (g_j[n+k+1] - g_j[n+k-1]) / 2 = (L(k_ji + 1) - L(k_ji - 1)) / 2, L linear in a

with g = dL/da, 0 before the first and behind the last tick. The real d keeps what moves it by less than a tick
(straight through). It is the gradient of [DELAY] (a backward difference of the delayed PSP) but centred,
as delays are rounded here and truncated there. events.cpp is the quick form of `arrive` and `once`, on one thread;
this file has the same in torch, and works with that where there is no C++ compiler.
"""

import ctypes
import warnings
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from golden.native import build
from golden.spiking.layer import SpikingLayer

SOURCE = Path(__file__).with_suffix(".cpp")


@lru_cache
def library():
    """events.cpp, or None, with one warning, where it cannot be built."""
    try:
        found = ctypes.CDLL(str(build(SOURCE, "events")))
    except RuntimeError as error:
        warnings.warn(f"{error}; training goes on in plain torch, many times slower", stacklevel=2)
        return None
    long, pointer, real = ctypes.c_int64, ctypes.c_void_p, ctypes.c_float
    found.arrive_forward.argtypes = (*(pointer,) * 4, *(long,) * 4, pointer)
    found.arrive_backward.argtypes = (*(pointer,) * 5, *(long,) * 4, *(pointer,) * 3)
    found.once_forward.argtypes = (pointer, *(long,) * 4, real, real, pointer, pointer)
    found.once_backward.argtypes = (*(pointer,) * 3, *(long,) * 4, *(real,) * 3, pointer)
    for function in (found.arrive_forward, found.arrive_backward, found.once_forward, found.once_backward):
        function.restype = None
    return found


def _at(tensor: Tensor | None):
    return None if tensor is None else tensor.data_ptr()


def whole(delay: Tensor) -> Tensor:
    """Delays in whole ticks, nearest, half up."""
    return torch.floor(delay.detach() + 0.5)


def arrive(spikes: Tensor, delay: Tensor, weight: Tensor, *, ticks: int | None = None,
           plain: bool = False) -> Tensor:
    """What arrives in each tick, (batch, ticks, outputs).

    Parameters: spikes (batch, ticks, inputs), or with `ticks` the tick of the only spike of each line, (batch, inputs)
    int32, -1 for none; delay and weight (outputs, inputs), quickest as transposed views of (inputs, outputs); plain,
    in torch. Gradients: of delay and weight, and of spikes where they are real numbers.
    """
    if (ticks is None) != (spikes.ndim == 3):
        raise ValueError("ticks are given with the tick of each line's spike, and only then")
    quick = None if plain or delay.dtype != torch.float32 else library()
    spikes = spikes.to(torch.int32 if ticks else delay.dtype)
    return _Arrive.apply(spikes, delay, weight, ticks or spikes.shape[1], quick)


class _Arrive(torch.autograd.Function):
    @staticmethod
    def forward(ctx, spikes, delay, weight, ticks, quick):
        outputs, inputs = delay.shape
        ctx.form, ctx.quick = (len(spikes), ticks, inputs, outputs), quick
        k = whole(delay).clamp_max(ticks + 1)
        if quick is None:
            ctx.save_for_backward(spikes, k, weight)
            s, out = _dense(spikes, ticks, weight.dtype), weight.new_zeros(len(spikes), ticks, outputs)
            for d in range(ticks):
                chosen = torch.where(k == d, weight, 0)
                out[:, d:] += s[:, :ticks - d] @ chosen.T
            return out
        # lines first, as events.cpp has them
        k, spikes, w = k.T.to(torch.int32).contiguous(), spikes.contiguous(), weight.detach().T.contiguous()
        ctx.save_for_backward(spikes, k, w)
        out = torch.empty(len(spikes), ticks, outputs)
        quick.arrive_forward(*_sources(spikes), _at(k), _at(w), *ctx.form, _at(out))
        return out

    @staticmethod
    def backward(ctx, gradient):
        (spikes, k, weight), (batch, ticks, inputs, outputs) = ctx.saved_tensors, ctx.form
        of_spikes, of_delay, of_weight = ctx.needs_input_grad[:3]
        if ctx.quick is not None:
            to_delay = torch.zeros(inputs, outputs) if of_delay else None
            to_weight = torch.zeros(inputs, outputs) if of_weight else None
            to_spikes = torch.empty(batch, ticks, inputs) if of_spikes else None
            g = gradient.contiguous()
            ctx.quick.arrive_backward(*_sources(spikes), _at(k), _at(weight), _at(g), *ctx.form, _at(to_delay),
                                      _at(to_weight), _at(to_spikes))
            return to_spikes, *(t if t is None else t.T for t in (to_delay, to_weight)), None, None
        s, g = _dense(spikes, ticks, weight.dtype), functional.pad(gradient, (0, 0, 1, ticks + 2))
        to_delay, to_weight, to_spikes = torch.zeros_like(k), torch.zeros_like(k), torch.zeros_like(s)
        for d in range(ticks + 1):
            here = k == d
            now = g[:, 1 + d:1 + d + ticks]
            slope = (g[:, 2 + d:2 + d + ticks] - g[:, d:d + ticks]) / 2
            to_weight += here * torch.einsum("bto,bti->oi", now, s)
            to_delay += here * weight * torch.einsum("bto,bti->oi", slope, s)
            to_spikes += now @ torch.where(here, weight, 0)
        return to_spikes if of_spikes else None, to_delay, to_weight, None, None


def _dense(spikes: Tensor, ticks: int, dtype) -> Tensor:
    if spikes.ndim == 3:
        return spikes.to(dtype)
    return (spikes[:, None] == torch.arange(ticks)[:, None]).to(dtype)


def _sources(spikes: Tensor) -> tuple:
    """Pointers for `spikes` and `when`."""
    if spikes.ndim == 3:
        return _at(spikes), None
    return None, _at(spikes)


def keep(leak: tuple[int, ...]) -> float:
    """What is left of 1 after a tick."""
    return 1 - sum(2.0 ** -k for k in leak)


def response(order: int, leak: tuple[int, ...], ticks: int) -> Tensor:
    """What a weight of 1 that arrives in tick m makes of a membrane in tick n, (n, m), nothing spiking."""
    since = torch.arange(ticks)[:, None] - torch.arange(ticks)
    grown = keep(leak) ** since.clamp_min(0).double() * (since if order == 2 else 1)
    return torch.where(since < 0, 0, grown).float()


def once(arrived: Tensor, layer: SpikingLayer, *, slope: float, plain: bool = False) -> Tensor:
    """Spikes (batch, ticks, neurons) of neurons that spike at most once an image, where they first reach threshold.

    Surrogate of the step at membrane x: slope / threshold / (1 + slope |x / threshold - 1|)**2. A spike more in tick
    n is one less in the later tick in which the membrane would be at the threshold, so the gradient takes the
    difference of the two; behind its spike a neuron learns nothing.
    """
    quick = None if plain or arrived.dtype != torch.float32 else library()
    return _Once.apply(arrived, layer.order, keep(layer.leak), layer.threshold * layer.state.lsb, slope, quick)


class _Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, arrived, order, kept, threshold, slope, quick):
        ctx.rest, arrived = (order, kept, threshold, slope, quick), arrived.contiguous()
        x, spikes = torch.empty_like(arrived), torch.empty_like(arrived)
        if quick is None:
            q = p = torch.zeros_like(arrived[:, 0])
            quiet = torch.ones_like(q)
            for tick, a in enumerate(arrived.unbind(1)):
                q, p = (kept * q + a, p) if order == 1 else (kept * (q + p), kept * p + a)
                x[:, tick], spikes[:, tick] = q, torch.where(q >= threshold, quiet, 0)
                quiet = quiet - spikes[:, tick]
        else:
            quick.once_forward(_at(arrived), *arrived.shape, order, kept, threshold, _at(x), _at(spikes))
        ctx.save_for_backward(x, spikes)
        return spikes

    @staticmethod
    def backward(ctx, gradient):
        (x, spikes), (order, kept, threshold, slope, quick) = ctx.saved_tensors, ctx.rest
        to_arrived = torch.empty_like(x)
        if quick is not None:
            g = gradient.contiguous()
            quick.once_backward(_at(x), _at(spikes), _at(g), *x.shape, order, kept, threshold, slope, _at(to_arrived))
            return to_arrived, *(None,) * 5
        live = 1 - spikes.cumsum(1) + spikes
        later = q = p = torch.zeros_like(x[:, 0])
        for tick in reversed(range(x.shape[1])):
            u, g = x[:, tick], gradient[:, tick]
            far = (u - threshold).abs() * slope / threshold + 1
            own = live[:, tick] * (g - later) * (slope / threshold) / far ** 2
            later = torch.where(u >= threshold, g, later)
            q, p = own + kept * q, kept * (q + p)
            to_arrived[:, tick] = q if order == 1 else p
        return to_arrived, *(None,) * 5


class _Step(torch.autograd.Function):
    """1 where x is at least 1; surrogate exp(-|x - 1|) of [DELAY], or 1 / (1 + slope |x - 1|)**2 times slope."""

    @staticmethod
    def forward(ctx, x, slope):
        ctx.slope = slope
        ctx.save_for_backward(x)
        return (x >= 1).to(x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        far = (ctx.saved_tensors[0] - 1).abs()
        return gradient * (torch.exp(-far) if ctx.slope is None else ctx.slope / (1 + ctx.slope * far) ** 2), None


def neurons(arrived: Tensor, layer: SpikingLayer, *, slope: float | None = None) -> tuple[Tensor, Tensor]:
    """Any neuron of golden.spiking.engine in real numbers: spikes and membranes x, both (batch, ticks, neurons).

    slope: of the surrogate, None for that of [DELAY]. Resets and kicks pass no gradient, as in SLAYER.
    """
    kept, lsb = keep(layer.leak), layer.state.lsb
    q = p = r_q = r_p = left = torch.zeros_like(arrived[:, 0])
    spikes, membranes = [], []
    for a in arrived.unbind(1):
        silent = left > 0
        if layer.order == 1:
            q = kept * q + a
        else:
            q, p = kept * (q + p), torch.where(silent, 0, kept * p + a)
        x = q = torch.where(silent, 0, q)
        if layer.kick is not None:
            r_q = keep(layer.kick.leak) * (r_q + r_p)
            x = q - r_q
        s = _Step.apply(x / (layer.threshold * lsb), slope)
        fired = s.detach() > 0
        if layer.kick is not None:
            r_p = keep(layer.kick.leak) * r_p + layer.kick.word * lsb * fired
        else:
            q, p = torch.where(fired, 0, q), torch.where(fired, 0, p)
        left = torch.where(fired, layer.refractory, (left - 1).clamp_min(0))
        spikes.append(s)
        membranes.append(x)
    return torch.stack(spikes, 1), torch.stack(membranes, 1)
