"""The constructions: pure functions from labelled arrays to networks.

One paper for each file; the formulas stand next to the code. Nothing here knows about
estimators.
"""
