"""Points within a radius of samples that are likely to get another label."""

import numpy as np


def length(steps, metric):
    """Return the length of each step, in the last axis."""
    norm = 2 if metric == "euclidean" else np.inf
    return np.linalg.norm(steps, norm, axis=-1, keepdims=True)


def at_radius(rows, steps, radii, metric):
    """Return the points at a radius from rows, in the direction of the steps.

    Less a little that is lost when the point is rounded.
    """
    lengths = length(steps, metric)
    steps = steps / np.where(lengths > 0, lengths, 1)
    reach = np.where(np.isfinite(radii), radii, 1.0) * (1 - 1e-9)
    return rows + reach[:, np.newaxis] * steps


def random_steps(rng, shape, metric):
    """Return steps in all directions, or to the corners of a cube."""
    steps = rng.standard_normal(shape)
    return steps if metric == "euclidean" else np.sign(steps)


def steps_to_others(rows, labels, samples, sample_labels, n_nearest):
    """Yield steps from each row to its nearest samples of another label."""
    squares = np.square(samples).sum(axis=1) - 2 * rows @ samples.T
    squares[labels[:, np.newaxis] == sample_labels] = np.inf
    n_nearest = min(n_nearest, len(samples))
    nearest = np.argpartition(squares, n_nearest - 1, axis=1)[:, :n_nearest]
    for column in nearest.T:
        yield samples[column] - rows


def own_lead(classifier, points, labels):
    """Return by how much the score of a label leads the others, a measure of attack."""
    scores = classifier.decision_function(points)
    own = classifier.classes_.searchsorted(labels)
    if scores.ndim == 1:
        return np.where(own == 1, scores, -scores)
    rows = np.arange(len(points))
    lead = scores[rows, own].copy()
    scores = scores.copy()
    scores[rows, own] = -np.inf
    return lead - scores.max(axis=1)


def searched_steps(classifier, rows, labels, steps, radii, metric, rng, n_rounds):
    """Yield steps of a search without gradients: those kept that lower the lead."""
    best = own_lead(classifier, at_radius(rows, steps, radii, metric), labels)
    for _ in range(n_rounds):
        lengths = length(steps, metric)
        size = rng.choice([0.03, 0.1, 0.3])
        tried = steps / np.where(lengths > 0, lengths, 1)
        tried = tried + size * random_steps(rng, rows.shape, metric)
        lead = own_lead(classifier, at_radius(rows, tried, radii, metric), labels)
        better = lead < best
        steps = np.where(better[:, np.newaxis], tried, steps)
        best = np.where(better, lead, best)
        yield tried
    yield steps


def attacks(classifier, rows, samples, sample_labels, metric, rng, n_each=4):
    """Yield points up to the certified radius of rows: random ones and searched ones.

    Returns pairs of points and the labels that are predicted at the rows.
    """
    # In single precision, rounding a point moves it by more than what is kept free.
    rows, samples = rows.astype(np.float64), samples.astype(np.float64)
    labels = classifier.predict(rows)
    radii = classifier.certified_radius(rows, metric=metric)
    given = rows, labels, samples, sample_labels
    towards = list(steps_to_others(*given, n_each))
    steps = [random_steps(rng, rows.shape, metric) for _ in range(n_each)]
    steps += towards
    if metric == "chebyshev":
        steps += [np.sign(step) for step in towards]
    steps += searched_steps(
        classifier, rows, labels, towards[0], radii, metric, rng, n_each
    )
    for step in steps:
        yield at_radius(rows, step, radii, metric), labels
