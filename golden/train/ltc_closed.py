"""Gradients of LTC networks over a part of a sequence without autograd: written out by hand, a layer at a time.

golden.train.ltc_net has the forward equations. Nothing flows from a layer down to an earlier tick of the one below, so
that a layer's ticks are taken together: input sums and weight gradients are one product each for all of them, and the
two gates are one for the state (u, b). Backwards, tick by tick from the last one, with g what later ticks ask of u, b
and s, and ds what the layer above (or the readout) asks of the spikes in the same tick:

    ds <- ds + g_s - g_u ut                   the reset is differentiated, too
    dut = g_u (1 - s) + psi ds                db = g_b - 1.8 psi ds            psi: the surrogate at ut - theta
    dal = dut (x - u) a (1 - a)               dr = db (s[t-1] - b) r (1 - r)
    dx  = a dut + Wm_x^T dal + Wb_x^T dr
    g_u = (1 - a) dut + Wm_u^T dal            g_b = (1 - r) db + Wb_b^T dr     g_s = r db + Wr^T dx

Over one tick that is the closed form of FPTT with K = T: outer products of vectors which are there at tick t.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from golden.train.ltc_net import ADAPT, Cell, Network, Readout, surrogate


class Trail(NamedTuple):
    """What a layer's ticks have left: given (ticks, batch, inputs); old states and lags (ticks, 1 or 2, batch, size).

    towards likewise: x, and the spikes before. new: states before the reset. spikes (ticks + 1, batch, size): those
    before the first tick, too.
    """

    given: Tensor
    old: Tensor
    lag: Tensor
    towards: Tensor
    new: Tensor
    spikes: Tensor


def forward(net: Network, x: Tensor, states: list) -> tuple[Tensor, list, list]:
    """As `Network.forward`, of full gates without norms: outputs, states, and what `backward` needs."""
    if net.membrane or not net.readout.gated:
        raise ValueError("the closed form has a gated readout of spikes")
    after, trails, sent = [], [], x
    for layer, state in zip(net.layers, states, strict=False):
        trail, state = _layer(layer, sent, state)
        after.append(state)
        trails.append(trail)
        sent = trail.spikes[1:]
    trail, y = _readout(net.readout, sent, states[-1])
    return trail[2][1:], [*after, y], [*trails, trail]


def backward(net: Network, trails: list, dy: Tensor) -> None:
    """Add to the parameters' gradients those of a loss whose gradient by the outputs is dy (ticks, batch, outputs)."""
    ds = _readout_back(net.readout, trails[-1], dy)
    for n in reversed(range(len(net.layers))):
        ds = _layer_back(net.layers[n], trails[n], ds, n > 0)


def _layer(layer: Cell, given: Tensor, state) -> tuple[Trail, tuple]:
    if layer.gates != "full" or layer.norm is not None:
        raise ValueError("the closed form has full gates and no norms")
    (ticks, batch, _), count, size = given.shape, len(layer.gate_bias), layer.size
    sums = torch.addmm(layer.bias, given.reshape(ticks * batch, -1), layer.dense.T).view(ticks, batch, size)
    room = given.new_empty
    old, lag, towards, new = (room(ticks, count, batch, size) for _ in range(4))
    spikes, now = room(ticks + 1, batch, size), state[0]
    spikes[0] = state[1]
    wide, gate_old, bias = layer.gate_x.reshape(-1, size).T, layer.gate_old.mT, layer.gate_bias[:, None]
    for t in range(ticks):
        old[t] = now
        x = torch.addmm(sums[t], spikes[t], layer.recurrent.T, out=towards[t, 0])
        if count == 2:
            towards[t, 1] = spikes[t]
        seen = (x @ wide).view(batch, count, size).transpose(0, 1)
        torch.sigmoid(torch.baddbmm(bias + seen, now, gate_old), out=lag[t])
        torch.lerp(old[t], towards[t], lag[t], out=new[t])
        theta = layer.b0 + ADAPT * new[t, 1] if count == 2 else layer.b0
        torch.gt(new[t, 0], theta, out=spikes[t + 1])
        now = new[t].clone()
        now[0] *= 1 - spikes[t + 1]
    return Trail(given, old, lag, towards, new, spikes), (now, spikes[-1])


