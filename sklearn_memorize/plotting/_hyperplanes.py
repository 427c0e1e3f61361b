"""Pictures of a fitted network: its hyperplanes, cells and covers."""

import warnings

import numpy as np
from scipy import sparse
from sklearn.utils.validation import check_is_fitted

from .._estimator._sklearn import check_feature_names
from ._style import BESIDE, check_matplotlib, color, get_axes, marker

# A column of the legend has at most so many lines. Besides the classes there are
# hyperplanes, borders, and the samples behind them.
_LEGEND_ROWS, _OTHER_LINES = 24, 3


class HyperplaneDisplay:
    """Hyperplanes, cells, covers and decision regions of a network on planar data.

    It is recommended to use `from_estimator` to make one. All parameters are stored
    as attributes.

    Parameters
    ----------
    xx0, xx1 : ndarray of shape (n_rows, n_columns)
        The grid, as `numpy.meshgrid` returns it.
    regions : ndarray of shape (n_rows, n_columns)
        Number of the predicted class at each point.
    weights : ndarray of shape (n_hyperplanes, 2)
        Normal vectors of the hyperplanes of the first layer.
    biases : ndarray of shape (n_hyperplanes,)
        Their biases: a neuron is active where ``weights @ x + biases > 0``.
    covers : ndarray of shape (n_neurons, n_rows, n_columns)
        Where each neuron of the second layer is active; empty for estimators whose
        second layer does not cover samples.
    centers : ndarray of shape (n_neurons,)
        Row of `X` behind each of them.
    X : ndarray of shape (n_samples, 2)
        The samples.
    labels : ndarray of shape (n_samples,)
        Number of the class of each sample.
    classes : ndarray of shape (n_classes,)
        The classes.
    names : list of str, default=None
        Names of the two features.

    Attributes
    ----------
    region_image_ : matplotlib QuadMesh or None
        The decision regions.
    cell_image_ : matplotlib QuadMesh or None
        The cells.
    lines_ : matplotlib LineCollection or None
        The hyperplanes.
    covers_ : list of matplotlib QuadContourSet
        The borders of the covers.
    points_ : list of matplotlib PathCollection
        The samples of each class.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure that contains it.
    """

    def __init__(
        self,
        *,
        xx0,
        xx1,
        regions,
        weights,
        biases,
        covers,
        centers,
        X,
        labels,
        classes,
        names=None,
    ):
        self.xx0 = xx0
        self.xx1 = xx1
        self.regions = regions
        self.weights = weights
        self.biases = biases
        self.covers = covers
        self.centers = centers
        self.X = X
        self.labels = labels
        self.classes = classes
        self.names = names

    @classmethod
    def from_estimator(
        cls, estimator, X, y, *, grid_resolution=300, margin=0.15, ax=None, **options
    ):
        """Draw a fitted estimator on the planar data that it memorizes.

        Parameters
        ----------
        estimator : classifier
            A fitted classifier with a `network_`. Covers are drawn for those that
            also have `sample_indices_`.
        X : array-like of shape (n_samples, 2)
            The training samples.
        y : array-like of shape (n_samples,)
            Their labels.
        grid_resolution : int, default=300
            Number of points along each side of the grid.
        margin : float, default=0.15
            How far the picture reaches beyond the samples, as a share of their range.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : HyperplaneDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the samples are not points of the plane, the estimator has no network, or
            the names of the features are others than in `fit`.
        """
        check_matplotlib(cls.__name__)
        check_is_fitted(estimator)
        names = [str(name) for name in getattr(X, "columns", ())]
        check_feature_names(estimator, X)
        X, y = np.asarray(X, dtype=float), np.asarray(y)
        if X.ndim != 2 or X.shape[1] != 2:
            raise ValueError(
                f"{cls.__name__} draws the plane: X must have two columns, got shape "
                f"{X.shape}."
            )
        if not hasattr(estimator, "network_"):
            raise ValueError(
                f"{cls.__name__} draws a network, and {type(estimator).__name__} has "
                "no `network_`; pass a fitted classifier of sklearn_memorize (out of "
                "a pipeline: its last step, and the transformed data)."
            )
        xx0, xx1 = _grid(X, grid_resolution, margin)
        grid = np.column_stack([xx0.ravel(), xx1.ravel()])
        with warnings.catch_warnings():
            # The names were compared above; points of a grid have none.
            warnings.filterwarnings("ignore", "X does not have valid feature names")
            regions = np.searchsorted(estimator.classes_, estimator.predict(grid))
        layers = estimator.network_.layers
        weights = layers[0].weights
        weights = weights.toarray() if sparse.issparse(weights) else weights
        centers = np.asarray(getattr(estimator, "sample_indices_", []), dtype=int)
        covers = _covers(estimator.network_, grid, len(centers))
        display = cls(
            xx0=xx0,
            xx1=xx1,
            regions=regions.reshape(xx0.shape),
            weights=weights.astype(float),
            biases=layers[0].biases.astype(float),
            covers=covers.reshape(-1, *xx0.shape),
            centers=centers,
            X=X,
            labels=np.searchsorted(estimator.classes_, y),
            classes=estimator.classes_,
            names=names or None,
        )
        return display.plot(ax=ax, **options)

    def plot(
        self,
        ax=None,
        *,
        show_regions=True,
        show_cells=False,
        show_covers=True,
        max_hyperplanes=200,
        max_covers=100,
        **options,
    ):
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        show_regions : bool, default=True
            Colour each point by the class that is predicted there.
        show_cells : bool, default=False
            Shade the cells that the hyperplanes cut the plane into like a chess
            board: neighbours differ in one hyperplane, so in parity.
        show_covers : bool, default=True
            Draw the border of the region in which each second-layer neuron is active,
            and mark the sample behind it.
        max_hyperplanes : int, default=200
            Draw at most that many hyperplanes (the first ones); 0 draws none.
        max_covers : int, default=100
            Draw the borders of at most that many covers: those of the largest regions.
        **options
            Arguments of `matplotlib.axes.Axes.scatter` for the samples.

        Returns
        -------
        display : HyperplaneDisplay
            The display itself.
        """
        ax = get_axes(ax, type(self).__name__, self._figure_size())
        self.ax_, self.figure_ = ax, ax.figure
        self.region_image_ = self._draw_regions() if show_regions else None
        self.cell_image_ = self._draw_cells() if show_cells else None
        self.lines_ = self._draw_hyperplanes(max_hyperplanes)
        drawn = self._largest_covers(max_covers) if show_covers else []
        self.covers_ = self._draw_covers(drawn)
        self.points_ = self._draw_points(options)
        if len(drawn):
            self._mark_centers(drawn)
        ax.set(
            xlim=(self.xx0.min(), self.xx0.max()),
            ylim=(self.xx1.min(), self.xx1.max()),
            aspect="equal",
            anchor="W",
            xlabel=self.names[0] if self.names else "feature 0",
            ylabel=self.names[1] if self.names else "feature 1",
        )
        fontsize = "medium" if self._n_legend_columns == 1 else "small"
        ax.legend(ncols=self._n_legend_columns, fontsize=fontsize, **BESIDE)
        return self

    @property
    def _n_legend_columns(self) -> int:
        return -(-(len(self.classes) + _OTHER_LINES) // _LEGEND_ROWS)

    def _figure_size(self) -> tuple[float, float]:
        """Return the inches that the points and the legend ask for."""
        shape = np.ptp(self.xx1) / np.ptp(self.xx0)
        width = min(4.4, 5.8 / shape)
        n_lines = min(_LEGEND_ROWS, len(self.classes) + _OTHER_LINES)
        height = max(2.4, width * shape + 0.8, 0.24 * n_lines)
        n_letters = max(map(len, self._labels() + ["samples behind them"]))
        legend = self._n_legend_columns * (0.8 + 0.095 * n_letters)
        return width + 0.8 + legend, height

    def _labels(self) -> list[str]:
        return [f"samples of class {name}" for name in self.classes]

    def _draw_regions(self):
        from matplotlib.colors import ListedColormap

        colors = ListedColormap([color(c) for c in range(len(self.classes))])
        limits = {"vmin": -0.5, "vmax": len(self.classes) - 0.5}
        return self._shade(self.regions, cmap=colors, alpha=0.18, **limits)

    def _draw_cells(self):
        grid = np.stack([self.xx0, self.xx1], axis=-1)
        n_active = np.zeros(self.xx0.shape, dtype=int)
        for weight, bias in zip(self.weights, self.biases, strict=True):
            n_active += grid @ weight + bias > 0
        return self._shade(n_active % 2, cmap="gray_r", alpha=0.35, vmax=4)

    def _shade(self, values, **options):
        """Colour the grid by one value for each of its points."""
        options |= {"linewidth": 0, "rasterized": True, "shading": "nearest"}
        return self.ax_.pcolormesh(self.xx0, self.xx1, values, **options)

    def _draw_hyperplanes(self, max_hyperplanes: int):
        from matplotlib.collections import LineCollection

        weights, biases = self.weights[:max_hyperplanes], self.biases[:max_hyperplanes]
        lengths = np.linalg.norm(weights, axis=1, keepdims=True)
        drawn = lengths[:, 0] > 0
        if not drawn.any():
            return None
        lengths = lengths[drawn]
        normals, biases = weights[drawn] / lengths, biases[drawn, np.newaxis] / lengths
        center = np.array([[self.xx0.mean()], [self.xx1.mean()]])
        reach = np.hypot(np.ptp(self.xx0), np.ptp(self.xx1))
        feet = center.T - (normals @ center + biases) * normals
        along = reach * np.column_stack([-normals[:, 1], normals[:, 0]])
        lines = LineCollection(
            list(np.stack([feet - along, feet + along], axis=1)),
            colors="0.35",
            linewidths=0.5,
            alpha=0.5,
            label="hyperplanes",
        )
        self.ax_.add_collection(lines, autolim=False)
        return lines

    def _largest_covers(self, max_covers: int) -> np.ndarray:
        """Return which covers are drawn, in the order of the neurons."""
        n_points = [np.count_nonzero(cover) for cover in self.covers]
        largest = np.argsort(np.negative(n_points), kind="stable")[:max_covers]
        return np.sort(largest).astype(np.intp)

    def _draw_covers(self, drawn):
        border = {"levels": [0.5], "linewidths": 1.4}
        return [
            self.ax_.contour(self.xx0, self.xx1, cover, colors=color(number), **border)
            for cover, number in zip(
                self.covers[drawn], self.labels[self.centers[drawn]], strict=True
            )
            if cover.any() and not cover.all()
        ]

    def _mark_centers(self, drawn):
        first = color(self.labels[self.centers[drawn[0]]])
        self.ax_.plot([], [], color=first, linewidth=1.4, label="borders of covers")
        star = {"marker": "*", "s": 140, "c": "white", "ec": "black", "zorder": 4}
        centers = np.unique(self.centers[drawn])
        self.ax_.scatter(*self.X[centers].T, **star, label="samples behind them")

    def _draw_points(self, options):
        return [
            self.ax_.scatter(
                *self.X[self.labels == number].T,
                **{
                    "c": color(number),
                    "marker": marker(number),
                    "s": 14,
                    "linewidths": 0.3,
                    "edgecolors": "white",
                    "label": label,
                    "zorder": 3,
                    **options,
                },
            )
            for number, label in enumerate(self._labels())
        ]


def _grid(X, resolution: int, margin: float):
    low, high = X.min(axis=0), X.max(axis=0)
    pad = margin * max(float(np.max(high - low)), np.finfo(float).tiny)
    sides = np.linspace(low - pad, high + pad, resolution)
    return np.meshgrid(sides[:, 0], sides[:, 1])


def _covers(network, grid, n_neurons: int) -> np.ndarray:
    """Return where each second-layer neuron is active, of shape (n_neurons, n)."""
    covers = np.zeros((n_neurons, len(grid)), dtype=bool)
    if n_neurons == 0:
        return covers
    for block in network.blocks(len(grid)):
        margins = [
            covering.neuron_margins(codes, np.arange(covering.n_neurons))
            for covering, codes in zip(
                network.coverings, network.encode(grid[block]), strict=True
            )
        ]
        covers[:, block] = (np.concatenate(margins, axis=1) > 0).T
    return covers
