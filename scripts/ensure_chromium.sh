#!/bin/sh
# Finds a Chromium for the browser tests or installs one: Debian's package when we are root on
# Debian (Ubuntu's package of that name is only a pointer to a snap), else the one that Playwright downloads. Called with the environment's python.
set -eu
python=$1

for name in chromium chromium-browser google-chrome google-chrome-stable; do
    if command -v "$name" >/dev/null 2>&1; then
        echo "  found $(command -v "$name")"
        exit 0
    fi
done
if "$python" - <<'PY'
import pathlib, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not pathlib.Path(playwright.chromium.executable_path).exists())
PY
then
    echo "  found Playwright's Chromium"
    exit 0
fi
if [ "$(id -u)" = 0 ] && grep -q '^ID=debian' /etc/os-release 2>/dev/null; then
    echo "  installing Debian's package chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-liberation >/dev/null
else
    echo "  downloading Playwright's Chromium"
    "$python" -m playwright install chromium
fi
