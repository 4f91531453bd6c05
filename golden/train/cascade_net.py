"""The cascaded residual network in torch: block by block with time in the batch axis, and as a literal loop over time.

    h_0[t] = relu(norm(conv x))                                       the stem, not delayed
    R_k[t] = norm(conv relu(norm(conv h_{k-1}[t])))                   the residual branch of block k = 1..N
    h_k[t] = relu(shortcut_k(h_{k-1}[t]) + R_k[t-1]),  R_k[-1] = 0    a step later; the shortcut is not delayed
    logits[t] = W mean(h_N[t]) + b,  t = 0..N

(arXiv 2102.09808, figure 1.) Serial: block k counts from step k on. Smooth: S_k[t] = a S_k[t-1] + (1-a) R_k[t] takes
the place of R_k[t-1]. Of a still image block k sees k inputs only, h_{k-1}[min(t, k-1)]: block by block, each is
computed once, N(N+1)/2 branches and not N(N+1), in one call a block.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

EPS = 1e-5      # under the square root of a norm


class Norm(nn.Module):
    """Batch norm whose statistics are shared by all steps (rows = 1) or are a step's own, row min(t, rows - 1)."""

    def __init__(self, channels: int, rows: int, eps: float = EPS):
        super().__init__()
        self.eps, self.rows = eps, rows
        self.scale, self.bias = (nn.Parameter(fill(rows, channels)) for fill in (torch.ones, torch.zeros))
        self.register_buffer("mean", torch.zeros(rows, channels))
        self.register_buffer("variance", torch.ones(rows, channels))

    def forward(self, x: Tensor, steps: int = 1, first: int = 0) -> Tensor:
        """Normalise x (steps * batch, channels, rows, columns), of the steps from `first` on."""
        if self.rows == 1:
            return self._row(x, 0)
        return torch.cat([self._row(part, min(first + n, self.rows - 1)) for n, part in enumerate(x.chunk(steps))])

    def _row(self, x: Tensor, row: int) -> Tensor:
        return functional.batch_norm(x, self.mean[row], self.variance[row], self.scale[row], self.bias[row],
                                     training=self.training, eps=self.eps)

    def folded(self) -> tuple[Tensor, Tensor]:
        """Scale and bias (rows, channels) of the same affine function, with the statistics of training."""
        scale = self.scale / (self.variance + self.eps).sqrt()
        return scale.detach(), (self.bias - self.mean * scale).detach()


