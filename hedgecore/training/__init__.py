"""What trainings have in common: settings, schedule, snapshots, and how they end."""
