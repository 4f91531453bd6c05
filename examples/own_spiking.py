"""A spiking network of one's own, of which only the delays are learnt: where in the picture is the bar? Made here."""

import numpy as np

import leadlag

rng = np.random.default_rng(0)
y = rng.integers(0, 4, 600)
x = rng.integers(0, 120, (600, 8, 8)).astype(np.uint8)
x[np.arange(600), 2 * y + rng.integers(0, 2, 600)] += 135

recipe = leadlag.SpikingRecipe(name="bars", hidden=[32], epochs=10, batch=32, rate=0.8, warm=20)
model = leadlag.fit(recipe, x[:400], y[:400])
words = model.quantize(calibrate=x[:400])
print(words.report.layers)
print(words.evaluate(x[400:], y[400:]))
print(words.verilog())
print(words.build("ulx3s-85f").summary)      # place and route: some minutes
