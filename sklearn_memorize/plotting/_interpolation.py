"""The heat map of an interpolation study."""

import numpy as np
from sklearn.model_selection import ParameterGrid

from ..model_selection import interpolation_study
from ..model_selection._measure import QUANTITIES
from ._style import (
    check_column,
    check_matplotlib,
    get_axes,
    label_of,
    short,
    varying_parameters,
)

# Cells of a heat map are labelled with their values up to this many.
_MAX_ANNOTATED = 150


class InterpolationDisplay:
    """Heat map of a study over two parameters.

    It is recommended to use `from_study` or `from_estimator` to make one. All
    parameters are stored as attributes.

    Parameters
    ----------
    x_values : ndarray of shape (n_columns,)
        Values of the parameter that runs to the right, in increasing order; or in that
        of the study where not all are numbers.
    y_values : ndarray of shape (n_rows,)
        Values of the parameter that runs upward.
    values : ndarray of shape (n_rows, n_columns)
        What the colours show; NaN where the study has no such setting.
    x_name, y_name, value_name : str
        Names of the columns of the study.

    Attributes
    ----------
    image_ : matplotlib QuadMesh
        The heat map.
    colorbar_ : matplotlib Colorbar
        Its legend.
    text_ : list of matplotlib Text
        The values written on the cells.
    ax_ : matplotlib Axes
        Axes with the heat map.
    figure_ : matplotlib Figure
        Figure that contains it.

    Examples
    --------
    >>> from sklearn.tree import ExtraTreeClassifier
    >>> from sklearn_memorize.datasets import make_two_moons
    >>> from sklearn_memorize.plotting import InterpolationDisplay
    >>> X, y = make_two_moons(50, random_state=0)
    >>> display = InterpolationDisplay.from_estimator(
    ...     ExtraTreeClassifier(), X, y,
    ...     param_grid={"max_depth": [3, 6, 9], "max_features": [1, 2]},
    ... )  # doctest: +SKIP
    """

    def __init__(self, *, x_values, y_values, values, x_name, y_name, value_name):
        self.x_values = x_values
        self.y_values = y_values
        self.values = values
        self.x_name = x_name
        self.y_name = y_name
        self.value_name = value_name

    @classmethod
    def from_study(
        cls,
        study,
        *,
        x=None,
        y=None,
        value="interpolation_probability",
        ax=None,
        **options,
    ):
        """Draw what `interpolation_study` returned.

        Parameters
        ----------
        study : Bunch or mapping of ndarray
            The study.
        x, y : str, default=None
            The columns on the axes; by default the two `param_*` columns that vary,
            `param_max_bias` to the right if it is one of them.
        value : str, default="interpolation_probability"
            The column that the colours show, such as "mean_second_layer_width".
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : InterpolationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the study does not vary in two parameters, or varies in a third; or if
            it has no such value.
        """
        x, y = _axes_columns(study, x, y)
        check_column(study, value)
        x_values, columns = _places(study[x])
        y_values, rows = _places(study[y])
        if len(set(zip(rows, columns, strict=True))) < len(rows):
            raise ValueError(
                f"The study has several rows for the same {x} and {y}; select the rows "
                "to show first."
            )
        values = np.full((len(y_values), len(x_values)), np.nan)
        values[rows, columns] = study[value]
        names = {"x_name": x, "y_name": y, "value_name": value}
        display = cls(x_values=x_values, y_values=y_values, values=values, **names)
        return display.plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        param_grid,
        n_repeats=10,
        random_state=None,
        n_jobs=None,
        cache=None,
        value="interpolation_probability",
        ax=None,
        **options,
    ):
        """Run `interpolation_study` and draw it.

        Parameters
        ----------
        estimator : classifier
            Any scikit-learn classifier.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels.
        param_grid : dict
            Lists of values of two parameters.
        n_repeats, random_state, n_jobs, cache
            As for `sklearn_memorize.model_selection.interpolation_study`.
        value : str, default="interpolation_probability"
            The column that the colours show.
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : InterpolationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the grid does not vary in two parameters, or there is no such value. This
            is looked at before anything is fitted.
        """
        check_matplotlib(cls.__name__)
        settings = ParameterGrid(param_grid)
        names = dict.fromkeys(name for setting in settings for name in setting)
        _axes_columns(
            {f"param_{name}": [s.get(name) for s in settings] for name in names},
            None,
            None,
        )
        values = [f"{kind}_{name}" for name in QUANTITIES for kind in ("mean", "std")]
        if value not in ("interpolation_probability", *values):
            raise ValueError(
                "value must be 'interpolation_probability' or one of "
                f"{', '.join(map(repr, values))}, got {value!r}."
            )
        study = interpolation_study(
            estimator,
            X,
            y,
            param_grid=param_grid,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
            cache=cache,
        )
        return cls.from_study(study, value=value, ax=ax, **options)

    def plot(self, ax=None, *, cmap="cividis", annotate=None, colorbar=True, **options):
        """Draw the heat map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        cmap : str or Colormap, default="cividis"
            The colours; the default can be told apart by everyone.
        annotate : bool, default=None
            Write the values on the cells; by default if there are not too many.
        colorbar : bool, default=True
            Draw the legend of the colours.
        **options
            Arguments of `matplotlib.axes.Axes.pcolormesh`.

        Returns
        -------
        display : InterpolationDisplay
            The display itself.
        """
        n_rows, n_columns = self.values.shape
        size = (max(5.0, 2.2 + 0.55 * n_columns), max(3.4, 1.4 + 0.36 * n_rows))
        ax = get_axes(ax, type(self).__name__, size)
        is_share = self.value_name == "interpolation_probability"
        limits = {"vmin": 0.0, "vmax": 1.0} if is_share else {}
        self.image_ = ax.pcolormesh(self.values, **{"cmap": cmap, **limits, **options})
        ax.set_xticks(np.arange(n_columns) + 0.5, [short(v) for v in self.x_values])
        ax.set_yticks(np.arange(n_rows) + 0.5, [short(v) for v in self.y_values])
        ax.set_xlabel(label_of(self.x_name))
        ax.set_ylabel(label_of(self.y_name))
        self.ax_, self.figure_ = ax, ax.figure
        if annotate is None:
            annotate = self.values.size <= _MAX_ANNOTATED
        self.text_ = self._annotate() if annotate else []
        if colorbar:
            label = label_of(self.value_name)
            self.colorbar_ = ax.figure.colorbar(self.image_, ax=ax, label=label)
        return self

    def _annotate(self):
        texts = []
        style = {"ha": "center", "va": "center", "fontsize": "small"}
        for row, column in np.argwhere(~np.isnan(self.values)):
            text = short(self.values[row, column])
            red, green, blue, _ = self.image_.to_rgba(self.values[row, column])
            # Relative luminance (ITU-R BT.709) decides between black and white.
            is_bright = 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.45
            style["color"] = "black" if is_bright else "white"
            texts.append(self.ax_.text(column + 0.5, row + 0.5, text, **style))
        return texts


def _places(values) -> tuple[np.ndarray, np.ndarray]:
    """Return the different values, and where among them each one is.

    They are in increasing order, or in that of the study where there is none, as
    between numbers and None.
    """
    try:
        return np.unique(values, return_inverse=True)
    except TypeError:
        different = list(dict.fromkeys(values))
        places = [different.index(value) for value in values]
        return np.array(different, dtype=object), np.array(places)


def _axes_columns(study, x, y) -> tuple[str, str]:
    """Choose the columns for the axes that are not given."""
    if x is not None and y is not None:
        return x, y
    varying = [name for name in varying_parameters(study) if name not in (x, y)]
    missing = (x is None) + (y is None)
    if len(varying) != missing:
        raise ValueError(
            f"The heat map needs {missing} parameter(s) more that vary, the study has "
            f"{varying}; name the columns x and y."
        )
    varying.sort(key=lambda name: not name.endswith("max_bias"))
    return x or varying.pop(0), y or varying.pop(0)
