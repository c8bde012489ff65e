"""Signs the answer to a clip, and shows that it can be verified and reproduced.

    python certify.py INDEX CLIP FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

import uniq


def main() -> None:
    """Write the certificate and what belongs to it into the folder."""
    index, clip, folder = uniq.Index.open(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(exist_ok=True)
    key = folder / "signer.pem"
    public = uniq.new_key(key)
    made = uniq.Certificate.make(clip, index=index, key=key, name="example", effort="fast")
    made.certificate.save(folder / f"{clip.name}.certificate.json")
    made.fingerprint.save(folder / f"{clip.name}.uniq", pictures=True)

    certificate = uniq.Certificate.load(folder / f"{clip.name}.certificate.json")
    signature = certificate.verify(key=public, clip=clip)
    again = certificate.reproduce(uniq.Fingerprint.load(folder / f"{clip.name}.uniq"), index=index)
    print(f"{made.report.verdict}, signed by {signature.key_id[:12]}, reproduced: {again.equal}")


if __name__ == "__main__":
    main()
