import type { Random } from '../random.js';

/** Values that code is least likely to expect in a field. */
const nasty: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 0,
  () => 0.5,
  () => 1e9,
  () => 2 ** 31,
  () => 2 ** 53,
  () => 1e308,
  () => '',
  () => '..',
  () => '../../etc/passwd',
  () => '/etc/passwd',
  () => 'a\0b',
  () => '\ud800',
  () => 'x'.repeat(5000),
  () => [],
  () => {},
  () => ({}),
  () => [[[]]],
  () => new Array<number>(5000).fill(0),
  () => ({ a: { b: {} } }),
  () => Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`k${i}`, i])),
  () => JSON.parse(`${'['.repeat(3000)}${']'.repeat(3000)}`) as unknown,
];

type Container = Record<string, unknown>;

const isContainer = (value: unknown): value is Container => typeof value === 'object' && value !== null;

/** A random place in the value, usually deep inside. */
function place(value: Container, random: Random): { parent: Container; key: string } {
  let parent = value;
  for (;;) {
    const key = random.pick(Object.keys(parent));
    const inner = parent[key];
    if (!isContainer(inner) || Object.keys(inner).length === 0 || random.chance(0.25)) return { parent, key };
    parent = inner;
  }
}

/** As text. What was nested in what is nested may be too deep to be written; the text is then as deep. */
export function asText(json: unknown): string {
  try {
    return JSON.stringify(json);
  } catch {
    return '['.repeat(6000);
  }
}

/** Changes one to three places in the value, in place. */
export function spoilJson(value: unknown, random: Random): string {
  const done: string[] = [];
  for (let n = 1 + random.below(3); n > 0; n--) {
    if (!isContainer(value) || Object.keys(value).length === 0) break;
    const { parent, key } = place(value, random);
    const how = random.do({
      'a value in place of': () => (parent[key] = random.pick(nasty)()),
      'no more': () => {
        if (Array.isArray(parent)) parent.splice(Number(key), 1);
        else Reflect.deleteProperty(parent, key);
      },
      'a value from elsewhere at': () => {
        const other = place(value, random);
        parent[key] = structuredClone(other.parent[other.key]);
      },
      'one more beside': () => {
        if (Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
        else parent[`${key}${random.pick(['', 's', '\0', '.'])}`] = random.pick(nasty)();
      },
    });
    done.push(`${how} ${key.slice(0, 40)}`);
  }
  return done.join(', ');
}
