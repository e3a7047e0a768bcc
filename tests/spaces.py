"""Search spaces written for tests."""

# 8 trials that train in a second.
TINY = """\
experiment: tickets
space:
  sparsity: {grid: [0.0, 0.8]}
  lr: {grid: [1.0e-2, 3.0e-3]}
  epsilon: {grid: [0.0, 0.2]}
  seed: {grid: [0]}
study:
  market: {train_paths: 512, val_paths: 512, test_paths: 512, steps: 6}
  network: {hidden: [8, 8]}
  training: {epochs: 3, batch_size: 32}
  dense: {lr: 1.0e-2}
  attack: {name: path_fgsm}
  evaluation: {path_fgsm: [0.2]}
scheduler: null
"""

# 8 trials of the other experiment: two seeds, two cluster counts, with and without an explanation.
TINY_XNN = """\
experiment: xnn
space:
  adj_weight: {grid: [0.0, 0.3]}
  clusters: {grid: [2, 3]}
  seed: {grid: [0, 1]}
study:
  data: {rows: 400}
  network: {hidden: [8, 6]}
  training: {epochs: 3, batch_size: 64, lr: 1.0e-2}
  baseline: {lr: 1.0e-2, rounds: 4, classifier_rounds: 2, folds: 2}
  clustering: {axes: 4}
  evaluation: {resamples: 20, concepts: 10, points: 4}
"""
