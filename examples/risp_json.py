"""A RISP network of TENNLab as a circuit: two neurons that pass a spike round, from their JSON, run and built."""

from pathlib import Path

import numpy as np

import leadlag.nir as nir

ring = nir.Risp(ids=(0, 1), thresholds=(1, 2), leaks=(False, True), min_potential=-8, inputs=(0,), outputs=(0, 1),
                synapses=(nir.Synapse(0, 1, weight=2, delay=3), nir.Synapse(1, 0, weight=1, delay=5)))
Path("ring.json").write_text(nir.write_risp(ring))

found = nir.read("ring.json")
print(found.notes)
x = np.zeros((1, 30, 1), int)
x[0, 0] = 1
spikes = found.run(x, port="sim")
print(spikes[0].T)
same, _ = nir.run_risp(ring, [(0, 0, ring.charge(1))], steps=30)
assert np.array_equal(spikes[0], same), "the board, and RISP as TENNLab says it"
print(found.build("ulx3s-85f").summary)
