"""Adversarial paths: how far one may move (balls) and how the worst place is found (pathwise)."""
