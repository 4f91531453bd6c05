"""A network of snnTorch as a circuit: exported as NIR, delays put in behind the weights, read, run and built."""

import nir
import numpy as np
import snntorch
import torch
from snntorch.export_nir import export_to_nir

import leadlag.nir

torch.manual_seed(0)
layers = [torch.nn.Linear(12, 24), snntorch.Leaky(torch.full((24,), 0.9), torch.ones(24), init_hidden=True),
          torch.nn.Linear(24, 4), snntorch.Leaky(torch.full((4,), 0.9), torch.ones(4), init_hidden=True)]
graph = export_to_nir(torch.nn.Sequential(*layers), torch.rand(12))
weights, neurons = next(edge for edge in graph.edges if edge[0] == "2" or edge[1] == "3")
graph.nodes["wait"] = nir.Delay(np.array([0, 3, 9, 20]) * 1e-4)
graph.edges = [edge for edge in graph.edges if edge != (weights, neurons)] + [(weights, "wait"), ("wait", neurons)]

found = leadlag.nir.read(graph, "with-delays", reset="late")
print(found.layers)
x = np.random.default_rng(0).random((2, 100, 12)) < 0.3
spikes = found.run(x, port="sim")
print(f"{spikes.sum()} spikes of the simulated board, each of them golden's")
print(found.build("ulx3s-85f").summary)
