"""Our classifiers beside scikit-learn's own, in the same uses.

Each use is a function that raises if it does not work. What works for whom stands in
`docs/user_guide/parity.csv`, the table of the page "At home in scikit-learn"; the tests
read it, so that the page cannot say anything else than what is the case.
"""

import csv
import pickle
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import sklearn
from scipy import sparse
from sklearn import calibration, ensemble, inspection, metrics, model_selection
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_blobs
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.feature_selection import RFECV, SelectFromModel, SequentialFeatureSelector
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.multioutput import ClassifierChain, MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from support.estimators import CLASSIFIERS, new

from sklearn_memorize.exceptions import InterpolationError

TABLE = Path(__file__).parents[1] / "docs" / "user_guide" / "parity.csv"
OURS, NEIGHBOURS, FOREST = "this package", "k nearest neighbours", "random forest"

X, Y = make_blobs(90, 4, centers=3, cluster_std=3.0, random_state=0)
BINARY = (Y > 0).astype(int)
LABELS = np.array(["b", "c", "a"])[Y]
SEVERAL = np.column_stack([BINARY, X[:, 0] > 0, X[:, 1] > X[:, 2]]).astype(int)
WEIGHTS = np.linspace(1, 2, len(X))
FOLDS = model_selection.StratifiedKFold(3, shuffle=True, random_state=0)
USES = {}
REFUSALS = (
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    InterpolationError,
)


def small(name):
    """Return a classifier that has not been fitted, and is quick to fit."""
    if name == NEIGHBOURS:
        return KNeighborsClassifier()
    if name == FOREST:
        return ensemble.RandomForestClassifier(5, random_state=0)
    sizes = {"min_hyperplanes": 64} if name == "MemorizingClassifier" else {}
    return new(name, **sizes)


def use(name):
    """Name a use."""

    def register(function):
        assert name not in USES
        USES[name] = function
        return function

    return register


def check_classifier(model, rows=X, labels=Y, method="predict_proba"):
    """Fit; compare labels with probabilities, if there are any."""
    model.fit(rows, labels)
    predicted = model.predict(rows)
    assert set(np.unique(predicted)) <= set(np.unique(labels))
    if method:
        found = getattr(model, method)(rows)
        assert np.isfinite(found).all()
        if method == "predict_proba":
            np.testing.assert_allclose(found.sum(axis=1), 1.0)
    return model


def check_scorer(scorer, model, rows, labels):
    scores = model_selection.cross_val_score(
        model, rows, labels, scoring=scorer, cv=FOLDS, error_score="raise"
    )
    assert np.isfinite(scores).all(), scores


# Those that make sense of class numbers as they are, and those for several classes.
# Scores of regression, of clusters and of several labels at a time are left out.
NEED_TWO = (
    "average_precision f1 jaccard precision recall roc_auc "
    "neg_negative_likelihood_ratio positive_likelihood_ratio"
)
FOR_ANY = """accuracy balanced_accuracy f1_macro f1_micro f1_weighted jaccard_macro
    jaccard_micro jaccard_weighted matthews_corrcoef neg_log_loss neg_brier_score
    d2_log_loss_score d2_brier_score precision_macro precision_micro precision_weighted
    recall_macro recall_micro recall_weighted roc_auc_ovo roc_auc_ovo_weighted
    roc_auc_ovr roc_auc_ovr_weighted top_k_accuracy"""
NOT_FOR_CLASSIFIERS = """adjusted_mutual_info_score adjusted_rand_score
    completeness_score fowlkes_mallows_score homogeneity_score mutual_info_score
    normalized_mutual_info_score rand_score v_measure_score d2_absolute_error_score
    explained_variance neg_max_error neg_mean_absolute_error
    neg_mean_absolute_percentage_error neg_mean_gamma_deviance
    neg_mean_poisson_deviance neg_mean_squared_error neg_mean_squared_log_error
    neg_median_absolute_error neg_root_mean_squared_error
    neg_root_mean_squared_log_error r2 f1_samples jaccard_samples precision_samples
    recall_samples"""


def test_every_scorer_is_used_or_not_meant_for_classes():
    named = f"{NEED_TWO} {FOR_ANY} {NOT_FOR_CLASSIFIERS}".split()
    assert set(metrics.get_scorer_names()) <= set(named)


@use("all scorers of two classes")
def _(model):
    for scorer in f"{NEED_TWO} {FOR_ANY}".split():
        if scorer != "top_k_accuracy":  # of two classes both are among the best two
            check_scorer(scorer, model, X, BINARY)


@use("all scorers of several classes")
def _(model):
    for scorer in FOR_ANY.split():
        check_scorer(scorer, model, X, Y)


