"""LagNet, [GLE] figure 6: the gradient that the local rule makes tick by tick, against the adjoint made backwards.

Students 1-2-2-1 learn the two input weights of teachers; a hidden layer has an instantaneous and a
lagging neuron. In frequency omega an adjoint neuron is (1 - i omega tau_r) / (1 - i omega tau_m), a
prospective error (1 + i omega tau_m) / (1 + i omega tau_r): the same phase, the inverse size.

Ours, where the paper's settings are not known to us: the constants marked so, the output neuron
(instantaneous), size 1 and phase 0 of the sines, how weights are drawn (`draw`), and how the adjoint
learns: once a window, TAIL late as it has to see what a rate does to later outputs, its rate being one
per unit of time and its momentum, ten ticks long, taken as over within a window.
"""

import torch
from torch import Tensor

from golden.train.rates import Layer, State, gle_step, initial_state

DT = 0.01
TAU_M = 1.0
TAU_R = ((1.0, 0.1), (1.0, 0.1), (1.0,))
PHI = ("tanh", "tanh", "linear")
GAMMA = 1e-3                            # how far the error pulls the membrane; beta is 1
OMEGA = (0.49, 1.07, 1.98)              # of the three sines that are the input
RATE, ADJOINT_RATE = 0.02, 0.07         # of SGD, per unit of time
MOMENTUM = 0.9
STEPS, LEARN_FROM = 100_100, 8_000
SIZE = 0.5, 1.5                         # smallest and largest weight (ours)
STUDENTS = 20                           # of as many teachers, from one seed (ours)
WINDOW, TAIL = 308, 308                 # of the adjoint: steps that it gives, steps that it also looks at (ours)
BEAT = 204                              # windows: 200 pi, after which the three sines come together again
LEARNT = 0.1                            # of the distance at the start is left (ours)
ROLES = ("teacher", "frozen", "local", "adjoint")
LAYERS = ("hidden_1", "hidden_2", "output")


def adjoint(layers: list[Layer], trail: list[list[State]], error: Tensor, *, dt: float,
            unrolled: bool = False) -> list[Tensor]:
    """Return lambda (step, out) of each layer, backwards from the end of a window.

        alpha = phi' o W_above^T lambda_above           (top layer: phi' o error)
        lambda[n] = dt/tau_m (alpha[n+1] - tau_r/dt (alpha[n+1] - alpha[n])) + exp(-dt/tau_m) lambda[n+1]

    with alpha = lambda = 0 behind the end. trail: the states before the window and after each step;
    error (step, out): minus the gradient of the loss by the output that the step has made.

    This is the paper's. It ignores that a value takes a step from layer to layer, and integrates exactly
    what Euler steps approximate. unrolled=True has alpha[n] from lambda_above[n+1] and decays by
    1 - dt/tau_m: the gradient through the unrolled gle_step, to rounding, if gamma is 0.
    """
    signals, above = [], error
    for i in reversed(range(len(layers))):
        layer = layers[i]
        leak = dt / layer.tau_m
        alpha = above * torch.cat([states[i].rp for states in trail[1:]])
        drive = leak * (_later(alpha) - layer.tau_r / dt * (_later(alpha) - alpha))
        decay, rows = 1 - leak if unrolled else torch.exp(-leak), [torch.zeros_like(leak)]
        for row in drive.flip(0):
            rows.append(torch.addcmul(row, decay, rows[-1]))
        signals.insert(0, torch.stack(rows[:0:-1]))
        above = (_later(signals[0]) if unrolled else signals[0]) @ layer.weight
    return signals


def _later(rows: Tensor) -> Tensor:
    return torch.cat([rows[1:], torch.zeros_like(rows[:1])])


def gradient(signals: list[Tensor], x: Tensor, trail: list[list[State]], *, dt: float) -> list[Tensor]:
    """Return dW = -dt sum lambda r_pre^T of each layer; the local rule's has eps in the place of lambda."""
    pre = [x, *(torch.cat([states[i].r for states in trail[:len(x)]]) for i in range(len(signals) - 1))]
    return [-dt * signal.T @ r for signal, r in zip(signals, pre, strict=True)]


def draw(pairs: int, signed: bool, generator: torch.Generator) -> list[Layer]:
    """Draw ROLES x pairs nets side by side in one: its weights are block-diagonal, its inputs copies.

    A teacher differs from the others of its pair in the size of its input weights alone. Weights are
    positive, or of either sign: then paths through slow and through fast neurons may cancel.
    """
    layers, sizes = [], [1, *map(len, TAU_R)]
    for i, (tau_r, phi) in enumerate(zip(TAU_R, PHI, strict=True)):
        shape = pairs, sizes[i + 1], sizes[i]
        size, coin = (torch.rand(n, *shape, generator=generator, dtype=torch.float64) for n in (2, 1))
        kinds = torch.where((coin < 0.5) & signed, -1, 1) * (SIZE[0] + (SIZE[1] - SIZE[0]) * size)
        each = torch.cat([kinds[int(i == 0 and role != "teacher")] for role in ROLES])
        tau_r = torch.tensor(tau_r, dtype=torch.float64).repeat(len(each))
        layers.append(Layer(torch.block_diag(*each), 0 * tau_r, 0 * tau_r + TAU_M, tau_r, phi))
    return layers


