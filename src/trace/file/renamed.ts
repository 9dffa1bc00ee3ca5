/** What was saved under a former name still opens; whatever is written has the present one. */
const strategies: Readonly<Record<string, string>> = { learned: 'jointly-trained', own: 'native' };

/** The present name of a strategy that a file, a setting or a server names. */
export function presentStrategy(name: string): string {
  return Object.hasOwn(strategies, name) ? strategies[name]! : name;
}
