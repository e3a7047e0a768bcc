"""Files of other tools, written from their documentation, and the axes that they have here."""

WANDB = """\
program: train.py
method: bayes
metric: {name: val_loss, goal: minimize}
run_cap: 40
early_terminate: {type: hyperband, min_iter: 3}
parameters:
  learning_rate: {distribution: log_uniform_values, min: 1e-5, max: 1e-1}
  batch_size: {values: [16, 32, 64]}
  dropout: {min: 0.1, max: 0.5}
  epochs: {value: 10}
  decay: {distribution: log_uniform, min: -9.21034037, max: -2.302585093}
  noise: {distribution: normal, mu: 0.0, sigma: 1.0}
  optimizer:
    parameters:
      momentum: {min: 0.5, max: 0.99}
      kind: {values: [adam, sgd]}
command: ["${env}", python, "${program}", "${args}"]
"""
RAY = """\
param_space:
  lr: tune.loguniform(1e-4, 1e-1)
  batch_size: {grid_search: [32, 64]}
  layers: tune.randint(1, 9)
  noise: tune.randn(0, 1)
  data: {path: train.csv}
  model:
    width: {grid_search: [16, 32]}
tune_config: {num_samples: 12, metric: loss, mode: min}
"""
OLD_RAY = """\
my-experiment:
  run: PPO
  env: CartPole-v1
  stop: {training_iteration: 100}
  num_samples: 3
  config:
    lr: {grid_search: [0.001, 0.0001]}
    num_workers: 2
"""
HYDRA = """\
defaults:
  - _self_
  - override hydra/sweeper: optuna
hydra:
  mode: MULTIRUN
  sweeper:
    sampler: {_target_: optuna.samplers.TPESampler, seed: 123}
    direction: minimize
    n_trials: 25
    params:
      model.lr: tag(log, interval(1e-5, 1e-1))
      +model.depth: range(1, 5)
      model.act: choice(relu, tanh)
      seed: 0,1,2
      model.bias: "true"
model: {lr: 0.1, depth: 2, act: relu}
"""
HYDRA_AX = """\
defaults: [{override hydra/sweeper: ax}]
hydra:
  sweeper:
    ax_config:
      max_trials: 15
      params:
        optimizer.lr: {type: range, bounds: [0.0001, 0.1], log_scale: true}
        model.hidden: {type: choice, values: [16, 32]}
        model.kind: {type: fixed, value: mlp}
"""
KATIB = """\
apiVersion: kubeflow.org/v1beta1
kind: Experiment
metadata: {namespace: kubeflow, name: tune-mnist}
spec:
  objective: {type: minimize, goal: 0.001, objectiveMetricName: loss}
  algorithm: {algorithmName: bayesianoptimization}
  parallelTrialCount: 3
  maxTrialCount: 12
  parameters:
    - name: lr
      parameterType: double
      feasibleSpace: {min: "0.001", max: "0.05", distribution: logUniform}
    - name: --num-layers
      parameterType: int
      feasibleSpace: {min: "2", max: "5"}
    - name: optimizer
      parameterType: categorical
      feasibleSpace: {list: [sgd, adam, ftrl]}
    - name: momentum
      parameterType: double
      feasibleSpace: {min: "0.5", max: "0.9", step: "0.1"}
  trialTemplate:
    primaryContainerName: training
    trialParameters: [{name: learningRate, reference: lr}]
"""
DETERMINED = """\
name: mnist
entrypoint: model_def:Trial
resources: {slots_per_trial: 1}
hyperparameters:
  global_batch_size: 64
  learning_rate: {type: log, base: 10, minval: -4.0, maxval: -1.0}
  filters: {type: int, minval: 8, maxval: 64}
  dropout: {type: double, minval: 0.2, maxval: 0.8}
  nested:
    activation: {type: categorical, vals: [relu, tanh]}
  width: {type: const, val: 3}
searcher: {name: adaptive_asha, metric: validation_loss, max_trials: 16}
"""
NNI = """\
searchSpace:
  lr: {_type: loguniform, _value: [0.0001, 0.1]}
  hidden: {_type: choice, _value: [128, 256]}
  rate: {_type: normal, _value: [0, 1]}
trialCommand: python3 model.py
maxTrialNumber: 30
tuner: {name: TPE}
"""

SWEEPS = {
    "wandb": (
        WANDB,
        "Weights & Biases",
        {
            "lr": {"loguniform": [1e-5, 0.1]},
            "training.batch_size": {"grid": [16, 32, 64]},
            "dropout": {"uniform": [0.1, 0.5]},
            "decay": {"loguniform": [1e-4, 0.1]},
            "optimizer.momentum": {"uniform": [0.5, 0.99]},
            "optimizer.kind": {"grid": ["adam", "sgd"]},
        },
        {"algorithm": "tpe", "num_samples": 40},
        ["noise"],
    ),
    "ray": (
        RAY,
        "Ray Tune",
        {
            "lr": {"loguniform": [1e-4, 0.1]},
            "training.batch_size": {"grid": [32, 64]},
            "layers": {"randint": [1, 9]},
            "model.width": {"grid": [16, 32]},
        },
        {"algorithm": "random", "num_samples": 12},
        ["noise"],
    ),
    "old ray": (OLD_RAY, "Ray Tune", {"lr": {"grid": [1e-3, 1e-4]}}, {"algorithm": "grid"}, []),
    "hydra": (
        HYDRA,
        "Hydra",
        {
            "lr": {"loguniform": [1e-5, 0.1]},
            "model.depth": {"grid": [1, 2, 3, 4]},
            "model.act": {"grid": ["relu", "tanh"]},
            "seed": {"grid": [0, 1, 2]},
        },
        {"algorithm": "tpe", "num_samples": 25},
        [],
    ),
    "hydra ax": (
        HYDRA_AX,
        "Hydra",
        {"lr": {"loguniform": [1e-4, 0.1]}, "model.hidden": {"grid": [16, 32]}},
        {"algorithm": "tpe", "num_samples": 15},
        [],
    ),
    "katib": (
        KATIB,
        "Katib",
        {
            "lr": {"loguniform": [0.001, 0.05]},
            "num-layers": {"randint": [2, 6]},
            "optimizer": {"grid": ["sgd", "adam", "ftrl"]},
            "momentum": {"grid": [0.5, 0.6, 0.7, 0.8, 0.9]},
        },
        {"algorithm": "tpe", "num_samples": 12},
        [],
    ),
    "determined": (
        DETERMINED,
        "Determined AI",
        {
            "lr": {"loguniform": [1e-4, 0.1]},
            "filters": {"randint": [8, 65]},
            "dropout": {"uniform": [0.2, 0.8]},
            "nested.activation": {"grid": ["relu", "tanh"]},
        },
        {"algorithm": "random", "num_samples": 16},
        [],
    ),
    "nni": (
        NNI,
        "NNI",
        {"lr": {"loguniform": [1e-4, 0.1]}, "hidden": {"grid": [128, 256]}},
        {"algorithm": "tpe", "num_samples": 30},
        ["rate"],
    ),
}
"""Text, tool, axes, search and names without an equivalent, by name."""
