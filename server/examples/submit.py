#!/usr/bin/env python3
"""Submits a clip with requests, waits for the answer and prints it.

    UNIQ_URL=http://127.0.0.1:8080 UNIQ_KEY=uniq_... submit.py clip.mp4 CREATOR
"""

import json
import os
import sys
import time

import requests

url, key = os.environ["UNIQ_URL"], os.environ["UNIQ_KEY"]
path, creator = sys.argv[1:]

session = requests.Session()
session.headers["Authorization"] = f"Bearer {key}"
with open(path, "rb") as clip:
    sent = session.post(f"{url}/v1/submissions", params={"creator": creator}, data=clip, timeout=600)
if not sent.ok:
    sys.exit(f"{path}: {sent.json()['detail']}")
submission = sent.json()
print(f"{path}: received as {submission['id']}; waiting for the answer", file=sys.stderr)
while submission["state"] in ("queued", "checking"):
    time.sleep(1)
    submission = session.get(f"{url}/v1/submissions/{submission['id']}", timeout=60).json()
print(json.dumps(submission, indent=2))
