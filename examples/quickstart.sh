#!/usr/bin/env bash
# From nothing to a converted checkpoint: installs what is missing (Debian 12), builds aoac, converts the small checkpoint
# of this folder from four shards of a training run (two pipeline stages, two tensor-parallel ranks) to a Hugging Face
# folder, and shows that both hold the same model. Can be run again, from anywhere.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '\n$ %s\n' "$*"; "$@"; }

examples/build.sh
aoac=build/release/bin/aoac
shards=examples/tiny-shards
out=examples/tiny-hf

say $aoac rules/llama2.aoa
say $aoac inspect $shards
say $aoac rules/llama2.aoa --run --force --from megatron_plain:$shards --to hf:$out
say ls $out
say $aoac inspect $out

# The digest of a layout is taken under the names and shapes of the Hugging Face side: the same for both folders.
printf '\nThe digest over all tensors, of the shards and of the result:\n'
of_shards=$($aoac digest rules/llama2.aoa megatron_plain:$shards | tail -n 1)
of_result=$($aoac digest rules/llama2.aoa hf:$out | tail -n 1)
printf '%s\n%s\n' "$of_shards" "$of_result"
if [ "$of_shards" != "$of_result" ]; then
  echo 'the two differ' >&2
  exit 1
fi
echo "The result is in $out."
