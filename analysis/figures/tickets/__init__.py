"""Figures of a tickets sweep, one module a family."""
