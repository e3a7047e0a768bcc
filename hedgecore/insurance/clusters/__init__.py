"""Clusters of the insured: centroids, distances to them, and their stability."""
