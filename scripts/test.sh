#!/usr/bin/env bash
# Sets up and runs all tests. Release mode: numeric tests of a debug build would take an hour.
# Arguments go to `swift test`, for example: scripts/test.sh --filter TensorsTests
set -euo pipefail
cd "$(dirname "$0")/.."

scripts/setup.sh
swift build -c release --build-tests -Xswiftc -enable-testing
swift test -c release --skip-build -Xswiftc -enable-testing "$@"
