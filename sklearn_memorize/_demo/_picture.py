"""What the second-layer neurons hold, as a picture."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .. import MemorizingClassifier
from ._data import Data

__all__ = ["draw"]

_MOST_CLASSES = 12
_LARGEST, _SMALLEST = 9, 4


def draw(model: MemorizingClassifier, data: Data) -> Figure:
    """Draw what each class's second-layer neurons hold.

    Parameters
    ----------
    model : MemorizingClassifier
        Fitted to the data.
    data : Data
        The data; pictures are shown, of anything else the sizes of the covers.

    Returns
    -------
    figure : Figure
        A matplotlib figure.
    """
    neurons = _neurons_by_class(model, data.y)
    if data.image_shape is None:
        return _draw_sizes(model, data, neurons)
    return _draw_centers(model, data, neurons)


def _neurons_by_class(model, y) -> list[np.ndarray]:
    """Return each class's neurons, the one that covers most samples first."""
    largest_first = np.argsort(-model.coverage_, kind="stable")
    label = y[model.sample_indices_[largest_first]]
    return [largest_first[label == which] for which in model.classes_]


def _n_draws(model: MemorizingClassifier) -> int:
    """Return how many draws stand side by side in the network."""
    return model.n_draws if model.keep == "all" else 1


def _each_center_once(members: np.ndarray, model) -> np.ndarray:
    """Return the largest neuron of each center; draws may share centers."""
    _, first = np.unique(model.sample_indices_[members], return_index=True)
    return members[np.sort(first)]


def _headline(model: MemorizingClassifier, data: Data) -> str:
    n_neurons = int(np.sum(model.second_layer_widths_))
    recalled = "recalled" if model.interpolates_ else "not all recalled"
    draws = "" if _n_draws(model) == 1 else f" of {_n_draws(model)} draws"
    return (
        f"{len(data.y):,} training samples, {recalled} "
        f"by {n_neurons:,} second-layer neurons{draws}"
    )


def _draw_centers(model, data: Data, neurons: list[np.ndarray]) -> Figure:
    shown = neurons[:_MOST_CLASSES]
    n_columns = _LARGEST + 1 + _SMALLEST
    figure = Figure(figsize=(0.8 * n_columns + 1.6, 0.95 * len(shown) + 1.3))
    figure.suptitle(_headline(model, data), fontsize=14, y=0.985)
    axes = figure.subplots(len(shown), n_columns, squeeze=False)
    figure.subplots_adjust(
        0.13, 0.01, 0.99, 1 - 1.05 / figure.get_figheight(), 0.1, 0.35
    )
    for row, label, members in zip(axes, model.classes_, shown, strict=False):
        _draw_row(row, _each_center_once(members, model), model, data)
        n_samples = int((data.y == label).sum())
        row[0].text(
            -0.25,
            0.5,
            f"class {label}\n{n_samples} samples\n{_count(len(members), model)}",
            transform=row[0].transAxes,
            ha="right",
            va="center",
            fontsize=10,
        )
    _title_columns(axes[0])
    return figure


def _count(n_neurons: int, model: MemorizingClassifier) -> str:
    if _n_draws(model) == 1:
        return f"{n_neurons} neurons"
    return f"{n_neurons / _n_draws(model):.0f} neurons a draw"


def _title_columns(top_row) -> None:
    left, right = top_row[0], top_row[_LARGEST + 1]
    for axes, text in (
        (left, "The neurons that recall most: their centers, and how many they recall"),
        (right, "... and fewest: hard samples"),
    ):
        axes.text(0, 1.5, text, transform=axes.transAxes, fontsize=11, weight="bold")


def _draw_row(row, members, model, data: Data) -> None:
    for axes in row:
        axes.axis("off")
    n_left = min(_LARGEST, len(members))
    n_right = min(_SMALLEST, len(members) - n_left)
    left = zip(row, members[:n_left], strict=False)
    right = zip(row[_LARGEST + 1 :], members[len(members) - n_right :], strict=False)
    vmin, vmax = data.X.min(), data.X.max()
    for axes, neuron in (*left, *right):
        image = data.X[model.sample_indices_[neuron]].reshape(data.image_shape)
        axes.imshow(image, cmap="gray_r", vmin=vmin, vmax=vmax)
        axes.set_title(f"{model.coverage_[neuron]}", fontsize=9, pad=2)


def _draw_sizes(model, data: Data, neurons: list[np.ndarray]) -> Figure:
    shown = min(len(neurons), _MOST_CLASSES)
    figure = Figure(figsize=(11, 4.8), layout="constrained")
    figure.suptitle(_headline(model, data), fontsize=14)
    counts, sizes = figure.subplots(1, 2)
    position = np.arange(shown)
    n_samples = [(data.y == label).sum() for label in model.classes_[:shown]]
    n_neurons = [len(members) / _n_draws(model) for members in neurons[:shown]]
    bars = counts.barh(
        position - 0.2, n_samples, 0.38, color="0.8", label="training samples"
    )
    counts.bar_label(bars, padding=3)
    bars = counts.barh(
        position + 0.2,
        n_neurons,
        0.38,
        color="0.3",
        label="second-layer neurons a draw",
    )
    counts.bar_label(bars, fmt="{:.0f}", padding=3)
    counts.set_yticks(position, [f"class {label}" for label in model.classes_[:shown]])
    counts.invert_yaxis()
    counts.margins(x=0.12)
    counts.legend()
    counts.set_title("How many neurons a class needs")
    for label, members in zip(model.classes_[:shown], neurons, strict=False):
        rank = np.arange(1, len(members) + 1)
        sizes.plot(rank, model.coverage_[members], ".-", label=f"class {label}")
    sizes.set_yscale("log")
    sizes.yaxis.set_major_formatter("{x:,.0f}")
    sizes.xaxis.set_major_locator(MaxNLocator(integer=True))
    sizes.set(xlabel="neuron, largest first", ylabel="training samples it recalls")
    sizes.set_title("How many samples a neuron recalls")
    sizes.legend()
    return figure
