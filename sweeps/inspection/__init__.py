"""Inspection of a storage: verification, replay, and models trained again."""
