#!/usr/bin/env bash
set -euo pipefail
# Snakemake makes the environment anew when this script changes; `make lock` writes this line.
LOCK=535e9756dee3d9f33194aed830d05f2fb63f83311396cc29872da627eabc5a3a
echo "$LOCK  envs/requirements.txt" | sha256sum --check --quiet
python -m pip install --require-hashes --requirement envs/requirements.txt
python -m pip install --no-deps --editable .
