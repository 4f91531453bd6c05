"""The neural predictors of golden.train.pm: two small networks, one for all rates and one for all errors [derived].

    m[n + D] ~ m[n] + w2 tanh(W1 x + b1) + b2        x_j = m[n - js] - m[n - (j+1)s]

They learn by themselves from messages of networks without delay, of seeds of their own, and are then frozen; a
message takes (inputs + 1) hidden multiplies a tick. Rates are taken of the whole run. Errors are taken of its first
EARLY ticks only: later ones are what cannot be learnt, and a predictor of those leads what can be learnt into a wrong
phase. Noise on the inputs bounds the gain. Training starts at the best linear predictor.
"""

import numpy as np
import torch

from golden.train import pm
from golden.train.pm import Neural

SEEDS = (1000, 1001, 1002)      # networks whose messages are learnt
EARLY = 3000                    # ticks of errors
STEPS, BATCH, RATE = 1000, 2048, 3e-3
LINEAR = 0.3                    # standard deviation of the hidden sums that training starts with


def record(seeds=SEEDS, ms: float = pm.MS) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Rates and errors (tick, neuron) of networks without delay, an array a seed."""
    rates, errors = [], []
    for seed in seeds:
        r, e = [], []

        def keep(net, r=r, e=e):
            r.append(net.arrived[0])
            e.append(net.blamed[0])
        pm.fourier_run(0, seed=seed, ms=ms, record=keep)
        rates.append(np.array(r))
        errors.append(np.array(e)[:EARLY])
    return rates, errors


def examples(messages: list[np.ndarray], delay: int, inputs: int, spacing: int, every: int = 5):
    """Inputs (example, input) and what they should say, m[n + D] - m[n] (example,)."""
    x, y = [], []
    for m in messages:
        n = np.arange(inputs * spacing, len(m) - delay, every)
        seen = np.stack([m[n - j * spacing] for j in range(inputs + 1)], -1)
        x.append((seen[..., :-1] - seen[..., 1:]).reshape(-1, inputs))
        y.append((m[n + delay] - m[n]).ravel())
    return np.concatenate(x), np.concatenate(y)


def spread(inputs: int) -> np.ndarray:
    """Covariance of differences of independent noise of unit size: (input, input)."""
    return 2 * np.eye(inputs) - np.eye(inputs, k=1) - np.eye(inputs, k=-1)


def train_one(x, y, *, hidden: int, noise: float, steps: int = STEPS, seed: int = 0) -> Neural:
    """A net for examples of `examples`; noise in the unit of the messages."""
    generator, rng, n = torch.Generator().manual_seed(seed), np.random.default_rng(seed), x.shape[1]
    scale, covariance = float(y.std()), x.T @ x / len(x) + noise ** 2 * spread(n)
    # neighbouring messages are much alike: gradients need inputs without correlation, z = x whiten
    whiten = np.linalg.inv(np.linalg.cholesky(covariance)).T
    best = np.linalg.solve(covariance, x.T @ y / len(x))
    size = (x @ best).std()
    share = rng.normal(0, 1, hidden)
    share /= np.linalg.norm(share)
    w1 = np.outer(share, np.linalg.solve(whiten, best)) * LINEAR / size + rng.normal(0, 0.02, (hidden, n))
    parts = [torch.tensor(part, dtype=torch.float32, requires_grad=True)
             for part in (w1, np.zeros(hidden), share * size / scale / LINEAR, np.zeros(()))]
    zs, ys = torch.tensor(x @ whiten, dtype=torch.float32), torch.tensor(y / scale, dtype=torch.float32)
    whitened = torch.tensor(whiten, dtype=torch.float32)
    optimiser = torch.optim.Adam(parts, lr=RATE)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        chosen = torch.randint(len(zs), (BATCH,), generator=generator)
        jitter = noise * torch.randn(BATCH, n + 1, generator=generator)
        given = zs[chosen] + (jitter[:, :-1] - jitter[:, 1:]) @ whitened
        said = torch.tanh(given @ parts[0].T + parts[1]) @ parts[2] + parts[3]
        loss = (said - ys[chosen]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        decay.step()
    w1, b1, w2, b2 = (part.detach().double().numpy() for part in parts)
    return Neural(w1 @ whiten.T, b1, w2 * scale, float(b2) * scale)


def train_neural(delay: int, *, inputs: int = 8, hidden: int = 4, spacing: int = 25, noise: float = 0.03,
                 seeds=SEEDS, steps: int = STEPS, ms: float = pm.MS) -> tuple[Neural, Neural]:
    """The predictors of rates and of errors for a delay in ticks; the same again for the same arguments.

    noise of the inputs is in standard deviations of the messages: the longer the delay, the more of it helps.
    """
    if not pm.check_delay(delay):
        raise ValueError("without a delay there is nothing to predict")
    found, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for messages in record(seeds, ms):
            size = float(np.sqrt(np.mean([m.var(0).mean() for m in messages])))
            x, y = examples(messages, delay, inputs, spacing)
            found.append(train_one(x, y, hidden=hidden, noise=noise * size, steps=steps))
    finally:
        torch.set_num_threads(threads)
    return tuple(found)


def to_lists(nets: tuple[Neural, Neural]) -> list:
    """Parts as JSON holds them; golden.train.pm.predictor takes them."""
    return [[np.asarray(part).tolist() for part in net] for net in nets]
