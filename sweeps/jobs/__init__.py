"""Sweeps as jobs of a cluster: submitted, followed and cancelled through its dashboard."""
