"""Benchmarks against regressions, on small data: see `../asv.conf.json`.

Each runs for well under a second after its set-up. How the library compares with the
textbook and with other classifiers is measured by `../side_by_side.py`.
"""
