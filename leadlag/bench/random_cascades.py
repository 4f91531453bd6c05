"""The host of a random cascaded network (leadlag.bench.random_hosts), with golden's memory of earlier frames beside."""

import numpy as np

from golden.cascade import engine, layout, words
from golden.cascade.network import CascadeNetwork
from golden.fixed import wrap
from golden.image import build_image
from golden.regmap import INPUT
from leadlag.bench.random_hosts import POLLS, RESET, InPlaceHost
from rtl.cascade.core import step_cycles
from sim.harness.script import Reset


def params_of(net: CascadeNetwork, rng: np.random.Generator) -> tuple:
    """Parameters that keep maps alive; in one of four, whole tensors are at the ends of their formats."""
    params = engine.random_params(net, int(rng.integers(1 << 32)))
    if rng.random() < 0.75:
        return params
    found = []
    for n, own in enumerate(params):
        ends = {name: rng.choice((fmt.min, fmt.max, 0, -1), shape)
                for name, (shape, fmt) in layout.shapes(net, n).items() if rng.random() < 0.4}
        found.append(own._replace(**ends))
    return tuple(found)


class CascadeHost(InPlaceHost):
    """Frames with any header, one after the other, and some that are cut short."""

    actions = (*("run",) * 6, "load", "repeat", "refused", "partial", "reset")

    def __init__(self, net, *args, **options):
        super().__init__(net, *args, **options)
        #: golden's; None where what the device remembers is not known: the next frame has to forget it
        self.memory = None
        #: the frame that the device has seen last; None where it was cut short: a detector then sees a cut
        self.last = None
        self.image = self._any_image()
        # an answer may wait for the stem and for a step of all blocks
        self.polls = POLLS + 2 * sum(unit.cycles(task.conv) for unit in net.engines for task in net.program(unit))
        # steps of a frame that do not take all of the time, and the most that one has had so far
        each = step_cycles(net) + max(np.prod(layer.out) for layer in net.layers[:-1])
        self.most, self.longest = int(min(words.MAX_STEPS, max(2, self.budget // each))), net.steps

    def any_params(self):
        """Parameters of the network."""
        return params_of(self.net, self.words)

    def room(self):
        """Frames whose answers may wait: the device has room for some of its own number of steps."""
        return max(0, self.buffered * self.net.steps // self.longest - 1)

    def new_image(self):
        """Words of every layer."""
        self.params = self.any_params()
        self.pairs = build_image(self.net, self.params).pairs.tolist()

    def commit(self):
        """Engines may still have been at work on the last step while words changed: what they left means nothing."""
        yield from super().commit()
        self.memory = None

    def run(self):
        """Some frames, whose steps and rules are drawn for each."""
        steps = min(self.most, self.rng.choice((self.net.steps, self.net.steps, 1, self.rng.randint(1, self.most))))
        for _ in range(self.rng.choice((1, 1, 2, 4))):
            yield from self.frame(steps if self.rng.random() < 0.7 else self.rng.randint(1, steps))

    def frame(self, steps: int):
        """One frame of some header, and what golden makes of it."""
        told, net = self._header(steps), self.net
        if self.rng.random() < 0.7:
            self.image = self._any_image()
        frame = net.frames(self.image, told)
        unlike = net.detector is not None and (
            self.last is None or engine.differs(frame, self.last, net.detector).any())
        if told.cut or unlike:
            self.memory = engine.Memory(net, 1)
        self.last = frame
        wanted = engine.refine(net, self.params, frame, self.memory)
        self.longest = max(self.longest, steps)
        for word in frame[0]:
            yield from self.input(int(word))
        self.ticks += int(words.split(wanted).computed.sum())
        for t, step in enumerate(wanted[0]):
            for k, word in enumerate(step):
                is_last = (t, k) == (steps - 1, net.outputs)
                self.due.append((wrap(int(word), 18), int(is_last), f"frame {self.sent} ({told}): step {t}, word {k}"))
        self.sent += 1

    def _header(self, steps: int) -> words.Header:
        rng, classes = self.rng, self.net.outputs
        rule = rng.choice(("never", "never", "margin", "softmax"))
        least = 1 << words.INVERSE_FRACTION     # of the sum of exp, 1 to as many as there are classes
        often = {"never": 0, "margin": rng.choice((0, 1, 30, 300, 3000)),
                 "softmax": rng.randint(least, least * classes + 100)}[rule]
        edge = rng.choice((0, 1, least - 1, least, least + 1, rng.randrange(1 << words.END_BIT), words.MAX_THRESHOLD))
        return words.Header(steps, self.memory is None or rng.random() < 0.4, rng.random() < 0.4, rule,
                            edge if rng.random() < 0.3 else often)

    def _any_image(self):
        size = (1, self.net.inputs)
        return self.words.integers(0, 256, size) if self.rng.random() < 0.8 else self.words.choice((0, 255), size)

    def partial(self):
        """A part of a frame, or none of it, and the word that ends what was cut short: nothing comes of it."""
        frame = self.net.frames(self.image, self._header(1))[0]
        sent = frame[:self.rng.choice((0, 1, 2, self.rng.randrange(len(frame)), len(frame) - 1))]
        self.last = self.last if len(sent) == 0 else None
        for word in sent:
            yield from self.input(int(word))
        for _ in range(self.rng.choice((1, 1, 2))):
            yield from self.input(1 << words.END_BIT)

    def reset(self):
        """The button, at times in the middle of a frame."""
        if not self.button:
            return
        if self.rng.random() < 0.5:
            yield from self.drain()
        for word in self.net.frames(self.image, self._header(1))[0][:self.rng.choice((0, 1, self.net.inputs))]:
            yield from self.access(True, INPUT, int(word))
        self.cost += RESET
        yield Reset(RESET)
        self.due.clear()
        self.received, self.ticks, self.last = self.sent, 0, None
        yield from self.load()

    def finish(self):
        """What is left, and the counters."""
        yield from self.drain()
        self.expect((yield from self.get("ticks")), self.ticks, "ticks")
        self.expect((yield from self.get("errors")), 0, "errors")
