#!/bin/sh
# Makes test/golden/ops.json anew: the cases from the op table, the numbers from PyTorch (Debian's python3-torch).
set -e
cd "$(dirname "$0")/../.."
node scripts/bundle.mjs test/golden/export.ts build/golden-export.mjs --samples
node build/golden-export.mjs | /usr/bin/python3 test/golden/make.py > build/golden-ops.json
mv build/golden-ops.json test/golden/ops.json
