#!/usr/bin/env bash
# Shows that data-parallel training over MPI is the same training: the tests' tiny configuration on one process with an
# accumulation of 2, on two ranks, and on two ranks with ZeRO. Then a rank is interrupted, one is killed, and one fails: the job
# ends each time, and goes on from its last checkpoint, on one process too. Prints a line for each and takes minutes.
#
# Uses a build of its own with the package trait MPI, or the program in VAP.
set -euo pipefail
cd "$(dirname "$0")/.."

vap="$(VAP_MPI=1 scripts/build.sh --traits MPI --scratch-path .build-mpi)"

work="$(mktemp -d)"
job=""
clean() {
  if [ -n "$job" ]; then
    kill "$job" 2>/dev/null || true
    wait "$job" || true
  fi
  rm -rf "$work"
}
trap clean EXIT
mpirun=(mpirun --oversubscribe --bind-to none)
if [ "$(id -u)" -eq 0 ]; then mpirun+=(--allow-run-as-root); fi

"$vap" data synthesize --out "$work/data" --videos 96 --frames 9 --size 64 >/dev/null 2>&1
# train NAME STEPS ACCUMULATION [OPTION...], after the launcher in ${launcher[@]}
launcher=()
train() {
  local name="$1" steps="$2" accumulation="$3"
  shift 3
  "${launcher[@]}" "$vap" train --model Tests/Fixtures/cogvideox-tiny/checkpoint --data "$work/data" \
    --cache "$work/cache" --output "$work/$name" --steps "$steps" --accumulation "$accumulation" --warmup 2 \
    --learning-rate 1e-3 --save-every 5 --validate-every 1000 --set validation-steps=1 --set ema=0.9 --set keep=100 "$@"
}
fail() { echo "FAILED: $*" >&2; exit 1; }
weights() { echo "$work/$1/checkpoints/$(printf 'step-%06d' "$2")/transformer/diffusion_pytorch_model.safetensors"; }
steps() { find "$work/$1/checkpoints" -maxdepth 1 -name 'step-*' 2>/dev/null | sed 's/.*step-0*//' | sort -n; }
two=("${mpirun[@]}" -np 2)

train alone 10 2 >/dev/null 2>&1
launcher=("${two[@]}")
train ranks 10 1 >/dev/null 2>"$work/ranks.txt" || fail "two ranks: $(cat "$work/ranks.txt")"
train zero 10 1 --set zero=1 >/dev/null 2>&1
grep -q '^2 ranks' "$work/ranks.txt" || fail "the ranks did not find each other"
# Files that tell how long things took are left out.
diff -rq --exclude=lock --exclude=timings.jsonl --exclude=report.html --exclude=events "$work/ranks" "$work/zero" \
  || fail "ZeRO changes the result"
echo "two ranks, with ZeRO and without: no differing byte in $(find "$work/zero" -type f | wc -l) files"
python3 - "$(weights alone 10)" "$(weights ranks 10)" "$work/alone/log.jsonl" "$work/ranks/log.jsonl" <<'PYTHON'
import array, json, struct, sys

def values(path):
    data = open(path, "rb").read()
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    body = data[8 + length :]
    return {name: array.array("f", body[slice(*entry["data_offsets"])]) for name, entry in header.items()}

alone, ranks = values(sys.argv[1]), values(sys.argv[2])
assert alone.keys() == ranks.keys()
error = sum((a - b) ** 2 for key in alone for a, b in zip(alone[key], ranks[key])) ** 0.5
size = sum(a * a for key in alone for a in alone[key]) ** 0.5
differing = sum(a != b for key in alone for a, b in zip(alone[key], ranks[key]))
count = sum(map(len, alone.values()))
losses = [[json.loads(line) for line in open(path)] for path in sys.argv[3:]]
worst = max(
    abs(a[key] - b[key]) / abs(a[key]) for a, b in zip(*losses) for key in ("loss", "gradient_norm"))
print(f"one process with accumulation 2 against two ranks, after 10 steps: weights differ by {error / size:.1e} of their "
      f"length, in {differing} of {count} values; losses and gradient norms by {worst:.1e} at most")
assert error / size < 1e-6 and worst < 1e-5
PYTHON

