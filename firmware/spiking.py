"""Images through a device that is a spiking network: a part of Board. Spikes in, answers back."""

import time

import numpy as np

from firmware.link import TICKING
from firmware.protocol import MAX_WORDS, LinkError
from golden.regmap import OUTPUT, VALID_BIT
from golden.spiking.engine import Answers
from golden.spiking.network import SpikingNetwork
from golden.spiking.words import IMAGE_BIT, answers, input_words


class Spiking:
    """What a Board adds where its network is a SpikingNetwork: a part of firmware.loader.Board."""

    def classify(self, spikes, progress=None) -> Answers:
        """Run images, each from rest: spikes (images, ticks, inputs) bool -> Answers of shape (images,).

        Never has more images in the device than answers that may wait there. `progress(n)`: n more answers came back.
        LinkError where the link or the device fails: no answer is given then, and the next call begins anew.
        """
        spikes = self._check_spikes(spikes)
        identity = self._identity or self.identify()
        self._check_design(identity)
        self._require_loaded()
        self._end_image()
        found = self._stream_images(spikes, identity.output_ticks, progress)
        if self._require_loaded() & TICKING:        # or a reset has passed unnoticed
            raise LinkError(f"the device still has an image or an answer after {len(spikes)} of each: it has lost step")
        return answers(found)

    def _check_spikes(self, spikes):
        net, spikes = self.net, np.asarray(spikes)
        if net is None:
            raise ValueError("classify needs the network description: Board(transport, net)")
        if not isinstance(net, SpikingNetwork):
            raise ValueError(f"{net.name} is no spiking network: it has sequences to run, not images to classify")
        if spikes.dtype != bool or spikes.ndim != 3 or spikes.shape[1:] != (net.ticks, net.inputs) or not len(spikes):
            raise ValueError(f"spikes are bool of shape (images, {net.ticks}, {net.inputs}), not {spikes.dtype} of "
                             f"shape {spikes.shape}")
        return spikes

    def _end_image(self):
        """End an image that was cut short and throw away what is left of earlier ones.

        Also where the device says that it has none: the end of an image clears what a reset has left of one.
        """
        ended, deadline = 0, time.monotonic() + self.patience
        while True:
            # no word is taken while answers fill the queue
            ended = ended or self._send([1 << IMAGE_BIT])
            busy = self.get("status") & TICKING
            if ended and not busy:
                return
            self.read(OUTPUT, MAX_WORDS, fixed=True)
            if time.monotonic() > deadline:
                raise LinkError(f"the device does not come to the end of an earlier image in {self.patience:g} s")

    def _stream_images(self, spikes, room, progress):
        """Frames of words and of answers in turn; the words of the answers."""
        images, found, words, begun = len(spikes), [], [], 0
        deadline = time.monotonic() + self.patience
        # an answer may come before the last words of its image have gone
        while len(found) < images or words:
            window = min(images, len(found) + room)
            while len(words) < MAX_WORDS and begun < window:
                words += input_words(self.net, spikes[begun:begun + 1]).tolist()
                begun += 1
            part = words[:MAX_WORDS]
            sent = self._send(part) if part else 0
            del words[:sent]
            new = []
            if sent < len(part) or not words and begun == window:
                new = self._answer_words(begun - len(found), len(found))
                found += new
            if progress is not None and new:
                progress(len(new))
            if sent or new:
                deadline = time.monotonic() + self.patience
            elif time.monotonic() > deadline:
                self._require_loaded()      # a reset loses answers
                raise LinkError(f"no answer for {self.patience:g} s after {len(found)} of {images} images")
        return found

    def _answer_words(self, count, before):
        """Up to `count` answers that the device has now; `before`: answers of this run that came earlier."""
        net = self.net
        words = [word for word in self.read(OUTPUT, count, fixed=True) if word >> VALID_BIT & 1]
        for n, (label, tick, fired) in enumerate(zip(*answers(words), strict=True)):
            decides = tick < net.ticks and net.decision == "first_spike" if fired else tick == net.ticks - 1
            if label >= net.outputs or not decides:
                raise LinkError(f"answer {before + n} is label {label} by {'a spike' if fired else 'the membranes'} in "
                                f"tick {tick}, which {net.name} cannot give: {net.outputs} outputs, {net.ticks} ticks, "
                                f"decision {net.decision}")
        return words
