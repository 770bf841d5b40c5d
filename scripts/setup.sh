#!/usr/bin/env bash
# Makes the virtual environment .venv and installs the package with pinned versions; does nothing when that is done.
# Usage: source scripts/setup.sh [EXTRAS], e.g. source scripts/setup.sh test
extras="${1:-}"
python="${PYTHON:-python3}"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
  echo "anyorder needs Python 3.10 or newer, found $("$python" --version); set PYTHON to a newer one" >&2
  exit 2
}
stamp=".venv/.installed-${extras:-base}"
if [ ! -f "$stamp" ] || [ pyproject.toml -nt "$stamp" ] || [ constraints.txt -nt "$stamp" ]; then
  echo "installing into .venv"
  [ -d .venv ] || "$python" -m venv .venv
  .venv/bin/python -m pip install --quiet --disable-pip-version-check \
    --constraint constraints.txt --editable ".${extras:+[$extras]}"
  touch "$stamp"
fi
# shellcheck disable=SC1091
source .venv/bin/activate
