"""Compiled rollout of hedging networks: P&L of paths, its gradients, and epochs of training.

The mathematics and the memory layout are in ``kernel.h``. Autograd (``hedgecore.hedging``) is the
readable definition, the reference of the tests, and the path of everything this does not cover.
"""
