"""Autoregressive video prediction: an LE network whose messages are late, with and without prospective messaging.

A network 512-64-256 sees a frame and how it has changed over the last interval, and learns the frame one interval
later, at every tick. Between two frames the picture fades from one to the other in TICKS ticks. Rolled out, it goes on
from its own predictions: what it said at a frame becomes the next frame that it is shown. The weights stand still then.

Rates and errors between the layers take DELAY ticks more than the one that two phases take, or none. Conditions:

    undelayed       no delay
    delayed         a delay, and nothing against it
    linear PM       the senders extrapolate along a line (golden.units.extrapolator)
    NLMS PM         the senders have learnt taps
    copy last       no network: the last true frame, the baseline of all
    mean frame      no network: the mean of all training frames

Source: [PM] (arXiv 2407.05494) has such a task; its data, sizes and delays are not public, these are our own.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from golden.data import video
from golden.files import write_json
from golden.fixed import QFormat, quantize
from golden.rate.compiled import CompiledLearner
from golden.rate.layer import Dense
from golden.rate.network import Network
from golden.rate.plastic import Plastic, Teacher
from golden.tasks.learning import Stream
from golden.units.dense import DenseParams
from golden.units.extrapolator import Predictor, identity
from leadlag import flow
from leadlag.provenance import provenance

PIXELS, HIDDEN, STREAMS = video.SIZE ** 2, 64, 16
TICKS, DELAY = 20, 8            # of an interval; of a message
TAU = 16                        # ticks, tau_m = tau_r
WINDOW, SETTLE = 22, 1          # intervals in a row that a stream is shown; of them, before it learns
WARM, STARTS = 2, 160           # true intervals before a roll-out; roll-outs at most
STEPS, SHOWN = 6, 2             # roll-out steps; roll-outs in the picture
CONTRAST = 2.0                  # of real video in the picture, against its mean frame
LINEAR = Predictor(kind="linear", history=DELAY)
TAPS, SPACING = 4, DELAY // 2
NLMS = Predictor(kind="fir", taps=TAPS, spacing=SPACING, history=(TAPS - 1) * SPACING + DELAY, rate=9, quiet=18)
CONDITIONS = {"undelayed": (0, None), "delayed": (DELAY, None), "linear PM": (DELAY, LINEAR),
              "NLMS PM": (DELAY, NLMS)}
BASELINES = ("copy last", "mean frame")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a video is learnt.

    gain: words are (pixel - mean frame) * gain; residual: the network predicts the change and not the frame;
    noise: deviation of what is added to every frame it learns from, in pixels of 0..1; blocks: of STREAMS windows.
    """

    gain: float
    residual: bool
    noise: float
    blocks: int


SETTINGS = {"digits": Setting(gain=1.0, residual=False, noise=0.0, blocks=80)}
#: 80 seconds of a fixed camera are learnt by heart without the noise
REAL = Setting(gain=4.0, residual=True, noise=0.075, blocks=80)


@dataclass(frozen=True)
class Result:
    """rows: {condition, step, mse}; strips: pictures by condition and "true", facts.

    strips: (SHOWN, 1 + steps, SIZE, SIZE) in 0..1, the last true frame first; real video against its mean frame.
    """

    name: str
    rows: list[dict]
    strips: dict[str, np.ndarray]
    facts: dict

    def mse(self, condition: str) -> list[float]:
        """Mean squared error of each step, pixels in 0..1."""
        return [row["mse"] for row in self.rows if row["condition"] == condition]


def video_net(delay: int = 0, predictor: Predictor | None = None) -> Network:
    """The network, whose rates and errors are `delay` ticks late, as the senders' predictor makes up for."""
    def layer(inputs, outputs, activation, operand, rate, **way):
        own = Plastic(error=QFormat(2, 14), slope=QFormat(1, 12), rate=10, halvings=2)
        return Dense(inputs=inputs, outputs=outputs, activation=activation, operand=operand, weight=QFormat(3, 14),
                     state=QFormat(3, 12), lead=QFormat(1, 14), lag=QFormat(0, 17), rate=rate, lanes=32, plastic=own,
                     **way)
    message, late = QFormat(1, 12), {}
    if delay:
        late = {"delay": delay, "max_delay": delay, "predictor": predictor, "error_delay": delay,
                "max_error_delay": delay, "error_predictor": predictor}
    return Network(name="video", dt=1.0, teacher=Teacher(loss="squared_error", streams=STREAMS), layers=(
        layer(2 * PIXELS, HIDDEN, "tanh", QFormat(3, 12), message),
        layer(HIDDEN, PIXELS, "linear", message, QFormat(2, 12), **late)))


