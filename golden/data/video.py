"""Small grey videos: digits that bounce, made here, and real video decoded by the `ffmpeg` program.

digits   one of ten 5x7 bitmaps moves in a straight line through a 16x16 frame and bounces off its edges; what lies
         between two pixels is shared among them (bilinear), so that it moves smoothly
vtest    people walking past a fixed camera, 795 frames at 10 frames a second: Debian package opencv-doc
a path   any video that ffmpeg reads

Real video is averaged over blocks to 16x16 pixels and cached under build/data/.
"""

import hashlib
import subprocess
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.data.mnist1d import CACHE
from golden.files import read_npz, write_npz
from golden.programs import find

SIZE = 16                       # pixels a side
DIGIT_CLIPS, DIGIT_FRAMES = 120, 40
DIGIT_SPEED = 0.5, 1.0          # pixels a frame, along each axis
FPS, EVERY = 10, 5              # frames a second of real video; frames from one that is shown to the next: 2 a second
TRAIN = 0.75                    # of a video, the rest is held out
VTEST = Path("/usr/share/doc/opencv-doc/examples/data/vtest.avi")
_GLYPHS = ("01110 10001 10011 10101 11001 10001 01110", "00100 01100 00100 00100 00100 00100 01110",
           "01110 10001 00001 00110 01000 10000 11111", "11110 00001 00001 01110 00001 00001 11110",
           "00010 00110 01010 10010 11111 00010 00010", "11111 10000 11110 00001 00001 10001 01110",
           "00110 01000 10000 11110 10001 10001 01110", "11111 00001 00010 00100 01000 01000 01000",
           "01110 10001 10001 01110 10001 10001 01110", "01110 10001 10001 01111 00001 00010 01100")


class Clips(NamedTuple):
    """Frames for training and frames held out: each float32 (clips, frames, SIZE, SIZE) in 0..1.

    A clip is without a cut; `every` frames lie between one that is shown and the next.
    """

    name: str
    train: np.ndarray
    held_out: np.ndarray
    every: int


def frames(name: str, *, seed: int = 0, cache: str | Path = CACHE) -> Clips:
    """The frames of "digits" (made from `seed`), of "vtest", or of a video by its path.

    Digits: 90 clips for training and 30 held out. Video: one clip each, the held-out one is its last quarter.
    ValueError where the file or ffmpeg is missing, or the video is too short.
    """
    if name == "digits":
        clips = bouncing_digits(DIGIT_CLIPS, DIGIT_FRAMES, np.random.default_rng(seed))
        count = round(TRAIN * len(clips))
        return Clips(name, clips[:count], clips[count:], 1)
    path = VTEST if name == "vtest" else Path(name)
    if not path.is_file():
        raise ValueError(f"no video {path}: apt install opencv-doc, or give the path of vtest.avi or any other video"
                         if name == "vtest" else f'no video {path}: give "digits", "vtest" or the path of a video')
    video = decode(path, cache=cache)
    count = round(TRAIN * len(video))
    return Clips(path.stem, video[None, :count], video[None, count:], EVERY)


def bouncing_digits(clips: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Clips of one digit each: float32 (clips, count, SIZE, SIZE) in 0..1."""
    glyphs = np.array([[[int(c) for c in row] for row in glyph.split()] for glyph in _GLYPHS], np.float32)
    room = SIZE - np.array(glyphs.shape[1:])
    found = np.zeros((clips, count, SIZE + 1, SIZE + 1), np.float32)
    for clip in found:
        glyph, start = glyphs[rng.integers(len(glyphs))], rng.uniform(0, room)
        velocity = rng.uniform(*DIGIT_SPEED, 2) * rng.choice([-1, 1], 2)
        for frame, t in zip(clip, range(count), strict=True):
            # to and fro between 0 and room
            corner = room - np.abs((start + velocity * t) % (2 * room) - room)
            (row, col), (down, right) = corner.astype(int), corner % 1
            for i, j, share in ((0, 0, (1 - down) * (1 - right)), (0, 1, (1 - down) * right),
                                (1, 0, down * (1 - right)), (1, 1, down * right)):
                frame[row + i:row + i + glyph.shape[0], col + j:col + j + glyph.shape[1]] += share * glyph
    return found[..., :SIZE, :SIZE]


def decode(path: Path, *, cache: str | Path = CACHE) -> np.ndarray:
    """A video at FPS frames a second, blocks averaged: float32 (frames, SIZE, SIZE) in 0..1, levels of 1/255."""
    with path.open("rb") as source:
        key = hashlib.file_digest(source, "sha256").hexdigest()[:12]
    file = Path(cache) / f"video-{path.stem}-{key}-{SIZE}x{SIZE}-{FPS}fps.npz"
    if not file.exists():
        write_npz(file, {"frames": _ffmpeg(path)})
    found, = read_npz(file, "frames")
    return found.astype(np.float32) / 255


def _ffmpeg(path: Path) -> np.ndarray:
    """Grey levels uint8 (frames, SIZE, SIZE)."""
    program = find("ffmpeg")
    if program is None:
        raise ValueError(f"{path} takes the program ffmpeg, which is missing: apt install ffmpeg")
    done = subprocess.run([program, "-v", "error", "-nostdin", "-i", str(path), "-vf",
                           f"fps={FPS},scale={SIZE}:{SIZE}:flags=area,format=gray", "-f", "rawvideo", "-"],
                          capture_output=True, check=False)
    if done.returncode or not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines() or ["it has no frames"]
        raise ValueError(f"ffmpeg cannot read {path}: {lines[-1]}")
    return np.frombuffer(done.stdout, np.uint8).reshape(-1, SIZE, SIZE)
