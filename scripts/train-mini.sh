#!/usr/bin/env bash
# Trains the miniature from nothing, with fixed seeds: autoencoder, backbone, expert. A few hours on two cores.
#
#   scripts/train-mini.sh [FOLDER]      default runs/mini; VAP=path/to/vap uses a program that is built already
#
# Everything can be stopped at any time and goes on from the latest checkpoints when the same command is given again. The
# finished pipeline is FOLDER/mini, at most 20 MB; each run's log, measurements and timings stay in its folder.
set -euo pipefail
shopt -s inherit_errexit
cd "$(dirname "$0")/.."

vap="$(scripts/build.sh)"
configs="${CONFIGS:-configs}"
work="${1:-runs/mini}"
mkdir -p "$work"

# The number of steps of a configuration.
steps() { sed -n 's/^steps: *//p' "$1"; }

# The transformer that a run ends with: train CONFIG MODEL RUN.
train() {
  local last
  last="$work/$3/checkpoints/$(printf 'step-%06d' "$(steps "$1")")/transformer"
  [ -f "$last/config.json" ] || "$vap" train "$1" --model "$work/$2" --output "$work/$3" >&2
  echo "$last"
}

# Puts a pipeline together unless it is there: pack TARGET OPTIONS...; one that was cut short is made anew.
pack() {
  local target="$work/$1"
  shift
  [ -f "$target.done" ] && return
  rm -rf "$target"
  "$vap" pack --output "$target" "$@" >&2
  touch "$target.done"
}

[ -f "$work/start/model_index.json" ] || "$vap" init --output "$work/start"
if [ ! -f "$work/vae/vae/config.json" ]; then
  "$vap" train "$configs/mini-vae.yaml" --model "$work/start" --output "$work/vae"
fi
pack with-vae --model "$work/start" --vae "$work/vae/vae" --dtype float32
backbone="$(train "$configs/mini-backbone.yaml" with-vae backbone)"
# From here on the backbone's bits stay as they are shipped.
pack frozen --model "$work/with-vae" --transformer "$backbone" --dtype float16
expert="$(train "$configs/mini-expert.yaml" frozen expert)"
pack mini --model "$work/frozen" --transformer "$expert" --dtype float16
du -sh "$work/mini"
