"""Event cameras: recordings .aedat (AEDAT 3.1) and a user's folder of the DVS128 Gesture set (Amir et al., CVPR 2017).

A file begins with lines that start with #, the first #!AER-DAT3.1, the last #!END-HEADER; then come packets, all little
endian: 28 bytes of header (type and source, 16 bits each; size of an event, place of its time stamp, overflows of the
clock, capacity, number of events and of valid ones, 32 bits each), and the events. A polarity event (type 1) is a word

    31..17 x    16..2 y    1 polarity    0 valid        and a time stamp in microseconds, 31 bits

The folder has userNN_LIGHT.aedat, beside each userNN_LIGHT_labels.csv (a heading, then rows "class,start,end" in
microseconds), and trials_to_train.txt and trials_to_test.txt, a file a line. Nothing here is downloaded.
"""

import csv
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np

from golden.checks import check
from golden.data.dataset import DataSet, own
from golden.data.series import Raw

#: pixels a side; bytes of a file and of a packet that are read
SIDE, MOST = 128, 1 << 31
#: lines and bytes of the text in front
LINES, HEAD = 1000, 1 << 20
POLARITY = 1
_FIELDS = np.dtype([("kind", "<i2"), ("source", "<i2"), ("size", "<i4"), ("offset", "<i4"), ("overflow", "<i4"),
                    ("capacity", "<i4"), ("number", "<i4"), ("valid", "<i4")])


class Events(NamedTuple):
    """Events in the order of the file: x, y 0..127, on (True) or off, time in microseconds int64; (n,) each."""

    x: np.ndarray
    y: np.ndarray
    on: np.ndarray
    time: np.ndarray


def read(path: Path) -> Events:
    """The valid polarity events of a file; ValueError, one line, where it is missing, damaged or of another format."""
    try:
        with Path(path).open("rb") as file:
            data = file.read(MOST + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    check(len(data) <= MOST, f"{path} has more than {MOST:,} bytes")
    return parse(data, str(path))


def parse(data: bytes, what: str) -> Events:
    """As `read`, of the bytes of a file; `what` is its name."""
    at, words, times = _text(data, what), [], []
    while at < len(data):
        check(at + _FIELDS.itemsize <= len(data), f"{what} ends in the header of a packet, at byte {at:,}")
        head = np.frombuffer(data, _FIELDS, 1, at)[0]
        kind, size, number = int(head["kind"]), int(head["size"]), int(head["number"])
        at += _FIELDS.itemsize
        check(0 <= number <= head["capacity"] and 1 <= size <= HEAD and head["overflow"] >= 0,
              f"{what}: a packet of {number} events of {size} bytes at byte {at:,}: damaged")
        end = at + number * size
        check(end <= len(data), f"{what} ends in a packet: byte {len(data):,} of {end:,}")
        if kind == POLARITY and number:
            check(size == 8, f"{what}: polarity events of {size} bytes, not 8, at byte {at:,}")
            pairs = np.frombuffer(data, "<u4", 2 * number, at).reshape(number, 2)
            valid = pairs[:, 0] & 1 == 1
            words.append(pairs[valid, 0])
            times.append(pairs[valid, 1].astype(np.int64) + (int(head["overflow"]) << 31))
        at = end
    word = np.concatenate(words) if words else np.zeros(0, np.uint32)
    x, y = (word >> 17).astype(np.int64), (word >> 2 & 0x7FFF).astype(np.int64)
    far = np.flatnonzero((x >= SIDE) | (y >= SIDE))
    check(not len(far), f"{what}: event {far[:1].tolist()} is beyond {SIDE} x {SIDE} pixels")
    return Events(x, y, word >> 1 & 1 == 1, np.concatenate(times) if times else np.zeros(0, np.int64))


def _text(data: bytes, what: str) -> int:
    """Bytes of the text in front."""
    check(data.startswith(b"#!AER-DAT3.1"), f"{what} is no AEDAT 3.1 file: it starts with {data[:12]!r}")
    at = 0
    for _ in range(LINES):
        end = data.find(b"\n", at, HEAD)
        check(end >= 0 and data[at:at + 1] == b"#", f"{what}: no #!END-HEADER before byte {at:,}")
        line, at = data[at:end].strip(), end + 1
        if line == b"#!END-HEADER":
            return at
    raise ValueError(f"{what}: no #!END-HEADER in {LINES} lines")


def frames(events: Events, start: int, end: int, ticks: int, side: int) -> np.ndarray:
    """Events of start <= time < end counted in `ticks` equal times and side x side cells: float32 (ticks, 2 side side).

    Channels: off events row after row, then those that are on.
    """
    check(end > start, f"a time from {start} to {end} microseconds")
    check(1 <= side <= SIDE and SIDE % side == 0, f"side must divide {SIDE}, not {side!r}")
    inside = (events.time >= start) & (events.time < end)
    x, y, on, time = (part[inside] for part in events)
    cell, tick = SIDE // side, (time - start) * ticks // (end - start)
    place = ((tick * 2 + on) * side + y // cell) * side + x // cell
    return np.bincount(place, minlength=ticks * 2 * side * side).reshape(ticks, -1).astype(np.float32)


def labels(text: str, what: str) -> list[tuple[int, int, int]]:
    """Rows (class, start, end) of a file of labels; ValueError names the line."""
    rows = list(csv.reader(io.StringIO(text)))
    check(len(rows) > 1, f"{what}: no rows under a heading")
    found = []
    for n, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        numbers = [cell.strip() for cell in row]
        good = len(numbers) == 3 and all(cell.isascii() and cell.isdigit() and len(cell) < 16 for cell in numbers)
        check(good, f"{what} line {n}: class, start and end are whole numbers, not {','.join(row)[:40]!r}")
        kind, start, end = map(int, numbers)
        check(end > start, f"{what} line {n}: a gesture from {start} to {end} microseconds")
        found.append((kind, start, end))
    return found


def gestures(folder: Path, *, ticks: int = 20, side: int = 16) -> DataSet:
    """The gestures of a folder as sequences of `ticks` frames, split as its two lists say."""
    folder, raw = Path(folder), {}
    check(1 <= ticks <= 4096, f"ticks must be in 1..4096, not {ticks!r}")
    for split in ("train", "test"):
        listed = _read_text(folder / f"trials_to_{split}.txt").split()
        samples, classes = [], []
        for name in listed:
            path = folder / name
            check(path.suffix == ".aedat" and path.parent == folder,
                  f"trials_to_{split}.txt: {name[:60]!r} is no .aedat file of this folder")
            events, beside = read(path), path.with_name(f"{path.stem}_labels.csv")
            for kind, start, end in labels(_read_text(beside), str(beside)):
                samples.append(frames(events, start, end, ticks, side))
                classes.append(kind)
        check(samples != [], f"trials_to_{split}.txt: no gestures")
        raw[split] = Raw(samples, np.array(classes))
    return own(raw, name="dvs-gesture", source="", form="sequence")


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text in UTF-8") from None
