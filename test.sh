#!/usr/bin/env bash
# Sets up and runs the tests. Arguments go to pytest: bash test.sh -m slow, bash test.sh tests/models
set -euo pipefail
cd "$(dirname "$0")"
source scripts/setup.sh test
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
exec python -m pytest "$@"
