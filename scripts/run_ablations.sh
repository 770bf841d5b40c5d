#!/usr/bin/env bash
# The planned comparisons, ending in outputs/ablations/RESULTS_SUMMARY.md. --quick ends within 15 minutes on two
# cores; started again, it repeats no finished run.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh ""  # without an argument, it would see those of this script
exec anyorder ablate "$@"
