"""Cluster files as Ray prepares them, for the tests that range over them."""

import re
import shlex
from pathlib import Path
from typing import Any

import yaml
from ray.autoscaler._private.providers import _get_default_config
from ray.autoscaler._private.util import prepare_config

ROOT = Path(__file__).resolve().parents[1]
AWS = "cluster.yaml"
HOSTS = "deploy/on-premises.yaml"

Config = dict[str, Any]


def text(file: str) -> str:
    return (ROOT / file).read_text()


def written(file: str) -> Config:
    return dict(yaml.safe_load(text(file)))


def defaults(file: str) -> Config:
    """Values that Ray fills in where a file is silent."""
    return dict(_get_default_config(written(file)["provider"]))  # type: ignore[no-untyped-call]


def prepared(file: str) -> Config:
    """Configuration of `ray up`: the file on top of Ray's defaults."""
    return prepare_config(written(file))


def commands(config: Config) -> list[str]:
    """Every shell command that a node may run."""
    return [c for key in sorted(config) if key.endswith("_commands") for c in config[key]]


def installs(config: Config) -> list[list[str]]:
    """Arguments after `pip install` of every command that has them."""
    found = []
    for command in commands(config):
        for part in re.split(r"&&|\|\||;|\{|\}", command):
            words = shlex.split(part)
            if words[-1:] and "install" in words and any(w.endswith("pip") for w in words):
                found.append(words[words.index("install") + 1 :])
    return found


def requirements(arguments: list[str]) -> list[str]:
    """Requirements among the arguments of `pip install`, without options and their values."""
    valued = {"-r", "--python", "--torch-backend"}
    return [
        word
        for before, word in zip(["", *arguments], arguments, strict=False)
        if not word.startswith("-") and before not in valued
    ]
