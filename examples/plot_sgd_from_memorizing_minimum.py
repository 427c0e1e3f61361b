"""
=============================
SGD from a memorizing minimum
=============================

A network that memorizes is a global minimum of the empirical risk. Perturb its weights
a little: the risk is no longer zero. Yun, Sra and Jadbabaie (2019, section 5) prove
that stochastic gradient descent without replacement then quickly finds a nearby point
whose risk is much smaller, although the risk is not convex. This example watches it
happen, and looks at what the accuracy on new samples does meanwhile.

It needs PyTorch, the extra `torch`; where that is missing, the pictures are too.
"""

# %%
# The starting point is the ReLU network of a nearby set: at every training sample, the
# output of its own class is at least 1, and no other output is positive. So the risk
# below is exactly zero: it is the mean of max(0, 1 - output)^2 for a sample's own class
# and of max(0, output)^2 for the others.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import make_moons

from sklearn_memorize import NearbySetClassifier
from sklearn_memorize.export import to_torch

torch.set_num_threads(1)
X, y = make_moons(380, noise=0.25, random_state=0)
X_train, y_train, X_test, y_test = X[:80], y[:80], X[80:], y[80:]
classifier = NearbySetClassifier().fit(X_train, y_train)
print(classifier.network_)
print(f"training accuracy {classifier.score(X_train, y_train):.3f}")
print(f"test accuracy     {classifier.score(X_test, y_test):.3f}")

# %%
# `to_torch` turns the fitted network into a `torch.nn.Module` in double precision. Each
# weight and bias is multiplied by 1 + size * a standard normal number.

inputs, test_inputs = torch.from_numpy(X_train), torch.from_numpy(X_test)
targets = torch.nn.functional.one_hot(torch.from_numpy(y_train)).double()


def perturbed(size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    module = to_torch(classifier)
    with torch.no_grad():
        for weights in module.parameters():
            noise = torch.randn(weights.shape, generator=generator, dtype=weights.dtype)
            weights *= 1 + size * noise
    return module


def risk(outputs, targets):
    missing = targets * torch.relu(1 - outputs)
    excess = (1 - targets) * torch.relu(outputs)
    return (missing**2 + excess**2).sum(dim=1).mean()


print(f"risk before the perturbation: {risk(to_torch(classifier)(inputs), targets)}")

# %%
# SGD without replacement: an epoch visits every sample once, in a new random order.


def descend(module, n_epochs=20, step=0.01, batch=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.SGD(module.parameters(), lr=step)
    risks, accuracies = [], []
    for _ in range(n_epochs + 1):
        with torch.no_grad():
            risks.append(risk(module(inputs), targets).item())
            labels = module(test_inputs).argmax(dim=1).numpy()
        accuracies.append((labels == y_test).mean())
        for chosen in torch.randperm(len(inputs), generator=generator).split(batch):
            optimizer.zero_grad()
            risk(module(inputs[chosen]), targets[chosen]).backward()
            optimizer.step()
    return risks, accuracies


sizes = (0.05, 0.1, 0.2)
runs = {size: descend(perturbed(size)) for size in sizes}
for size, (risks, accuracies) in runs.items():
    print(
        f"perturbed by {size:.0%}: risk {risks[0]:.2e} -> {risks[-1]:.2e}, "
        f"test accuracy {accuracies[0]:.3f} -> {accuracies[-1]:.3f}"
    )

# %%
# The risk falls within the first epochs, and by the larger factor the farther the start
# is from the minimum. The test accuracy hardly moves: descent repairs the damage that
# the perturbation did to the risk, and ends at another network nearby, which answers
# much as the first one did. What it says about new samples was decided by the
# construction.

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for (size, (risks, accuracies)), marker in zip(runs.items(), "o^s", strict=True):
    label = f"perturbed by {size:.0%}"
    left.plot(risks, marker=marker, markersize=4, label=label)
    right.plot(accuracies, marker=marker, markersize=4, label=label)
ticks = range(0, 21, 5)
left.set(xlabel="epochs", xticks=ticks, ylabel="empirical risk", yscale="log")
right.set(xlabel="epochs", xticks=ticks, ylabel="test accuracy", ylim=(0.5, 1.0))
right.axhline(classifier.score(X_test, y_test), color="black", linestyle=":")
right.legend()
plt.show()

# %%
# The dotted line is the accuracy of the network before it was perturbed.
