#!/usr/bin/env bash
# Shows that training works end to end: a small model's expert, put afresh beside a frozen base, learns four pairs by heart
# (loss on unseen noise below 5 % of its start), and generation beside a reference then gives that reference's target and no
# other. Takes five minutes on one thread.
set -euo pipefail
cd "$(dirname "$0")/.."

VAP_OVERFIT=1 scripts/test.sh --filter OverfitTests "$@"
