"""Trained model as a sealed folder: weights, metadata, and a signature over both.

Start at ``sealing.py``: ``seal`` writes a bundle, ``unseal`` verifies and opens one. A model is
any set of tensors and plain facts; the caller supplies the layout of its architecture.
``docs/bundle.md`` describes the format and the limits of a signature.
"""
