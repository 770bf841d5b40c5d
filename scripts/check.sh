#!/usr/bin/env bash
# The gates before the tests: lint, format, types. Sets up what they need.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/setup.sh check
ruff check .
ruff format --check .
mypy