def _layer_back(layer: Cell, trail: Trail, ds: Tensor, below: bool) -> Tensor | None:
    ticks, count, batch, size = trail.lag.shape
    ut = trail.new[:, 0]
    psi = surrogate(ut - (layer.b0 + ADAPT * trail.new[:, 1] if count == 2 else layer.b0))
    slope, stays = (trail.towards - trail.old) * trail.lag * (1 - trail.lag), 1 - trail.spikes[1:]
    d, dx, g, g_s = torch.empty_like(trail.lag), torch.empty_like(psi), 0 * trail.lag[0], torch.zeros_like(ds[0])
    gates = torch.cat([layer.gate_old, layer.gate_x], 2)
    for t in reversed(range(ticks)):
        kick = psi[t] * (ds[t] + g_s - g[0] * ut[t])
        g[0] *= stays[t]
        g[0] += kick
        if count == 2:
            g[1].sub_(kick, alpha=ADAPT)
        torch.mul(g, slope[t], out=d[t])
        g_lag = trail.lag[t] * g
        back = torch.bmm(d[t], gates)
        torch.add(g_lag[0], back[:, :, size:].sum(0), out=dx[t])
        g_s = torch.mm(dx[t], layer.recurrent)
        if count == 2:
            g_s += g_lag[1]
        g = g - g_lag + back[:, :, :size]
    rows = d.transpose(1, 0).reshape(count, ticks * batch, size)
    layer.gate_old.grad += rows.mT @ trail.old.transpose(1, 0).reshape(count, ticks * batch, size)
    layer.gate_x.grad += rows.mT @ trail.towards[:, 0].reshape(ticks * batch, size)
    layer.gate_bias.grad += rows.sum(1)
    dx = dx.view(ticks * batch, size)
    layer.dense.grad += dx.T @ trail.given.reshape(ticks * batch, -1)
    layer.bias.grad += dx.sum(0)
    layer.recurrent.grad += dx.T @ trail.spikes[:-1].reshape(-1, size)
    return (dx @ layer.dense).view(ticks, batch, -1) if below else None


def _readout(readout: Readout, sent: Tensor, y: Tensor):
    ticks, batch, size = sent.shape
    z = torch.addmm(readout.bias, sent.reshape(-1, size), readout.weight.T)
    seen = torch.addmm(readout.gate_bias, z, readout.gate[:, :readout.outputs].T).view(ticks, batch, -1)
    z, gate, ys, own = z.view(ticks, batch, -1), torch.empty_like(seen), [y], readout.gate[:, readout.outputs:].T
    for t in range(ticks):
        torch.sigmoid(torch.addmm(seen[t], ys[t], own), out=gate[t])
        ys.append(torch.lerp(ys[t], z[t], gate[t]))
    return (sent, z, torch.stack(ys), gate), ys[-1]


def _readout_back(readout: Readout, trail, dy: Tensor) -> Tensor:
    sent, z, y, gate = trail
    outputs, slope = readout.outputs, (z - y[:-1]) * gate * (1 - gate)
    q, dz, g = torch.empty_like(z), torch.empty_like(z), torch.zeros_like(z[0])
    for t in reversed(range(len(z))):
        g = g + dy[t]
        torch.mul(g, slope[t], out=q[t])
        back = q[t] @ readout.gate
        g_lag = gate[t] * g
        torch.add(g_lag, back[:, :outputs], out=dz[t])
        g = g - g_lag + back[:, outputs:]
    q, dz, seen = q.flatten(0, 1), dz.flatten(0, 1), torch.cat([z, y[:-1]], 2).flatten(0, 1)
    readout.gate.grad += q.T @ seen
    readout.gate_bias.grad += q.sum(0)
    readout.weight.grad += dz.T @ sent.flatten(0, 1)
    readout.bias.grad += dz.sum(0)
    return (dz @ readout.weight).view_as(sent)
