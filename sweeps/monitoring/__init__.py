"""Monitoring: progress panel, status command, TensorBoard and MLflow."""
