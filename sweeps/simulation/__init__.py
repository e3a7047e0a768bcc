"""Simulation of schedulers in virtual time, on recorded or drawn learning curves."""
