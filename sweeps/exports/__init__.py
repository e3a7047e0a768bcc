"""Exports of a storage to the formats of other tools."""
