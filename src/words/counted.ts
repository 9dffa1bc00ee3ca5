/** Texts that count something, for languages with any number of plural forms: CLDR's categories, as Intl.PluralRules names them. */

export const categories = ['zero', 'one', 'two', 'few', 'many', 'other'] as const;
export type Category = (typeof categories)[number];

/** In English. `one` is left out where it reads as `other`; which value counts is 0 where `by` does not say. */
export interface Counted {
  readonly one?: string;
  readonly other: string;
  readonly by?: number;
}

/** In some language: a category without a form of its own takes `other`. */
export type Forms = Readonly<Partial<Record<Category, string>>> & Counted;

/**
 * What VS Code looks a form's translation up by: its English, or where English has no such form that of `other` and the
 * category as a comment (`{0} tokens/few`).
 */
export function messageOf({ one, other }: Counted, category: Category): { message: string; comment: string[] } {
  const own = category === 'one' ? one : category === 'other' ? other : undefined;
  return own === undefined ? { message: other, comment: [category] } : { message: own, comment: [] };
}

/** @param say gives a message back as it is where it has no translation. Undefined: there is none at all */
export function translatedForms(
  text: Counted,
  language: string,
  say: (message: string, comment: string[]) => string,
): Forms | undefined {
  const forms: Partial<Record<Category, string>> = {};
  let isTranslated = false;
  for (const category of rulesOf(language).resolvedOptions().pluralCategories) {
    const { message, comment } = messageOf(text, category);
    const said = say(message, comment);
    if (said !== message) isTranslated = true;
    else if (comment.length > 0) continue;
    forms[category] = said;
  }
  if (!isTranslated) return undefined;
  return { ...forms, other: forms.other ?? text.other, ...(text.by !== undefined && { by: text.by }) };
}

export function formOf(forms: Forms, values: readonly (string | number)[], language: string): string {
  return forms[rulesOf(language).select(Number(values[forms.by ?? 0]))] ?? forms.other;
}

/** Puts values in place of `{0}`, `{1}` … */
export function filled(
  template: string,
  values: readonly (string | number)[],
  write: (n: number) => string = String,
): string {
  return template.replace(/\{(\d+)\}/g, (all, i: string) => {
    const value = values[Number(i)];
    return value === undefined ? all : typeof value === 'number' ? write(value) : value;
  });
}

const rules = new Map<string, Intl.PluralRules>();

function rulesOf(language: string): Intl.PluralRules {
  let known = rules.get(language);
  if (!known) rules.set(language, (known = new Intl.PluralRules(language)));
  return known;
}
