"""The registry: one line for each construction, in the order of all tables.

A folder's `__all__` names its estimators, and `CONSTRUCTION` there says what they are.
The imports are written out so that type checkers and editors know the names, too; no
`__all__` stands here, so that importing everything imports the estimators alone.
"""

# ruff: noqa: F403, I001

from .random_hyperplanes import *
from .nearby_set import *
from .robust import *
from .small_relu import *
from .deep_threshold import *
from .slabs import *
from .random_relu import *
from .bit_extraction import *
from .narrow import *
from .residual import *
from .consistent import *
from .spiked_relu import *
