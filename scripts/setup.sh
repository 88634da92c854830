#!/usr/bin/env bash
# Installs what the build needs beyond Swift 6.3: Debian's OpenBLAS, FFmpeg, SentencePiece, CSV, OpenSSL, SQLite and zlib
# libraries. With VAP_MPI=1 also Open MPI, for builds with `--traits MPI`.
set -euo pipefail

packages=(libopenblas-dev libavcodec-dev libavformat-dev libavutil-dev libswscale-dev libsentencepiece-dev libcsv-dev libssl-dev libsqlite3-dev zlib1g-dev pkg-config)
if [ "${VAP_MPI:-}" = 1 ]; then packages+=(libopenmpi-dev openmpi-bin); fi

if dpkg -s "${packages[@]}" >/dev/null 2>&1; then
  exit 0
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo); fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
