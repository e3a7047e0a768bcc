"""Before Ray starts: what will run, whether it can, and what it will cost."""
