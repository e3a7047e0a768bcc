"""Training: settings, schedule, snapshots, and stopping."""
