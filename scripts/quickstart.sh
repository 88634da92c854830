#!/usr/bin/env bash
# Sets up, builds, and makes a first video: out.mp4 and out.side-by-side.mp4.
#
# The program renders a reference and an image of its miniature world; the model is the small one that comes with it.
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
swift build -c release --product vap
vap="$(swift build -c release --show-bin-path)/vap"

sample="$(mktemp -d)"
trap 'rm -rf "$sample"' EXIT
"$vap" sample "$sample"
"$vap" generate --config configs/quickstart.yaml \
  --ref-video "$sample/reference.mp4" --image "$sample/image.png" --output out.mp4 "$@"
