"""Fitted estimators as ONNX models, through converters that skl2onnx knows."""

from __future__ import annotations

from typing import Literal

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from .._estimator._version import __version__
from ..applications import MemorizingCorrector, MemorizingCorrectorRegressor
from ..constructions import all_estimators

_PREFIX = "SklearnMemorize"
_OPTIONS: dict = {"single_precision": [False, True]}
# Those of the classifiers that skl2onnx itself converts.
_CLASSIFIER_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "raw_scores": [True, False],
    "nocl": [False],  # skl2onnx asks; labels are never left out
}
_CORRECTOR_OPTIONS: dict = {"zipmap": [True, False, "columns"], "nocl": [False]}


def register_onnx_converters() -> None:
    """Tell skl2onnx how the estimators of this package are converted.

    After that `skl2onnx.to_onnx` converts them, alone or as steps of pipelines and
    other meta-estimators. `to_onnx` of this module does it by itself.

    Converters have the option `single_precision` (False by default), whether
    hyperplanes are evaluated in single precision; see `to_onnx`. Those of classifiers
    have the options of skl2onnx's own: `zipmap` (True, False or "columns"; True unless
    told otherwise), and `raw_scores`, whether scores are put out in place of
    probabilities.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    """
    try:
        from skl2onnx import update_registered_converter

        from . import _converters, _corrector_converters
    except ImportError as error:
        raise ImportError(
            "ONNX models need skl2onnx: pip install skl2onnx onnx onnxruntime"
        ) from error
    for estimator in all_estimators():
        update_registered_converter(
            estimator,
            _PREFIX + estimator.__name__,
            _converters.set_types,
            _converters.convert,
            parser=_converters.parse,
            options=_options_of(estimator, _CLASSIFIER_OPTIONS),
        )
    for corrector in (MemorizingCorrector, MemorizingCorrectorRegressor):
        update_registered_converter(
            corrector,
            _PREFIX + corrector.__name__,
            _corrector_converters.set_types,
            _corrector_converters.convert,
            parser=_corrector_converters.parse,
            options=_CORRECTOR_OPTIONS if corrector is MemorizingCorrector else {},
        )


def _options_of(estimator: type, of_classifiers: dict, of_all: dict = _OPTIONS) -> dict:
    return {**of_all, **(of_classifiers if is_classifier(estimator()) else {})}


def to_onnx(
    model,
    *,
    dtype=np.float64,
    single_precision: bool = False,
    zipmap: bool | Literal["columns"] = False,
    raw_scores: bool = False,
):
    """Return a fitted estimator, or a pipeline that ends in one, as an ONNX model.

    All is computed in double precision, whatever the precision of the input, so that
    a row and its copy in single precision get the same answer, and `predict`'s.

    Parameters
    ----------
    model : estimator
        A fitted estimator of this package (a corrector together with the model that it
        corrects, if skl2onnx converts this one), or a scikit-learn pipeline or search
        that contains one.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Precision of the input `X` of the model.
    single_precision : bool, default=False
        Whether hyperplanes are evaluated in single precision, which halves their size
        and suits devices that lack double precision. Then some rows that lie within
        the rounding error of a hyperplane, or of a tie of two classes, may get another
        label. For `MemorizingClassifier` with `activation="threshold"` and
        `RandomThresholdTransformer` only: what the other networks add up needs double
        precision.
    zipmap : bool or "columns", default=False
        How a classifier of this package puts out its probabilities, in the terms of
        skl2onnx: False for a matrix, True for one dictionary a row (single precision,
        for ONNX has no others), "columns" for one output a class.
    raw_scores : bool, default=False
        Whether a classifier of this package puts out scores in place of probabilities.

    Returns
    -------
    onnx_model : onnx.ModelProto
        A model with the input `X`, of shape (n_samples, n_features). Classifiers have
        the outputs `label` and `probabilities`, of shape (n_samples, n_classes): those
        of `predict_proba` up to rounding. With `zipmap=True` the outputs are called
        `output_label` and `output_probability`; with "columns", `output_label` and a
        name for each class ("i" and an integer, or "s" and a text). With
        `raw_scores=True` it is `scores` in place of `probabilities`: what
        `decision_function` returns, with two classes minus it and it. Regressors and
        transformers have the output `variable`.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    ValueError
        If the labels have no type in ONNX, if the network is too large to be written
        out, or if `single_precision` is asked for where it would not do.

    Examples
    --------
    The extra `onnx` brings what this needs::

        onnx_model = to_onnx(classifier)
        session = onnxruntime.InferenceSession(onnx_model.SerializeToString())
        labels, probabilities = session.run(None, {"X": X})
    """
    register_onnx_converters()
    import skl2onnx
    from onnx.helper import set_model_props
    from skl2onnx.common import data_types

    from ._converters import check_integers

    check_is_fitted(model)
    # Meta-estimators of scikit-learn, too, whose labels skl2onnx writes out.
    if np.asarray(getattr(model, "classes_", ())).dtype.kind == "u":
        check_integers(model.classes_)
    tensors = {np.float64: "DoubleTensorType", np.float32: "FloatTensorType"}
    tensor = tensors.get(np.dtype(dtype).type)
    if tensor is None:
        raise ValueError(f"dtype must be numpy.float64 or numpy.float32, got {dtype!r}")
    input_type = getattr(data_types, tensor)([None, model.n_features_in_])
    of_all = {"single_precision": single_precision}
    of_classifiers = {"zipmap": zipmap, "raw_scores": raw_scores}
    options = {
        estimator: _options_of(estimator, of_classifiers, of_all)
        for estimator in all_estimators()
    }
    options[MemorizingCorrector] = {"zipmap": zipmap}
    corrects = isinstance(model, (MemorizingCorrector, MemorizingCorrectorRegressor))
    if corrects and (single_precision or raw_scores):
        raise ValueError(
            f"{type(model).__name__} is written out in double precision and with "
            "probabilities: leave out single_precision and raw_scores."
        )
    onnx_model = skl2onnx.to_onnx(
        model, initial_types=[("X", input_type)], options=options
    )
    set_model_props(onnx_model, {"sklearn_memorize": __version__})
    return onnx_model
