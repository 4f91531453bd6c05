"""Groups of `leadlag bench` for late messages and prospective messaging."""

from golden.data import video as frames
from golden.tasks import late as task
from leadlag.experiments import prospective, study, video
from leadlag.terminal import status

SEEDS = (0, 1, 2)
#: ticks and predictors of the runs that the circuit repeats
RTL_DELAY, RTL_PREDICTORS = 40, ("none", "linear", "nlms", "neural")


def fourier(console) -> dict:
    """Fourier synthesis over delays, predictors and seeds in integers and in float; the circuit at 2 ms, whole runs."""
    figures = {}
    for arithmetic, name in (("integer", "rows"), ("float", "rows_float")):
        table = study.delays(arithmetic=arithmetic, jobs=2, seeds=SEEDS, console=console)
        figures[name] = [{"delay_ms": row["delay_ms"], "predictor": kind, "seed": seed, "mse": mse}
                         for row in table["rows"] for kind, cell in row["cells"].items()
                         for seed, mse in zip(cell["seeds"], cell["mse"], strict=True)]
    equal, errors = {}, {}
    for kind in RTL_PREDICTORS:
        run = prospective.learn_late(0, delay=RTL_DELAY, kind=kind, console=console).figures
        equal[kind], errors[kind] = run["rtl_equal_ticks"], run["mse"]
    return figures | {"rtl_equal_ticks": equal, "rtl_mse": errors, "rtl_delay_ms": RTL_DELAY * task.DT,
                      "seed": list(SEEDS)}


def videos(console) -> dict:
    """Roll-outs of video, late messages with and without PM: digits, and vtest where Debian's opencv-doc is."""
    rows = []
    for name in ("digits", *(["vtest"] if frames.VTEST.is_file() else [])):
        with status(console, f"video: {name}") as say:
            for seed in SEEDS:
                result = video.experiment(name, seed=seed, progress=say)
                rows += [row | {"condition": row["condition"].replace(" ", "_"), "video": name, "seed": seed}
                         for row in result.rows]
    return {"rows": rows, "delay_ticks": video.DELAY, "interval_ticks": video.TICKS, "seed": list(SEEDS)}


def hardware(console) -> dict:
    """What PM buys: extra ticks between layers, routed for the ULX3S-85F, with and without linear PM."""
    rows = [prospective.hardware(kind, ticks, console) for ticks in prospective.HARDWARE_TICKS
            for kind in (("none", "linear") if ticks else ("none",))]
    return {"rows": rows, "inputs": prospective.HARDWARE_INPUTS, "dt_ms": task.DT,
            "clock_mhz": prospective.HARDWARE_CLOCK, "seed": list(prospective.HARDWARE_SEEDS)}


def boards(console) -> dict:
    """Two boards joined by cables: error against link latency, every word equal to golden."""
    from leadlag.experiments.two_boards import two_boards
    return two_boards(console=console) | {"seed": 0}


GROUPS = {"pm.fourier": fourier, "pm.video": videos, "pm.two_boards": boards, "pm.hardware": hardware}
