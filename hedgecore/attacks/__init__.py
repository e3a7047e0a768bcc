"""Adversarial markets: how far one may move (balls) and how the worst place there is found."""
