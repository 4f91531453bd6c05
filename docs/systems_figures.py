"""README's table of the five systems: data, accuracy in float and in integers, circuit, board, clock, rate."""


def systems(table, data: dict) -> str:
    """A row a system, from docs/bench.json; one that was not measured whole has none."""
    rows = [row for make in (_gle, _prospective, _delays, _cascade, _ltc) if (row := make(data)) is not None]
    return table(("system", "data", "float", "integers", "circuit equals integers", "board", "clock", "rate",
                  "`leadlag bench`"), rows)


def _build(group: dict, what: str, name: str) -> tuple[str, str, str]:
    return "ULX3S-85F", f"{group['clock_mhz']:g} MHz", f"{group[name]:,.0f} {what}/s"


def _all(of: dict, equal: str, whole: str, what: str) -> str:
    return f"{of[equal]:,} of {of[whole]:,} {what}"


def _gle(data):
    of, build = data.get("gle_15k"), data.get("build.gle-mnist1d.ulx3s-85f")
    if not of or not build:
        return None
    return ("GLE: neurons that lag and lead", "MNIST-1D", f"{of['float_accuracy']:.1%}",
            f"{of['integer_accuracy']:.1%}", _all(of, "rtl_equal_sequences", "test_sequences", "sequences"),
            *_build(build, "ticks", "ticks_per_s"), "`gle_15k`")


def _prospective(data):
    of, built = data.get("pm.fourier"), data.get("pm.hardware")
    if not of or not built:
        return None
    late = {kind: [row["mse"] for row in of["rows"] if row["delay_ms"] == 2.0 and row["predictor"] == kind]
            for kind in ("none", "nlms")}
    real = {kind: [row["mse"] for row in of["rows_float"] if row["delay_ms"] == 2.0 and row["predictor"] == kind]
            for kind in ("none", "nlms")}

    def errors(found):
        return " to ".join(f"{sum(found[kind]) / len(found[kind]):.3f}" for kind in ("none", "nlms"))
    fastest = max((row for row in built["rows"] if row["predictor"] == "linear"), key=lambda row: row["ticks_per_s"])
    return ("PM: late messages, predicted by their senders",
            "Fourier synthesis 2 ms late, squared error without and with NLMS, mean of 3 starts", errors(real),
            errors(late), f"all of {of['rtl_equal_ticks']['nlms']:,} ticks", "ULX3S-85F",
            f"{built['clock_mhz']:g} MHz", f"{fastest['ticks_per_s']:,.0f} ticks/s (50 sines, linear prediction)",
            "`pm.fourier`, `pm.hardware`")


def _delays(data):
    of, build = data.get("delay_only_256"), data.get("build.delays-fashion-256.ulx3s-85f")
    if not of or not build:
        return None
    return ("Delays alone are learnt", "Fashion-MNIST", f"{of['float_accuracy']:.1%}", f"{of['integer_accuracy']:.1%}",
            _all(of, "rtl_equal_images", "test_images", "images"), *_build(build, "images", "images_per_s"),
            "`delay_only_256`")


def _cascade(data):
    of, build = data.get("cascade"), data.get("build.cascade-fashion.ulx3s-85f")
    if not of or not build:
        return None
    first, last = ([of[name][at] for name in ("float_accuracy_steps", "integer_accuracy_steps")] for at in (1, -1))
    return ("Cascade: an answer at every step", "Fashion-MNIST, step 1 and last",
            *(f"{early:.1%}, {late:.1%}" for early, late in zip(first, last, strict=True)),
            f"all of {of['rtl_equal_images']:,} images", *_build(build, "frames", "frames_per_s")[:2],
            f"{build['frames_per_s']:,.0f} frames/s in a stream; last answer after {build['final_ms']:.2f} ms",
            "`cascade`")


def _ltc(data):
    of, build = data.get("fptt.fashion"), data.get("build.ltc-fashion.ulx3s-85f")
    if not of or not build:
        return None
    return ("FPTT: liquid time constants", "Fashion-MNIST by rows", f"{of['zoo_accuracy']:.1%}",
            f"{of['integer_accuracy']:.1%}", _all(of, "rtl_equal_sequences", "test_sequences", "sequences"),
            *_build(build, "sequences", "sequences_per_s"), "`fptt.fashion`")
