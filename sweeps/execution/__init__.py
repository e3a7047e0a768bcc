"""Execution on Ray, the only package that imports it: runtime, lanes and workers."""
