"""The training samples that speak for a label, beside the sample that got it."""

import numpy as np
from scipy import sparse
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.sparsefuncs import mean_variance_axis
from sklearn.utils.validation import check_is_fitted

from .._estimator._sklearn import _safe_indexing
from ._style import check_matplotlib, color, get_axes, short

# Between the sample, the reasons for its class and those for the runner-up.
_GAP = 0.35
# Headings of fewer columns than that stand on two lines.
_FEWEST_ON_A_LINE = 3
# Lines of text above a picture, in widths of a picture.
_TEXT = 0.56
# The same in a table, in rows.
_TEXT_ROWS = 2.6
# Differences of more standard deviations than this have the same colour.
_LARGEST_DIFFERENCE = 3.0


class ReasonsDisplay:
    """Samples beside the training samples that speak for their label, or against it.

    Each row of pictures (or each block of a table) is about one sample. It stands at
    the left, then come the training samples that speak for the class that is predicted,
    then those that speak for the runner-up, the strongest first. Above each stand its
    label, the margin of its neuron, and how many training samples that neuron covers.
    The frame is solid where the neuron fires, and dashed where it does not.

    It is recommended to use `from_estimator` to make one. All parameters are stored as
    attributes.

    Parameters
    ----------
    reasons : Reasons
        What `MemorizingClassifier.reasons` returns.
    samples : ndarray of shape (n_samples, n_features)
        The samples that are explained.
    training_samples : ndarray of shape (n_samples, 2, n_reasons, n_features)
        The training samples behind the reasons; NaN where there is none.
    spread : ndarray of shape (n_features,)
        Standard deviation of each feature in the training set.
    class_names : ndarray of shape (n_classes,)
        The labels in the order that gives them their colours.
    feature_names : list of str
        Names of the features.
    image_shape : tuple of int or None, default=None
        Height and width of the images that the samples are (and 3 for colours); None
        for a table.

    Attributes
    ----------
    images_ : list of matplotlib AxesImage
        The pictures, sample by sample; empty for a table.
    table_ : list of matplotlib QuadMesh
        The colours of the blocks of a table; empty for images.
    frames_ : list of matplotlib Rectangle
        The frames of the training samples.
    shown_features_ : list of ndarray
        For a table: numbers of the features of each block, from top to bottom.
    ax_ : matplotlib Axes
        Axes with the picture.
    figure_ : matplotlib Figure
        Figure that contains it.
    """

    def __init__(
        self,
        *,
        reasons,
        samples,
        training_samples,
        spread,
        class_names,
        feature_names,
        image_shape=None,
    ):
        self.reasons = reasons
        self.samples = samples
        self.training_samples = training_samples
        self.spread = spread
        self.class_names = class_names
        self.feature_names = feature_names
        self.image_shape = image_shape

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        *,
        X_train,
        n_reasons=3,
        image_shape=None,
        feature_names=None,
        ax=None,
        **options,
    ):
        """Ask a fitted classifier for its reasons, and draw them.

        Parameters
        ----------
        estimator : classifier or Pipeline
            A fitted `MemorizingClassifier`, or a pipeline that ends with one. What is
            drawn are the samples as they enter the pipeline.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Numbers: the few samples to be explained.
        X_train : array-like or sparse matrix of shape (n_training_samples, n_features)
            The training set, all batches one after the other if there were several.
        n_reasons : int, default=3
            Number of training samples to name for each of the two classes.
        image_shape : tuple of int, default=None
            Draw the samples as images of this height and width, and 3 where they have
            colours. By default they are drawn as a table.
        feature_names : list of str, default=None
            Names of the features in a table; by default the columns of a data frame, or
            else numbers.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : ReasonsDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the estimator gives no reasons, if `X_train` has fewer rows than the
            training set, or if the images have not as many values as the samples.
        """
        check_matplotlib(cls.__name__)
        check_is_fitted(estimator)
        classifier, transformed = estimator, X
        if isinstance(estimator, Pipeline):
            classifier, transformed = estimator[-1], estimator[:-1].transform(X)
        if not hasattr(classifier, "reasons"):
            raise ValueError(
                f"{cls.__name__} draws reasons, and {type(classifier).__name__} gives "
                "none; pass a fitted MemorizingClassifier, or a pipeline that ends "
                "with one."
            )
        reasons = classifier.reasons(transformed, n_reasons)
        samples = _dense(X)
        if feature_names is None:
            numbers = range(samples.shape[1])
            feature_names = getattr(X, "columns", [f"feature {j}" for j in numbers])
        if image_shape is not None and np.prod(image_shape) != samples.shape[1]:
            raise ValueError(
                f"image_shape={image_shape} has {np.prod(image_shape)} values, and the "
                f"samples have {samples.shape[1]} features."
            )
        display = cls(
            reasons=reasons,
            samples=samples,
            training_samples=_rows(X_train, reasons.sample_indices, samples.shape[1]),
            spread=_spread(X_train),
            class_names=classifier.classes_,
            feature_names=[str(name) for name in feature_names],
            image_shape=None if image_shape is None else tuple(image_shape),
        )
        return display.plot(ax=ax, **options)

    def plot(self, ax=None, *, max_features=8, n_marked=3, cmap=None, colorbar=True):
        """Draw the picture.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        max_features : int, default=8
            Features in a table: those that differ most, in units of their spread,
            between the sample and the training samples beside it.
        n_marked : int, default=3
            In each column of a table, so many of these features are in bold type: those
            in which this training sample differs most.
        cmap : str or Colormap, default=None
            Colours of images of one channel, by default from white to black; or of the
            differences in a table, by default from blue to red.
        colorbar : bool, default=True
            Draw the legend of the differences in a table.

        Returns
        -------
        display : ReasonsDisplay
            The display itself.
        """
        self.images_, self.table_, self.frames_ = [], [], []
        self.shown_features_ = []
        n_features = min(max_features, self.samples.shape[1])
        ax = get_axes(ax, type(self).__name__, self._figure_size(n_features))
        self.ax_, self.figure_ = ax, ax.figure
        if self.image_shape is not None:
            self._plot_images("gray_r" if cmap is None else cmap)
        else:
            self._plot_tables(n_features, n_marked, "RdBu_r" if cmap is None else cmap)
            if colorbar and self.table_:
                label = "difference from the sample,\nin standard deviations"
                self.colorbar_ = ax.figure.colorbar(
                    self.table_[0], ax=ax, label=label, shrink=0.7, extend="both"
                )
        centers, names = self._groups()
        ax.set_xticks(centers, names)
        ax.tick_params(axis="both", length=0)
        ax.xaxis.tick_top()
        ax.spines[:].set_visible(False)
        if self._columns:
            ax.set_xlabel("training samples by margin; solid frame: the neuron fires")
        else:
            ax.set_xlabel("no reasons, for there is a single class")
        return self

    @property
    def _n_shown(self) -> tuple[int, int]:
        """For how many classes there are reasons, and for each how many."""
        _, n_sides, n_reasons = self.reasons.sample_indices.shape
        has_reasons = (self.reasons.neurons >= 0).any()
        return (n_sides, n_reasons) if has_reasons else (0, 0)

    @property
    def _columns(self) -> list[tuple[float, int, int]]:
        """The left edge of each training sample, the class and the reason it shows."""
        n_sides, n_reasons = self._n_shown
        return [
            (1 + _GAP + side * (n_reasons + _GAP) + reason, side, reason)
            for side in range(n_sides)
            for reason in range(n_reasons)
        ]

    @property
    def _right(self) -> float:
        """The right edge of the last picture, or of the last column of a table."""
        return 1 + (self._columns[-1][0] if self._columns else 0.0)

    def _groups(self):
        n_sides, n_reasons = self._n_shown
        starts = [1 + _GAP + side * (n_reasons + _GAP) for side in range(n_sides)]
        names = ["sample", "speak for the prediction", "speak for the runner-up"]
        if n_reasons < _FEWEST_ON_A_LINE:
            names = [name.replace(" for ", " for\n") for name in names]
        centers = [0.5, *(start + n_reasons / 2 for start in starts)]
        return centers, names[: 1 + n_sides]

    def _figure_size(self, n_features: int) -> tuple[float, float]:
        n_columns, n_rows = 1.5 + len(self._columns), len(self.samples)
        if self.image_shape is None:
            return 3.2 + 1.05 * n_columns, 0.8 + 0.29 * n_rows * (
                _TEXT_ROWS + n_features
            )
        height, width = self.image_shape[:2]
        return 0.6 + 1.2 * n_columns, 0.8 + 1.2 * n_rows * (height / width + _TEXT)

    def _plot_images(self, cmap) -> None:
        """Draw one row of pictures a sample, from top to bottom."""
        height = self.image_shape[0] / self.image_shape[1]
        lowest = np.nanmin(self.training_samples, initial=self.samples.min())
        largest = np.nanmax(self.training_samples, initial=self.samples.max())
        limits = lowest, max(largest, np.nextafter(lowest, np.inf))
        for row, sample in enumerate(self.samples):
            top = row * (height + _TEXT) + _TEXT
            self._draw_image(sample, 0.0, top, height, limits, cmap)
            self._write(row, 0.0, top)
            for left, side, reason in self._columns:
                if self.reasons.neurons[row, side, reason] < 0:
                    continue
                image = self.training_samples[row, side, reason]
                self._draw_image(image, left, top, height, limits, cmap)
                self._frame(row, side, reason, (left, top), height)
                self._write(row, left, top, side, reason)
        middles = (np.arange(len(self.samples)) + 0.5) * (height + _TEXT)
        middles += _TEXT / 2
        self.ax_.set_yticks(middles, range(len(self.samples)))
        self.ax_.set(
            xlim=(-0.05, self._right + 0.05),
            ylim=(len(self.samples) * (height + _TEXT) + 0.05, 0.0),
            aspect="equal",
            ylabel="sample",
        )

    def _draw_image(self, values, left, top, height, limits, cmap) -> None:
        lowest, largest = limits
        shown = (values.reshape(self.image_shape) - lowest) / (largest - lowest)
        image = self.ax_.imshow(
            shown,
            cmap=cmap,
            vmin=0.0,
            vmax=1.0,
            extent=(left + 0.04, left + 0.96, top + 0.96 * height, top + 0.04 * height),
            interpolation="nearest",
        )
        self.images_.append(image)

    def _plot_tables(self, n_features: int, n_marked: int, cmap) -> None:
        """Draw one block of rows a sample: features that differ, from the most on."""
        ticks, names = [], []
        for row, sample in enumerate(self.samples):
            differences = (self.training_samples[row] - sample) / self.spread
            sizes = np.nan_to_num(np.abs(differences)).mean(axis=(0, 1))
            features = np.argsort(-sizes, kind="stable")[:n_features]
            self.shown_features_.append(features)
            top = row * (n_features + _TEXT_ROWS) + _TEXT_ROWS - 0.2
            self._write(row, 0.0, top)
            self._write_values(sample[features], 0.0, top)
            for left, side, reason in self._columns:
                if self.reasons.neurons[row, side, reason] < 0:
                    continue
                values = self.training_samples[row, side, reason, features]
                of_column = differences[side, reason, features]
                self._shade(of_column, left, top, cmap)
                most = np.argsort(-np.abs(of_column), kind="stable")[:n_marked]
                self._write_values(values, left, top, most[of_column[most] != 0])
                self._frame(row, side, reason, (left, top), n_features)
                self._write(row, left, top, side, reason)
            ticks += [top + place + 0.5 for place in range(n_features)]
            names += [self.feature_names[j] for j in features]
        self.ax_.set_yticks(ticks, names)
        self.ax_.set(
            xlim=(-0.05, self._right + 0.05),
            ylim=(len(self.samples) * (n_features + _TEXT_ROWS) - 0.1, 0.0),
            ylabel="features that differ most",
        )

    def _shade(self, differences, left, top, cmap) -> None:
        shown = self.ax_.pcolormesh(
            [left + 0.03, left + 0.97],
            top + np.arange(len(differences) + 1),
            differences[:, np.newaxis],
            cmap=cmap,
            alpha=0.55,
            vmin=-_LARGEST_DIFFERENCE,
            vmax=_LARGEST_DIFFERENCE,
        )
        self.table_.append(shown)

    def _write_values(self, values, left, top, marked=()) -> None:
        for place, value in enumerate(values):
            weight = "bold" if place in marked else "normal"
            style = {"ha": "center", "va": "center", "fontsize": "small"}
            style["fontweight"] = weight
            self.ax_.text(left + 0.5, top + place + 0.5, short(value), **style)

    def _frame(self, row, side, reason, corner, height) -> None:
        """Draw a frame in the colour of the class, solid if the neuron fires."""
        from matplotlib.patches import Rectangle

        number = np.flatnonzero(self.class_names == self.reasons.classes[row, side])[0]
        fires = self.reasons.margins[row, side, reason] > 0
        frame = Rectangle(
            (corner[0] + 0.03, corner[1] + 0.03 * min(height, 1.0)),
            0.94,
            height - 0.06 * min(height, 1.0),
            fill=False,
            edgecolor=color(int(number)),
            linewidth=1.8,
            linestyle="-" if fires else (0, (3, 2)),
        )
        self.ax_.add_patch(frame)
        self.frames_.append(frame)

    def _write(self, row, left, top, side=0, reason=None) -> None:
        """Write above a sample what its label is, and what its neuron says."""
        label = self.reasons.classes[row, side]
        text = f"predicted\n{label}"
        if reason is not None:
            margin = self.reasons.margins[row, side, reason]
            coverage = self.reasons.coverage[row, side, reason]
            text = f"{label}\n{margin:+.3f}\ncovers {coverage}"
        style = {"ha": "center", "va": "bottom", "fontsize": "small"}
        self.ax_.text(left + 0.5, top, text, **style)


