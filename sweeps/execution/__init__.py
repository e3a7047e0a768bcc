"""Execution on Ray, the only part that imports it: runtime, lanes, and the workers on them."""