@use("cross_validate with text labels")
def _(model):
    check_scorer("neg_log_loss", model, X, LABELS)


@use("cross_val_predict(method='predict_proba')")
def _(model):
    found = model_selection.cross_val_predict(model, X, Y, method="predict_proba")
    assert found.shape == (len(X), 3)


@use("predict_log_proba is finite")
def _(model):
    with np.errstate(divide="ignore"):
        assert np.isfinite(model.fit(X, Y).predict_log_proba(X)).all()


@use("decision_function")
def _(model):
    assert model.fit(X, Y).decision_function(X).shape == (len(X), 3)


@use("CalibratedClassifierCV, sigmoid, isotonic and temperature")
def _(model):
    for method in ("sigmoid", "isotonic", "temperature"):
        for ensembled in (True, False):
            check_classifier(
                calibration.CalibratedClassifierCV(
                    clone(model), method=method, cv=FOLDS, ensemble=ensembled
                )
            )


@use("FrozenEstimator, calibrated")
def _(model):
    frozen = FrozenEstimator(model.fit(X, Y))
    check_classifier(calibration.CalibratedClassifierCV(frozen), X, Y)


@use("StackingClassifier")
def _(model):
    stack = ensemble.StackingClassifier(
        [("it", model)], LogisticRegression(), cv=3, stack_method="predict_proba"
    )
    check_classifier(stack)


@use("VotingClassifier, soft")
def _(model):
    check_classifier(ensemble.VotingClassifier([("it", model)], voting="soft"))


@use("VotingClassifier, hard")
def _(model):
    voting = ensemble.VotingClassifier([("it", model)], voting="hard")
    check_classifier(voting, method=None)


@use("BaggingClassifier")
def _(model):
    check_classifier(ensemble.BaggingClassifier(model, 3, random_state=0), X, LABELS)


@use("AdaBoostClassifier")
def _(model):
    check_classifier(ensemble.AdaBoostClassifier(model, n_estimators=2))


@use("OneVsRestClassifier")
def _(model):
    check_classifier(OneVsRestClassifier(model), X, LABELS)
    several = OneVsRestClassifier(clone(model)).fit(X, SEVERAL)
    assert several.predict_proba(X).shape == SEVERAL.shape


@use("OneVsOneClassifier")
def _(model):
    check_classifier(OneVsOneClassifier(model), method="decision_function")


@use("ClassifierChain")
def _(model):
    chain = ClassifierChain(model, cv=3, random_state=0).fit(X, SEVERAL)
    assert chain.predict(X).shape == chain.predict_proba(X).shape == SEVERAL.shape


@use("MultiOutputClassifier")
def _(model):
    targets = np.column_stack([LABELS, BINARY.astype(str)])
    several = MultiOutputClassifier(model).fit(X, targets)
    assert several.predict(X).shape == targets.shape
    assert 0 <= several.score(X, targets) <= 1
    assert [found.shape for found in several.predict_proba(X)] == [(90, 3), (90, 2)]
    assert [classes.tolist() for classes in several.classes_] == [
        ["a", "b", "c"],
        ["0", "1"],
    ]


@use("several labels in one fit")
def _(model):
    assert model.fit(X, SEVERAL).predict(X).shape == SEVERAL.shape


@use("SelfTrainingClassifier")
def _(model):
    partly = np.where(np.arange(len(Y)) % 3 == 0, -1, Y)
    trainer = SelfTrainingClassifier(model, threshold=0.6)
    found = trainer.fit(X, partly).predict_proba(X)
    assert found.shape == (len(X), 3)


@use("permutation_importance")
def _(model):
    result = inspection.permutation_importance(
        model.fit(X, Y), X, Y, n_repeats=2, scoring="neg_log_loss", random_state=0
    )
    assert np.isfinite(result.importances).all()


@use("partial_dependence")
def _(model):
    result = inspection.partial_dependence(
        model.fit(X, Y), X, [0], grid_resolution=4, response_method="predict_proba"
    )
    assert result["average"].shape == (3, 4)


@use("learning_curve and validation_curve")
def _(model):
    model_selection.learning_curve(
        model, X, Y, train_sizes=[0.5, 1.0], cv=3, scoring="neg_log_loss"
    )
    parameter = sorted({"conflicts", "weights", "criterion"} & set(model.get_params()))
    values = {"conflicts": ["majority"], "weights": ["uniform"], "criterion": ["gini"]}
    _, found = model_selection.validation_curve(
        model,
        X,
        Y,
        param_name=parameter[0],
        param_range=values[parameter[0]],
        scoring="roc_auc_ovr",
        cv=3,
        error_score="raise",
    )
    assert np.isfinite(found).all()


