import type { Random } from '../random.js';

/** Corrupts bytes as a bad disk, a broken download or a careless edit would. */
export function spoiltBytes(bytes: Uint8Array, random: Random): { bytes: Uint8Array; how: string } {
  let out = Uint8Array.from(bytes);
  const at = (within = out.length) => random.below(Math.max(1, Math.min(within, out.length)));
  const flip = (i: number) => {
    if (out.length > 0) out[i]! ^= 1 << random.below(8);
  };
  const how = random.do({
    'cut off': () => (out = out.subarray(0, at())),
    'bits flipped': () => {
      for (let n = 1 + random.below(30); n > 0; n--) flip(at());
    },
    'bits flipped at the beginning': () => {
      for (let n = 1 + random.below(4); n > 0; n--) flip(at(300));
    },
    noise: () => (out = Uint8Array.from({ length: random.below(3000) }, () => random.below(256))),
    'a part overwritten by another': () => {
      const from = at();
      out.copyWithin(at(), from, from + random.below(200));
    },
    'a part twice': () => {
      const [from, length] = [at(), random.below(500)];
      out = Uint8Array.from([...out.subarray(0, from + length), ...out.subarray(from)]);
    },
    'a part gone': () => {
      const [from, length] = [at(), 1 + random.below(100)];
      out = Uint8Array.from([...out.subarray(0, from), ...out.subarray(from + length)]);
    },
    'a number at its limit': () => {
      const i = at();
      out.fill(random.pick([0, 0x7f, 0x80, 0xff]), i, i + random.pick([1, 2, 4, 8]));
    },
    'nothing left': () => (out = new Uint8Array()),
  });
  return { bytes: out, how };
}
