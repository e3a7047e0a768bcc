"""Every figure of an X-NN sweep, saved as PNG and PDF."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from analysis.figures.file_names import file_name
from analysis.figures.rendering import (
    Batch,
    Plan,
    Saved,
    alone,
    draw_batches,
    problem_batches,
)
from analysis.figures.style import NothingToDraw
from analysis.figures.xnn import clusters, network_diagram, node_coefficients, probes, responses
from analysis.figures.xnn.column_importance import column_importance
from analysis.figures.xnn.controls import controls
from analysis.figures.xnn.fairness import fairness, size_of_fairness
from analysis.figures.xnn.featured import METHOD, NONE, Subject, by_method, featured, methods
from analysis.figures.xnn.heat_map import heat_map, of_method, size_of_heat_map
from analysis.figures.xnn.losses import losses
from analysis.figures.xnn.model_files import TrialFiles, about, principal, tensors, weights
from analysis.figures.xnn.tradeoff import competitors, pareto
from analysis.sweep import Problem, Sweep, Trials
from analysis.tensors import SweepFiles
from analysis.xnn import importance
from analysis.xnn.origin import origin

_WIDE = (10.0, 5.6)
_PLAIN = ("nodes", "dependence", "excitation", "network")
_CONFUSION = {"test.confusion": f"{responses.CLASSES} {responses.CLASSES}"}


def save_xnn(
    folder: str | Path,
    files: SweepFiles,
    trials: Trials,
    epochs: pd.DataFrame,
    manifest: Mapping[str, Any],
) -> Saved:
    """Write every figure to ``<folder>/figures``; returns the files and reasons for skips.

    They show one configuration, see :func:`analysis.figures.xnn.featured.featured`, and its first
    seed if a single network is drawn. If the space varies the problem (such as ``data.rows``),
    every problem has its own figures, in a folder named after it; at most 6.

    Raises:
        StorageError: ``folder`` cannot be written.
    """

    def batch(problem: Problem) -> Batch:
        plans, skipped = _plans(problem, files, epochs)
        note = " ".join(origin(problem.trials, problem.manifest))
        return Batch(plans=plans, of=problem.title, note=note, skipped=skipped)

    return draw_batches(folder, problem_batches(Sweep.of(trials, manifest), batch))


def _plans(
    problem: Problem, files: SweepFiles, epochs: pd.DataFrame
) -> tuple[list[Plan], list[str]]:
    """Plans of the figures of one problem, and reasons for skips."""
    manifest = problem.manifest
    try:
        subject = featured(problem)
    except NothingToDraw as reason:
        return [], [f"figures: {reason}"]
    plans = _of_sweep(subject, by_method(problem, subject), epochs, manifest)
    trial = TrialFiles(files=files, trial_id=str(subject.trials["trial_id"].iloc[0]))
    try:
        about(trial.model)
    except NothingToDraw as reason:
        return plans, [f"figures of the network: {reason}"]
    plans.append(("column_importance", (12.5, 5.4), partial(_relied_on, files, subject)))
    plans += [*_of_network(trial, subject.network), *_of_preparation(trial, subject)]
    return plans + _of_plain(files, subject), []


def _of_sweep(
    subject: Subject,
    by_method: Mapping[str, Subject],
    epochs: pd.DataFrame,
    manifest: Mapping[str, Any],
) -> list[Plan]:
    """Figures of all configurations and seeds."""
    rivals = competitors(manifest)
    width = 12.0 if len(by_method) > 1 else 8.4
    plans: list[Plan] = [
        ("pareto", _WIDE, lambda f: pareto(f.add_subplot(), subject=subject, rivals=rivals)),
        alone("controls", lambda ax: controls(ax, subject=subject), size=(9.8, 5.8)),
        ("losses", (width, 5.4), lambda f: losses(epochs, f, subject=subject, methods=by_method)),
        ("fairness", size_of_fairness(subject.trials), lambda f: fairness(f, subject=subject)),
    ]
    main_method = str(subject.cell[METHOD])
    maps = [_heat_map(subject, method) for method in methods(subject.table) or [main_method]]
    return [*plans, *maps]


def _relied_on(files: SweepFiles, subject: Subject, figure: Figure) -> None:
    rows, _ = importance.column_importance(files, subject.trials, subject.plain)
    column_importance(rows, figure, subject=subject.words)


def _heat_map(subject: Subject, method: str) -> Plan:
    table = of_method(subject.table, method)
    name = "heat_map" if method == subject.cell[METHOD] else f"heat_maps/{file_name(method)}"
    draw = partial(heat_map, table, subject=subject, method=method)
    return name, size_of_heat_map(table), draw


def _of_network(files: TrialFiles, subject: str) -> list[Plan]:
    """Figures of one network; each reads its tensors when drawn, and is skipped without them."""

    def explained() -> Mapping[str, Any]:
        return tensors(files.model, node_coefficients.EXPLAINED, node_coefficients.OPTIONAL)

    def by_node(figure: Figure) -> None:
        arrays = explained()
        figure.set_size_inches(node_coefficients.size_of_nodes(arrays))
        node_coefficients.nodes(arrays, figure, subject=subject)

    def histogram(draw: Callable[..., None]) -> Plan:
        return alone(draw.__name__, lambda ax: draw(explained(), ax, subject=subject))

    def dependence(figure: Figure) -> None:
        arrays = tensors(files.model, probes.DEPENDENCE)
        figure.set_size_inches(probes.size_of_dependence(arrays))
        probes.dependence(arrays, figure, subject=subject)

    def excitation(figure: Figure) -> None:
        arrays = tensors(files.model, probes.EXCITATION)
        figure.set_size_inches(probes.size_of_excitation(arrays))
        names: dict[str, Any] = {"inputs": _inputs(files), "scores": principal(files.model)}
        probes.excitation(arrays, figure.add_subplot(), **names, subject=subject)

    def network(figure: Figure) -> None:
        arrays, layers = tensors(files.model, network_diagram.OWNERS), weights(files.model)
        widths = [layers[0].shape[1], *(len(matrix) for matrix in layers)]
        figure.set_size_inches(network_diagram.size_of_network(widths))
        names: dict[str, Any] = {"layer": _layer(files), "inputs": _inputs(files)}
        network_diagram.network(layers, arrays, figure, **names, subject=subject)

    return [
        histogram(node_coefficients.coefficients),
        histogram(node_coefficients.largest_coefficient),
        ("nodes", _WIDE, by_node),
        ("dependence", _WIDE, dependence),
        ("excitation", _WIDE, excitation),
        ("network", _WIDE, network),
    ]


def _of_plain(files: SweepFiles, subject: Subject) -> list[Plan]:
    """Figures of the nodes of the plain network of the first seed that has one, in a folder."""
    if subject.plain.empty or subject.cell[METHOD] == NONE:
        return []
    row = subject.plain.iloc[0]
    trial = TrialFiles(files=files, trial_id=str(row["trial_id"]))
    where = f"plain network (weight 0), {subject.clusters}, seed {int(row['config/seed'])}"
    return [
        (f"plain_network/{name}", size, draw)
        for name, size, draw in _of_network(trial, where)
        if name in _PLAIN
    ]


def _of_preparation(files: TrialFiles, subject: Subject) -> list[Plan]:
    """Figures of the insured, their centroids, and predictions of other models."""

    def response_densities(figure: Figure) -> None:
        predictions = tensors(
            files.prepared("predictions"), responses.PREDICTIONS, responses.OPTIONAL_PREDICTIONS
        )
        confusion = tensors(files.model, _CONFUSION)["test.confusion"]
        tally = responses.counts(predictions, confusion)
        responses.response_densities(tally, figure, subject=subject.network)

    def nearest(figure: Figure) -> None:
        train = tensors(files.prepared("clusters"), {"members": "centroids"})["members"]
        name = "explanation.members"
        test = tensors(files.model, {name: "centroids"})[name]
        clusters.nearest(train, test, figure.add_subplot(), subject=subject.centroids)

    def components(view: int, figure: Figure) -> None:
        arrays = tensors(files.prepared("clusters"), clusters.sample(view))
        clusters.components(arrays, figure, subject=subject.centroids, view=view)

    return [
        ("response_densities", (11.0, 6.4), response_densities),
        ("nearest", (8.4, 5.4), nearest),
        ("components", (13.0, 4.9), partial(components, 1)),
        ("components_4_to_6", (13.0, 4.9), partial(components, 2)),
        ("components_7_to_9", (13.0, 4.9), partial(components, 3)),
    ]


def _inputs(files: TrialFiles) -> list[str]:
    """Names of the inputs, if the file of the network has them."""
    names = about(files.model).get("inputs")
    return [str(name) for name in names] if isinstance(names, list) else []


def _layer(files: TrialFiles) -> int | None:
    """Index of the explained layer from the file of the network; None is the last hidden one."""
    study = about(files.model).get("study")
    evaluation = study.get("evaluation") if isinstance(study, dict) else None
    layer = evaluation.get("layer") if isinstance(evaluation, dict) else None
    return layer if isinstance(layer, int) else None
