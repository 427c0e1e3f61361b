"""Texts to classify: made-up documents, and the docstrings of the libraries we use."""

import importlib
import inspect
import re

import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer

# Modules whose docstrings are told apart.
MODULES = (
    "matplotlib.axes",
    "numpy",
    "numpy.ma",
    "pandas",
    "scipy.linalg",
    "scipy.ndimage",
    "scipy.optimize",
    "scipy.signal",
    "scipy.sparse",
    "scipy.special",
    "scipy.stats",
    "sklearn.datasets",
    "sklearn.ensemble",
    "sklearn.linear_model",
    "sklearn.metrics",
    "sklearn.preprocessing",
)
# Names that give the module away.
NAMES = {part for module in MODULES for part in module.split(".")} | {
    "np", "pd", "plt", "ma", "mpl", "pyplot", "scikit", "learn",
}  # fmt: skip
MOST_WORDS = 60


def made_up_documents(n_documents, n_topics, n_words, seed):
    """Return word counts and topics.

    A word is one of a hundred of its topic with probability 0.15, else one of all by
    Zipf's law.
    """
    generator = np.random.default_rng(seed)
    zipf = 1 / np.arange(1, n_words + 1)
    zipf /= zipf.sum()
    topics = generator.permutation(n_words)[: n_topics * 100].reshape(n_topics, 100)
    y = np.arange(n_documents) % n_topics
    counts = np.zeros((n_documents, n_words))
    for row, topic in zip(counts, y, strict=True):
        length = generator.integers(40, 120)
        of_topic = generator.random(length) < 0.15
        words = generator.choice(n_words, length, p=zipf)
        chosen = topics[topic][generator.integers(0, 100, length)]
        np.add.at(row, np.where(of_topic, chosen, words), 1)
    return sparse.csr_array(counts), y


def weighted(counts, n_training):
    """Return TF-IDF weights; the document frequencies are those of the first rows."""
    return TfidfTransformer().fit(counts[:n_training]).transform(counts)


def docstrings():
    """Return the beginnings of docstrings, each once, and the number of its module."""
    found = {}
    for number, name in enumerate(MODULES):
        module = importlib.import_module(name)
        things = [getattr(module, word, None) for word in sorted(dir(module))]
        if name in ("matplotlib.axes", "pandas"):  # where methods are what matters
            things += [
                getattr(one, word, None)
                for one in list(things)
                if inspect.isclass(one)
                for word in sorted(dir(one))
            ]
        for thing in things:
            text = inspect.getdoc(thing) if callable(thing) else None
            words = re.findall("[a-z]{2,}", (text or "").lower())
            words = [word for word in words if word not in NAMES][:MOST_WORDS]
            if len(words) >= 10:
                found.setdefault(" ".join(words), number)
    texts = sorted(found)
    return texts, np.array([found[text] for text in texts])


def vectorized(texts, train, test):
    """Return TF-IDF weights of training and test texts; rare words are left out."""
    vectorizer = TfidfVectorizer(min_df=2)
    X_train = vectorizer.fit_transform([texts[i] for i in train])
    return X_train, vectorizer.transform([texts[i] for i in test])
