"""The demonstration, `python -m sklearn_memorize`, as a newcomer runs it."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_digits, load_iris
from support.data import ROOT

from sklearn_memorize.__main__ import main

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def iris_csv(tmp_path):
    X, y = load_iris(return_X_y=True)
    names = load_iris().target_names[y]
    path = tmp_path / "iris.csv"
    lines = ["sepal length,sepal width,species,petal length,petal width"]
    for (a, b, c, d), name in zip(X, names, strict=True):
        lines.append(f"{a},{b},{name},{c},{d}")
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def few_digits():
    X, y = load_digits(return_X_y=True)
    return X[:120], y[:120]


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_a_csv_file_is_memorized_compared_and_drawn(iris_csv, tmp_path, capsys):
    assert main(["--data", str(iris_csv), "--target", "species"]) == 0
    said, complained = capsys.readouterr()
    assert complained == ""
    assert "iris: 150 samples of 4 features, 3 classes" in said
    assert "150 of 150 training samples get their own label back" in said
    assert "interpolates_ is True" in said
    assert re.search(r"Network +3 layers of [\d,]+-[\d,]+-3 neurons, [\d,]+ nonz", said)
    assert re.search(r"neurons by class: setosa: \d+, versicolor: \d+, virgin", said)
    assert re.search(r"fit \d+\.\d+ s, predict \d+\.\d+ s", said)
    assert (tmp_path / "iris_memorized.png").read_bytes().startswith(PNG)


def test_the_comparison_names_four_classifiers_that_learn_something(iris_csv, capsys):
    main(["--data", str(iris_csv), "--target", "species", "--no-picture"])
    said = capsys.readouterr().out
    row = r"^  ({}) +(\d\.\d+) +(\d\.\d+) +\(\d\.\d+ to \d\.\d+\) +\d+\.\d+ +\d+\.\d+$"
    accuracy = {}
    for name in (
        "MemorizingClassifier",
        "1-nearest neighbour",
        "Random forest",
        "RBF SVM",
    ):
        (found,) = re.findall(row.format(name), said, flags=re.MULTILINE)
        accuracy[name] = float(found[1]), float(found[2])
    assert accuracy["MemorizingClassifier"][0] == 1.0
    assert all(test > 0.9 for _, test in accuracy.values())


def test_no_picture_leaves_no_file(iris_csv, tmp_path, capsys):
    main(["--data", str(iris_csv), "--target", "species", "--no-picture"])
    assert [path.name for path in tmp_path.iterdir()] == ["iris.csv"]


def test_pictures_in_an_npz_file_are_shown_as_pictures(few_digits, tmp_path, capsys):
    X, y = few_digits
    np.savez("few.npz", X=X.reshape(-1, 8, 8), y=y)
    assert main(["--data", "few.npz", "--output", "picture.png"]) == 0
    assert "120 of 120 training samples" in capsys.readouterr().out
    assert (tmp_path / "picture.png").read_bytes().startswith(PNG)


def test_the_seed_decides_the_network(few_digits, capsys):
    X, y = few_digits
    np.savez("few.npz", X=X, labels=y)
    networks = []
    for seed in ("1", "1", "2"):
        request = ["--data", "few.npz", "--target", "labels", "--no-picture"]
        main([*request, "--random-state", seed])
        networks.append(re.search(r"Network .*", capsys.readouterr().out)[0])
    assert networks[0] == networks[1] != networks[2]


def test_contradictory_labels_are_reported(tmp_path, capsys):
    path = write(tmp_path / "twice.csv", "a,y\n" + "1,0\n1,0\n1,1\n2,1\n" * 3)
    assert main(["--data", str(path), "--no-picture"]) == 0
    said = capsys.readouterr().out
    assert "1 distinct rows carry several labels" in said
    assert "9 of 12 training samples get their own label back" in said


def test_what_becomes_of_contradictory_labels_is_said(tmp_path, capsys):
    path = write(tmp_path / "twice.csv", "a,y\n" + "1,0\n1,0\n1,1\n2,1\n" * 3)
    main(["--data", str(path), "--no-picture"])
    said = capsys.readouterr().out
    assert "back, and 3 the label that most of the samples with the same fea" in said


def test_one_label_that_is_left_is_no_network_of_draws(tmp_path, capsys):
    path = write(tmp_path / "twice.csv", "a,y\n1,0\n1,0\n1,1\n2,0\n")
    assert main(["--data", str(path), "--no-picture"]) == 0
    said = capsys.readouterr().out
    assert "3 of 4 training samples" in said
    assert "a constant, since one label is left" in said


def test_labels_that_differ_in_their_last_digit_are_two_classes(tmp_path, capsys):
    rows = [f"{row},{2**53 + row % 2}" for row in range(8)]
    path = write(tmp_path / "large.csv", "a,y\n" + "\n".join(rows))
    assert main(["--data", str(path), "--no-picture"]) == 0
    said = capsys.readouterr().out
    assert "2 classes" in said and f"{2**53}: " in said and f"{2**53 + 1}: " in said


def test_a_class_with_one_sample_is_memorized_and_not_cross_validated(tmp_path, capsys):
    path = write(tmp_path / "rare.csv", "a,y\n1,0\n2,0\n3,1\n")
    assert main(["--data", str(path), "--no-picture"]) == 0
    said = capsys.readouterr().out
    assert "3 of 3 training samples" in said
    assert "No cross-validation: class 1 has one sample." in said


@pytest.mark.parametrize(
    ("text", "target", "complaint"),
    [
        ("a,b,y\n1,2,0\n3,4,1\n", "z", "no column is named 'z'; there are 'a', 'b'"),
        ("a,y,y\n1,2,0\n3,4,1\n", "y", "several columns are named 'y'"),
        ("a,b,y\n1,2,0\n3,inf,1\n", "y", "'inf' is not a finite number"),
        ("a,b,y\n1,2,0\n3,4,\n", "y", "sample 2: the target is missing"),
        ("a,b,y\n1,2,0\n3,4\n", "y", "sample 2: the target is missing"),
        ("a,b,y\n1,2,0.5\n3,4,1\n", "y", "not a class but a real number, such as 0.5"),
        ("a,b,y\n1,2,0\n3,4,0\n", "y", "all labels are equal"),
        ("a,b,y\n1,2,0\n3,1e300,1\n", "y", "values as large as 1e+300 leave no room"),
        ("a b y\n1 2 0\n3 4 1\n", None, "columns are separated by commas"),
        ("a,b,y\n", "y", "expected a line of column names, and samples below"),
        ("", None, "expected a line of column names, and samples below"),
    ],
)
def test_an_unusable_csv_file_is_refused(text, target, complaint, tmp_path, capsys):
    path = write(tmp_path / "data.csv", text)
    target = [] if target is None else ["--target", target]
    assert_refused(["--data", str(path), *target], complaint, capsys)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"X": np.eye(3)}, "no array is named 'y'; there are 'X'"),
        ({"y": np.arange(3)}, "no array is named 'X'; there are 'y'"),
        ({"X": np.eye(3), "y": np.arange(4)}, "one label for each of the 3 samples"),
        ({"X": np.ones(3), "y": np.arange(3)}, "must be real, of shape"),
        ({"X": np.array([["a"], ["b"]]), "y": [0, 1]}, "'X' is not numeric but <U1"),
        ({"X": [[np.inf], [1]], "y": [0, 1]}, "values of 'X' are missing or infinite"),
        ({"X": np.full((2, 2), np.nan), "y": [0, 1]}, "all values of 'X' are missing"),
        (
            {"X": np.full((2, 2, 2), np.nan), "y": [0, 1]},
            "values of 'X' are missing or infinite",
        ),
        ({"X": [[0], [1]], "y": [0, np.nan]}, "labels are missing or infinite"),
        ({"X": [[0], [1]], "y": [0, 0.5]}, "not a class but a real number"),
        ({"X": [[0], [1]], "y": np.array([0, None])}, "not an NPZ file of plain arr"),
        ({"X": [[0], [1e300]], "y": [0, 1]}, "as large as 1e+300 leave no room"),
        ({"X": np.full((2, 1, 1), 1e40), "y": [0, 1]}, "as large as 1e+40 leave no"),
        ({"X": [[0], [1]], "y": [1j, 0]}, "labels cannot be of type complex128"),
    ],
)
def test_an_unusable_npz_file_is_refused(arrays, complaint, tmp_path, capsys):
    np.savez("data.npz", **arrays)
    assert_refused(["--data", "data.npz"], complaint, capsys)


@pytest.mark.parametrize("name", ["data.csv", "data.npz"])
def test_a_missing_file_is_refused(name, capsys):
    assert_refused(["--data", name], f"{name}: No such file or directory", capsys)


def test_a_file_of_another_kind_is_refused(tmp_path, capsys):
    write(tmp_path / "data.npz", "no archive")
    assert_refused(["--data", "data.npz"], "not an NPZ file", capsys)
    (tmp_path / "data.csv").write_bytes(b"\xff\xfe\x00")
    assert_refused(["--data", "data.csv"], "not a text file in UTF-8", capsys)
    assert_refused(["--data", "data.xls"], "ends in .csv, .csv.gz, .tsv", capsys)


def test_a_target_without_data_is_refused(capsys):
    assert_refused(["--target", "y"], "--target names a column", capsys)
    assert_refused(["--keep", "y"], "--keep names a column", capsys)


def test_an_impossible_output_is_refused_before_any_work(iris_csv, capsys):
    data = ["--data", str(iris_csv), "--target", "species"]
    output = ["--output", "nowhere/picture.png"]
    assert_refused([*data, *output], "there is no folder nowhere", capsys)
    output = ["--output", "picture.txt"]
    assert_refused([*data, *output], "must end in one of .png", capsys)


@pytest.mark.parametrize("option", [["--n-jobs", "0"], ["--random-state", "-1"]])
def test_an_impossible_option_is_refused(option, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(option)
    assert option[0] in capsys.readouterr().err


def assert_refused(arguments, complaint, capsys):
    assert main(arguments) == 2
    said, complained = capsys.readouterr()
    assert said == ""
    assert complaint in complained
    assert complained.startswith("python -m sklearn_memorize: error: ")
    assert complained.count("\n") == 1


def test_the_module_runs_and_hands_on_the_exit_code():
    command = [sys.executable, "-m", "sklearn_memorize", "--data", "missing.csv"]
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 2
    assert "missing.csv: No such file" in run.stderr


def few_samples(folder):
    rows = [f"{row},{row % 3},{row % 2}" for row in range(12)]
    return str(write(folder / "few.csv", "a,b,y\n" + "\n".join(rows)))


def start(*arguments, **environment):
    command = [sys.executable, "-m", "sklearn_memorize", *arguments]
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("n_lines", [0, 1])
@pytest.mark.parametrize("option", ["--no-picture", "--help"])
def test_it_ends_without_a_word_when_nobody_reads_on(n_lines, option, tmp_path):
    with start("--data", few_samples(tmp_path), option) as process:
        for _ in range(n_lines):
            process.stdout.readline()
        process.stdout.close()
        complained = process.stderr.read()
    assert complained == ""
    # What was said before the pipe was closed may have been all, and what reads the
    # command line does not mind that its help is not read.
    assert process.returncode in (0, 141)
    if n_lines == 0 and option == "--no-picture":
        assert process.returncode == 141


def test_a_screen_that_is_not_there_does_not_matter(tmp_path):
    with start("--data", few_samples(tmp_path), MPLBACKEND="nope") as process:
        said, complained = process.communicate()
    assert (process.returncode, complained) == (0, ""), complained
    assert "few_memorized.png" in said
    assert (tmp_path / "few_memorized.png").read_bytes().startswith(PNG)


def test_a_broken_matplotlib_costs_the_picture_alone(tmp_path):
    (tmp_path / "broken" / "matplotlib").mkdir(parents=True)
    broken = tmp_path / "broken" / "matplotlib" / "__init__.py"
    write(broken, "raise ValueError('no such font')")
    paths = os.pathsep.join([str(broken.parents[1]), str(ROOT)])
    with start("--data", few_samples(tmp_path), PYTHONPATH=paths) as process:
        said, complained = process.communicate()
    assert (process.returncode, complained) == (0, ""), complained
    assert "no picture, for matplotlib cannot be imported: no such font" in said


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_an_interrupt_is_one_line(tmp_path):
    np.savez("many.npz", X=np.random.default_rng(0).random((4000, 9)), y=[0, 1] * 2000)
    with start("--data", "many.npz", "--no-picture") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, complained = process.communicate()
    assert process.returncode == 130
    assert complained == "python -m sklearn_memorize: interrupted\n"
