"""The explainable network (X-NN): architecture, alignment methods and training."""
