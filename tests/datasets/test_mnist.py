"""MNIST is read from its files, wherever they are."""

import gzip
from urllib.error import URLError

import numpy as np
import pytest
from support.data import mnist

from sklearn_memorize.datasets import (
    _mnist,
    fetch_mnist,
)


def idx(values):
    """Encode bytes as an IDX file: zeros, type code 8, dimensions, sizes, values."""
    sizes = np.array(values.shape, dtype=">u4").tobytes()
    return bytes([0, 0, 8, values.ndim]) + sizes + values.tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Five images in the four files, two of them compressed."""
    monkeypatch.setattr(_mnist, "_N_TRAIN", 3)
    for files, shape in ((_mnist._IMAGES, (28, 28)), (_mnist._LABELS, ())):
        small = zip(files, ((3, *shape), (2, *shape)), strict=True)
        for name, size in small:
            monkeypatch.setitem(files, name, size)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, size=(5, 28, 28), dtype=np.uint8)
    labels = np.array([3, 1, 4, 1, 5], dtype=np.uint8)
    for part, rows in (("train", slice(0, 3)), ("t10k", slice(3, 5))):
        image_file, label_file = (
            f"{part}-images-idx3-ubyte",
            f"{part}-labels-idx1-ubyte",
        )
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


def test_without_files_and_internet_it_is_said_what_to_do(tmp_path, monkeypatch):
    def fetch_openml(name, **options):
        raise URLError("no route to host")

    monkeypatch.setattr(_mnist, "fetch_openml", fetch_openml)
    monkeypatch.delenv("SKLEARN_MEMORIZE_DATA", raising=False)
    with pytest.raises(OSError, match="no route to host.*put the files.*data_home"):
        fetch_mnist(data_home=tmp_path)


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
