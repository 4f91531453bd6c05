"""Tables and the picture of what was measured: every figure is there, and nothing where none was measured."""

import xml.etree.ElementTree as ET

from docs import cascade_figures, figures

CURVES = list(cascade_figures.CURVES)
#: a bench with figures that differ all over
STEPS = {name: [[0.1 + 0.01 * n + 0.1 * seed + 0.001 * step for step in range(3)]
                for seed in range(3 if n < 2 else 1)] for n, name in enumerate(CURVES)}
CASCADE = {"accuracy_steps": STEPS, "area": {name: 50.0 + n for n, name in enumerate(CURVES)},
           "area_seeds": {name: [40.25 + n + 10 * seed for seed in range(len(rows))]
                          for n, (name, rows) in enumerate(STEPS.items())},
           "seeds": {name: list(range(len(rows))) for name, rows in STEPS.items()},
           "float_accuracy_steps": [0.701, 0.911, 0.928], "integer_accuracy_steps": [0.702, 0.912, 0.927],
           "held_out_epochs": 2, "held_out_seeds": [0, 4],
           "held_out_accuracy_steps": {"td": [[0.5, 0.6, 0.7], [0.6, 0.7, 0.8]],
                                       "label_every_step": [[0.3, 0.3, 0.3]] * 2},
           "train_cpu_s_by_training": {"td": 1032.1, "serial_td": 500.4}, "epochs": 12, "train_step_ms": 160.2,
           "literal_step_ms": 640.8, "literal_loop_ratio": 4.0,
           "curves": {name: [[0, 0.5 + n, 2.0], [0.1, 0.2, 0.9 - 0.1 * n]] for n, name in enumerate(CURVES)}}
NOISE = {"noise": 0.25, "noise_epochs": 4, "exit_threshold": 0.9, "exit_step_by_typicality": [2.5, 1.25, 0.5],
         "exit_step_rank_correlation": -0.61,
         "rows": [{"network": "cascade", "learnt_with_noise": 0.0, "frames": "clean",
                   "accuracy_steps": [0.7, 0.9, 0.92]}]}


def table(head, rows):
    assert all(len(row) == len(head) for row in rows)
    return figures._table(head, rows)


def test_accuracy():
    said = " ".join(cascade_figures.cascade_accuracy(table, {"cascade": CASCADE}).split())
    assert "| SerialCE | 14.0 | 14.1 | 14.2 | 44.2 |" in said
    assert "| zoo, integers | 70.2 | 91.2 | 92.7 | |" in said
    assert "TD(0.5), seeds 0, 1, 2: 10.0 10.1 10.2; 20.0 20.1 20.2; 30.0 30.1 30.2; area 40.25, 50.25, 60.25." in said
    assert "CascadedCE, seeds" not in said
    assert "of 2 epochs, mean of seeds 0, 4: TD(0.5) 55.0 65.0 75.0; label at every step (TD(1)) 30.0 30.0" in said
    assert "12 epochs: TD(0.5) 1032, SerialTD 500." in said
    assert "as a literal loop 641 ms: 4.0 times as long" in said


def test_noise():
    said = " ".join(cascade_figures.cascade_noise(table, {"cascade.noise": NOISE}).split())
    assert "| cascade | 0 | clean | 70.0 | 90.0 | 92.0 |" in said
    assert "from the least typical on: 2.50, 1.25, 0.50; rank correlation -0.61." in said


def test_summary():
    first, second = cascade_figures.summary({"cascade": CASCADE})
    assert first[1:] == ("91.20%, 92.70% (91.10%, 92.80%)", "cascade")
    assert second[1:] == ("50.0, 52.0, 53.0", "cascade")


def test_nothing_measured():
    assert cascade_figures.cascade_accuracy(table, {}) == "Not measured yet: `leadlag bench cascade`."
    assert cascade_figures.cascade_noise(table, {}) == "Not measured yet: `leadlag bench cascade.noise`."
    assert cascade_figures.summary({}) == []
    assert cascade_figures.cascade_svg({}) is None


def test_picture():
    drawn = cascade_figures.cascade_svg({"cascade": CASCADE})
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert drawn == cascade_figures.cascade_svg({"cascade": CASCADE})
