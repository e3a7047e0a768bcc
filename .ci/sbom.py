"""Bill of materials in the JSON of CycloneDX: every package of `locks/` with its hashes.

Equal lock files give equal bytes: the serial number is a hash, and there is no time in it.
"""

import hashlib
import json
import re
import sys
import tomllib
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
# One package of a lock file: name, version, marker and the lines of its hashes.
ENTRY = re.compile(
    r"(?m)^([\w.-]+)==([\w.+!-]+) *(?:; *([^\\\n]+?))? *\\\n((?: +--hash=\S+.*\n?)+)"
)


def main() -> None:
    """Print the bill."""
    json.dump(bill(), sys.stdout, indent=1)
    print()


def bill() -> dict[str, Any]:
    """Components by lock file, then name; a package with two builds is two components."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    components = [
        component(lock.name, *match.groups())
        for lock in sorted((ROOT / "locks").glob("*.lock"))
        for match in ENTRY.finditer(lock.read_text())
    ]
    content = hashlib.sha256(json.dumps(components).encode()).hexdigest()
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "hedgesweep",
                "name": project["name"],
                "version": project["version"],
                "licenses": [{"license": {"id": project["license"]}}],
            }
        },
        "components": components,
    }


def component(
    lock: str, name: str, version: str, marker: str | None, hashes: str
) -> dict[str, Any]:
    """One package; its hashes are those of all its files, of which an installation uses one."""
    # https://github.com/package-url/purl-spec: a version is percent-encoded.
    release = version.replace("+", "%2B").replace("!", "%21")
    properties = {"hedgesweep:lock": lock} | ({"hedgesweep:marker": marker} if marker else {})
    return {
        "type": "library",
        "bom-ref": f"{lock}/{name}@{version}",
        "name": name,
        "version": version,
        "purl": f"pkg:pypi/{name}@{release}",
        "hashes": [
            {"alg": "SHA-256", "content": digest}
            for digest in re.findall(r"sha256:([0-9a-f]{64})", hashes)
        ],
        "properties": [{"name": key, "value": value} for key, value in properties.items()],
    }


if __name__ == "__main__":
    main()
