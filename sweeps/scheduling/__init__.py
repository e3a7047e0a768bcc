"""Scheduling: rungs and survivors, searches that learn, and the queue of trials."""
