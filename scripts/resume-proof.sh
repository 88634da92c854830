#!/usr/bin/env bash
# Shows that training resumes bit for bit: a run that is killed with SIGKILL ten times, five of them while it saves, and goes
# on each time with another number of threads, against a run that never stopped. Prints the number of differing files.
#
# Uses the tests' tiny checkpoint and rendered clips; takes a minute or two.
set -euo pipefail
cd "$(dirname "$0")/.."

vap="$(scripts/build.sh)"

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
kills=10
model=Tests/Fixtures/cogvideox-tiny/checkpoint

"$vap" data synthesize --out "$work/data" --videos 96 --frames 9 --size 64 >/dev/null 2>&1
train() {
  "$vap" train --model "$model" --data "$work/data" --cache "$work/cache" --output "$1" --threads "$2" \
    --steps 120 --warmup 10 --learning-rate 1e-3 --save-every 3 --validate-every 50 \
    --set validation-steps=2 --set ema=0.99 --set keep=3 >/dev/null 2>&1
}

train "$work/whole" 2
killed=0
saving=0
while [ "$killed" -lt "$kills" ]; do
  train "$work/parts" $((1 + killed % 2)) &
  shell=$!
  # Even rounds strike as soon as a checkpoint is being written, odd ones at any moment.
  if [ $((killed % 2)) -eq 0 ]; then
    sleep 0.1
    for _ in $(seq 2000); do
      compgen -G "$work/parts/checkpoints/.partial-step-*" >/dev/null && break
      sleep 0.002
    done
  else
    sleep "0.$((RANDOM % 8 + 1))$((RANDOM % 10))"
  fi
  process="$(pgrep -P "$shell" || true)"
  if [ -n "$process" ] && kill -KILL "$process" 2>/dev/null; then
    killed=$((killed + 1))
    if compgen -G "$work/parts/checkpoints/.partial-step-*" >/dev/null; then saving=$((saving + 1)); fi
  fi
  wait "$shell" 2>/dev/null && { echo "the run ended before it was killed $kills times" >&2; exit 1; }
done
train "$work/parts" 1

differing="$(diff -rq --exclude=lock --exclude=timings.jsonl --exclude=report.html --exclude=events "$work/whole" "$work/parts" | tee /dev/stderr | wc -l)"
echo "killed $killed times, $saving of them while saving: $differing differing files of $(find "$work/whole" -type f | wc -l)"
[ "$differing" -eq 0 ]
