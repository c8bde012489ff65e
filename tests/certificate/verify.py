# Verifies DSSE envelopes with securesystemslib. Prints yes or no for each file.
# Arguments: the public key in PEM, then the files.
import json
import sys

from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

pem, files = open(sys.argv[1], "rb").read(), sys.argv[2:]


def accepts(path):
    try:
        data = json.load(open(path))
        key = SSlibKey.from_crypto(load_pem_public_key(pem), keyid=data["signatures"][0]["keyid"])
        envelope = Envelope.from_dict(data)
        if envelope.payload_type != "application/vnd.in-toto+json":
            return False
        return len(envelope.verify([key], 1)) == 1
    except Exception:
        return False


for path in files:
    print("yes" if accepts(path) else "no")
