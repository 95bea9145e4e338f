#!/usr/bin/env bash
# Installs what is missing and builds the program, build/release/bin/aoac. Nothing is done twice.
# JOBS=n sets how many compilers run at once (default: one for each core).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tests/install.sh
mkdir -p build
cmake --preset release >build/configure.log 2>&1 || { cat build/configure.log >&2; exit 1; }
cmake --build --preset release --parallel "${JOBS:-$(nproc)}" --target aoac
