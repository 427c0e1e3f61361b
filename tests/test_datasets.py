"""The papers' data sets."""

import gzip

import numpy as np
import pytest
from _data import mnist
from sklearn.datasets import make_moons

from sklearn_memorize.datasets import (
    _mnist,
    fetch_mnist,
    make_parallel_lines,
    make_two_moons,
)


def norms(X):
    return np.linalg.norm(X, axis=1)


@pytest.mark.parametrize("make", [make_two_moons, make_parallel_lines])
@pytest.mark.parametrize("n_samples", [2, 51, 200])
def test_points_lie_in_the_unit_disc_half_in_each_class(make, n_samples):
    X, y = make(n_samples, random_state=0)
    assert X.shape == (n_samples, 2)
    assert norms(X).max() <= 1 + 1e-15
    assert sorted(np.bincount(y)) == [n_samples // 2, n_samples - n_samples // 2]


@pytest.mark.parametrize("make", [make_two_moons, make_parallel_lines])
def test_one_seed_gives_the_same_points(make):
    for first, second in zip(
        make(20, random_state=3), make(20, random_state=3), strict=True
    ):
        np.testing.assert_array_equal(first, second)
    assert not np.array_equal(make(20, random_state=4)[0], make(20, random_state=3)[0])


def test_two_moons_are_scikit_learns_up_to_one_factor():
    X, y = make_two_moons(1000, noise=0.05, random_state=0)
    original, labels = make_moons(1000, noise=0.05, random_state=0)
    np.testing.assert_array_equal(y, labels)
    np.testing.assert_allclose(X * norms(original).max(), original, rtol=1e-14)
    assert norms(X).max() == 1.0


@pytest.mark.parametrize("angle", [0, 30.0, 90])
def test_parallel_lines_have_the_distance_asked_for(angle):
    X, y = make_parallel_lines(100, distance=0.3, angle=angle, random_state=0)
    turn = np.deg2rad(angle)
    height = X @ [-np.sin(turn), np.cos(turn)]
    np.testing.assert_allclose(height, np.where(y == 1, 0.15, -0.15), atol=1e-15)


@pytest.mark.parametrize(
    ("make", "arguments", "name"),
    [
        (make_two_moons, {"n_samples": 1}, "n_samples"),
        (make_two_moons, {"noise": -0.1}, "noise"),
        (make_parallel_lines, {"distance": 0.0}, "distance"),
        (make_parallel_lines, {"distance": 2.5}, "distance"),
        (make_parallel_lines, {"n_samples": 0}, "n_samples"),
    ],
)
def test_bad_arguments_are_named(make, arguments, name):
    with pytest.raises(ValueError, match=name):
        make(**arguments)


def idx(values):
    """Encode bytes as an IDX file: zeros, type code 8, dimensions, sizes, values."""
    sizes = np.array(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Five images in the four files, two of them compressed."""
    monkeypatch.setattr(_mnist, "_PARTS", (("train", 3), ("t10k", 2)))
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
    labels = np.array([3, 1, 4, 1, 5], dtype=np.uint8)
    for part, rows in (("train", slice(0, 3)), ("t10k", slice(3, 5))):
        image_file, label_file = _mnist._file_names(part)
        with gzip.open(tmp_path / f"{image_file}.gz", "wb") as stream:
            stream.write(idx(images[rows]))
        (tmp_path / label_file).write_bytes(idx(labels[rows]))
    return tmp_path, images, labels


def test_fetch_mnist_reads_plain_and_compressed_files(small_mnist):
    folder, images, labels = small_mnist
    bunch = fetch_mnist(folder)
    np.testing.assert_array_equal(bunch.data, images.reshape(5, 784))
    np.testing.assert_array_equal(bunch.images, images)
    np.testing.assert_array_equal(bunch.target, labels)
    assert bunch.data.dtype == np.float32
    assert bunch.n_train == 3


def test_fetch_mnist_looks_where_the_environment_says(small_mnist, monkeypatch):
    folder, images, _ = small_mnist
    home = folder / "home"
    (home / "data").mkdir(parents=True)
    (home / "data" / "mnist").symlink_to(folder, target_is_directory=True)
    monkeypatch.setenv("SKLEARN_MEMORIZE_DATA", str(home))
    X, _ = fetch_mnist(return_X_y=True)
    np.testing.assert_array_equal(X, images.reshape(5, 784))


def test_fetch_mnist_refuses_files_of_another_kind(small_mnist):
    folder, _, labels = small_mnist
    path = folder / "t10k-labels-idx1-ubyte"
    path.write_bytes(idx(labels))
    with pytest.raises(ValueError, match="t10k-labels.* is not an IDX file"):
        fetch_mnist(folder)


def test_fetch_mnist_refuses_a_download_cut_short(small_mnist):
    folder, _, _ = small_mnist
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match="t10k-images.* is not an IDX file"):
        fetch_mnist(folder)


def test_fetch_mnist_falls_back_to_openml(tmp_path, monkeypatch):
    asked = {}

    def fetch_openml(name, **options):
        asked.update(options, name=name)
        return _mnist.Bunch(data=np.ones((2, 784)), target=np.array(["7", "2"]))

    monkeypatch.delenv("SKLEARN_MEMORIZE_DATA", raising=False)
    monkeypatch.setattr(_mnist, "fetch_openml", fetch_openml)
    X, y = fetch_mnist(tmp_path, return_X_y=True)
    assert asked["name"] == "mnist_784"
    assert asked["data_home"] == tmp_path
    assert X.dtype == np.float32
    assert y.tolist() == [7, 2]


def test_all_of_mnist_is_there():
    X, y = mnist()
    assert X.shape == (70_000, 784)
    assert (X.min(), X.max()) == (0, 255)
    # The digits in the whole set, as its authors count them.
    counts = [6903, 7877, 6990, 7141, 6824, 6313, 6876, 7293, 6825, 6958]
    assert np.bincount(y).tolist() == counts
