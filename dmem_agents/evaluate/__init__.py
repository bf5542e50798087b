"""Measuring what a memory holds, always beside its controls."""
