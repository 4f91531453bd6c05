"""Group `faults` of `leadlag bench`: accuracy with flipped bits, and flips that the scrubber finds."""

import numpy as np

from golden import faults as flips_of
from golden.rate import faults as rate_faults
from golden.regmap import REGISTERS
from golden.spiking import faults as spiking_faults
from leadlag import flow
from leadlag.terminal import bars, status
from sim.harness.upsets import FaultyDevice
from sim.rate import cells as rate_cells
from sim.spiking import cells as spiking_cells

SEED = 0
#: of a million words so many flip in a run of one sequence
RATES = (0, 10, 100, 1_000, 10_000, 100_000)
#: what flips: its name in the rows, and parts of golden/faults.py
PARTS = {"accuracy": ("parameters", "membranes", "lines"), "accuracy_parameters": ("parameters",),
         "accuracy_state": ("membranes", "lines")}
#: network, model with flips, where its circuit has them, draws at each rate, samples that see a draw
NETWORKS = (("gle-mnist1d", rate_faults, rate_cells, 5, 50), ("delays-digits", spiking_faults, spiking_cells, 8, 360))
#: by network: draws at each rate whose parameters are flipped in the circuit; samples with flips that are compared
TRIALS = {"gle-mnist1d": 1, "delays-digits": 20}
COMPARED, COMPARED_RATE = {"gle-mnist1d": 2, "delays-digits": 20}, 3_000
#: cycles from one look at the counters of the scrubber to the next
STEP = 2_000


def accuracies(name: str, model, draws: int, samples: int, advance) -> list[dict]:
    """Rows of a network: accuracy of `draws` runs at each rate, each on samples of its own where there are enough."""
    case = flow.prepare(name)
    memories, rows = model.memories(case.net), []
    batch = flow.samples(case, "test", flow.at_most(case, "test", draws * samples))
    count = len(batch.y)
    for rate in RATES:
        row = {"flips_per_million": rate}
        for n, (key, parts) in enumerate(PARTS.items()):
            chosen, right = [memory for memory in memories if memory.part in parts], []
            for draw in range(draws if rate else 1):
                rng = np.random.default_rng([SEED, rate, n, draw])
                some = np.arange(count) if not rate else (draw * samples + np.arange(samples)) % count
                found = flips_of.draw(chosen, rate, batch.x.shape[1], rng)
                outputs = model.run(case.net, case.params, batch.x[some], found)
                right.append(flow.answers(case, outputs, batch).label == batch.y[some])
                advance()
            row[key] = float(np.concatenate(right).mean())
        rows.append(row)
    return rows


class Scrubbed:
    """The compiled circuit of a network with a scrubber, and with memories that can be written.

    Parameters: name; model, golden's with flips; cells, where the circuit has what flips.
    """

    def __init__(self, name: str, model, cells):
        self.name, self.case, self.model, self.cells = name, flow.prepare(name), model, cells
        self.device = FaultyDevice(self.case.net, scrubs=True)
        self.device.load(self.case.image.pairs)

    def rounds(self, count: int) -> tuple[int, int]:
        """Begin to count and wait for `count` rounds: cycles that went by, and rounds that found another checksum."""
        device = self.device
        for name in ("scrub_rounds", "scrub_flips"):
            device.write(REGISTERS[name].offset, 0)
        begun = device.cycles
        while device.register("scrub_rounds") < count:
            device.idle(STEP)
        return device.cycles - begun, device.register("scrub_flips")

    def flip(self, found) -> None:
        half = self.device.register("status") >> 2 & 1
        for flip in found:
            self.device.flip(*self.cells.place(self.case.net, flip, half=half, ticks=0), flip.bit)

    def trials(self, rate: float, advance) -> dict:
        """Draws at a rate, of one flip at least; how many of them a round reported; and their flips."""
        parameters = [memory for memory in self.model.memories(self.case.net) if memory.part == "parameters"]
        row, rng = {"trials": TRIALS[self.name], "reported": 0, "injected": 0}, np.random.default_rng([SEED, int(rate)])
        for _ in range(row["trials"]):
            found = []
            while not found:
                found = flips_of.draw(parameters, rate, 2, rng)
            self.flip(found)
            # the round under way may have passed them
            row["reported"] += self.rounds(2)[1] > 0
            row["injected"] += len(found)
            self.flip(found)
            self.rounds(1)
            advance()
        return row | {"found": row["reported"] / row["trials"]}

    def equal(self) -> int:
        """Samples with flips of all parts whose words are all those of the model."""
        case, right = self.case, 0
        for n, x in enumerate(flow.samples(case, "test", COMPARED[self.name]).x):
            self.device.load(case.image.pairs)
            rng = np.random.default_rng([SEED, n])
            found = flips_of.draw(self.model.memories(case.net), COMPARED_RATE, len(x), rng)
            want = self.model.run(case.net, case.params, x[None], found)
            got = self.device.run_flipped(self.cells.ticks_of(case.net, x), want.size, found, self.cells.place)
            right += np.array_equal(case.net.outputs_of(_signed(got), x[None]), want)
        return right


def _signed(words) -> np.ndarray:
    """Words of 18 bits as a device gives them."""
    return np.asarray(words, np.int64).astype(np.int32) << 14 >> 14


def faults(console) -> dict:
    """Accuracy by flips per million words, and draws of flips in parameters that a round of the scrubber reports."""
    figures = {"seed": SEED, "rates": list(RATES), "networks": {}}
    for name, model, cells, draws, samples in NETWORKS:
        with status(console, f"compile {name} with a scrubber"):
            scrubbed = Scrubbed(name, model, cells)
        with bars(console) as bar:
            task = bar.add_task(f"{name} with flips", total=len(PARTS) * (1 + draws * (len(RATES) - 1)))
            rows = accuracies(name, model, draws, samples, lambda task=task: bar.advance(task))
            task = bar.add_task(f"flips in the circuit of {name}", total=TRIALS[name] * (len(RATES) - 1))
            scrubbed.rounds(1)
            about = {"scrub_cycles": scrubbed.rounds(1)[0], "clean_rounds": 2, "clean_reported": scrubbed.rounds(2)[1]}
            for row in rows[1:]:
                row |= scrubbed.trials(row["flips_per_million"], lambda task=task: bar.advance(task))
        about |= {"parameter_words": len(scrubbed.case.image), "draws": draws, "compared": COMPARED[name],
                  "equal": scrubbed.equal(), "compared_rate": COMPARED_RATE}
        figures["networks"][name] = about | {"rows": rows}
    return figures | {"rows": figures["networks"][NETWORKS[0][0]]["rows"]}


GROUPS = {"faults": faults}