def _numbers(X):
    """Return samples as an array or a CSR matrix of numbers, missing ones included."""
    try:
        return check_array(
            X, accept_sparse="csr", dtype=np.float64, ensure_all_finite="allow-nan"
        )
    except ValueError as error:
        if "convert string" not in str(error):
            raise
        raise ValueError(
            f"{error}. Features are drawn as numbers. Of a pipeline that makes numbers "
            "of them pass the last step, pipeline[-1], and for X and X_train what "
            "pipeline[:-1].transform makes of them."
        ) from error


def _dense(X) -> np.ndarray:
    """Return samples as a dense array of numbers, missing ones included."""
    X = _numbers(X)
    return X.toarray() if sparse.issparse(X) else X


def _rows(X, indices: np.ndarray, n_features: int) -> np.ndarray:
    """Return rows of X, in the shape of their numbers; NaN where these are -1."""
    rows, places = np.unique(indices[indices >= 0], return_inverse=True)
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    if len(rows) and rows[-1] >= n_rows:
        raise ValueError(
            f"X_train has {n_rows} rows, and row {rows[-1]} of the training set is "
            "asked for. Pass all samples that the estimator was fitted to."
        )
    found = np.full((*indices.shape, n_features), np.nan)
    if len(rows):
        found[indices >= 0] = _dense(_safe_indexing(X, rows))[places]
    return found


def _spread(X) -> np.ndarray:
    """Return the standard deviation of each feature, 1 for those that are constant."""
    X = _numbers(X)
    if sparse.issparse(X):
        spread = np.sqrt(mean_variance_axis(X, axis=0)[1])
    else:
        spread = np.nanstd(X, axis=0)
    return np.where(spread > 0, spread, 1.0)
