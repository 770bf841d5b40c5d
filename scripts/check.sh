#!/usr/bin/env bash
# Runs the gates before the tests: lint, format, types. It installs what they need.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh check
ruff check .
ruff format --check .
mypy
