"""Fitted estimators as ONNX models, through converters that skl2onnx knows."""

from __future__ import annotations

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._estimator._version import __version__
from ..constructions import all_estimators

_PREFIX = "SklearnMemorize"
# Pipelines ask every classifier for a zipmap; scores are a matrix here in any case.
_OPTIONS = {"single_precision": [False, True], "zipmap": [True, False, "columns"]}


def register_onnx_converters() -> None:
    """Tell skl2onnx how the estimators of this package are converted.

    After that `skl2onnx.to_onnx` converts them, alone or as steps of pipelines and
    other meta-estimators. `to_onnx` of this module does it by itself.

    Converters have the option `single_precision` (False by default): whether
    hyperplanes are evaluated in single precision; see `to_onnx`.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.
    """
    try:
        from skl2onnx import update_registered_converter

        from . import _converters
    except ImportError as error:
        raise ImportError(
            "ONNX models need skl2onnx: pip install 'sklearn-memorize[onnx]'"
        ) from error
    for estimator in all_estimators():
        update_registered_converter(
            estimator,
            _PREFIX + estimator.__name__,
            _converters.set_types,
            _converters.convert,
            parser=_converters.parse,
            options=_OPTIONS,
        )


def to_onnx(model, *, dtype=np.float64, single_precision: bool = False):
    """Return a fitted estimator, or a pipeline that ends in one, as an ONNX model.

    All is computed in double precision, whatever the precision of the input, so that
    a row and its copy in single precision get the same answer, and `predict`'s.

    Parameters
    ----------
    model : estimator
        A fitted estimator of this package, or a scikit-learn pipeline or search that
        contains one.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Precision of the input `X` of the model.
    single_precision : bool, default=False
        Whether hyperplanes are evaluated in single precision, which halves their size
        and suits devices that lack double precision. Then some rows that lie within
        the rounding error of a hyperplane, or of a tie of two classes, may get another
        label. For `MemorizingClassifier` with `activation="threshold"` and
        `RandomThresholdTransformer` only: what the other networks add up needs double
        precision.

    Returns
    -------
    onnx_model : onnx.ModelProto
        A model with the input `X`, of shape (n_samples, n_features). Classifiers have
        the outputs `label` and `scores`, one score for each class; with two classes
        the second one minus the first is `decision_function`. Regressors and
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
        labels, scores = session.run(None, {"X": X})
    """
    register_onnx_converters()
    import skl2onnx
    from onnx.helper import set_model_props
    from skl2onnx.common import data_types

    check_is_fitted(model)
    tensors = {np.float64: "DoubleTensorType", np.float32: "FloatTensorType"}
    tensor = tensors.get(np.dtype(dtype).type)
    if tensor is None:
        raise ValueError(f"dtype must be numpy.float64 or numpy.float32, got {dtype!r}")
    input_type = getattr(data_types, tensor)([None, model.n_features_in_])
    options = {
        estimator: {"single_precision": single_precision}
        for estimator in all_estimators()
    }
    onnx_model = skl2onnx.to_onnx(
        model, initial_types=[("X", input_type)], options=options
    )
    set_model_props(onnx_model, {"sklearn_memorize": __version__})
    return onnx_model
