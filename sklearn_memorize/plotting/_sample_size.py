"""The curves of a sample size study."""

import numpy as np

from ..model_selection import sample_size_study
from ..model_selection._measure import QUANTITIES
from ._style import (
    check_column,
    check_matplotlib,
    get_axes,
    label_of,
    look,
    short,
    varying_parameters,
)


class SampleSizeDisplay:
    """Size or time against the number of training samples.

    It is recommended to use `from_study` or `from_estimator` to make one. All
    parameters are stored as attributes.

    Parameters
    ----------
    curves : dict of (n_samples, mean, standard_error)
        The curves by their labels; each a triple of arrays of equal length.
    quantity : str
        What is drawn, such as "second_layer_width" or "fit_time".

    Attributes
    ----------
    lines_ : list of matplotlib ErrorbarContainer
        The curves; the bars reach one standard error of the mean up and down.
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that contains them.
    """

    def __init__(self, *, curves, quantity):
        self.curves = curves
        self.quantity = quantity

    @classmethod
    def from_study(cls, study, *, quantity="auto", ax=None, **options):
        """Draw what `sample_size_study` returned, a curve for each setting.

        Parameters
        ----------
        study : Bunch or mapping of ndarray
            The study.
        quantity : str, default="auto"
            The column to draw, without `mean_`. "auto" is "second_layer_width" where
            the classifier has such a layer, and else "fit_time".
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : SampleSizeDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If the study has no such quantity of the classifier.
        """
        if quantity == "auto":
            has_none = np.isnan(study["mean_second_layer_width"]).all()
            quantity = "fit_time" if has_none else "second_layer_width"
        check_column(study, quantity, "mean_")
        names = varying_parameters(study)
        settings = [
            ", ".join(f"{label_of(name)} = {short(study[name][row])}" for name in names)
            for row in range(len(study["n_samples"]))
        ]
        n_samples, mean = np.asarray(study["n_samples"]), study[f"mean_{quantity}"]
        error = study[f"std_{quantity}"] / np.sqrt(study["n_repeats"])
        curves = {}
        for setting in dict.fromkeys(settings):
            rows = np.flatnonzero([other == setting for other in settings])
            rows = rows[np.argsort(n_samples[rows])]
            curves[setting] = n_samples[rows], mean[rows], error[rows]
        return cls(curves=curves, quantity=quantity).plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        sizes,
        param_grid=None,
        n_repeats=5,
        random_state=None,
        n_jobs=None,
        cache=None,
        quantity="auto",
        ax=None,
        **options,
    ):
        """Run `sample_size_study` and draw it.

        Parameters
        ----------
        estimator : classifier
            Any scikit-learn classifier.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            Training samples.
        y : array-like of shape (n_samples,)
            Labels.
        sizes : array-like of shape (n_sizes,)
            Numbers of samples, or shares of all samples.
        param_grid, n_repeats, random_state, n_jobs, cache
            As for `sklearn_memorize.model_selection.sample_size_study`.
        quantity : str, default="auto"
            The column to draw, without `mean_`. "auto" is "second_layer_width" where
            the classifier has such a layer, and else "fit_time".
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : SampleSizeDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If there is no such quantity.
        """
        check_matplotlib(cls.__name__)
        if quantity not in ("auto", *QUANTITIES):
            raise ValueError(
                f"quantity must be 'auto' or one of {', '.join(map(repr, QUANTITIES))},"
                f" got {quantity!r}."
            )
        study = sample_size_study(
            estimator,
            X,
            y,
            sizes=sizes,
            param_grid=param_grid,
            n_repeats=n_repeats,
            random_state=random_state,
            n_jobs=n_jobs,
            cache=cache,
        )
        return cls.from_study(study, quantity=quantity, ax=ax, **options)

    def plot(self, ax=None, *, log=False, **options):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        log : bool, default=False
            Use logarithmic axes.
        **options
            Arguments of `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        display : SampleSizeDisplay
            The display itself.
        """
        ax = get_axes(ax, type(self).__name__)
        from matplotlib.ticker import EngFormatter

        self.lines_ = []
        for number, (label, (n_samples, mean, error)) in enumerate(self.curves.items()):
            style = {"capsize": 3, "label": label or None, **look(number), **options}
            bars = ax.errorbar(n_samples, mean, yerr=np.nan_to_num(error), **style)
            self.lines_.append(bars)
        if log:
            ax.set(xscale="log", yscale="log")
        else:
            ax.set_ylim(bottom=0)
            ax.xaxis.set_major_formatter(EngFormatter())
        ax.set(xlabel=label_of("n_samples"), ylabel=label_of(self.quantity))
        if any(self.curves):
            ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self
