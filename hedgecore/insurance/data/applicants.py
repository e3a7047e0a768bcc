"""Applicants of a study: table read or generated, split, and encoded for a network."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from hedgecore.insurance.config import DataConfig
from hedgecore.insurance.data.duplicates import Duplicates
from hedgecore.insurance.data.encoding import Published, Sound, fit_published, fit_sound
from hedgecore.insurance.data.rarities import rarities
from hedgecore.insurance.data.schema import COLUMNS, FEATURES
from hedgecore.insurance.data.synthetic import generate
from hedgecore.insurance.data.table import Split, Table, published_split, read, split
from hedgecore.protocols import Json

SPLITS = ("train", "val", "test")
# The applicants are the same for every seed, so that seeds differ by training alone.
_GENERATED = 0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Applicants:
    """Table, its split, and its encoding for a network."""

    table: Table
    parts: Split
    encoding: Published | Sound

    @classmethod
    def of(
        cls, config: DataConfig, *, seed: int, contents: Mapping[str, bytes] | None = None
    ) -> "Applicants":
        """Applicants of ``config``; ``seed`` chooses the validation rows.

        Args:
            config: table, split and encoding.
            seed: seed of the split.
            contents: bytes of the table by path, if they were read before, such as on another
                machine; otherwise the file is read.
        Raises:
            ValueError: ``config.path`` does not exist, or is not such a table.
        """
        if config.path is None:
            table = generate(config.rows, seed=_GENERATED, rare_levels=config.rare_levels)
        else:
            try:
                table = read(config.path, (contents or {}).get(config.path))
            except FileNotFoundError as error:
                raise ValueError(f"{error} as study.data.path, or null") from error
            except OSError as error:
                raise ValueError(
                    f"{config.path} cannot be read ({error.strerror}); fix that, or give another "
                    "study.data.path"
                ) from error
        published = config.split == "published"
        parts = published_split(table) if published else split(table, seed=seed)
        encoding = (
            fit_published(table, parts.train)
            if config.encoding == "published"
            else fit_sound(table, parts.train, rare=config.rare)
        )
        return cls(table=table, parts=parts, encoding=encoding)

    def inputs(self) -> dict[str, Tensor]:
        """Encoded rows and labels of every split, raw columns of the test rows, and the scaling.

        ``test.columns`` contains the features in the order of the schema; text is its index among
        the levels there.
        """
        x, y = self.encoding.encode(self.table), self.table.labels
        scaling = self.encoding.scaling
        tensors = {}
        for name, rows in self._numbers().items():
            tensors[f"{name}.x"] = torch.from_numpy(x[rows])
            tensors[f"{name}.y"] = torch.from_numpy(y[rows])
        test = [_coded(name, self.table.columns[name][self.parts.test]) for name in FEATURES]
        return {
            **tensors,
            "test.columns": torch.from_numpy(np.stack(test).astype(np.float32)),
            "encoding.mean": torch.from_numpy(scaling.mean),
            "encoding.sd": torch.from_numpy(scaling.sd),
            "encoding.axes": torch.from_numpy(scaling.axes),
        }

    def for_boosting(
        self,
    ) -> tuple[dict[str, Float[np.ndarray, "_ 130"]], dict[str, Int[np.ndarray, " _"]]]:
        """Training and test rows in the encoding for trees, and labels."""
        encoding = self.encoding
        if not isinstance(encoding, Published):
            encoding = fit_published(self.table, self.parts.train, axes=0)
        features, labels = encoding.features(self.table), self.table.labels
        splits = {name: rows for name, rows in self._numbers().items() if name != "val"}
        return (
            {name: features[rows] for name, rows in splits.items()},
            {name: labels[rows] for name, rows in splits.items()},
        )

    def about(self) -> Json:
        """Origin of the rows, and meaning of the network's inputs."""
        encoding = self.encoding
        facts: Json = {
            "names": list(encoding.names),
            "explained": encoding.scaling.explained.tolist(),
        }
        if isinstance(encoding, Published):
            facts["codes"] = {name: codes.tolist() for name, codes in encoding.codes.items()}
        else:
            facts["columns"] = list(encoding.columns)
            facts["medians"] = dict(encoding.medians)
            facts["levels"] = {name: level.tolist() for name, level in encoding.levels.items()}
            facts["bounds"] = {name: list(ends) for name, ends in encoding.bounds.items()}
        table = {"source": self.table.source, "sha256": self.table.sha256}
        rows = {name: len(numbers) for name, numbers in self._numbers().items()}
        rare = rarities(encoding, self.table, self.parts.train)
        duplicates = Duplicates.of(self.table, self.parts).facts()
        repeated = {"duplicates": duplicates} if duplicates else {}
        return {"table": {**table, "rows": rows, **repeated}, "encoding": facts, "rare": rare}

    def _numbers(self) -> dict[str, Int[np.ndarray, " _"]]:
        parts = self.parts
        return dict(zip(SPLITS, (parts.train, parts.validation, parts.test), strict=True))


def _coded(name: str, values: np.ndarray) -> np.ndarray:
    if not COLUMNS[name].text:
        return values
    position = {level: i for i, level in enumerate(COLUMNS[name].levels)}
    return np.array([position[level] for level in values.tolist()])
