"""Group `cascade.noise` of `leadlag bench`: frames with noise, held or new at every step; which images exit late."""

import numpy as np

from golden.cascade.trained import CascadeTrained
from golden.recipe import load
from leadlag.bench.cascade import NAME, softmax, trained
from leadlag.terminal import status

#: deviation of the noise on a pixel, 1 is its full scale; what is learnt from has none, or this
NOISE = 0.25
EPOCHS = 4      # with it
SEED = 1711
#: of images by typicality; the threshold of the largest softmax at which they exit
PARTS, EXIT = 5, 0.9


def noise(console) -> dict:
    """Accuracy by step of noisy frames, persistent and transient, against the plain network; exits by typicality."""
    recipe, rows = load(NAME), []
    data = recipe.found()
    asked, steps = data.load("test"), len(recipe.channels)
    nets = {(kind, learnt): trained(kind, 0, console, **({"noise": learnt, "epochs": EPOCHS} if learnt else {}))
            for kind in ("td", "label_last_step") for learnt in (0.0, NOISE)}
    for shown, frames in streams(asked.x, steps).items():
        with status(console, f"cascade: {shown} noise"):
            for (kind, learnt), net in nets.items():
                accuracy = (cascaded if kind == "td" else plain)(net, frames, asked.y)
                rows.append({"network": "cascade" if kind == "td" else "plain, answers averaged",
                             "learnt_with_noise": learnt, "frames": shown, "accuracy_steps": accuracy})
    return {"noise": NOISE, "noise_epochs": EPOCHS, "test_images": len(asked.y), "rows": rows} | typicality(console)


def streams(x: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """Frames uint8 (n, steps, pixels) of images: clean, with the same noise in each frame, and with new noise."""
    rng = np.random.default_rng(SEED)

    def noisy(count: int) -> np.ndarray:
        drawn = rng.standard_normal((len(x), count, x.shape[1]), np.float32)
        return np.rint(x[:, None] + 256 * NOISE * drawn).clip(0, 255).astype(np.uint8)
    return {"clean": np.broadcast_to(x[:, None], (len(x), steps, x.shape[1])),
            "persistent": np.broadcast_to(noisy(1), (len(x), steps, x.shape[1])), "transient": noisy(steps)}


def cascaded(net: CascadeTrained, frames: np.ndarray, label) -> list[float]:
    """Accuracy of a cascaded network after each frame."""
    from golden.train.cascade_stream import float_stream
    return _right(float_stream(net, frames), label)


def plain(net: CascadeTrained, frames: np.ndarray, label) -> list[float]:
    """Accuracy of the same network without delay, whose answers (softmax) to the frames so far are averaged."""
    from golden.train import cascade as trainer
    still = frames.strides[1] == 0
    found = [trainer.float_steps(net, frames[:, t], "serial")[:, -1] for t in range(1 if still else frames.shape[1])]
    return _right(softmax(np.stack(found * (frames.shape[1] if still else 1), 1)).cumsum(1), label)


def _right(scores: np.ndarray, label) -> list[float]:
    return [round(float(value), 4) for value in (scores.argmax(2) == np.asarray(label)[:, None]).mean(0)]


def typicality(console) -> dict:
    """Mean exit step of test images by how typical they are: what another network gives their label at its end.

    The other one is the plain network of the same shape, so that no answer of the cascade counts for itself.
    """
    from golden.train import cascade as trainer
    asked = load(NAME).found().load("test")
    with status(console, "cascade: typical images"):
        other = trainer.float_steps(trained("label_last_step", 0, console), asked.x, "serial")[:, -1]
        logits = trainer.float_steps(trained("td", 0, console), asked.x)
    typical = softmax(other)[np.arange(len(asked.y)), asked.y]
    sure = softmax(logits).max(2) >= EXIT
    step = np.where(sure.any(1), sure.argmax(1), logits.shape[1] - 1)
    parts = np.array_split(np.argsort(typical, kind="stable"), PARTS)
    return {"exit_threshold": EXIT, "exit_step_by_typicality": [round(float(step[part].mean()), 3) for part in parts],
            "exit_step_rank_correlation": round(float(np.corrcoef(ranks(typical), ranks(step))[0, 1]), 3)}


def ranks(values: np.ndarray) -> np.ndarray:
    """Rank of each value, the mean one where several are equal."""
    ordered = np.sort(values)
    return (np.searchsorted(ordered, values) + np.searchsorted(ordered, values, side="right") - 1) / 2


GROUPS = {"cascade.noise": noise}
