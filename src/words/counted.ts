/** Texts that count something, for languages with any number of plural forms: CLDR's categories, as Intl.PluralRules names them. */

export const categories = ['zero', 'one', 'two', 'few', 'many', 'other'] as const;
export type Category = (typeof categories)[number];

/** In English. `one` is omitted if it reads like `other`; `by` is the index of the value that decides, 0 if absent. */
export interface Counted {
  readonly one?: string;
  readonly other: string;
  readonly by?: number;
}

/** In any language: a category without its own form uses `other`. */
export type Forms = Readonly<Partial<Record<Category, string>>> & Counted;

/**
 * The key of a form's translation in VS Code: its English or, if English has no such form, that of `other` with the category
 * as a comment (`{0} tokens/few`).
 */
export function messageOf({ one, other }: Counted, category: Category): { message: string; comment: string[] } {
  const own = category === 'one' ? one : category === 'other' ? other : undefined;
  return own === undefined ? { message: other, comment: [category] } : { message: own, comment: [] };
}

/** @param say returns a message unchanged if it has no translation @returns undefined if no form is translated */
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

/** Replaces `{0}`, `{1}` … by values. */
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
