"""Training in general: settings, schedule, snapshots, and stopping."""