def start(net: Network, seed: int) -> tuple[DenseParams, ...]:
    """Weights N(0, 1/inputs), half as wide in the last layer; no biases; taps that repeat the last word."""
    rng, found = np.random.default_rng(seed), []
    for layer, width in zip(net.layers, (1.0, 0.5), strict=True):
        weight = rng.normal(0, width / np.sqrt(layer.inputs), layer.shape("weight"))
        both = {"taps": layer.predictor, "error_taps": layer.error_predictor}
        found.append(DenseParams(
            weight=quantize(weight, layer.weight), bias=np.zeros(layer.outputs, np.int64),
            lead=quantize(np.ones(layer.outputs), layer.lead), lag=quantize(np.full(layer.outputs, 1 / TAU), layer.lag),
            **{name: identity(both[name], layer.inputs) for name in layer.taps}))
    return tuple(found)


def fade(shown) -> np.ndarray:
    """Frames (..., n, pixels) as ticks (..., (n - 1) * TICKS, pixels); the last tick of an interval is its frame."""
    share = (np.arange(1, TICKS + 1) / TICKS)[:, None]
    ticks = shown[..., :-1, None, :] * (1 - share) + shown[..., 1:, None, :] * share
    return ticks.reshape(*shown.shape[:-2], -1, shown.shape[-1])


def seen(shown, net: Network) -> np.ndarray:
    """Input words of frames (streams, n + 2, pixels): (n * TICKS, streams, inputs), the picture and its change."""
    ticks = fade(shown)
    now = ticks[:, TICKS:]
    words = quantize(np.concatenate([now, now - ticks[:, :-TICKS]], -1), net.layers[0].operand, clip_range=True)
    return words.swapaxes(0, 1)


