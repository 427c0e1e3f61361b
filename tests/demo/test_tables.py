"""`python -m sklearn_memorize` on ten files as people have them.

Each is memorized to the last sample, or refused in one line.
"""

import gzip
import re

import numpy as np
import pytest

from sklearn_memorize.__main__ import main

RNG = np.random.default_rng(0)
N = 60
ROW = np.arange(N)
SEX = np.where(RNG.random(N) < 0.5, "male", "female")
PORT = np.array(["Southampton", "Cherbourg", "Queenstown"])[RNG.integers(0, 3, N)]
AGE = RNG.normal(30, 9, N).round(2)
FARE = RNG.gamma(2, 20, N).round(2)
LABEL = np.where((SEX == "female") ^ (FARE > 60), "yes", "no")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lines(*columns, names=None, separator=","):
    """Write columns as text, the names above."""
    rows = [separator.join(map(str, row)) for row in zip(*columns, strict=True)]
    return "\n".join([*([separator.join(names)] if names else []), *rows]) + "\n"


def texts(folder):
    """Numbers, texts and truth values."""
    path = folder / "passengers.csv"
    names = ["age", "sex", "port", "alone", "survived"]
    path.write_text(lines(AGE, SEX, PORT, FARE > 20, LABEL, names=names))
    return path, ["4 features (1 numbers, 3 categories)", "OneHotEncoder("]


def only_texts(folder):
    """Categories alone, and no line of names."""
    path = folder / "mushrooms.csv"
    shapes = RNG.choice(list("bcxfks"), (6, N))
    path.write_text(lines(*shapes, np.where(shapes[0] < "f", "edible", "poisonous")))
    return path, ["6 features (0 numbers, 6 categories)", "no line of names was found"]


def gaps(folder):
    """Missing numbers and missing texts."""
    path = folder / "gaps.csv"
    age = np.where(ROW % 5 == 0, "", AGE.astype(str))
    port = np.where(ROW % 7 == 0, "NA", PORT)
    names = ["age", "port", "fare", "survived"]
    path.write_text(lines(age, port, FARE, LABEL, names=names))
    return path, ["marked: age (12)", "of their own: port (9)", "SimpleImputer("]


def packed(folder):
    """A packed file with the index that pandas writes."""
    path = folder / "packed.csv.gz"
    text = lines(ROW, AGE, FARE, LABEL, names=["", "age", "fare", "y"])
    path.write_bytes(gzip.compress(text.encode()))
    return path, ["packed: 60 samples of 2 features", "'unnamed 1' is left out"]


def tabs(folder):
    """Separated by tabs, with an identifier of its own for each row."""
    path = folder / "tabs.tsv"
    keys = [f"passenger {row}" for row in ROW]
    path.write_text(
        lines(keys, AGE, SEX, LABEL, names=["key", "age", "sex", "y"], separator="\t")
    )
    return path, ["2 features (1 numbers, 1 categories)", "holds 60 different texts"]


def parquet(folder):
    """Typed columns."""
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = folder / "typed.parquet"
    columns = {"age": AGE, "sex": pandas.Categorical(SEX), "alone": FARE > 20}
    columns["fare"] = pandas.array(FARE, dtype="Float64")
    columns["fare"][3] = None
    pandas.DataFrame({**columns, "y": LABEL}).to_parquet(path)
    return path, ["4 features (2 numbers, 2 categories)", "marked: fare (1)"]


def headless(folder):
    """Numbers without a line of names."""
    path = folder / "iris.csv"
    path.write_text(lines(AGE, FARE, LABEL))
    return path, ["60 samples of 2 features, 2 classes", "no line of names was found"]


def semicolons(folder):
    """As spreadsheets write tables where commas are decimal."""
    path = folder / "semicolons.csv"
    age = [str(value).replace(".", ",") for value in AGE]
    path.write_text(
        lines(age, SEX, LABEL, names=["Alter", "Größe", "y"], separator=";"), "utf-8"
    )
    return path, ["2 features (1 numbers, 1 categories)", "separated by semicolons"]


def many_categories(folder):
    """A category for every second row, and 20 classes."""
    path = folder / "many.csv"
    path.write_text(
        lines(
            [f"town {row % 30}" for row in ROW],
            AGE,
            [f"class {row % 20}" for row in ROW],
            names=["town", "age", "class"],
        )
    )
    return path, ["20 classes", "2 features (1 numbers, 1 categories)"]


def arrays(folder):
    """Arrays with missing values, and labels above 2**53."""
    path = folder / "arrays.npz"
    X = np.column_stack([AGE, np.where(ROW % 9 == 0, np.nan, FARE)])
    np.savez(path, X=X, y=2**53 + ROW % 2)
    return path, ["7 missing values are set to the mean", f"{2**53 + 1}: "]


FILES = [
    texts,
    only_texts,
    gaps,
    packed,
    tabs,
    parquet,
    headless,
    semicolons,
    many_categories,
    arrays,
]


@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_files_of_any_kind_are_memorized_and_compared(make, tmp_path, capsys):
    path, expected = make(tmp_path)
    assert main(["--data", str(path), "--no-picture"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert f"{N} of {N} training samples get their own label back" in said
    for text in expected:
        assert text in said, said
    assert re.search(r"^  MemorizingClassifier +1\.0000", said, re.MULTILINE)
    assert re.search(r"^  RBF SVM +\d", said, re.MULTILINE)


def prices(folder):
    return lines(SEX, AGE, FARE, names=["sex", "age", "price"]), "a real number"


def letters(folder):
    rows = [f"some letter {row}" for row in ROW]
    return lines(rows, LABEL, names=["text", "y"]), "no column is left to learn from"


def infinite(folder):
    return lines(SEX, [*AGE[1:], "inf"], LABEL, names="xyz"), "sample 60, column 'y'"


def typing_error(folder):
    return lines([*AGE[1:], "3o"], SEX, LABEL, names="xyz"), "'3o' is not a number"


def unlabelled(folder):
    return lines(AGE, SEX, [*LABEL[1:], ""], names="xyz"), "the target is missing"


@pytest.mark.parametrize(
    "make",
    [prices, letters, infinite, typing_error, unlabelled],
    ids=lambda make: make.__name__,
)
def test_what_cannot_be_learned_is_one_line(make, tmp_path, capsys):
    text, complaint = make(tmp_path)
    path = tmp_path / "data.csv"
    path.write_text(text)
    assert main(["--data", str(path)]) == 2
    said, complained = capsys.readouterr()
    assert said == ""
    assert complaint in complained
    assert complained.count("\n") == 1


def test_all_classifiers_of_the_table_are_given_the_same_numbers(tmp_path, monkeypatch):
    from sklearn_memorize import __main__

    given = {}

    def compare_generalization(estimators, X, y, **options):
        given.update(estimators)
        raise KeyboardInterrupt

    monkeypatch.setattr(__main__, "compare_generalization", compare_generalization)
    path, _ = gaps(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        main(["--data", str(path), "--no-picture"])
    steps = {str(pipeline[:-1]) for pipeline in given.values()}
    assert len(given) == 4
    assert len(steps) == 1
