import { parse } from 'yaml';
import { z } from 'zod';

/** What a model card says of its expert; docs/pool-format.md, "Model card". */
export interface Card {
  readonly name?: string | undefined;
  readonly license?: string | undefined;
  readonly datasets?: readonly string[] | undefined;
  readonly description?: string | undefined;
}

const short = z.string().max(2000).optional().catch(undefined);
const cardSchema = z.object({
  name: short,
  license: short,
  datasets: z.array(z.string().max(500)).max(1000).optional().catch(undefined),
  description: short,
});

/** The YAML front matter of a model card. A card is an extra: one that cannot be read is an empty one. */
export function parseCard(markdown: string): Card {
  const match = /^---\r?\n([\s\S]*?)\r?\n---(?:\r?\n|$)/.exec(markdown.replace(/^\uFEFF/, ''));
  if (!match) return {};
  try {
    const parsed = cardSchema.safeParse(parse(match[1]!, { maxAliasCount: 10 }));
    return parsed.success ? parsed.data : {};
  } catch {
    return {};
  }
}
