"""What lies on disk: the log and all that derives from it, and how it is checked."""
