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
    first, second, third = cascade_figures.summary({"cascade": CASCADE | {"literal_loop_ratio": 2.04}})
    assert first[1:] == ("91.20%, 92.70% (91.10%, 92.80%)", "cascade")
    assert second[1:] == ("50.0, 52.0, 53.0", "cascade")
    assert third[1:] == ("2.0 times as long", "cascade")


def test_nothing_measured():
    assert cascade_figures.cascade_accuracy(table, {}) == "Not measured yet: `leadlag bench cascade`."
    assert cascade_figures.cascade_noise(table, {}) == "Not measured yet: `leadlag bench cascade.noise`."
    assert cascade_figures.summary({}) == []
    assert cascade_figures.cascade_svg({}) is None


def test_picture():
    drawn = cascade_figures.cascade_svg({"cascade": CASCADE})
    assert ET.fromstring(drawn).tag.endswith("svg")
    assert drawn == cascade_figures.cascade_svg({"cascade": CASCADE})


BUILD = {"lanes": 136, "cycles_per_step_measured": 38_471.3, "tap_use": 0.904, "fmax_mhz": 131.5, "clock_mhz": 130.0,
         "frames_per_s": 3379.2, "frames_per_s_at_fmax": 3418.2, "step1_ms": 0.371, "final_ms": 1.84,
         "serial_final_ms": 1.839, "lut4": 20_100, "comb": 24_000, "ff": 15_000, "dsp": 144, "bram": 168}


def test_cost():
    """A column a machine; what was not measured is a dash, and what nobody has no row."""
    name, other = list(cascade_figures.BUILDS.values())[:2]
    data = {name: BUILD, other: {"lanes": 128, "fmax_mhz": 120.04, "clock_mhz": 110.0}}
    said = " ".join(cascade_figures.cascade_cost(table, data).split())
    assert f"an engine a block, `leadlag bench {name}` | one engine for all blocks, `leadlag bench {other}` |" in said
    assert "| multipliers that convolve | 136 | 128 |" in said
    assert "| 38,471 | - |" in said
    assert "| 131.5 MHz, 130 MHz | 120.0 MHz, 110 MHz |" in said
    assert "| 3,379 (3,418) | - |" in said
    assert "| 0.37 ms; 1.84 ms; 1.84 ms | - |" in said
    assert "20,100, 24,000, 15,000, 144, 168" in said
    assert "`leadlag bench cascade.circuit`" not in said
    assert "real taps" not in cascade_figures.cascade_cost(table, {other: data[other]})
    equal = {"rtl_equal_images": 1000, "rtl_equal_frames": 990, "rtl_equal_images_parallel_words": 77_000,
             "rtl_equal_frames_serial_words": 11_000}
    said = " ".join(cascade_figures.cascade_cost(table, data | {"cascade.circuit": equal}).split())
    assert "on 1,000 still images and on 990 frames of streams with cuts, in both modes: 88,000 words" in said


def test_comparison():
    rows = [{"machine": machine, "mode": mode, "multipliers": 128 + n, "cycles_to_step": [5000 + n, 48_000 + n]}
            for n, (machine, mode) in enumerate((a, b) for a in ("engines", "one_engine")
                                                for b in ("parallel", "serial"))]
    said = cascade_figures.cascade_comparison(table, {"cascade.comparison": {"rows": rows}})
    assert "| cascade, an engine a block | 128 | 5,000 | 48,000 |" in said
    assert "| serial, one engine | 131 | 5,003 | 48,003 |" in said


def test_routed_designs_in_the_summary():
    name = list(cascade_figures.BUILDS.values())[0]
    (what, value, group), = cascade_figures.summary({name: BUILD})
    assert what.startswith("ulx3s-85f, cascade, an engine a block: Fmax, clock;")
    assert value == "131.5 MHz, 130 MHz; 3,379 (3,418); 0.37 ms"
    assert group == name


def test_hardware_that_was_not_measured():
    assert cascade_figures.cascade_cost(table, {}).startswith("Not measured yet: `leadlag bench build.cascade-fashion.")
    assert cascade_figures.cascade_comparison(table, {}) == "Not measured yet: `leadlag bench cascade.comparison`."
    assert cascade_figures.cascade_picture({}).startswith("No curves measured yet: `leadlag bench cascade`")
