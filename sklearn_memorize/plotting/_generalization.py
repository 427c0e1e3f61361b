"""The accuracies of classifiers side by side."""

from collections.abc import Mapping

import numpy as np

from ..model_selection import compare_generalization
from ..model_selection._generalization import as_scorers
from ._style import BESIDE, check_matplotlib, get_axes, label_of, look

# On the labels given, and on the true ones.
_KINDS = ("test_", "true_test_")


class GeneralizationDisplay:
    """Accuracies, or other scores, of classifiers side by side, with their intervals.

    It is recommended to use `from_study` or `from_estimator` to make one. All
    parameters are stored as attributes.

    Parameters
    ----------
    estimators : sequence of str
        Names of the classifiers, from top to bottom.
    levels : dict of dict of ndarray
        By level of label noise: `accuracy`, `low`, `high` and `train_accuracy` (of
        what `value` names, if that is another score), each with a value for each
        classifier.
    value : str
        The column that is drawn, such as "test_accuracy".

    Attributes
    ----------
    points_ : list of matplotlib ErrorbarContainer
        Test accuracies with their intervals, one container for each level.
    train_points_ : list of matplotlib Line2D
        Training accuracies.
    ax_ : matplotlib Axes
        Axes with the points.
    figure_ : matplotlib Figure
        Figure that contains them.
    """

    def __init__(self, *, estimators, levels, value):
        self.estimators = estimators
        self.levels = levels
        self.value = value

    @classmethod
    def from_study(cls, study, *, value="true_test_accuracy", ax=None, **options):
        """Draw what `compare_generalization` returned.

        Parameters
        ----------
        study : Bunch or mapping of ndarray
            The comparison.
        value : str, default="true_test_accuracy"
            What to draw: "true_test_accuracy", "test_accuracy", or the column of a
            score that `scoring` asked for, such as "test_roc_auc".
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : GeneralizationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If there is no such value.
        """
        _check_value(value, [name[:-4] for name in study if name.endswith("_low")])
        columns = {
            "accuracy": value,
            "low": f"{value}_low",
            "high": f"{value}_high",
            "train_accuracy": f"train_{_score_of(value)}",
        }
        noise = np.asarray(study["label_noise"])
        levels = {
            float(level): {
                name: np.asarray(study[column])[noise == level]
                for name, column in columns.items()
            }
            for level in np.unique(noise)
        }
        estimators = list(dict.fromkeys(study["estimator"]))
        display = cls(estimators=estimators, levels=levels, value=value)
        return display.plot(ax=ax, **options)

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        cv=5,
        scoring=None,
        label_noise=(0.0,),
        random_state=None,
        n_jobs=None,
        cache=None,
        value="true_test_accuracy",
        ax=None,
        **options,
    ):
        """Run `compare_generalization` and draw it.

        Parameters
        ----------
        estimator : classifier or dict of classifiers
            Any scikit-learn classifier, or several by name.
        X : array-like or sparse matrix of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,)
            The true labels.
        cv, scoring, label_noise, random_state, n_jobs, cache
            As for `sklearn_memorize.model_selection.compare_generalization`.
        value : str, default="true_test_accuracy"
            What to draw: "true_test_accuracy", "test_accuracy", or the column of a
            score that `scoring` asked for, such as "test_roc_auc".
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        **options
            Arguments of `plot`.

        Returns
        -------
        display : GeneralizationDisplay
            The drawn display.

        Raises
        ------
        ValueError
            If there is no such value.
        """
        check_matplotlib(cls.__name__)
        scores = ("accuracy", *as_scorers(scoring))
        _check_value(value, [f"{kind}{s}" for s in scores for kind in _KINDS])
        if not isinstance(estimator, Mapping):
            estimator = {type(estimator).__name__: estimator}
        study = compare_generalization(
            estimator,
            X,
            y,
            cv=cv,
            scoring=scoring,
            label_noise=label_noise,
            random_state=random_state,
            n_jobs=n_jobs,
            cache=cache,
        )
        return cls.from_study(study, value=value, ax=ax, **options)

    def plot(self, ax=None, *, show_train=True, **options):
        """Draw the accuracies.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; a new figure by default.
        show_train : bool, default=True
            Also draw the training accuracies (on the labels given) as hollow points.
        **options
            Arguments of `matplotlib.axes.Axes.errorbar`.

        Returns
        -------
        display : GeneralizationDisplay
            The display itself.
        """
        n_rows, n_levels = len(self.estimators), len(self.levels)
        height = 1.4 + 0.25 * n_rows * n_levels**0.5
        ax = get_axes(ax, type(self).__name__, (9.0 if n_levels > 1 else 7.2, height))
        self.points_, self.train_points_ = [], []
        for number, (level, row) in enumerate(self.levels.items()):
            height = np.arange(n_rows) + 0.5 * ((number + 0.5) / n_levels - 0.5)
            style = {**look(number), "linestyle": "none"}
            noise = f"{level:.0%} label noise" if level else "true labels"
            label = f"test, {noise}" if n_levels > 1 else "test"
            below, above = row["accuracy"] - row["low"], row["high"] - row["accuracy"]
            reach = np.nan_to_num([below, above])
            test = {"label": label, "xerr": np.maximum(reach, 0), "capsize": 2}
            test |= {**style, **options}
            self.points_.append(ax.errorbar(row["accuracy"], height, **test))
            if show_train:
                style |= {"label": label.replace("test", "training", 1)}
                style |= {"markerfacecolor": "none", "alpha": 0.7}
                self.train_points_ += ax.plot(row["train_accuracy"], height, **style)
        ax.set_yticks(np.arange(n_rows), self.estimators)
        ax.set_ylim(n_rows - 0.5, -0.5)
        score = _score_of(self.value)
        ax.set_xlabel(label_of(score) if show_train else label_of(self.value))
        ax.grid(axis="x", alpha=0.3)
        if show_train or n_levels > 1:
            handles = [*self.points_, *self.train_points_]
            ax.legend(handles=handles, **BESIDE)
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _score_of(value: str) -> str:
    """Return the name of the score behind a column."""
    return value.removeprefix("true_").removeprefix("test_")


def _check_value(value: str, values: list[str]) -> None:
    if value not in values:
        raise ValueError(
            f"value must be one of {', '.join(map(repr, values))}, got {value!r}."
        )
