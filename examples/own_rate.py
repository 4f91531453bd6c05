"""A network of rates of one's own: which of three tones is in the noise? Sequences of unequal length, made here."""

import numpy as np

import leadlag

rng = np.random.default_rng(0)
y = rng.integers(0, 3, 400)
x = [np.sin((0.3, 0.6, 1.2)[k] * np.arange(rng.integers(30, 50))) for k in y]
x = [tone + rng.normal(0, 0.4, len(tone)) for tone in x]

recipe = leadlag.RateRecipe(name="tones", epochs=15, batch=20, rate=5e-3, layers=[
    {"neurons": [10, 10, 10], "tau_m": [0.2, 0.6, 1.2], "tau_r": 0.2, "repeat": 2}])
model = leadlag.fit(recipe, x[:300], y[:300])
words = model.quantize(calibrate=x[:300])
print(words.report.layers)
print(words.evaluate(x[300:], y[300:]))
print(words.verilog())
print(words.build("ulx3s-85f").summary)      # place and route: some minutes
