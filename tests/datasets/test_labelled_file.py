"""Labels of a file: different ones stay different, whatever numbers they look like."""

import numpy as np
import pytest

from sklearn_memorize.datasets._labelled_file import DataError, read_labelled

LARGE = 2**53


def read_csv(tmp_path, labels):
    path = tmp_path / "data.csv"
    rows = [f"{row},{label}\n" for row, label in enumerate(labels)]
    path.write_text("a,y\n" + "".join(rows), encoding="utf-8")
    return read_labelled(path, "y").y


def read_npz(tmp_path, labels):
    path = tmp_path / "data.npz"
    np.savez(path, X=np.arange(len(labels))[:, np.newaxis], y=np.asarray(labels))
    return read_labelled(path, None).y


both = pytest.mark.parametrize("read", [read_csv, read_npz])


@both
@pytest.mark.parametrize(
    "labels",
    [
        ["1_1", "11"],
        ["2_0", "20", "2"],
        ["01", "1"],
        ["007", "010"],
        ["1.0", "1"],
        ["1e2", "100"],
        ["+1", "1"],
        ["-0", "0"],
        ["\uff11", "1"],  # digits of East Asian fonts
        ["\u0661", "1"],  # Arabic
        ["0x10", "16"],
        ["infinite", "1"],
        ["inf", "few"],
        ["-1", str(2**64 - 1)],
        [str(2**64), str(2**64 + 1)],
        ["1e400", "2e400"],
    ],
    ids=str,
)
def test_different_texts_are_different_labels(read, labels, tmp_path):
    assert read(tmp_path, labels).tolist() == labels


@both
@pytest.mark.parametrize(
    ("labels", "numbers"),
    [
        (["0", "1", "-12"], [0, 1, -12]),
        (["0.0", "1.0", "2."], [0, 1, 2]),
        (["1e2", "2E+2"], [100, 200]),
        ([str(LARGE), str(LARGE + 1)], [LARGE, LARGE + 1]),
        ([f"{LARGE}.0", f"{LARGE + 1}.0"], [LARGE, LARGE + 1]),
        ([str(-(2**63)), str(2**63 - 1)], [-(2**63), 2**63 - 1]),
        (["0", str(2**64 - 1)], [0, 2**64 - 1]),
    ],
    ids=str,
)
def test_whole_numbers_are_integers_to_the_last_digit(read, labels, numbers, tmp_path):
    found = read(tmp_path, labels)
    assert found.dtype.kind in "iu"
    assert found.tolist() == numbers


@pytest.mark.parametrize("dtype", ["i8", ">i8", "u8", "f8", "f4", "g", "S20"])
def test_labels_in_arrays_keep_their_values(dtype, tmp_path):
    numbers = [LARGE, LARGE + 2**30, 7]
    labels = np.array(
        [str(number) for number in numbers] if dtype[0] == "S" else numbers
    )
    found = read_npz(tmp_path, labels.astype(dtype))
    assert found.dtype.kind in "iu" and found.dtype.isnative
    assert found.tolist() == numbers


@both
@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (["0.5", "1"], "a real number, such as 0.5"),
        (["1e999999999", "1"], "a real number, such as 1e999999999"),
        ([f"1.{'0' * 60}1", "1"], "a real number, such as 1.0"),
        (["inf", "1"], "labels are missing or infinite"),
    ],
    ids=["half", "huge", "nearly one", "infinite"],
)
def test_what_is_no_class_is_refused(read, labels, complaint, tmp_path):
    with pytest.raises(DataError, match=complaint):
        read(tmp_path, labels)


@pytest.mark.parametrize(
    ("labels", "complaint"),
    [
        (np.array([1e300, 1.0]), "a real number, such as 1e.300"),
        (np.array([LARGE + 0.0, 0.5]), "a real number, such as 0.5"),
        (np.array([b"\xff", b"1"]), "not text in UTF-8"),
    ],
    ids=["huge", "half", "bytes"],
)
def test_arrays_of_no_classes_are_refused(labels, complaint, tmp_path):
    with pytest.raises(DataError, match=complaint):
        read_npz(tmp_path, labels)
