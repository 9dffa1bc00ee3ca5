#!/usr/bin/env bash
# Adds a Solidity expert to a pool, from public text, with two commands of training/.
#   run.sh          to the pool that ships (POOL=folder: to another)
#   run.sh --toy    a few steps on made-up text, to a copy of the tests' tiny pool: shows in a minute that everything works together
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)

# `gander-training` of this checkout, installed or not; PYTHON chooses the interpreter.
gander_training() {
  PYTHONPATH="$root/training/src:$root/python/gander-routing/src${PYTHONPATH:+:$PYTHONPATH}" "${PYTHON:-python3}" -m gander_training.cli "$@"
}

if [ "${1:-}" = --toy ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  pool=$work/pool
  cp -r "$root/test/fixtures/tiny-pool" "$pool"
  data=$here/toy.jsonl
  size=(--steps 2 --batch 1 --length 16 --dtype float32 --threads 1)
  adapter=(--rank 2 --alpha 4)
else
  work=$here/.runs
  pool=${POOL:-$root/models/smollm2-135m}
  corpora=$here/.corpora
  gander_training corpora --recipe "$here/recipe.toml" --out "$corpora"
  data=$corpora/solidity/train.jsonl
  size=() # the defaults; bash 3 treats an empty list as unset, hence the + below
  adapter=(--validation "$corpora/solidity/validation.jsonl" --test "$corpora/solidity/test.jsonl")
fi

gander_training expert --base "$pool" --data "$data" --out "$work/solidity" --runs "$work" \
  --name Solidity --description "Smart contracts in Solidity." "${adapter[@]}" ${size[@]+"${size[@]}"}
gander_training gate --base "$pool" --data "$data" --expert "$work/solidity" --runs "$work" --add ${size[@]+"${size[@]}"}

gander_training pool check "$pool"
