#!/bin/sh
# Image of the committed state, by buildah, podman or docker: BASE=IMAGE@sha256:DIGEST deploy/image.sh TAG
set -eu
[ $# -eq 1 ] || { echo "usage: BASE=IMAGE@sha256:DIGEST deploy/image.sh TAG" >&2; exit 2; }
case ${BASE:-} in
    *@sha256:????????????????????????????????????????????????????????????????) ;;
    *) echo "error: BASE is not pinned, got '${BASE:-}'; give a Python image by digest (docs/kubernetes.md)" >&2; exit 2 ;;
esac
cd "$(dirname "$0")/.."
changes=$(git status --porcelain)
[ -z "$changes" ] || { echo "error: uncommitted changes would enter the image; commit or stash them" >&2; exit 2; }
for builder in buildah podman docker ""; do
    command -v "${builder:-true}" > /dev/null && break
done
[ "$builder" ] || { echo "error: neither buildah nor podman nor docker is installed" >&2; exit 2; }
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
# docker takes the times of its files from the variable.
[ "$builder" = docker ] && times= || times="--timestamp $SOURCE_DATE_EPOCH"
# shellcheck disable=SC2086
"$builder" build $times --build-arg "BASE=$BASE" --build-arg "SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH" \
    --label "org.opencontainers.image.revision=$(git rev-parse HEAD)" --file deploy/Dockerfile --tag "$1" .
