#!/usr/bin/env bash
# Installs what is missing, builds the release program and runs every test.
# JOBS=n sets how many compilers and tests run at once (default: one for each core).
set -euo pipefail
cd "$(dirname "$0")/.."

jobs=${JOBS:-$(nproc)}
tests/install.sh
cmake --preset release >/dev/null
cmake --build --preset release --parallel "$jobs"
ctest --preset release --parallel "$jobs"
