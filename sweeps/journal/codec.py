"""Codec between frozen dataclasses and the fields of a line, by the annotations of the class."""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields, is_dataclass
from types import NoneType
from typing import Annotated, Any, NamedTuple, Self, get_args, get_origin, get_type_hints

from sweeps.journal.schema import ANY, Check, or_null, with_fields

_Conversion = Callable[[Any], Any]


class Open(NamedTuple):
    """Annotation of the field that holds all further fields of a line, in their order."""

    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Fields of a class in a line."""

    cls: type  # dataclass whose fields are ``Annotated`` with a check, or dataclasses
    kind: str | None  # type of the line; None for a part of one
    names: tuple[str, ...]  # fields in order
    defaults: Mapping[str, Any]  # of fields that are absent where they have that value
    open_field: str | None  # see :class:`Open`
    conversions: Mapping[str, tuple[_Conversion, _Conversion]]
    """From JSON to a field, and back, where they differ."""
    check: Check  # of a line

    @classmethod
    def of(cls, record: type) -> Self:
        """The shape of the dataclass ``record``."""
        hints = get_type_hints(record, include_extras=True)
        defaults = {f.name: f.default for f in fields(record) if f.default is not MISSING}
        required: dict[str, Check] = {}
        kind = getattr(record, "kind", None)
        # Accepted as is: the check was chosen by the type.
        optional: dict[str, Check] = {"type": ANY} if kind else {}
        conversions: dict[str, tuple[_Conversion, _Conversion]] = {}
        open_field, others = None, None
        for name in (f.name for f in fields(record)):
            bare, nullable = _without_null(hints[name])
            if isinstance(bare, type) and is_dataclass(bare):
                inner = cls.of(bare)
                check, conversions[name] = inner.check, (inner.parsed, inner.plain)
            elif isinstance(check := bare.__metadata__[0], Open):
                open_field, others = name, check.check
                continue
            elif get_origin(bare.__origin__) is tuple:
                conversions[name] = tuple, list
            if name in defaults:
                optional[name] = check
            else:
                required[name] = or_null(check) if nullable else check
        return cls(
            cls=record,
            kind=kind,
            names=tuple(f.name for f in fields(record)),
            defaults=defaults,
            open_field=open_field,
            conversions=conversions,
            check=with_fields(required, optional, others),
        )

    def parsed(self, line: dict[str, Any]) -> Any:
        """Instance from ``line``, which passed the check; ``line`` may be modified."""
        for name, (convert, _) in self.conversions.items():
            if name in line:
                line[name] = convert(line[name])
        if self.open_field is None:
            return self.cls(**line)
        named = {n: line[n] for n in self.names if n in line and n != self.open_field}
        others = {name: value for name, value in line.items() if name not in named}
        return self.cls(**named, **{self.open_field: others})

    def plain(self, record: Any) -> dict[str, Any]:
        """The line of ``record``."""
        line: dict[str, Any] = {"type": self.kind} if self.kind else {}
        for name in self.names:
            value = getattr(record, name)
            if name == self.open_field:
                line |= value
            elif name not in self.defaults or value is not self.defaults[name]:
                line[name] = (
                    self.conversions[name][1](value) if name in self.conversions else value
                )
        return line


def _without_null(hint: Any) -> tuple[Any, bool]:
    """A hint without None, and a flag for its presence."""
    if get_origin(hint) is Annotated or NoneType not in get_args(hint):
        return hint, False
    (bare,) = (part for part in get_args(hint) if part is not NoneType)
    return bare, True
