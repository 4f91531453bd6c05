"""Recordings of event cameras: what is written is read, folders become sequences, damaged files are one line."""

import random
import struct

import numpy as np
import pytest

from golden.data import aedat

HEAD = b"#!AER-DAT3.1\r\n#Format: RAW\r\n#Source 1: DVS128\r\n#Start-Time: 2016-10-11\r\n#!END-HEADER\r\n"


def packet(events, kind=1, overflow=0, **changed):
    """A packet of (x, y, on, valid, time)."""
    head = {"size": 8, "capacity": len(events) + 3, "number": len(events)} | changed
    body = b"".join(struct.pack("<II", x << 17 | y << 2 | on << 1 | valid, time) for x, y, on, valid, time in events)
    return struct.pack("<hhiiiiii", kind, 1, head["size"], 4, overflow, head["capacity"], head["number"],
                       head["number"]) + body


def drawn(count=200, seed=0, until=1000):
    draw = random.Random(seed)
    times = sorted(draw.randrange(until) for _ in range(count))
    return [(draw.randrange(128), draw.randrange(128), draw.randrange(2), 1, time) for time in times]


def test_events_are_those_that_were_written():
    events = drawn()
    data = HEAD + packet(events[:70]) + packet([(1, 2, 1, 1, 5)], kind=0) + packet(events[70:]) + packet([])
    found = aedat.parse(data, "x")
    assert [part.tolist() for part in found] == [list(part) for part in zip(*(
        (x, y, bool(on), time) for x, y, on, _, time in events), strict=True)]


def test_invalid_events_are_left_out_and_the_clock_overflows():
    found = aedat.parse(HEAD + packet([(1, 2, 1, 0, 5), (3, 4, 0, 1, 6)], overflow=2), "x")
    assert found.x.tolist() == [3]
    assert found.time.tolist() == [6 + 2 * (1 << 31)]
    assert len(aedat.parse(HEAD, "x").x) == 0


def test_frames():
    """Cells of 64 x 64 pixels; of two ticks the second begins in the middle."""
    events = aedat.parse(HEAD + packet([(0, 0, 0, 1, 10), (127, 0, 1, 1, 14), (127, 127, 1, 1, 15), (0, 127, 0, 1, 19),
                                        (0, 127, 0, 1, 19), (5, 5, 1, 1, 20), (5, 5, 1, 1, 9)]), "x")
    found = aedat.frames(events, 10, 20, 2, 2)
    assert found.tolist() == [[1, 0, 0, 0, 0, 1, 0, 0], [0, 0, 2, 0, 0, 0, 0, 1]]
    assert found.dtype == np.float32
    assert aedat.frames(events, 0, 100, 20, 128).sum() == 7


@pytest.fixture
def folder(tmp_path):
    """Two users: gestures of three classes, each in its own half of the picture or in none."""
    for user, split in (("user01_led", "train"), ("user02_led", "train"), ("user03_lab", "test")):
        events, rows, draw = [], ["class,startTime_usec,endTime_usec"], random.Random(user)
        for n, kind in enumerate((1, 2, 3, 1, 2, 3)):
            rows.append(f"{kind},{n * 1000 + 100},{n * 1000 + 900}")
            for time in sorted(draw.randrange(n * 1000, n * 1000 + 1000) for _ in range(60)):
                x = draw.randrange(64) + 64 * (kind == 2) if kind < 3 else draw.randrange(128)
                events.append((x, draw.randrange(128), kind % 2, 1, time))
        (tmp_path / f"{user}.aedat").write_bytes(HEAD + packet(events))
        (tmp_path / f"{user}_labels.csv").write_text("\n".join(rows) + "\n")
        with (tmp_path / f"trials_to_{split}.txt").open("a") as file:
            file.write(f"{user}.aedat\n")
    return tmp_path


def test_a_folder_is_a_data_set_of_sequences(folder):
    data = aedat.gestures(folder, ticks=5, side=2)
    train, test = data.load("train"), data.load("test")
    assert (data.classes, data.inputs, data.labels, data.form) == (3, 8, ("1", "2", "3"), "sequence")
    assert train.x.shape == (12, 5, 8)
    assert test.x.shape == (6, 5, 8)
    assert train.y.tolist() == [0, 1, 2] * 4
    left = train.x.reshape(12, 5, 2, 2, 2)[..., 0].sum((1, 2, 3))
    assert (left[train.y == 0] > 0).all()
    assert (left[train.y == 1] == 0).all()