class Block(nn.Module):
    """A residual block: its branch, and a shortcut without norm where the shape changes."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, rows: int, eps: float = EPS):
        super().__init__()
        pad = kernel // 2
        self.conv1 = nn.Conv2d(inputs, outputs, kernel, stride, pad, bias=False)
        self.conv2 = nn.Conv2d(outputs, outputs, kernel, 1, pad, bias=False)
        self.norm1, self.norm2 = Norm(outputs, rows, eps), Norm(outputs, rows, eps)
        changes = inputs != outputs or stride != 1
        self.across = nn.Conv2d(inputs, outputs, 1, stride, bias=False) if changes else nn.Identity()

    def hidden(self, h: Tensor, steps: int = 1, first: int = 0) -> Tensor:
        """The map between the two convolutions."""
        return self.norm1(self.conv1(h), steps, first).relu_()

    def branch(self, h: Tensor, steps: int = 1, first: int = 0) -> Tensor:
        """R of the inputs of `steps` steps, stacked, the first of which is that of step `first`."""
        return self.norm2(self.conv2(self.hidden(h, steps, first)), steps, first)


class Join(torch.autograd.Function):
    """relu(straight[t] + late[t-1]) for t = 0..k, stacked, of k stacked inputs.

    straight[k] = straight[k-1], late[-1] = 0. A function of its own: the gradients of slices would be written whole and
    summed, and maps lose the order of memory in which convolutions are fast.
    """

    @staticmethod
    def forward(ctx, straight: Tensor, late: Tensor, n: int) -> Tensor:
        out = torch.cat([straight, straight[-n:]])
        out[n:] += late
        out.relu_()
        ctx.save_for_backward(out)
        ctx.n = n
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):
        out, = ctx.saved_tensors
        grad = torch.empty_like(out).copy_(grad).mul_(out > 0)
        straight = grad[:-ctx.n].clone()
        straight[-ctx.n:] += grad[-ctx.n:]
        return straight, grad[ctx.n:], None


class Cascade(nn.Module):
    """Stem, residual blocks and one head, or a head a step.

    shape (height, width, channels) of an image; channels and strides: of the stem, then of each block; alpha: of the
    smooth kernel, None for the delay; rows: "shared" or "step", statistics of norms.
    """

    def __init__(self, *, shape, channels, strides, kernel: int, classes: int, heads: int = 1, norm: str = "shared",
                 alpha: float | None = None, eps: float = EPS):
        super().__init__()
        self.alpha, self.steps = alpha, len(channels)
        self.stem = nn.Conv2d(shape[2], channels[0], kernel, strides[0], kernel // 2, bias=False)
        self.norm = Norm(channels[0], 1, eps)
        count = [self.distinct(k) if norm == "step" else 1 for k in range(1, self.steps)]
        self.blocks = nn.ModuleList(
            Block(into, out, kernel, stride, rows, eps)
            for into, out, stride, rows in zip(channels[:-1], channels[1:], strides[1:], count, strict=True))
        self.head = nn.Parameter(torch.zeros(heads, classes, channels[-1]))
        self.offset = nn.Parameter(torch.zeros(heads, classes))

    def distinct(self, k: int) -> int:
        """How many inputs of block k = 1..N differ while an image stands still."""
        return k if self.alpha is None else 1 if k == 1 else self.steps

    def started(self, generator: torch.Generator) -> "Cascade":
        """With weights as drawn: normal, of variance 2 over the fan-out (He et al., arXiv 1502.01852)."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        nn.init.uniform_(self.head, -self.head.shape[-1] ** -0.5, self.head.shape[-1] ** -0.5, generator=generator)
        return self

    # ---- block by block

    def forward(self, x: Tensor, scheme: str = "parallel") -> Tensor:
        """Logits (steps, n, classes) of images x (n, channels, height, width)."""
        h, steps = self.first(x), 1
        for k in range(1, self.steps):
            h, steps = self.after(k, h, steps, scheme)
        return self.read(h.mean((2, 3)).unflatten(0, (self.steps, len(x))))

    def first(self, x: Tensor) -> Tensor:
        """h_0 of images."""
        return self.norm(self.stem(x)).relu_()

    def after(self, k: int, h: Tensor, steps: int, scheme: str = "parallel") -> tuple[Tensor, int]:
        """From h of block k - 1 in its first steps, stacked, to that of block k, and in how many steps it differs."""
        block = self.blocks[k - 1]
        if scheme == "serial":
            return self._serial(block, h, k), k + 1
        if self.alpha is None:
            return Join.apply(block.across(h), block.branch(h, steps), len(h) // steps), steps + 1
        return self._smooth(block, h, steps), self.steps

    def final(self, x: Tensor) -> Tensor:
        """Logits (n, classes) of the last step alone, which are those of the residual network without any delay."""
        h = self.first(x)
        for k, block in enumerate(self.blocks, 1):
            h = functional.relu(block.across(h) + block.branch(h, first=self.distinct(k) - 1))
        return functional.linear(h.mean((2, 3)), self.head[-1], self.offset[-1])

    def read(self, pooled: Tensor) -> Tensor:
        """Logits of pooled maps (steps, n, channels)."""
        if len(self.head) == 1:
            return functional.linear(pooled, self.head[0], self.offset[0])
        return torch.einsum("tnc,toc->tno", pooled, self.head) + self.offset[:, None]

    def _serial(self, block: Block, h: Tensor, k: int) -> Tensor:
        """Where the block counts from step k on: its input has come to rest by then."""
        straight, n = block.across(h), len(h) // k
        late = block.branch(h[-n:], first=self.distinct(k) - 1)
        return functional.relu(torch.cat([straight, straight[-n:] + late]))

    def _smooth(self, block: Block, h: Tensor, steps: int) -> Tensor:
        """With the smooth kernel: each step's residual is new."""
        straight, fresh = (part.chunk(steps) for part in (block.across(h), block.branch(h, steps)))
        state, found = torch.zeros_like(fresh[0]), []
        for t in range(self.steps):
            now = min(t, steps - 1)
            state = self.alpha * state + (1 - self.alpha) * fresh[now]
            found.append(functional.relu(straight[now] + state))
        return torch.cat(found)

    # ---- the literal loop

    def literal(self, x: Tensor, scheme: str = "parallel") -> Tensor:
        """What `forward` gives, one step after the other as the equations stand: every block works in every step."""
        late, found = [0.0] * len(self.blocks), []
        for t in range(self.steps):
            h = self.first(x)
            for k, block in enumerate(self.blocks, 1):
                fresh = block.branch(h, first=min(t, self.distinct(k) - 1))
                if self.alpha is not None:
                    late[k - 1] = fresh = self.alpha * late[k - 1] + (1 - self.alpha) * fresh
                    h = functional.relu(block.across(h) + fresh)
                    continue
                counts = scheme == "parallel" or t >= k
                h, late[k - 1] = functional.relu(block.across(h) + (late[k - 1] if counts else 0.0)), fresh
            found.append(h.mean((2, 3)))
        return self.read(torch.stack(found))


def targets(logits: Tensor, label: Tensor, decay: float) -> Tensor:
    """TD(lambda) targets (steps, n, classes) of logits like that and labels (n,) int64, without gradient.

    G_last = label, G_t = (1 - lambda) p_{t+1} + lambda G_{t+1}. lambda = 1: the label at every step.
    """
    p = logits.detach().softmax(2)
    found = [functional.one_hot(label, logits.shape[2]).to(p.dtype)]
    for t in range(len(logits) - 2, -1, -1):
        found.append((1 - decay) * p[t + 1] + decay * found[-1])
    return torch.stack(found[::-1])


def td_loss(logits: Tensor, label: Tensor, decay: float, since: int = 0) -> Tensor:
    """Sum over the steps from `since` on of the cross-entropy against `targets`, mean over images."""
    wanted = targets(logits, label, decay)
    return -(wanted * logits.log_softmax(2))[since:].sum((0, 2)).mean()
