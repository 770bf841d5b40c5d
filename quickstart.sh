#!/usr/bin/env bash
# From nothing to a trained and evaluated agent: installs, collects, trains, evaluates, reports. The exit status is not zero when
# the agent misses a promised figure (configs/promises.yaml). It takes about three and a half minutes on two cores, installation included.
set -euo pipefail
cd "$(dirname "$0")"
started=$(date +%s)
source scripts/setup.sh ""  # without an argument, setup.sh would see those of this script
run="${1:-outputs/quickstart}"

echo "collecting demonstrations"
anyorder collect --env BabyAI-GoToRedBall-v0 --num_episodes 8000 --num_validation 200 --num_test 500 \
  --output_dir data/quickstart
echo "training"
anyorder train --config configs/quickstart.yaml --output_dir "$run" --resume
echo "evaluating"
anyorder evaluate --checkpoint "$run/checkpoints/best.pt" --metric all --promises configs/promises.yaml
echo "took $(($(date +%s) - started)) s; the report is $run/report/report.md"
