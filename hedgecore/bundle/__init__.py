"""A trained model as a sealed folder: weights, what is known of them, and who vouches for it.

Start at ``sealing.py``: ``seal`` writes a bundle, ``unseal`` trusts one. Any model will do that is
tensors and plain facts; which tensors an architecture has is said by the caller. The format, and
what a signature cannot promise, are in ``docs/bundle.md``.
"""
