// Verifies Sigstore bundles with @sigstore/verify. Prints yes or no for each file.
// Arguments: the folder of the packages, the public key in PEM, then the files.
import { createRequire } from 'node:module';
import { createPublicKey } from 'node:crypto';
import { readFileSync } from 'node:fs';

const [folder, pem, ...files] = process.argv.slice(2);
const require = createRequire(`${folder}/`);
const { Verifier, toSignedEntity, toTrustMaterial } = require('@sigstore/verify');
const { bundleFromJSON } = require('@sigstore/bundle');

const publicKey = createPublicKey(readFileSync(pem));
const trust = toTrustMaterial(
  { mediaType: '', tlogs: [], certificateAuthorities: [], ctlogs: [], timestampAuthorities: [], signingConfig: undefined },
  () => ({ publicKey, validFor: () => true }),
);
const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 });
for (const file of files) {
  let accepted = false;
  try {
    const bundle = bundleFromJSON(JSON.parse(readFileSync(file)));
    if (bundle.content.dsseEnvelope.payloadType === 'application/vnd.in-toto+json') {
      verifier.verify(toSignedEntity(bundle));
      accepted = true;
    }
  } catch {
    accepted = false;
  }
  console.log(accepted ? 'yes' : 'no');
}
