// part.mjs NAME quick|whole FILE [i/n]: runs one part of the tests and writes its count into the file. A separate process, so that
// parts that run side by side do not share an environment and each one's output stays together.
import { writeFileSync } from 'node:fs';
import { main } from './main.mjs';
import { parts } from './parts.mjs';
import { parseShard } from './scope.mjs';

await main(async () => {
  const [name = '', much, file = '', shard] = process.argv.slice(2);
  const count = await parts[name]?.test({
    much: much === 'quick' ? 'quick' : 'whole',
    ...(shard && { shard: parseShard(shard) }),
  });
  writeFileSync(file, JSON.stringify(count));
  return 0;
});
