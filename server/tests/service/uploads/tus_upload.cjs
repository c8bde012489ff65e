// Uploads a file with tus-js-client; prints the address of its submission.
// Arguments: the folder of packages, the endpoint, the API key, the file, the chunk size, and
// whether the first bytes come with the creation.
const fs = require('node:fs');
const [packages, endpoint, key, file, chunk, early] = process.argv.slice(2);
const tus = require(`${packages}/node_modules/tus-js-client`);

let submission = null;
let requests = 0;
const upload = new tus.Upload(fs.createReadStream(file), {
  endpoint,
  headers: { Authorization: `Bearer ${key}` },
  metadata: { creator: 'ada', reference: 'order 17', filename: 'clip.mp4', filetype: 'video/mp4' },
  chunkSize: chunk === 'whole' ? Infinity : Number(chunk),
  uploadDataDuringCreation: early === 'true',
  retryDelays: Array(30).fill(50),
  onAfterResponse: (request, response) => {
    requests += 1;
    submission = response.getHeader('Submission') ?? submission;
  },
  onError: (error) => {
    console.error(String(error));
    process.exit(1);
  },
  onSuccess: () => {
    console.log(JSON.stringify({ submission, requests, url: upload.url }));
    process.exit(0);
  },
});
upload.start();
