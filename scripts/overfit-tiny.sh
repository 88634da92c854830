#!/usr/bin/env bash
# Shows that training works end to end: beside a frozen base that has learned eight other clips, an expert that starts as
# its copy learns four pairs by heart (loss on unseen noise below 5 % of its start), and generation beside a reference then
# gives that reference's target and no other. Takes about eight minutes on one thread.
set -euo pipefail
cd "$(dirname "$0")/.."

VAP_OVERFIT=1 scripts/test.sh --filter OverfitTests "$@"
