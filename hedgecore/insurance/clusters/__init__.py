"""Clusters of applicants: centroids, distances to them, and their stability."""
