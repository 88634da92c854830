#!/usr/bin/env bash
# The paper's ablations (Tables 2 and 7) in miniature: each row is trained from the same frozen backbone with the same
# number of pairs, the same batch and the same seed, and judged on the benchmark of `vap data synthesize`.
#
#   scripts/reproduce-ablations.sh [FOLDER]     default runs/ablations
#
#   MODEL=DIR      pipeline whose backbone is used; an expert that it has is left out (default mini, the embedded one)
#   VAP=path       a program that is built already
#   STEPS=400      of each row, with 32 pairs in each
#   ROWS="a b"     these rows only; the table is of all that are finished
#   SCENES=2       rows of the benchmark for each of its 24 conditions
#   SAMPLING=10    denoising steps of the benchmark's clips
#   SIZE=48 FRAMES=17   of all clips, if MODEL is for others than configs/mini-expert.yaml
#   EXTRA="..."    further options of every `vap train`
#
# Everything can be stopped at any time and goes on when the same command is given again; rows that are finished are not
# made again. The table is FOLDER/ablations.md and ablations.csv.
#
# Data: all rows have STEPS x 32 / 8 pairs, each of which is seen eight times, about as often as the paper's rows see
# theirs; they stand for the paper's 100k. The smaller data sets are the same parts of that as the paper's, 1, 10 and
# 50 % (at least one pair of each condition), under the same number of steps.
set -euo pipefail
cd "$(dirname "$0")/.."

# name | what differs from the first row
table="
vap                   |
single-branch         | train=full coupling=in-context layers=null
single-branch-lora    | train=lora coupling=in-context layers=null lora.rank=16
cross-attention       | coupling=cross-attention
addition              | coupling=addition
identical-positions   | position-design=identical
temporal-width-shift  | position-design=temporal-width-shift
noisy-reference       | noisy-references=100
data-1k               | miniature.pairs=@1
data-10k              | miniature.pairs=@10
data-50k              | miniature.pairs=@50
odd-layers            | layers=odd
odd-layers-first-half | layers=odd-first-half
first-half            | layers=first-half
first-last            | layers=first-last
"

vap="$(scripts/build.sh)"
model="${MODEL:-mini}"
work="${1:-runs/ablations}"
steps="${STEPS:-400}"
scenes="${SCENES:-2}"
sampling="${SAMPLING:-10}"
mkdir -p "$work"

# Rows of other budgets cannot stand in one table.
budget="steps $steps, scenes $scenes, sampling $sampling, model $model, extra ${EXTRA:-}"
[ -f "$work/budget.txt" ] || echo "$budget" > "$work/budget.txt"
if [ "$(cat "$work/budget.txt")" != "$budget" ]; then
  echo "$work was begun with: $(cat "$work/budget.txt"); give another folder" >&2
  exit 2
fi

# A share of all pairs in percent, as a multiple of the 24 conditions.
pairs() {
  local rounds=$((steps * 32 / 8 * $1 / 100 / 24))
  echo $((24 * (rounds > 0 ? rounds : 1)))
}

# Puts the frozen backbone and the benchmark there, once.
if [ ! -f "$work/frozen.done" ]; then
  rm -rf "$work/frozen"
  "$vap" pack --model "$model" --without-expert --output "$work/frozen" >&2
  touch "$work/frozen.done"
fi
geometry=($(sed -n 's/^ *\(size\|frames\): *\([0-9]*\).*/\2/p' configs/mini-expert.yaml))
size="${SIZE:-${geometry[0]}}" frames="${FRAMES:-${geometry[1]}}"
if [ ! -f "$work/data/vap_data.csv" ]; then
  "$vap" data synthesize --out "$work/data" --videos 48 --group 2 --benchmark-scenes "$scenes" --size "$size" \
    --frames "$frames" >&2
fi

# Judges a system unless that is done: evaluate NAME OPTIONS...
evaluate() {
  [ -f "$work/eval/$1/results.json" ] && return
  "$vap" eval --benchmark "$work/data" --model "$work/frozen" --system "$1" --out "$work/eval/$1" \
    --metrics psnr,ssim,match-pixels,match-change,speed-error --steps "$sampling" --guidance 1 --no-clips "${@:2}" >&2
}

# Trains and judges one row: row NAME CHANGES...
row() {
  local name="$1" run="$work/runs/$1" last changes=()
  last="$run/checkpoints/$(printf 'step-%06d' "$steps")"
  [ -f "$work/eval/$name/results.json" ] && return
  echo "== $name" >&2
  for change in "${@:2}"; do
    [[ "$change" == miniature.pairs=@* ]] && change="miniature.pairs=$(pairs "${change#*@}")"
    changes+=(--set "$change")
  done
  if [ ! -d "$last" ]; then
    "$vap" train configs/mini-expert.yaml --model "$work/frozen" --output "$run" --steps "$steps" \
      --validate-every "$steps" --set keep=1 --set weights=trained --set "miniature.size=$size" \
      --set "miniature.frames=$frames" --set "miniature.pairs=$(pairs 100)" "${changes[@]}" ${EXTRA:-} >&2
  fi
  if [ -f "$last/pytorch_lora_weights.safetensors" ]; then
    evaluate "$name" --lora "$last/pytorch_lora_weights.safetensors"
  else
    evaluate "$name" --expert "$last"
  fi
}

finished=()
while IFS='|' read -r name changes; do
  name="${name// /}"
  [ -n "$name" ] || continue
  if [[ -z "${ROWS:-}" || " $ROWS " == *" $name "* ]]; then
    # Unquoted: one word for each change.
    row "$name" $changes < /dev/null
  fi
  [ -f "$work/eval/$name/results.json" ] && finished+=("$work/eval/$name")
done <<< "$table"
# What the backbone does without any reference.
evaluate backbone --no-references
"$vap" eval table "${finished[@]}" "$work/eval/backbone" --published configs/ablations/published.csv \
  --out "$work/ablations"
