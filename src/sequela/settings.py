"""Typed, closed, frozen configuration: YAML, then `section.key=value` on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from sequela.errors import UsageError

_MOST_BYTES, _MOST_VALUES = 256 << 10, 100_000


class Settings(BaseModel):
    """A frozen part of the configuration; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    def evolve(self: SettingsT, **changes: Any) -> SettingsT:
        """A checked copy with some fields changed."""
        return type(self).model_validate({**self.model_dump(), **changes})


SettingsT = TypeVar("SettingsT", bound=Settings)


def read_settings(
    kind: type[SettingsT], path: Path | None = None, overrides: Sequence[str] = ()
) -> SettingsT:
    """The configuration that a file and overrides describe, defaults for the rest.

    Args:
        kind: The settings to build; its fields are the sections.
        path: A YAML file, or None for the defaults.
        overrides: `section.key=value` texts; values are read as YAML.

    Raises:
        UsageError: If a key is unknown or a value does not fit, all named at once.
    """
    values = _read_yaml(path) if path else {}
    for override in overrides:
        _apply(values, override)
    return validated(kind, values, where=path.name if path else "the command line")


def read_section(
    name: str, kind: type[SettingsT], path: Path | None = None, overrides: Sequence[str] = ()
) -> SettingsT:
    """One section of a configuration, for a command that needs no other.

    Args:
        name: The section.
        kind: Its settings.
        path: A YAML file of all sections, or None for the defaults; the others are not looked at.
        overrides: `section.key=value` texts, all of this section.

    Raises:
        UsageError: If a key of the section is unknown or a value does not fit, or an override is
            of another section.
    """
    values = {name: (_read_yaml(path) if path else {}).get(name) or {}}
    for override in overrides:
        _apply(values, override)
    foreign = sorted(values.keys() - {name})
    if foreign:
        raise UsageError(
            f"this command has no section {', '.join(foreign)}", hint=f"it reads {name}.key=value"
        )
    return validated(kind, values[name], where=path.name if path else f"section {name}")


def validated(kind: type[SettingsT], values: Mapping[str, Any], *, where: str) -> SettingsT:
    """`values` as `kind`, with the defaults of whatever they leave out.

    Raises:
        UsageError: If a value cannot be used; it names all of them.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        items = tuple(_finding(kind, fault) for fault in error.errors(include_url=False))
        raise UsageError(
            f"{where} holds {len(items)} setting(s) that cannot be used",
            hint="mend the settings named, or remove them to use the defaults",
            items=items,
        ) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _too_much(path, f"is larger than {_MOST_BYTES >> 10} KiB")
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
        if _size(values, {}) > _MOST_VALUES:
            raise _too_much(path, "says a few values so often that they fill the memory")
    except FileNotFoundError:
        raise UsageError(
            f"there is no configuration file {path.name}", hint="write one with `sequela init`"
        ) from None
    except RecursionError:
        raise _too_much(path, "is nested too deeply") from None
    except yaml.YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", -1) + 1
        raise UsageError(
            f"{path.name}, line {line}: not valid YAML", hint="check indentation and colons there"
        ) from None
    except ValueError:  # not UTF-8, or a date that does not exist
        raise UsageError(
            f"{path.name} holds a value that cannot be read",
            hint="save it as UTF-8; put texts that look like dates into quotation marks",
        ) from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise UsageError(
            f"{path.name} should hold `section:` blocks, found a {type(values).__name__}"
        )
    return values


def _too_much(path: Path, what: str) -> UsageError:
    return UsageError(
        f"{path.name} {what}", hint="see what wrote it: no configuration needs as much"
    )


def _size(value: object, known: dict[int, int]) -> int:
    """How many values there are if each alias is written out; an alias in itself never ends."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) in known:
        if not known[id(value)]:
            raise RecursionError
        return known[id(value)]
    known[id(value)] = 0
    inside = value.values() if isinstance(value, dict) else value
    known[id(value)] = 1 + sum(_size(each, known) for each in inside)
    return known[id(value)]


def _apply(values: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    *sections, key = name.split(".")
    if not equals or not sections:
        raise UsageError(
            f"'{override}' is not a setting", hint="write section.key=value, as in train.epochs=20"
        )
    part: dict[str, Any] = values
    for section in sections:
        part = part.setdefault(section, {})
        if not isinstance(part, dict):
            raise UsageError(f"'{override}': {section} holds a value, not settings")
    part[key] = yaml.safe_load(text)


def _finding(kind: type[BaseModel], fault: Any) -> str:
    place = _without_tags(kind, [str(step) for step in fault["loc"]])
    text = f"{'.'.join(place)}: {fault['msg']}"
    if fault["type"] != "extra_forbidden":
        return text
    close = difflib.get_close_matches(place[-1], _fields(kind, place[:-1]), n=1)
    return f"{'.'.join(place)}: unknown setting" + (f"; did you mean {close[0]}?" if close else "")


def _fields(kind: type[BaseModel], place: Sequence[str]) -> list[str]:
    """The settings that may stand at a place, of every kind that a union may hold there."""
    return [name for one in _kinds_at(kind, place) for name in one.model_fields]


def _without_tags(kind: type[BaseModel], place: Sequence[str]) -> list[str]:
    """A place without the tags that pydantic puts behind a union: no file has them."""
    kept: list[str] = []
    for step in place:
        kinds = _kinds_at(kind, kept)
        tag = len(kinds) > 1 and step in {tag for one in kinds for tag in _tags(one)}
        kept += [] if tag else [step]
    return kept


def _tags(kind: type[BaseModel]) -> set[str]:
    return {
        field.default
        for field in kind.model_fields.values()
        if get_origin(field.annotation) is Literal and isinstance(field.default, str)
    }


def _kinds_at(kind: type[BaseModel], place: Sequence[str]) -> list[type[BaseModel]]:
    kinds = [kind]
    for step in place:
        fields = [one.model_fields[step] for one in kinds if step in one.model_fields]
        kinds = [member for field in fields for member in _members(field.annotation)]
    return kinds


def _members(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [member for inner in get_args(annotation) for member in _members(inner)]
