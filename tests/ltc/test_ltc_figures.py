"""Tables and the picture of what was measured: every figure is there, and nothing where none was measured."""

import xml.etree.ElementTree as ET

import pytest

from docs import figures, ltc_figures

#: a bench with figures that differ all over
DATA = {
    "fptt.vowels": {"seeds": [0, 1], "fptt_accuracy_seeds": [0.951, 0.963], "fptt_accuracy": 0.957,
                    "bptt_accuracy_seeds": [0.941, 0.932], "integer_accuracy": 0.964, "test_sequences": 370,
                    "train_cpu_s_seeds": [30.0, 34.0], "rtl_equal_sequences": 369},
    "fptt.fashion": {"fptt_accuracy": 0.8775, "bptt_accuracy": 0.8612, "integer_accuracy": 0.8761,
                     "test_sequences": 10_000, "train_cpu_s": 473.2, "bptt_train_cpu_s": 301.4},
    "fptt.add": {"steps": 1000, "fptt_mse": 0.0041, "bptt_mse": 0.1671, "fptt_train_cpu_s": 901.0,
                 "bptt_train_cpu_s": 402.0, "fptt_curve": [[100, 0.2], [200, 0.01]],
                 "fptt_settings": {"batch": 32, "batches": 6000},
                 "bptt_settings": {"batch": 32, "batches": 1000},
                 "bptt_curve": [[100, 0.2], [200, 0.17]]},
    "fptt.learn": {"integer_accuracy_seeds": [0.951, 0.957, 0.96], "float_adam_accuracy": 0.97, "epochs": 20,
                   "streams": 16, "rtl_equal_frames": 85_480, "rtl_equal_weights": 21_986, "cycles_per_frame": 693.0,
                   "clock_mhz": 100.0},
    "fptt.adapt": {"newcomer_curve": [0.0, 0.6, 0.93], "others_curve": [0.97, 0.8, 0.905], "newcomer_before": 0.0,
                   "newcomer_after": 0.93, "others_before": 0.97, "others_after": 0.905, "utterances": 20,
                   "board_equal_weights": 22_196},
    "build.ltc-fashion.ulx3s-85f": {
        "lanes": 129, "cycles_per_tick": 1092, "lane_use": 0.963, "fmax_mhz": 131.5, "clock_mhz": 130.0,
        "sequences_per_s": 4251.7, "latency_us": 246.3, "lut4": 12_800, "comb": 20_001, "ff": 33_900, "dsp": 134,
        "bram": 179}}
BLOCKS = ("ltc_accuracy", "ltc_memory", "ltc_speed", "ltc_ablation", "ltc_cost", "ltc_learnt")


def table(head, rows):
    assert all(len(row) == len(head) for row in rows)
    return figures._table(head, rows)


@pytest.mark.parametrize(("block", "said"), [
    ("ltc_accuracy", "| 95.7 (95.1, 96.3) | 93.7 (94.1, 93.2) | 96.4 | 32 |"),
    ("ltc_accuracy", "| 87.75 | 86.12 | 87.61 | 473 |"),
    ("ltc_cost", "| routed: Fmax, clock of the bitstream | 131.5 MHz, 130 MHz |"),
    ("ltc_cost", "| sequences a second at that clock | 4,252 |"), ("ltc_cost", "| cycles of a learning tick | |"),
    ("ltc_cost", "on 369 of 370 test sequences of JapaneseVowels."),
    ("ltc_learnt", "| 95.1, 95.7, 96.0: mean 95.6 % |"), ("ltc_learnt", "| 693, 100 MHz |")])
def test_blocks(block, said):
    assert said in " ".join(getattr(ltc_figures, block)(table, DATA).split())


def test_summary():
    rows = {group: value for _, value, group in ltc_figures.summary(DATA)}
    assert rows == {"fptt.fashion": "87.75% (86.12%); 87.61%", "fptt.vowels": "95.7%",
                    "fptt.add": "0.0041 (0.1671)", "fptt.learn": "95.1, 95.7, 96.0%; 97.0%",
                    "build.ltc-fashion.ulx3s-85f": "131.5 MHz, 130 MHz; 4,252; 246 us"}


def test_nothing_measured():
    assert all(getattr(ltc_figures, block)(table, {}).startswith("Not measured yet: `leadlag bench ")
               for block in BLOCKS)
    assert ltc_figures.summary({}) == []
    assert ltc_figures.ltc_svg({}) is None
    assert ltc_figures.adapt_svg({}) is None
    assert ltc_figures.ltc_picture({}).startswith("Not measured yet")
    assert ltc_figures.ltc_adapt({}).startswith("Not measured yet: `leadlag bench fptt.adapt`")


def test_picture():
    text = ltc_figures.ltc_svg(DATA)
    assert ET.fromstring(text).tag.endswith("svg")
    assert text == ltc_figures.ltc_svg(DATA)
    said = " ".join(ltc_figures.ltc_picture(DATA).split())
    assert "error of 0.0041 and training through time one of 0.1671" in said
    assert "after 6,000 and 1,000 batches" in said


def test_a_new_speaker():
    assert ET.fromstring(ltc_figures.adapt_svg(DATA)).tag.endswith("svg")
    said = " ".join(ltc_figures.ltc_adapt(DATA).split())
    assert "0.0 % before, 93.0 % after 2 meetings with her first 20 utterances" in said
    assert "those of the others 97.0 % and 90.5 %. All 22,196 weights" in said
