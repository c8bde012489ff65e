// Uploads a clip with tus-js-client, which goes on where it was after a broken connection, waits for
// the answer and prints it.
//
//     UNIQ_URL=http://127.0.0.1:8080 UNIQ_KEY=uniq_... node submit.mjs clip.mp4 CREATOR
import { createReadStream, statSync } from "node:fs";
import { Upload } from "tus-js-client";

const { UNIQ_URL: url, UNIQ_KEY: key } = process.env;
const [path, creator] = process.argv.slice(2);
const headers = { Authorization: `Bearer ${key}` };

// What a person can use of an error; the rest of it holds the key.
const fail = (error) => {
  console.error(`${path}: ${error.originalResponse?.getBody() || error.message.split(", ")[0]}`);
  process.exit(1);
};

const address = await new Promise((resolve) => {
  const upload = new Upload(createReadStream(path), {
    endpoint: `${url}/v1/uploads`,
    headers,
    metadata: { creator },
    uploadSize: statSync(path).size,
    chunkSize: 8 * 1024 * 1024,
    retryDelays: [0, 1000, 3000, 5000, 10000],
    onError: fail,
    onSuccess: () => resolve(upload.url),
  });
  upload.start();
});
// The upload and the submission have the same id.
const id = address.split("/").pop();
console.error(`${path}: received as ${id}; waiting for the answer`);
let submission;
do {
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const response = await fetch(`${url}/v1/submissions/${id}`, { headers });
  submission = await response.json();
} while (["queued", "checking"].includes(submission.state));
console.log(JSON.stringify(submission, null, 2));
