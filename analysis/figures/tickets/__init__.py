"""Figures of a tickets sweep, one module per family."""
