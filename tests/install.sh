#!/usr/bin/env bash
# Installs what the build and the tests need and this machine lacks (Debian 12's own packages), and nothing else but the
# packages given as arguments.
set -euo pipefail

packages=(g++ cmake ninja-build ccache git ca-certificates python3 clang-format
  antlr4 libantlr4-runtime-dev uuid-dev
  llvm-19-dev zlib1g-dev libzstd-dev libxml2-dev
  libcli11-dev libfmt-dev libspdlog-dev nlohmann-json3-dev libxxhash-dev libsimdjson-dev libdeflate-dev
  libyaml-cpp-dev libssl-dev libprotobuf-dev protobuf-compiler
  libgtest-dev libgmock-dev libbenchmark-dev
  "$@")

missing=()
for package in "${packages[@]}"; do
  dpkg-query --show --showformat='${Status}' "$package" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install.sh: needs root to install: ${missing[*]}" >&2; exit 1; }
  root=(sudo)
fi
echo "installing ${missing[*]}"
"${root[@]}" apt-get update -qq
"${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
