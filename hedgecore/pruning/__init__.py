"""Pruning: masks, criteria, allocations, and lottery tickets."""
