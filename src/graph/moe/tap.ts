import type { Warning } from '../../requests/description.js';
import { Builder } from '../builder.js';
import {
  DataType,
  type GraphProto,
  type ModelProto,
  type NodeProto,
  int64s,
  node,
  opset,
  valueInfo,
} from '../model.js';
import { names } from '../route.js';
import { type Walk, usersOf, walkOf } from '../walk.js';
import { type Written, separate } from './chosenCount.js';
import { besideHolder } from './fused.js';
import { declareNever, instead, withoutLeftOut } from './leftOut.js';
import { type Router, scoresBehind } from './routers.js';

/** Names of one router's values; absent if the graph does not compute them. */
export interface Tap {
  /** [T, E] before any what-if. */
  readonly score: string;
  /** [T, E] selection scores, if their order is not that of the scores. */
  readonly selection?: string;
  /** [T, k] int64, best first. */
  readonly chosen: string;
  /** [T, k] */
  readonly weight?: string;
  /** [T, 1] */
  readonly shared?: string;
}

/** A router whose k `choose` can change. */
export interface Choosable {
  readonly written: Written;
  /** The largest possible k. */
  readonly mostK: number;
}

export interface Tapped {
  readonly tap: Tap;
  readonly choosable?: Choosable;
}

/**
 * Makes what routers decide outputs of the graph, in place, and lets it be changed: one input, `names.bias`, [1 or T, ΣE],
 * is added to the scores, router after router. The graph computes what it did before; only what fused operators keep inside
 * is computed a second time.
 */
export function tapRouters(
  model: ModelProto & { graph: GraphProto },
  routers: readonly Router[],
): { readonly tapped: readonly Tapped[]; readonly warnings: readonly Warning[] } {
  const { graph } = model;
  const walk = walkOf(graph);
  const builder = new Builder(graph, opset(model));
  const total = routers.reduce((sum, { experts }) => sum + experts, 0);
  builder.input(names.bias, DataType.FLOAT, ['gander.bias_tokens', total]);
  if (routers.length > 1) {
    const sizes = routers.map(({ experts }) => experts);
    builder.constant(int64s('gander.experts', sizes));
    builder.first(
      node(
        'Split',
        [names.bias, 'gander.experts'],
        sizes.map((_, i) => biasOf(i)),
        { axis: 1 },
      ),
    );
  } else builder.first(node('Identity', [names.bias], [biasOf(0)]));
  declareNever(builder);
  const warnings: Warning[] = [];
  const tapped = routers.map((router, i) => {
    const { warning, ...one } = tapOne(builder, walk, router, i);
    if (warning && !warnings.some(({ code }) => code === warning.code)) warnings.push(warning);
    return one;
  });
  builder.finish();
  return { tapped, warnings };
}

const biasOf = (i: number) => `gander.bias.${i}`;

function tapOne(builder: Builder, walk: Walk, router: Router, i: number): Tapped & { readonly warning?: Warning } {
  const { graph } = builder;
  const { score, chooser, holder, shared } = router;
  const own = (what: string) => `gander.router.${what}.${i}`;
  const factor = holder && factorOf(walk, router, holder);
  instead(usersOf(walk, score), score, own('score'));
  builder.last(node('Add', [score, biasOf(i)], [own('score')]));
  // Best first, even if the exporter asked for no order: the experts' sum is the same.
  chooser.attribute = chooser.attribute.filter(({ name }) => name !== 'sorted');
  const { weight: used, selection } = withoutLeftOut(builder, walk, router, own);
  const places = router.chosen;
  const { chosen, weight, warning, counts } = holder
    ? besideHolder(builder, router, holder, i, places, factor)
    : { chosen: places!, weight: used, warning: undefined, counts: [] };
  tell(graph, chosen, DataType.INT64);
  for (const value of [score, selection, weight, shared]) if (value !== undefined) tell(graph, value, DataType.FLOAT);
  const tap = {
    score,
    chosen,
    ...(selection !== undefined && { selection }),
    ...(weight !== undefined && { weight }),
    ...(shared !== undefined && { shared }),
  };
  const choosable = choosableOf(builder, router, counts, own('k'));
  return { tap, ...(choosable && { choosable }), ...(warning && { warning }) };
}

/** @param counts constants that already hold k. @param prefix of new constants' names */
function choosableOf(
  builder: Builder,
  { uses, holder, mostK }: Router,
  counts: readonly string[],
  prefix: string,
): Choosable | undefined {
  if (!uses) return undefined;
  const constants = [...counts.map((name) => ({ name, at: 0 })), ...separate(builder, uses, prefix)];
  return { mostK, written: { constants, ...(holder && { holder: holder.output[0]! }) } };
}

/** The factor on the experts' sum for each token, if it comes from the router. */
function factorOf(walk: Walk, { product }: Router, holder: NodeProto): string | undefined {
  const [user] = usersOf(walk, holder.output[0]!);
  if (user?.opType !== 'Mul') return undefined;
  const factor = user.input.find((name) => name !== holder.output[0])!;
  return scoresBehind(walk, factor)?.product.output === product.output ? factor : undefined;
}

/** Makes a value an output, of undeclared shape. */
function tell(graph: GraphProto, value: string, type: DataType): void {
  if (graph.output.some(({ name }) => name === value)) return;
  const info = valueInfo(value, type, []);
  if (info.type?.value.case === 'tensorType') delete info.type.value.value.shape;
  graph.output.push(info);
}
