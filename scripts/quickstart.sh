#!/usr/bin/env bash
# Sets up, builds, and makes a first video: out.mp4 and out.side-by-side.mp4.
#
# The reference and the image are rendered by the program; the model is the tiny checkpoint of the tests, whose random
# weights show that everything runs, not what a trained model can do.
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
