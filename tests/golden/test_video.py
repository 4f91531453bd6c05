"""Video: the frames, what a network is shown and taught, its roll-outs, and bad input as one line."""

import json
import shutil
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from golden.data import video as data
from golden.fixed import quantize
from golden.units.extrapolator import Predictor
from leadlag.experiments import video

QUICK = video.Setting(gain=1.0, residual=False, noise=0.0, blocks=1)


def ramp_clips(every=1, count=40):
    """All pixels grow by 0.01 a frame from a random start: what comes next is known."""
    start = np.random.default_rng(0).uniform(0, 0.3, (3, 1, data.SIZE, data.SIZE))
    clips = (start + 0.01 * np.arange(count)[None, :, None, None]).astype(np.float32)
    return data.Clips("ramp", clips[:2], clips[2:], every)


def test_digits_bounce_smoothly_and_repeat():
    clips = data.frames("digits", seed=3)
    assert clips.train.shape == (90, 40, 16, 16)
    assert clips.held_out.shape == (30, 40, 16, 16)
    assert np.array_equal(clips.train, data.frames("digits", seed=3).train)
    assert not np.array_equal(clips.train, data.frames("digits", seed=4).train)
    whole = np.concatenate([clips.train, clips.held_out])
    assert whole.min() >= 0
    assert whole.max() <= 1 + 1e-6
    # sharing among pixels keeps the sum: nothing leaves the frame
    assert np.ptp(whole.sum((2, 3)), axis=1).max() < 1e-3
    rows = (whole.sum(3) * np.arange(16)).sum(2) / whole.sum((2, 3))
    assert np.abs(np.diff(rows)).max() <= data.DIGIT_SPEED[1] + 1e-3


def test_missing_files_and_bad_videos_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "VTEST", tmp_path / "none.avi")
    with pytest.raises(ValueError, match="apt install opencv-doc"):
        data.frames("vtest")
    with pytest.raises(ValueError, match="no video .*other"):
        data.frames(str(tmp_path / "other.avi"))
    broken = tmp_path / "broken.avi"
    broken.write_bytes(b"no video")
    if shutil.which("ffmpeg"):
        with pytest.raises(ValueError, match="ffmpeg cannot read"):
            data.frames(str(broken), cache=tmp_path)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ValueError, match="apt install ffmpeg"):
        data.frames(str(broken), cache=tmp_path)


def test_real_video_is_decoded_once(tmp_path, monkeypatch):
    if shutil.which("ffmpeg") is None:
        pytest.skip("ffmpeg is missing")
    path = tmp_path / "grey.avi"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=4", "-c:v",
                    "ffv1", str(path)], check=True)
    clips = data.frames(str(path), cache=tmp_path)
    assert (clips.name, clips.every) == ("grey", data.EVERY)
    assert clips.train.shape == (1, 30, 16, 16)
    assert clips.held_out.shape == (1, 10, 16, 16)
    assert 0 <= clips.train.min() < clips.train.max() <= 1
    monkeypatch.setattr(data, "_ffmpeg", None)
    assert np.array_equal(data.frames(str(path), cache=tmp_path).train, clips.train)
    next(tmp_path.glob("video-*.npz")).write_bytes(b"")
    with pytest.raises(ValueError, match="is damaged"):
        data.frames(str(path), cache=tmp_path)


def test_what_ffmpeg_gives_are_frames(monkeypatch):
    def gives(stdout, stderr=b"", returncode=0):
        def run(*arguments, capture_output, check):
            assert (capture_output, check) == (True, False)
            return SimpleNamespace(returncode=returncode, stdout=stdout, stderr=stderr)
        monkeypatch.setattr(data.subprocess, "run", run)
    monkeypatch.setattr("shutil.which", lambda name, path=None: name)
    gives(bytes(range(256)) * 3)
    found = data._ffmpeg("a.avi")
    assert (found.shape, found.dtype) == ((3, 16, 16), np.uint8)
    assert found[2, 1].tolist() == list(range(16, 32))
    for bad in ((b"x", b"first\nlast line\n", 1), (b"", b"last line")):
        gives(*bad)
        with pytest.raises(ValueError, match="ffmpeg cannot read a.avi: last line"):
            data._ffmpeg("a.avi")


