"""Measurements of this package; run by `make bench`, on green tests only."""