def block(net: Network, clips: video.Clips, mean, setting: Setting, rng: np.random.Generator) -> Stream:
    """A window of a clip, chosen at random, for each stream."""
    intervals = min(WINDOW, (clips.train.shape[1] - 1) // clips.every - 2)
    if intervals <= SETTLE:
        raise ValueError(f"{clips.name} has {clips.train.shape[1]} frames to learn from, "
                         f"{(SETTLE + 3) * clips.every + 1} at least")
    span = clips.every * (intervals + 2)
    clip, first = rng.integers(len(clips.train), size=STREAMS), rng.integers(clips.train.shape[1] - span, size=STREAMS)
    frames = clips.train[clip[:, None], first[:, None] + clips.every * np.arange(intervals + 3)]
    clean = (frames.reshape(STREAMS, -1, PIXELS) - mean) * setting.gain
    noisy = clean + rng.normal(0, setting.noise * setting.gain, clean.shape)
    ticks = fade(clean)
    target = ticks[:, 2 * TICKS:] - (ticks[:, TICKS:-TICKS] if setting.residual else 0)
    # the output that meets a target is that of the tick before
    target = np.roll(quantize(target, net.layers[-1].rate, clip_range=True).swapaxes(0, 1), 1, axis=0)
    learn = (np.arange(len(target)) >= SETTLE * TICKS)[:, None]
    return Stream(x=seen(noisy[:, :-1], net), target=target, learn=learn)


def train(net: Network, clips: video.Clips, mean, setting: Setting, seed: int, progress=None) -> CompiledLearner:
    """A learner after all blocks: the rate is halved at half of them and at three quarters."""
    learner, rng = CompiledLearner(net, start(net, seed)), np.random.default_rng(seed)
    for n in range(setting.blocks):
        part = block(net, clips, mean, setting, rng)
        learner.run(part.x, part.target, first=True, learn=part.learn,
                    halve=(2 * n >= setting.blocks) + (4 * n >= 3 * setting.blocks))
        if progress is not None:
            progress(n + 1)
    return learner


def starts(clips: video.Clips, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """True frames before and at the start of roll-outs (n, WARM + 2, pixels), and after it (n, steps, pixels)."""
    span = (WARM + 1 + steps) * clips.every
    length = clips.held_out.shape[1]
    if length <= span:
        raise ValueError(f"{clips.name} has {length} frames held out, {steps} steps need {span + 1}")
    flat = clips.held_out.reshape(len(clips.held_out), length, PIXELS)
    places = np.array([(clip, first) for clip in range(len(flat)) for first in range(length - span)])
    places = places[np.linspace(0, len(places) - 1, min(STARTS, len(places))).astype(int)]
    found = flat[places[:, :1], places[:, 1:] + clips.every * np.arange(WARM + 2 + steps)]
    return found[:, :WARM + 2], found[:, WARM + 2:]


def roll_out(learner: CompiledLearner, before, steps: int, mean, setting: Setting) -> np.ndarray:
    """Predicted frames (n, steps, pixels) in 0..1 that follow `before` (n, WARM + 2, pixels)."""
    net, shown = learner.net, before
    for _ in range(steps):
        said = learner.infer(seen((shown - mean) * setting.gain, net))[-1] * net.layers[-1].rate.lsb / setting.gain
        next_frame = (said + (shown[:, -1] if setting.residual else mean)).clip(0, 1)
        shown = np.concatenate([shown, next_frame[:, None]], 1)
    return shown[:, before.shape[1]:]


def experiment(name: str = "digits", *, steps: int = STEPS, seed: int = 0, setting: Setting | None = None,
               progress=None) -> Result:
    """All conditions on the same frames and from the same weights; `progress(text)` says how far it is."""
    if not 1 <= steps <= 30:
        raise ValueError(f"steps must be in 1..30, not {steps}")
    clips = video.frames(name)
    setting = setting or SETTINGS.get(name, REAL)
    mean = clips.train.reshape(-1, PIXELS).mean(0)
    before, after = starts(clips, steps)
    found = {"copy last": np.repeat(before[:, -1:], steps, 1),
             "mean frame": np.broadcast_to(mean, after.shape)}
    saturated = []
    for condition, (delay, predictor) in CONDITIONS.items():
        net = video_net(delay, predictor)
        learner = train(net, clips, mean, setting, seed, progress and (
            lambda n, condition=condition: progress(f"{clips.name}, {condition}: block {n} of {setting.blocks}")))
        found[condition] = roll_out(learner, before, steps, mean, setting)
        saturated += [condition] * any(learner.overflow)
    rows = [{"condition": condition, "step": step + 1,
             "mse": float(((found[condition][:, step] - after[:, step]) ** 2).mean())}
            for condition in (*CONDITIONS, *BASELINES) for step in range(steps)]
    strips = _strips({"true": after, **found}, before[:, -1:], mean if setting.residual else None)
    return Result(clips.name, rows, strips, {
        "seed": seed, "delay": DELAY, "ticks_per_frame": TICKS, "roll_outs": len(after), "steps": steps,
        "ticks": learner.ticks, "errors_saturated": saturated,
        "residual": setting.residual, "noise": setting.noise, "frames_ahead": clips.every})


def _strips(found: dict, now, mean) -> dict[str, np.ndarray]:
    """Pictures of the roll-outs with the most change out of SHOWN equal parts of all.

    found: frames (n, steps, pixels) by condition and "true"; now: the last true frames (n, 1, pixels); mean: the frame
    that they are shown against, or None.
    """
    change = ((found["true"] - now) ** 2).mean((1, 2))
    parts = np.array_split(np.arange(len(now)), min(SHOWN, len(now)))
    chosen, strips = np.array([part[change[part].argmax()] for part in parts]), {}
    for name, frames in found.items():
        shown = np.concatenate([now[chosen], frames[chosen]], 1).astype(np.float64)
        if mean is not None:
            shown = (0.5 + CONTRAST * (shown - mean)).clip(0, 1)
        strips[name] = shown.reshape(*shown.shape[:2], video.SIZE, video.SIZE).round(3)
    return strips


def folder(name: str) -> Path:
    """Where results go: build/video/NAME of a name or path that `experiment` takes."""
    return flow.BUILD / "video" / Path(name).stem


def write_page(result: Result, command: str) -> Path:
    """The errors and a strip of pictures a condition, into `folder`."""
    from leadlag.report.page import write_report
    about, facts, out = provenance(), result.facts, folder(result.name)
    write_json(out / "rows.json", result.rows)
    order = ("true", *CONDITIONS, *BASELINES)
    return write_report({
        "title": f"Video prediction: {result.name}", "commands": [command], "tools": about["tools"],
        "commit": about["commit"], "date": about["date"], "seeds": {"weights and windows": facts["seed"]},
        "lines": {"x": "roll-out step", "y": "mean squared error x 1000", "label": (
            f"Pixels in 0..1, mean of {facts['roll_outs']} roll-outs over frames that were held out, by the integer "
            f"network. Rates and errors between its layers are late by {facts['delay']} of the "
            f"{facts['ticks_per_frame']} ticks of an interval; prospective messaging (PM) predicts them at the "
            f"sender. The network says {'how the frame changes' if facts['residual'] else 'the next frame'}; frames "
            f"that it learnt from had noise of {facts['noise']:g}."),
            "series": [{"name": name, "values": [1000 * mse for mse in result.mse(name)], "dashed": name in BASELINES}
                       for name in order[1:]]},
        "strip": {"label": "What follows the last true frame (0), by roll-out step" + (
                      f"; against the mean frame, {CONTRAST:g} times the contrast" if facts["residual"] else ""),
                  "columns": [str(step) for step in range(facts["steps"] + 1)],
                  "groups": [[{"name": name, "frames": result.strips[name][n]} for name in order]
                             for n in range(len(result.strips["true"]))]},
    }, out)
