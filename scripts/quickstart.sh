#!/usr/bin/env bash
# Sets up, builds, and makes a first video: out.mp4 and out.side-by-side.mp4.
#
#   VAP=path   a program that is built already
#
# The program renders a reference and an image of its miniature world; the model is the small one that comes with it.
set -euo pipefail
cd "$(dirname "$0")/.."

vap="$(scripts/build.sh)"

sample="$(mktemp -d)"
trap 'rm -rf "$sample"' EXIT
"$vap" sample "$sample" >/dev/null
"$vap" generate --config configs/quickstart.yaml \
  --ref-video "$sample/reference.mp4" --image "$sample/image.png" --output out.mp4 "$@"
