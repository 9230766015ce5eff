"""Which behaviours do optimisers show on the convex non-differentiable single-layer network (eq. 3)?

python examples/testbed.py
"""

import numpy as np
import torch

import nonsmooth as ns

problem = ns.testbed.random_problem(rows=10, columns=30, l1=0.5, l2=0.1, seed=0)
low, high = problem.at_zero.sharpness
print(f"minimum {problem.minimum:.4f} at 0; f(b) - minimum >= mu ||b|| with mu in [{low:.3f}, {high:.3f}]")
print(f"2/L: {problem.all_on_edge:.3g} with every ReLU on, {problem.all_off_edge:.3g} with every ReLU off")


def signs(x, subgradient, size):
    """A method of your own is a function."""
    return x - size * np.sign(subgradient)


methods = {
    "subgradient": ns.methods.Subgradient(),
    "momentum": ns.methods.Momentum(0.9),
    "torch's Adam": torch.optim.Adam,
    "signs only": signs,
}
for name, method in methods.items():
    print(f"{name:>14}  {problem.try_out(method, stepsize=0.01, steps=3000)}")

twin = problem.smooth_twin(0.5)
step = 1 / twin.objective.facts.gradient_lipschitz
print(f"   smooth twin  {twin.try_out(ns.methods.Subgradient(), stepsize=step, steps=3000)}")

# Without a ReLU that is ever on, eq. 3 is the toy LASSO of eq. 7, and its orbit has period two.
toy = ns.testbed.problem_from(np.zeros((1, 30)), np.zeros(1), l1=0.5)
print(f"     toy LASSO  {toy.try_out(ns.methods.Subgradient(), stepsize=0.01, steps=3000)}")