@use("TunedThresholdClassifierCV and FixedThresholdClassifier")
def _(model):
    tuned = model_selection.TunedThresholdClassifierCV(model, thresholds=5, cv=3)
    check_classifier(tuned, X, BINARY)
    for method in ("auto", "predict_proba"):
        fixed = model_selection.FixedThresholdClassifier(
            clone(model), threshold=0.6, response_method=method
        )
        check_classifier(fixed, X, BINARY)


@use("GridSearchCV, refitted by log loss")
def _(model):
    search = model_selection.GridSearchCV(
        make_pipeline(StandardScaler(), model),
        {"standardscaler__with_mean": [True, False]},
        scoring=["neg_log_loss", "roc_auc_ovr"],
        refit="neg_log_loss",
        cv=3,
        error_score="raise",
    )
    check_classifier(search)


@use("HalvingGridSearchCV and HalvingRandomSearchCV")
def _(model):
    for kind in ("HalvingGridSearchCV", "HalvingRandomSearchCV"):
        search = getattr(model_selection, kind)(
            make_pipeline(StandardScaler(), clone(model)),
            {"standardscaler__with_std": [True, False]},
            min_resources=45,
            cv=3,
            random_state=0,
            scoring="neg_brier_score",
            error_score="raise",
        )
        check_classifier(search)


@use("SequentialFeatureSelector")
def _(model):
    selector = SequentialFeatureSelector(
        model, n_features_to_select=1, cv=2, scoring="neg_log_loss"
    )
    assert selector.fit_transform(X[:, :3], Y).shape == (len(X), 1)


@use("RFECV and SelectFromModel")
def _(model):
    RFECV(model, cv=2, min_features_to_select=3).fit(X, Y)
    SelectFromModel(clone(model)).fit(X, Y)


@use("RFECV with permutation importance")
def _(model):
    def importance(fitted):
        rows = X[:, : fitted.n_features_in_]
        return inspection.permutation_importance(
            fitted, rows, Y, n_repeats=1, random_state=0
        ).importances_mean

    RFECV(model, cv=2, min_features_to_select=3, importance_getter=importance).fit(X, Y)


@use("sample_weight in fit")
def _(model):
    model.fit(X, Y, sample_weight=WEIGHTS).predict_proba(X)


@use("sample_weight, routed through a pipeline, a search and cross_validate")
def _(model):
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        scorer = metrics.get_scorer("neg_log_loss").set_score_request(
            sample_weight=True
        )
        search = model_selection.GridSearchCV(
            make_pipeline(scaler, model),
            {"standardscaler__with_mean": [True, False]},
            cv=3,
            scoring=scorer,
            error_score="raise",
        )
        search.fit(X, Y, sample_weight=WEIGHTS).predict_proba(X)
        model_selection.cross_validate(
            make_pipeline(scaler, model),
            X,
            Y,
            cv=3,
            params={"sample_weight": WEIGHTS},
            error_score="raise",
        )


@use("class_weight")
def _(model):
    model.set_params(class_weight="balanced").fit(X, Y)


@use("partial_fit")
def _(model):
    model.partial_fit(X, Y, classes=[0, 1, 2]).predict_proba(X)