# Either goes on with the other's checkpoint.
launcher=()
cp -r "$work/ranks" "$work/fewer"
train fewer 12 2 >/dev/null 2>&1 || fail "one process does not resume two ranks"
cp -r "$work/alone" "$work/more"
launcher=("${two[@]}")
train more 12 1 --set zero=1 >/dev/null 2>&1 || fail "two ranks do not resume one process"
status=0
train more 14 2 >/dev/null 2>"$work/refused.txt" || status=$?
[ "$status" -ne 0 ] && grep -q 'accumulation x ranks was 2 and is 4' "$work/refused.txt" || fail "4 samples instead of 2"
[ "$(grep -c '^error' "$work/refused.txt")" -eq 1 ] || fail "more than one line: $(cat "$work/refused.txt")"
echo "one process goes on from two ranks, and two ranks from one; another number of samples is refused"

# rank_process NAME RANK: the process of a rank of the run in folder NAME
rank_process() {
  for process in $(pgrep -f -- "--output $work/$1 "); do
    if tr '\0' '\n' <"/proc/$process/environ" 2>/dev/null | grep -qx "OMPI_COMM_WORLD_RANK=$2"; then
      echo "$process"
    fi
  done
}
# strike NAME RANK SIGNAL [STEP]: starts a long run and sends a rank a signal after a checkpoint; sets $status and $seconds
strike() {
  train "$1" 100000 1 --set zero=1 >/dev/null 2>"$work/$1.txt" &
  job=$!
  for _ in $(seq 600); do
    [ -n "$(steps "$1")" ] && break
    sleep 0.1
  done
  sleep 1
  local start=$SECONDS process
  process="$(rank_process "$1" "$2")"
  [ -n "$process" ] || fail "no rank $2 in $(cat "$work/$1.txt")"
  kill "-$3" "$process"
  status=0
  wait "$job" || status=$?
  job=""
  seconds=$((SECONDS - start))
  [ -z "$(rank_process "$1" 0)$(rank_process "$1" 1)" ] || fail "ranks go on without each other"
}

strike interrupted 1 INT
last="$(steps interrupted | tail -1)"
[ "$(wc -l <"$work/interrupted/log.jsonl")" -eq "$last" ] || fail "the interrupted run's last step is not saved"
echo "SIGINT to rank 1: all stopped after step $last, which is saved; status $status after $seconds s"

strike killed 1 KILL
last="$(steps killed | tail -1)"
[ "$status" -ne 0 ] || fail "status 0 although a rank was killed"
grep -m 1 'signal 9' "$work/killed.txt" || fail "no message: $(cat "$work/killed.txt")"
echo "SIGKILL to rank 1: the job ended with status $status after $seconds s; last checkpoint: step $last"
launcher=()
train killed $((last + 2)) 2 >/dev/null 2>"$work/resumed.txt" || fail "not resumed: $(cat "$work/resumed.txt")"
grep -q "resume from step-0*$last" "$work/resumed.txt" || fail "not from step $last: $(cat "$work/resumed.txt")"
echo "one process went on from step $last"

# What all ranks refuse is told once.
launcher=("${two[@]}")
train refused 10 1 --data "$work/none" >/dev/null 2>"$work/refused.txt" && fail "no data, no failure"
[ "$(grep -c '^error' "$work/refused.txt")" -eq 1 ] || fail "not one line: $(cat "$work/refused.txt")"
echo "a failure of all ranks is told once: $(grep '^error' "$work/refused.txt")"

# Rank 1 alone cannot write where it keeps what it encodes: files stand where its folders should be.
mkdir "$work/blocked"
for name in $(printf '%02x ' $(seq 0 255)); do : >"$work/blocked/$name"; done
options=(train --model Tests/Fixtures/cogvideox-tiny/checkpoint --data "$work/data" --output "$work/failing" --steps 10)
status=0
"${mpirun[@]}" -np 1 "$vap" "${options[@]}" --cache "$work/cache" : \
  -np 1 "$vap" "${options[@]}" --cache "$work/blocked" >/dev/null 2>"$work/failing.txt" || status=$?
[ "$status" -ne 0 ] || fail "status 0 although a rank failed"
[ "$(grep -c '^error: rank 1' "$work/failing.txt")" -eq 1 ] || fail "not one line: $(cat "$work/failing.txt")"
echo "a failure of one rank ends all, with status $status: $(grep '^error' "$work/failing.txt")"