def test_fade_ends_each_interval_at_its_frame():
    shown = np.random.default_rng(0).uniform(size=(2, 4, 5))
    ticks = video.fade(shown)
    assert ticks.shape == (2, 3 * video.TICKS, 5)
    assert np.allclose(ticks[:, video.TICKS - 1::video.TICKS], shown[:, 1:])
    assert np.allclose(ticks[:, video.TICKS // 2 - 1], shown[:, :2].mean(1))


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("residual", [False, True])
def test_targets_are_one_interval_ahead_of_the_tick_before(every, residual):
    net, clips, mean = video.video_net(), ramp_clips(every), 0.2
    setting = video.Setting(gain=2.0, residual=residual, noise=0.0, blocks=1)
    part = video.block(net, clips, np.full(video.PIXELS, mean), setting, np.random.default_rng(1))
    assert part.x.shape == (*part.target.shape[:2], 2 * video.PIXELS)
    picture, change = np.split(part.x * net.layers[0].operand.lsb, 2, axis=-1)
    step = 2.0 * 0.01 * every
    assert np.allclose(change, step, atol=1e-3)
    want = step if residual else picture[:-1] + step
    assert np.allclose(part.target[1:] * net.layers[-1].rate.lsb, want, atol=1e-3)
    assert not part.learn[:video.TICKS].any()
    assert part.learn[video.TICKS:].all()


def test_roll_out_is_fed_its_own_predictions():
    """A network that always says 0.25 more than the mean frame: that frame, and then that frame again."""
    net, mean = video.video_net(), np.full(video.PIXELS, 0.5)
    params = [p._replace(weight=p.weight * 0) for p in video.start(net, 0)]
    params[1] = params[1]._replace(bias=quantize(np.full(video.PIXELS, 0.25), net.layers[1].weight))
    learner = video.CompiledLearner(net, tuple(params))
    before, after = video.starts(ramp_clips(), 3)
    assert np.allclose(after[:, 0] - before[:, -1], 0.01, atol=1e-5)
    assert np.allclose(video.roll_out(learner, before, 3, mean, QUICK), 0.75, atol=1e-3)
    residual = video.Setting(gain=1.0, residual=True, noise=0.0, blocks=1)
    got = video.roll_out(learner, before, 3, mean, residual)
    want = (before[:, -1:] + 0.25 * np.arange(1, 4)[:, None]).clip(0, 1)
    assert np.allclose(got, want, atol=2e-3)


@pytest.mark.parametrize("condition", video.CONDITIONS)
def test_networks_differ_in_their_ways_alone(condition):
    delay, predictor = video.CONDITIONS[condition]
    net, plain = video.video_net(delay, predictor), video.video_net()
    top = net.layers[1]
    assert (top.delay, top.error_delay) == (delay, delay)
    assert top.predictor is predictor is top.error_predictor
    assert net.layers[0] == plain.layers[0]
    for mine, other in zip(video.start(net, 5), video.start(plain, 5), strict=True):
        assert np.array_equal(mine.weight, other.weight)


def test_no_delay_with_a_predictor_is_no_delay():
    assert video.video_net(0, Predictor(kind="linear", history=4)) == video.video_net()


def test_experiment_has_every_condition_and_step(monkeypatch, tmp_path):
    monkeypatch.setattr(video, "STARTS", 8)
    said = []
    result = video.experiment("digits", steps=2, setting=QUICK, progress=said.append)
    assert [(row["condition"], row["step"]) for row in result.rows] == [
        (name, step) for name in (*video.CONDITIONS, *video.BASELINES) for step in (1, 2)]
    assert all(0 < row["mse"] < 0.2 for row in result.rows)
    assert len(said) == len(video.CONDITIONS) * QUICK.blocks
    for strip in result.strips.values():
        assert strip.shape == (video.SHOWN, 3, 16, 16)
        assert np.array_equal(strip[:, 0], result.strips["true"][:, 0])
    copied = result.strips["copy last"]
    assert np.array_equal(copied[:, 1], copied[:, 0])
    monkeypatch.setattr(video.flow, "BUILD", tmp_path)
    page = video.write_page(result, "leadlag video")
    assert page == tmp_path / "video/digits/report.html"
    assert "NLMS PM" in page.read_text(encoding="utf-8")
    assert "<h2>Pictures</h2>" in page.read_text(encoding="utf-8")


def test_learning_beats_the_last_frame():
    """A few blocks already do, without a delay."""
    clips = data.frames("digits")
    mean = clips.train.reshape(-1, video.PIXELS).mean(0)
    setting = video.Setting(gain=1.0, residual=False, noise=0.0, blocks=8)
    learner = video.train(video.video_net(), clips, mean, setting, 0)
    before, after = video.starts(clips, 2)
    error = ((video.roll_out(learner, before, 2, mean, setting) - after) ** 2).mean((0, 2))
    copy = ((before[:, -1:] - after) ** 2).mean((0, 2))
    assert (error < 0.75 * copy).all(), (error, copy)


@pytest.mark.parametrize("steps", [0, 31])
def test_steps_are_checked(steps):
    with pytest.raises(ValueError, match="steps must be in 1..30"):
        video.experiment(steps=steps)


def test_short_videos_are_refused():
    with pytest.raises(ValueError, match="frames held out, 6 steps need 46"):
        video.starts(ramp_clips(5, 40), 6)
    net, rng = video.video_net(), np.random.default_rng(0)
    with pytest.raises(ValueError, match="frames to learn from, 21 at least"):
        video.block(net, ramp_clips(5, 15), 0.0, QUICK, rng)
    assert video.block(net, ramp_clips(5, 21), 0.0, QUICK, rng).x.shape[0] == 2 * video.TICKS


def test_command_prints_every_condition(monkeypatch, tmp_path):
    from click.testing import CliRunner

    from leadlag.cli import cli
    for name, value in (("STARTS", 8), ("SETTINGS", {"digits": QUICK})):
        monkeypatch.setattr(video, name, value)
    monkeypatch.setattr(video.flow, "BUILD", tmp_path)
    done = CliRunner().invoke(cli, ["video", "--steps", "2", "--seed", "1"])
    assert done.exit_code == 0, done.output
    for name in (*video.CONDITIONS, *video.BASELINES):
        assert name in done.output
    assert len(json.loads((tmp_path / "video/digits/rows.json").read_text())) == 12
