"""Adversarial markets: balls bound the perturbation, attacks search them for the worst case."""
