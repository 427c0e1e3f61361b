"""Where a package of an extra is missing, the message names what to install."""

import re
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from support.samples import random_labels

import sklearn_memorize
from sklearn_memorize import MemorizingClassifier, network
from sklearn_memorize.__main__ import main
from sklearn_memorize.export import register_onnx_converters, to_torch
from sklearn_memorize.inspection import capacity_report
from sklearn_memorize.model_selection import interpolation_study

X, Y = random_labels(30, 3, 2)


def classifier():
    return MemorizingClassifier(n_draws=1, random_state=0).fit(X, Y)


@pytest.mark.parametrize(
    ("missing", "call", "remedy"),
    [
        (
            "pandas",
            lambda: capacity_report(X, Y, [classifier()]).to_dataframe(),
            "needs pandas.*read the attribute `rows`",
        ),
        ("skl2onnx", register_onnx_converters, "pip install skl2onnx"),
        ("torch", lambda: to_torch(classifier()), "pip install torch"),
        (
            "torch",
            lambda: classifier().network_.to_torch(),
            "pip install torch",
        ),
    ],
)
def test_what_is_missing_is_named(missing, call, remedy, monkeypatch):
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(
        sys.modules, "sklearn_memorize.export._torch_modules", raising=False
    )
    with pytest.raises(ImportError, match=remedy):
        call()


@pytest.mark.parametrize("missing", ["pandas", "rich", "matplotlib"])
def test_the_demonstration_goes_on_without_a_package_and_says_so(
    missing, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    if missing == "pandas":
        # scikit-learn looks for the module, and takes None for one.
        monkeypatch.delitem(sys.modules, missing, raising=False)
        absent = "raise ModuleNotFoundError('no pandas', name='pandas')"
        (tmp_path / "pandas.py").write_text(absent)
        monkeypatch.syspath_prepend(tmp_path)
    else:
        monkeypatch.setitem(sys.modules, missing, None)
    path = tmp_path / "data.csv"
    path.write_text("a,b,y\n1,red,0\n2,,1\n1,blue,1\n,red,0\n")
    assert main(["--data", str(path), "--target", "y"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert "4 of 4 training samples get their own label back" in said
    assert missing in said
    assert (tmp_path / "data_memorized.png").exists() == (missing != "matplotlib")


def test_no_hint_names_a_distribution_that_is_not_published():
    for path in Path(sklearn_memorize.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install [^`]*sklearn[-_]memorize", text), path
        assert 'pip install ".[' not in text, path


def test_a_name_that_networks_do_not_have_is_an_error():
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = network.nothing
    assert network.CoverNetwork is type(classifier().network_)


def test_a_study_may_be_given_its_memory(tmp_path):
    studies = [
        interpolation_study(
            MemorizingClassifier(),
            X,
            Y,
            param_grid={"n_hyperplanes": [40]},
            n_repeats=1,
            random_state=0,
            cache=cache,
        )
        for cache in (None, joblib.Memory(tmp_path, verbose=0))
    ]
    first, second = (study.mean_train_accuracy for study in studies)
    assert np.array_equal(first, second)