@pytest.mark.parametrize(("data", "said"), [
    (b"", "is no AEDAT 3.1 file"), (b"#!AER-DAT2.0\r\n#!END-HEADER\r\n", "is no AEDAT 3.1 file"),
    (b"#!AER-DAT3.1\r\nx", "no #!END-HEADER"), (b"#!AER-DAT3.1\r\n" * 1001, "no #!END-HEADER in 1000 lines"),
    (HEAD + b"123", "ends in the header of a packet"), (HEAD + packet(drawn())[:-3], "ends in a packet"),
    (HEAD + packet(drawn(), number=-1), "damaged"), (HEAD + packet(drawn(), capacity=2), "damaged"),
    (HEAD + packet(drawn(), size=0), "damaged"), (HEAD + packet(drawn(), overflow=-1), "damaged"),
    (HEAD + packet(drawn(8), size=4, number=16, capacity=16), "polarity events of 4 bytes"),
    (HEAD + packet([(128, 0, 0, 1, 0)]), r"event \[0\] is beyond 128 x 128"),
    (HEAD + packet([(0, 0, 0, 1, 0), (0, 4000, 0, 1, 0)]), r"event \[1\] is beyond")])
def test_damaged_files(data, said):
    with pytest.raises(ValueError, match=f"^file.*{said}"):
        aedat.parse(data, "file")


def test_any_damage_is_one_line():
    """Cut anywhere, bytes changed anywhere: events, or a ValueError of one line."""
    whole, draw = HEAD + packet(drawn(40)) + packet(drawn(30, 1), overflow=1), random.Random("aedat")
    refused = 0
    for _ in range(3000):
        data = bytearray(whole)
        for _ in range(draw.choice((0, 1, 1, 3, 20))):
            data[draw.randrange(len(data))] = draw.choice((0, 1, 127, 128, 255, draw.randrange(256)))
        data = bytes(data[:draw.choice((len(data), len(data), draw.randrange(len(data) + 1)))])
        found = parsed(data)
        if isinstance(found, str):
            refused += 1
            assert "\n" not in found
        else:
            assert len({len(part) for part in found}) == 1
            assert ((found.x < 128) & (found.y < 128) & (found.time >= 0)).all()
    assert 500 < refused < 2900


def parsed(data: bytes):
    """Events, or what the ValueError says."""
    try:
        return aedat.parse(data, "x")
    except ValueError as error:
        return str(error)


@pytest.mark.parametrize(("text", "said"), [
    ("", "no rows"), ("class,a,b\n", "no rows"), ("h\n1,2\n", "line 2: class, start and end"),
    ("h\n1,2,3\n\n1,x,3\n", "line 4: class, start and end"), ("h\n1,-2,3\n", "line 2: class"),
    ("h\n1,5,5\n", "line 2: a gesture from 5 to 5")])
def test_damaged_labels(text, said):
    with pytest.raises(ValueError, match=said):
        aedat.labels(text, "file")


def test_folders_that_cannot_be(folder, tmp_path):
    with pytest.raises(ValueError, match="side must divide 128, not 3"):
        aedat.gestures(folder, side=3)
    with pytest.raises(ValueError, match="ticks must be in"):
        aedat.gestures(folder, ticks=0)
    (folder / "user03_lab_labels.csv").unlink()
    with pytest.raises(ValueError, match="user03_lab_labels.csv cannot be read"):
        aedat.gestures(folder)
    (folder / "trials_to_test.txt").write_text("../x.aedat\n")
    with pytest.raises(ValueError, match="is no .aedat"):
        aedat.gestures(folder)
    (folder / "trials_to_test.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="no text in UTF-8"):
        aedat.gestures(folder)
    with pytest.raises(ValueError, match="trials_to_train.txt cannot be read"):
        aedat.gestures(folder / "nothing")
