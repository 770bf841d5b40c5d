#!/usr/bin/env bash
# Runs the planned comparisons and writes outputs/ablations/RESULTS_SUMMARY.md. --quick ends within 15 minutes on two
# cores. Started again, the script repeats no finished run.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh ""  # without an argument, setup.sh would see those of this script
exec anyorder ablate "$@"
