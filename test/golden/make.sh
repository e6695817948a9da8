#!/bin/sh
# Makes test/golden/ops.json anew: the cases from the op table, the numbers from PyTorch (Debian's python3-torch).
set -e
cd "$(dirname "$0")/../.."
npx esbuild test/golden/export.ts --bundle --format=esm --platform=neutral --main-fields=module,main \
  --external:node:* --external:webgpu --loader:.wgsl=text --define:WITH_SAMPLES=true --outfile=build/golden-export.mjs --log-level=warning
node build/golden-export.mjs | /usr/bin/python3 test/golden/make.py > build/golden-ops.json
mv build/golden-ops.json test/golden/ops.json
