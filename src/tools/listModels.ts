import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import type { SourceDescription } from '../requests/description.js';
import { layersIn } from '../trace/model/access.js';
import { formsOf } from './asked.js';
import { failure } from './errors.js';
import type { OfferedModel } from './model.js';
import type { Reach } from './reach.js';
import { answer, atMost, cell, code, table } from './text.js';
import { tool } from './tool.js';

/** The most experts that are listed for a model. */
const mostExperts = 40;

export const listModels = tool({
  name: 'list_models',
  title: 'List Models',
  description: [
    'Lists the routed language models that can be asked here: pools of LoRA experts, mixtures of experts, connected servers.',
    'For each: its id, where it runs, how many experts it has and how many each token gets, its strategies, and its experts with what they were trained on.',
    'Use it first, when you need a model’s id, an expert’s id or a strategy’s name. It runs no model on any text.',
    'Do not use it to find out what an expert does: describe_expert says that.',
  ].join(' '),
  input: z.strictObject({}),
  async run(_, reach, { progress, signal }) {
    const models = reach.models();
    const described: Described[] = [];
    for (const [i, model] of models.entries()) {
      progress(i, models.length, `asking ${model.id}`);
      signal.throwIfAborted();
      described.push(await describe(model, reach));
    }
    const rows = described.map(({ model, source, failed, hasAtlas }, i) => [
      `${code(model.id)}${i === 0 ? ' (default)' : ''}`,
      source ? cell(source.name) : `cannot be used: ${cell(failed ?? '')}`,
      model.address ?? 'this machine',
      source ? expertsText(source) : '–',
      String(source?.limits.k ?? '–'),
      String(source?.limits.tokens ?? '–'),
      hasAtlas ? 'yes' : 'no',
    ]);
    return answer(
      table(['model', 'name', 'runs on', 'experts', 'k', 'longest text, tokens', 'atlas'], rows),
      'k: how many experts each token gets at each routed module, if a strategy does not say. atlas: whether describe_expert knows what its experts do over a corpus.',
      ...described.flatMap(({ model, source }) => (source ? detailsOf(model, source) : [])),
      'Next: route_text runs a text; describe_expert tells about one expert.',
    );
  },
});

interface Described {
  readonly model: OfferedModel;
  readonly source?: SourceDescription;
  readonly failed?: string;
  readonly hasAtlas?: boolean;
}

/** One that cannot be opened is no reason to hide the others. */
async function describe(model: OfferedModel, reach: Reach): Promise<Described> {
  try {
    const source = await model.source.describe();
    return { model, source, hasAtlas: (await reach.atlasOf(source)) !== undefined };
  } catch (thrown) {
    if (GanderError.from(thrown).code === 'cancelled') throw thrown;
    return { model, failed: failure(thrown) };
  }
}

/** `12 at each of 210 modules`, `16 in each of 8 layers`. */
function expertsText({ experts, expertSets = [], modules = [] }: SourceDescription): string {
  if (expertSets.some(({ scope }) => scope === 'layer')) {
    const sizes = [...new Set(expertSets.map((set) => set.experts.length))].join(' or ');
    return `${sizes} in each of ${layersIn(modules).length} layers, which share none`;
  }
  const where = modules.length > 0 ? `, the same at each of ${modules.length} routed modules` : '';
  return `${experts.length}${where}`;
}

function detailsOf(model: OfferedModel, source: SourceDescription): (string | undefined)[] {
  return [
    `## ${code(model.id)}`,
    strategiesOf(source),
    ...expertsOf(source),
    source.warnings.length > 0
      ? `Warnings: ${source.warnings
          .slice(0, 5)
          .map(({ text }) => cell(text))
          .join(' ')}`
      : undefined,
  ];
}

function strategiesOf(source: SourceDescription): string {
  const { strategies } = source.can;
  if (strategies.length === 0) return 'It routes by its native router, and takes no strategy.';
  const forms = formsOf(source);
  const rows = strategies.map(({ hint }, i) => [code(forms[i]!), cell(hint)]);
  return table(['strategy', 'how experts are chosen'], rows);
}

function expertsOf({ experts, expertSets = [] }: SourceDescription): (string | undefined)[] {
  if (expertSets.some(({ scope }) => scope === 'layer')) {
    const ids = expertSets.flatMap((set) => set.experts.map(({ id }) => id));
    return [
      `Experts, as layer.number: ${code(ids[0] ?? '')} to ${code(ids.at(-1) ?? '')}. Nobody named them; an atlas says what they do.`,
    ];
  }
  const { shown, said } = atMost(experts, mostExperts, 'experts', 'describe_expert knows the others by id.');
  const rows = shown.map(({ id, name, description }) => [code(id), cell(name), cell(description ?? '')]);
  return [rows.length > 0 ? table(['expert', 'name', 'what its card says'], rows) : undefined, said];
}
