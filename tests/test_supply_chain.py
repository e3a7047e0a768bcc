"""Packages of the project: a bill of materials, and licences that allow its use."""

import json
import re
import subprocess
import sys
from collections import Counter
from importlib.metadata import Distribution, distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
LOCKS = sorted((ROOT / "locks").glob("*.lock"))
# Free for every use, with at most a notice; MPL asks for changes of its own files only.
LICENCES = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "HPND", "ISC"),
    *("LLVM-exception", "MIT", "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Unlicense", "Zlib"),
}
# Names that packages without an SPDX expression give them.
SPELLINGS = {
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache 2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
# Classifiers that name the licences of a whole repository. Of docutils, only its mode for Emacs is
# under the GPL (COPYING.rst), and no wheel has it.
READ = {"docutils": {"BSD-2-Clause", "0BSD", "PSF-2.0"}}


def locked() -> list[tuple[str, Requirement, tuple[str, ...]]]:
    """Lock file, requirement and hashes of every entry, read as pip does: by line."""
    entries = []
    for lock in LOCKS:
        text = re.sub(r"(?m)^(#|--).*\n", "", lock.read_text()).replace("\\\n", "")
        for line in text.splitlines():
            requirement, *hashes = re.split(r"\s+--hash=sha256:", line.strip())
            entries.append((lock.name, Requirement(requirement), tuple(hashes)))
    return entries


@pytest.fixture(scope="module")
def bill():
    command = [sys.executable, ROOT / ".ci" / "sbom.py"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_bill_of_materials_lists_every_locked_file(bill):
    listed = Counter(
        (one["name"], one["version"], tuple(h["content"] for h in one["hashes"]))
        for one in json.loads(bill)["components"]
    )
    assert listed == Counter(
        (r.name, next(iter(r.specifier)).version, hashes) for _, r, hashes in locked()
    )
    assert {h["alg"] for one in json.loads(bill)["components"] for h in one["hashes"]} == {
        "SHA-256"
    }


def test_a_package_of_the_bill_is_identified_once(bill):
    components = json.loads(bill)["components"]
    references = Counter(one["bom-ref"] for one in components)
    assert [name for name, number in references.items() if number > 1] == []
    assert all(re.fullmatch(r"pkg:pypi/[a-z0-9.-]+@[\w.%-]+", one["purl"]) for one in components)


def test_equal_lock_files_give_equal_bills(bill):
    command = [sys.executable, "-X", "utf8", ROOT / ".ci" / "sbom.py"]
    again = subprocess.run(command, check=True, capture_output=True, text=True, cwd="/").stdout
    assert again == bill


def licences(package: Distribution) -> set[str]:
    """SPDX identifiers of a package, those of every choice that it offers included."""
    about = package.metadata
    text = about.get("License-Expression")
    kinds = [c for c in about.get_all("Classifier") or () if c.startswith("License :: ")]
    names = [text] if text else [kind.rpartition(" :: ")[2] for kind in kinds]
    names = names or (about.get("License") or "").strip().splitlines()[:1]
    spelled = (SPELLINGS.get(name, name) for name in names)
    return {
        word
        for name in spelled
        for word in re.split(r"\W*\b(?:AND|OR|WITH)\b\W*|[()]", name)
        if word
    }


def refused(packages: dict[str, Distribution]) -> list[str]:
    """Packages with a licence that is not allowed, or with none."""
    found = {name: READ.get(name) or licences(package) for name, package in packages.items()}
    return [f"{name}: {of or 'none'}" for name, of in found.items() if not of or of - LICENCES]


def test_every_installed_package_has_a_licence_that_allows_its_use():
    names = {canonicalize_name(requirement.name) for _, requirement, _ in locked()}
    installed = {canonicalize_name(d.metadata["Name"]): d for d in distributions()}
    packages = {name: installed[name] for name in names & installed.keys()}
    assert len(packages) > 50
    assert refused(packages) == []


@pytest.mark.parametrize("text", ["GPL-3.0-only", "MIT AND LGPL-2.1", "Proprietary", ""])
def test_control_another_licence_is_refused(text, tmp_path):
    folder = tmp_path / "thing-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: thing\nVersion: 1\nLicense-Expression: {text}\n")
    assert refused({"thing": Distribution.at(folder)})


def test_control_a_choice_of_allowed_licences_is_accepted():
    assert licences(distribution("packaging")) == {"Apache-2.0", "BSD-2-Clause"}
