"""Columns of the tables of a sweep: name, type, unit, better end and meaning, once each.

The tables of every experiment begin and end alike; an experiment adds its metrics. Modules of
columns are descriptions only, and no module that computes imports them, so rewording a meaning
leaves the code identity unchanged.

======== =============================================================
unit     of
======== =============================================================
share    a part of a whole, from 0 to 1
1        any other pure number: a ratio, a correlation, a p-value
(none)   not a quantity: a text, a flag, an index, a learning rate
======== =============================================================
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

Better = Literal["higher", "lower"]
Status = Literal["completed", "stopped", "failed", "running", "interrupted"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Args:
        name: column name.
        type: type of its values: int, float, str, bool, a Literal of texts; object where the
            values decide.
        unit: unit of its values, see the table above.
        better: the better end; None where neither is.
        meaning: description that can be read on its own.
    """

    name: str
    type: Any
    unit: str
    better: Better | None
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Columns ``<base>@<place>``; the space or the data decide which exist.

    Args:
        bases: the columns that the bases name.
        places: pattern of a place to the words that it adds to the meaning of a base.
    """

    bases: tuple[Column, ...]
    places: Mapping[str, str]

    def column(self, name: str) -> Column | None:
        """The column ``name``; None where it is not in the family."""
        head, _, place = name.partition("@")
        for base in self.bases:
            for pattern, words in self.places.items():
                if base.name == head and (match := re.fullmatch(pattern, place)):
                    return replace(base, name=name, meaning=base.meaning + match.expand(words))
        return None


_IDENTITY = (
    Column("trial_id", str, "", None, "hash of everything that determines the result"),
    Column("index", int, "", None, "order of creation"),
    Column("status", Status, "", None, ", ".join(get_args(Status))),
    Column("stopped_at", int, "epoch", None, "epoch where the trial was stopped early, or null"),
    Column("reason", str, "", None, "reason of a stop (rank 4 of 6 at epoch 8), or null"),
    Column("error", str, "", None, "first line of the error of a failed trial, else null"),
    Column("audited", bool, "", None, "whether it trained on after its stop, as an audit"),
)
_PROVENANCE = (
    Column("theta_0_sha256", str, "", None, "fingerprint of the network's initial point"),
    Column("data_sha256", str, "", None, "fingerprint of the data"),
    Column("seconds", float, "s", None, "wall time of the trial; depends on the machine"),
    Column("model_sha256", str, "", None, "sha256 of the file of the model; null without one"),
    Column(
        "arithmetic", str, "", None,
        "identity of the arithmetic (CPU kernels, BLAS, threads) that computed the trial; "
        "+ joins several",
    ),
)  # fmt: skip
_EPOCH = (
    Column("trial_id", str, "", None, "the trial of this epoch"),
    Column("epoch", int, "epoch", None, "1 is the first"),
)
_COURSE = (
    Column("best", bool, "", None, "whether val_loss is the best so far"),
    Column("seconds", float, "s", None, "wall time of the trial so far; depends on the machine"),
    Column("audit", bool, "", None, "whether the epoch comes after the stop of an audited trial"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns of both tables of an experiment.

    Args:
        parameters: ``config/<axis>`` of axes with their own unit or meaning.
        losses: losses of an epoch, ``val_loss`` last.
        training: the other metrics of an epoch.
        results: facts and test metrics of a trial.
        families: open families of a trial's metrics, after the results.
        references: columns after the families: those of the trial's baseline, and comparisons.
    """

    parameters: tuple[Column, ...] = ()
    losses: tuple[Column, ...] = (Column("val_loss", float, "", "lower", "validation loss"),)
    training: tuple[Column, ...] = ()
    results: tuple[Column, ...] = ()
    families: tuple[Family, ...] = ()
    references: tuple[Column, ...] = ()

    def trials(
        self, parameters: Iterable[str] | None = None, members: Iterable[str] = ()
    ) -> list[Column]:
        """Columns of a table of trials, in order.

        Args:
            parameters: names of parameter columns; by default those of the experiment.
            members: names of columns of open families.
        """
        loss = self.losses[-1]
        audit = "best validation loss of the whole run of an audited trial, else null"
        return [
            *_IDENTITY,
            replace(loss, name="audit_val_loss", meaning=audit),
            *self._parameters(parameters),
            Column("epochs", int, "epochs", None, "number of epochs trained"),
            Column("best_epoch", int, "epoch", None, "epoch with the best val_loss"),
            replace(loss, meaning=f"{loss.meaning}, at the best epoch"),
            *self.results,
            *map(self.member, members),
            *self.references,
            *_PROVENANCE,
        ]

    def epochs(self, parameters: Iterable[str] | None = None) -> list[Column]:
        """Columns of a table of epochs, in order; ``parameters`` as for :meth:`trials`."""
        axes = self._parameters(parameters)
        return [*_EPOCH, *axes, *self.losses, *self.training, *_COURSE]

    def member(self, name: str) -> Column:
        """The column ``name`` of a family; without a meaning if no family contains it."""
        members = (family.column(name) for family in self.families)
        return next(filter(None, members), Column(name, float, "", None, ""))

    def _parameters(self, names: Iterable[str] | None) -> list[Column]:
        by_name = {column.name: column for column in self.parameters}
        return [
            by_name.get(name)
            or Column(name, object, "", None, f"parameter {name.removeprefix('config/')}")
            for name in (by_name if names is None else names)
        ]