@use("pandas, with set_output in the pipeline before it")
def _(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    chain = make_pipeline(StandardScaler(), model).set_output(transform="pandas")
    check_classifier(chain, frame, pandas.Series(LABELS, dtype="category"))
    assert chain[-1].feature_names_in_.tolist() == list("abcd")


@use("polars, with set_output in the pipeline before it")
def _(model):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame(X, schema=list("abcd"))
    chain = make_pipeline(StandardScaler(), model).set_output(transform="polars")
    check_classifier(chain, frame, polars.Series(LABELS))
    check_classifier(chain[-1], frame, polars.Series(Y))


@use("nullable dtypes of pandas")
def _(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd")).astype("Float64")
    frame["e"] = pandas.array(np.arange(len(X)), dtype="Int64")
    for labels in (
        pandas.Series(Y, dtype="Int64"),
        pandas.Series(BINARY.astype(bool), dtype="boolean"),
        pandas.Series(LABELS, dtype="string"),
    ):
        check_classifier(clone(model), frame, labels)


@use("columns of pyarrow in pandas")
def _(model):
    pytest.importorskip("pyarrow")
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd")).astype("double[pyarrow]")
    check_classifier(model, frame, pandas.Series(Y, dtype="int64[pyarrow]"))


@use("sparse matrices and arrays")
def _(model):
    for container in (sparse.csr_array, sparse.csc_matrix, sparse.coo_array):
        check_classifier(clone(model), container(X), Y)


@use("single precision and lists")
def _(model):
    check_classifier(clone(model), X.astype(np.float32), Y.tolist())
    check_classifier(clone(model), X.tolist(), LABELS.tolist())


@use("NaN")
def _(model):
    check_classifier(model, np.where(X > 5, np.nan, X), Y)


@use("NaN, behind SimpleImputer(add_indicator=True)")
def _(model):
    chain = make_pipeline(SimpleImputer(add_indicator=True), model)
    check_classifier(chain, np.where(X > 5, np.nan, X), Y)


@use("categories, behind OneHotEncoder")
def _(model):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(X, columns=list("abcd"))
    frame["color"] = np.array(["red", "green"])[np.arange(len(X)) % 2]
    encoder = make_column_transformer(
        (OneHotEncoder(), ["color"]), (StandardScaler(), list("abcd"))
    )
    check_classifier(make_pipeline(encoder, model), frame, Y)


@use("a single class")
def _(model):
    found = model.fit(X, np.ones(len(X))).predict_proba(X)
    assert (found == 1.0).all()
    assert found.shape == (len(X), 1)


@use("CalibrationDisplay")
def _(model):
    calibration.CalibrationDisplay.from_estimator(model.fit(X, BINARY), X, BINARY)


@use("DecisionBoundaryDisplay")
def _(model):
    model.fit(X[:, :2], Y)
    for method in ("predict", "predict_proba"):
        inspection.DecisionBoundaryDisplay.from_estimator(
            model, X[:, :2], response_method=method, grid_resolution=5
        )


@use("RocCurveDisplay, PrecisionRecallDisplay and DetCurveDisplay")
def _(model):
    model.fit(X, BINARY)
    for kind in ("RocCurveDisplay", "PrecisionRecallDisplay", "DetCurveDisplay"):
        for method in ("auto", "predict_proba"):
            getattr(metrics, kind).from_estimator(
                model, X, BINARY, response_method=method
            )


@use("ConfusionMatrixDisplay")
def _(model):
    metrics.ConfusionMatrixDisplay.from_estimator(model.fit(X, LABELS), X, LABELS)


@use("PartialDependenceDisplay and LearningCurveDisplay")
def _(model):
    inspection.PartialDependenceDisplay.from_estimator(
        model.fit(X, Y), X, [0], target=1, grid_resolution=3
    )
    model_selection.LearningCurveDisplay.from_estimator(
        model, X, Y, cv=3, train_sizes=[0.5, 1.0]
    )


@use("pickle and clone")
def _(model):
    other = pickle.loads(pickle.dumps(model.fit(X, LABELS)))
    assert other.predict_proba(X).tobytes() == model.predict_proba(X).tobytes()
    check_classifier(clone(other), X, LABELS)


DISPLAYS = [name for name in USES if "Display" in name]


@cache
def table():
    """Return what the page says: for each use, who can, and what else there is."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row.pop("use"): row for row in csv.DictReader(file)}


def test_the_table_lists_every_use_in_order():
    assert list(table()) == list(USES)
    assert len(USES) >= 30


def test_what_works_for_neighbours_works_here_or_the_table_says_why():
    for name, row in table().items():
        assert row[NEIGHBOURS].split(":")[0] in ("yes", "no"), name
        assert row[FOREST].split(":")[0] in ("yes", "no"), name
        if row[OURS] != "yes":
            verdict, _, reason = row[OURS].partition(": ")
            assert verdict == "no" or verdict.startswith(("only ", "all but ")), name
            assert reason, name


def is_said_to_work(name, who):
    """Return what the table says."""
    cell = table()[name][who if who in (NEIGHBOURS, FOREST) else OURS]
    verdict = cell.partition(":")[0]
    if verdict.startswith("only "):
        return who in verdict.removeprefix("only ").split()
    if verdict.startswith("all but "):
        return who not in verdict.removeprefix("all but ").split()
    return verdict == "yes"


@pytest.mark.parametrize("who", [*CLASSIFIERS, NEIGHBOURS, FOREST])
@pytest.mark.parametrize("name", USES)
def test_a_use_works_where_the_table_says_so(name, who):
    if name in DISPLAYS:
        pyplot = pytest.importorskip("matplotlib.pyplot")
        pyplot.switch_backend("agg")
    model = small(who)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=UserWarning)
        warnings.filterwarnings("ignore", category=FutureWarning)
        warnings.filterwarnings("ignore", category=RuntimeWarning)
        if is_said_to_work(name, who):
            USES[name](model)
        else:
            with pytest.raises(REFUSALS):
                USES[name](model)
    if name in DISPLAYS:
        pyplot.close("all")
