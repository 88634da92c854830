#!/usr/bin/env bash
# Sets up, builds the program, and prints its path; with VAP=path nothing is built, and that path printed. Arguments are
# further ones of `swift build`.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ -n "${VAP:-}" ]; then
  echo "$VAP"
  exit 0
fi
scripts/setup.sh >&2
swift build -c release --product vap "$@" >&2
echo "$(swift build -c release --product vap "$@" --show-bin-path)/vap"
