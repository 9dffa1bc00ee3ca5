/** Experts as one file, which come from strangers. */
import { spoiltBytes } from '../spoil/bytes.js';
import { filesIn, rewrite } from '../spoil/files.js';
import { asText, spoilJson } from '../spoil/json.js';
import { otherHeaders, otherText } from '../spoil/tar.js';
import type { Target } from './target.js';

export const packed: Target = {
  name: 'packed',
  runner: 'reader',
  begins: 'packed',
  spoil: (folder, random) => {
    const [file] = filesIn(folder);
    return random.do({
      bytes: () => rewrite(file!, (bytes) => spoiltBytes(bytes, random)),
      headers: () => rewrite(file!, (bytes) => otherHeaders(bytes, random)),
      provenance: () =>
        rewrite(file!, (bytes) =>
          otherText(bytes, (text) => {
            const json: unknown = JSON.parse(text);
            const how = spoilJson(json, random);
            return { text: asText(json), how };
          }),
        ),
      'bytes of the provenance': () =>
        rewrite(file!, (bytes) =>
          otherText(bytes, (text) => {
            const spoilt = spoiltBytes(Buffer.from(text), random);
            return { text: Buffer.from(spoilt.bytes).toString('utf8'), how: spoilt.how };
          }),
        ),
    });
  },
};
