#!/bin/sh
# One wheel of the project: deploy/wheel.sh FOLDER. Equal to the byte for equal sources and SOURCE_DATE_EPOCH, whatever
# the umask, the times of the files and earlier builds; so nodes that build it themselves still run the same bits.
set -eu
: "${SOURCE_DATE_EPOCH:?is not set; give the time of the commit, git log -1 --format=%ct}"
[ $# -eq 1 ] || { echo "usage: deploy/wheel.sh FOLDER" >&2; exit 2; }
export SOURCE_DATE_EPOCH
umask 022
sources=$(mktemp -d)
trap 'rm -rf "$sources"' EXIT
root=$(dirname "$0")/..
for name in pyproject.toml setup.py README.md LICENSE analysis hedgecore search_spaces sweeps; do
    cp -R "$root/$name" "$sources"
done
# setuptools copies modes into the wheel.
chmod -R u=rwX,go=rX "$sources"
"${PYTHON:-python3}" -m pip wheel --quiet --no-index --no-deps --no-build-isolation --wheel-dir "$1" "$sources"