def blocks(weight: Tensor, nets: int) -> Tensor:
    """View the diagonal blocks of a weight or of its gradient, as (out, in, net)."""
    return weight.view(nets, len(weight) // nets, nets, -1).diagonal(0, 0, 2)


@torch.no_grad()
def lagnet(prospective: bool = True, *, signed: bool = False, seed: int = 0, steps: int = STEPS,
           students: int = STUDENTS) -> dict:
    """Compare the local rule with the adjoint, on frozen students and on learning ones.

    Returns least, median and largest of the frozen students': cosine and norm, by layer, of the local
    gradient against the adjoint's, both over up to BEAT windows; phase, by neuron and OMEGA, the degrees
    between eps and lambda over the same ticks; and of the learning ones' distance from the teacher's
    input weights: at the start, after the local rule, after the adjoint. learnt: how many came near.
    """
    least = LEARN_FROM + WINDOW + TAIL + 1
    if steps < least:
        raise ValueError(f"steps must be at least {least}, not {steps}")
    torch.set_num_threads(1)        # the products are too small for a second one
    layers, nets = draw(students, signed, torch.Generator().manual_seed(seed)), students * len(ROLES)
    of = {role: slice(i * students, (i + 1) * students) for i, role in enumerate(ROLES)}
    turn = DT * torch.arange(steps, dtype=torch.float64)[:, None] * torch.tensor(OMEGA, dtype=torch.float64)
    x, wave = torch.sin(turn).sum(1, keepdim=True).expand(-1, nets), torch.exp(-1j * turn)
    weight, states = blocks(layers[0].weight, nets), initial_state(layers, 1)
    speed, trail, errors, eps, windows = 0, [], [], [], 0
    sums = [[0, 0, 0, 0] for _ in layers]
    for n in range(steps):
        output = states[-1].r       # of the step before, as is the teacher's
        error = output[:, of["teacher"]].repeat(1, len(ROLES)) - output
        trail.append(states)
        errors.append(error)        # of what the step before has made
        states, gradients = gle_step(layers, states, x[n:n + 1], error, dt=DT, gamma=GAMMA, prospective=prospective)
        if n < LEARN_FROM:
            trail, errors = [], []
            continue
        eps.append([-g.bias for g in gradients])
        speed = MOMENTUM * speed + DT * blocks(gradients[0].weight, nets)[..., of["local"]]
        weight[..., of["local"]] -= RATE * speed
        if len(trail) > WINDOW + TAIL:
            begin = n - WINDOW - TAIL
            lam = [a[:WINDOW] for a in adjoint(layers, trail, torch.cat(errors[1:]), dt=DT)]
            local = [torch.stack(rows) for rows in zip(*eps[:WINDOW], strict=True)]
            now = [gradient(a, x[begin:begin + WINDOW], trail, dt=DT) for a in (local, lam)]
            parts = [[wave[begin:begin + WINDOW].T @ a.to(wave.dtype) for a in signals] for signals in (local, lam)]
            weight[..., of["adjoint"]] -= ADJOINT_RATE / (1 - MOMENTUM) * blocks(now[1][0], nets)[..., of["adjoint"]]
            if windows < BEAT:
                sums = [[a + b for a, b in zip(total, terms, strict=True)]
                        for total, *terms in zip(sums, *now, *parts, strict=True)]
            windows += 1
            del trail[:WINDOW], errors[:WINDOW], eps[:WINDOW]

    figures = {"cosine": {}, "norm": {}, "phase": {}}
    for name, (p, q, a, b) in zip(LAYERS, sums, strict=True):
        p, q = (blocks(a, nets)[..., of["frozen"]].flatten(0, 1) for a in (p, q))
        figures["cosine"][name] = _spread((p * q).sum(0) / (p.norm(dim=0) * q.norm(dim=0)))
        figures["norm"][name] = _spread(p.norm(dim=0) / q.norm(dim=0))
        phase = torch.rad2deg((a / b).angle().abs()).view(len(OMEGA), nets, -1)[:, of["frozen"]]
        for neuron, kind in enumerate(("",) if name == "output" else ("_fast", "_slow")):
            figures["phase"][name + kind] = [_spread(row) for row in phase[..., neuron]]
    away = {role: (weight[..., of[role]] - weight[..., of["teacher"]]).flatten(0, 1).norm(dim=0) for role in ROLES[1:]}
    figures["distance"] = {"start" if role == "frozen" else role: _spread(a) for role, a in away.items()}
    figures["learnt"] = {role: (away[role] < LEARNT * away["frozen"]).sum().item() for role in ROLES[2:]}
    return figures | {"students": students, "steps": steps}


def _spread(values: Tensor) -> list[float]:
    return [values.min().item(), values.median().item(), values.max().item()]
