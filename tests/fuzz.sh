#!/usr/bin/env bash
# Searches for inputs that break a law: builds every fuzzer with sanitizers and runs each for so many seconds.
#
#   tests/fuzz.sh [SECONDS] [FUZZER...]     60 seconds and all fuzzers, if not said otherwise
#
# With clang, by coverage (libFuzzer); what was learnt stays in build/fuzz/corpus. Fuzzers of the compiler need gcc, as ANTLR's
# headers do: they mutate their seeds, with another start every time. Inputs that fail are left in build/fuzz/found.
# JOBS=n sets how many compilers and fuzzers run at once (default: one for each core).
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60
if [[ ${1:-} =~ ^[0-9]+$ ]]; then
  seconds=$1
  shift
fi
jobs=${JOBS:-$(nproc)}
sanitize="-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer"
searching=(checkpoint megatron mindspore_ckpt mindspore_strategy pickle safetensors torch)
mutating=(draft lsp parse rules state)
chosen=("$@")
[[ ${#chosen[@]} -gt 0 ]] || chosen=("${searching[@]}" "${mutating[@]}")

among() { # among WORD LIST...
  local word=$1
  shift
  [[ " $* " == *" $word "* ]]
}

configure() { # configure FOLDER OPTIONS...
  local folder=$1
  shift
  cmake -S . -B "$folder" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_CXX_FLAGS_RELWITHDEBINFO="-O1 -gline-tables-only" "$@" >/dev/null
}

search=() mutate=()
for name in "${chosen[@]}"; do
  if among "$name" "${searching[@]}" && command -v clang++ >/dev/null; then
    search+=("$name")
  elif among "$name" "${searching[@]}" "${mutating[@]}"; then
    mutate+=("$name")
  else
    echo "no fuzzer $name: ${searching[*]} ${mutating[*]}" >&2
    exit 2
  fi
done
if [[ ${#search[@]} -gt 0 ]]; then
  CC=clang CXX=clang++ configure build/fuzz/search -DAOA_LIBFUZZER=ON -DCMAKE_CXX_FLAGS="-fsanitize=fuzzer-no-link $sanitize"
  cmake --build build/fuzz/search --parallel "$jobs" --target "${search[@]/%/_fuzz}"
fi
if [[ ${#mutate[@]} -gt 0 ]]; then
  configure build/fuzz/mutate -DCMAKE_CXX_FLAGS="-g1 $sanitize"
  cmake --build build/fuzz/mutate --parallel "$jobs" --target "${mutate[@]/%/_fuzz}"
fi

run_search() { # run_search NAME
  local corpus=build/fuzz/corpus/$1 folders=() path
  mkdir -p "$corpus"
  while read -r path; do
    if [[ -d $path ]]; then folders+=("$path"); else cp "$path" "$corpus"; fi
  done <build/fuzz/search/bin/"$1"_fuzz.seeds
  build/fuzz/search/bin/"$1"_fuzz "$corpus" "${folders[@]}" -max_total_time="$seconds" -timeout=5 -malloc_limit_mb=100 -max_len=200000 \
    -artifact_prefix="build/fuzz/found/$1-" -print_final_stats=0 -verbosity=0
}

run_mutate() { # run_mutate NAME
  local seeds end=$((SECONDS + seconds)) round=$RANDOM
  mapfile -t seeds <build/fuzz/mutate/bin/"$1"_fuzz.seeds
  while ((SECONDS < end)); do
    build/fuzz/mutate/bin/"$1"_fuzz "${seeds[@]}" --seed "$((++round))" --runs 500 >/dev/null || {
      mv crash-input "build/fuzz/found/$1-$round"
      return 1
    }
  done
}

mkdir -p build/fuzz/found
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=0} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
failed=()
for name in "${search[@]}" "${mutate[@]}"; do
  log=build/fuzz/found/$name.log
  how=run_mutate
  if among "$name" "${search[@]}"; then how=run_search; fi
  if "$how" "$name" >"$log" 2>&1; then
    echo "$name: nothing in $seconds s"
  else
    failed+=("$name")
    echo "$name: failed; what it said is in $log:"
    tail -40 "$log"
  fi
done
[[ ${#failed[@]} -eq 0 ]]
