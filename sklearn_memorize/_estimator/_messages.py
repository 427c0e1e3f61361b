"""Parts of the messages of errors and warnings."""

from __future__ import annotations

import numpy as np

__all__ = ["listed"]

# How many rows a message lists.
_MOST_ROWS = 20


def listed(rows) -> str:
    """Write out row numbers, not too many of them.

    Parameters
    ----------
    rows : array-like of int
        Row numbers.

    Returns
    -------
    text : str
        The smallest ones in increasing order.

    Examples
    --------
    >>> from sklearn_memorize._messages import listed
    >>> listed([3, 1, 2])
    '[1, 2, 3]'
    """
    rows = np.sort(rows)
    shown = ", ".join(str(row) for row in rows[:_MOST_ROWS])
    more = len(rows) - _MOST_ROWS
    return f"[{shown}, and {more} more]" if more > 0 else f"[{shown}]"
