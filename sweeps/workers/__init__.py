"""The only part that knows Ray: lanes, what they run, and Ray's own schedulers."""
