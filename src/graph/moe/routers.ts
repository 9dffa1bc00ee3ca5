/** Finds where a graph decides which experts a token goes to, by data flow, never by names. */
import { namesOf } from '../find.js';
import { type GraphProto, type NodeProto, intAttribute, invalidBase } from '../model.js';
import type { Product } from '../products.js';
import { type Walk, integerOf, integersOf, isConstant, usersOf, walkOf } from '../walk.js';
import { type Uses, usesOf } from './chosenCount.js';
import { gateOf } from './shared.js';
import { appliedWeight } from './weights.js';

export type Scoring = 'softmax' | 'sigmoid';

/** One layer's router. Names are of values in the graph. */
export interface Router {
  /** Path of the router's linear layer, as the graph names it. */
  readonly path: string;
  readonly layer: number;
  /** E and k. */
  readonly experts: number;
  readonly k: number;
  readonly product: Product;
  /** [T, E] router logits: the linear layer's output, including its own bias and a constant factor. */
  readonly score: string;
  readonly scoring: Scoring | undefined;
  /** What chooses: a TopK, the operator that contains the experts, or the Concat at the end of a sparse mixer. */
  readonly chooser: NodeProto;
  /** The operator that contains all of the layer's experts, if there is one; a TopK before it may choose for it. */
  readonly holder: NodeProto | undefined;
  /** [T, k] the experts chosen; undefined if the holder chooses inside. */
  readonly chosen: string | undefined;
  /** [T, E] selection scores: what the chooser compares. */
  readonly compared: string;
  /** Whether their order is that of the scores. */
  readonly ordered: boolean;
  /** [T, k] routing weights, if the graph has them as one value. */
  readonly weight: string | undefined;
  /** Whether the weights are a softmax of the chosen scores. */
  readonly softens: boolean;
  /** Whether the weights of the chosen are normalised to sum to 1, before any scale; undefined if unknown. */
  readonly normalised: boolean | undefined;
  /** [T, 1] factor on the shared expert's output. */
  readonly shared: string | undefined;
  /** Where the graph depends on k; undefined if another k would be a guess. */
  readonly uses: Uses | undefined;
  /** The largest k that can be requested; for a choice limited to groups, which may hold no more experts, the model's own. */
  readonly mostK: number;
}

/** The path from scores to a chooser. */
interface Way {
  readonly chooser: NodeProto;
  readonly product: Product;
  /** From the chooser back to the product. */
  readonly nodes: readonly NodeProto[];
}

interface Decisive extends Way {
  readonly holder: NodeProto | undefined;
  /** Whether earlier choosers choose among groups and exclude some. */
  readonly inGroups: boolean;
}

const fused = new Set(['MoE', 'QMoE']);

/** Operators that change no number, and those that keep the order of a token's scores, as softmax and σ do. */
const shapes = new Set(['Cast', 'Identity', 'Reshape', 'Squeeze', 'Unsqueeze', 'Flatten']);
const keepsOrder = new Set([...shapes, 'Softmax', 'Sigmoid']);

/** Operators by which a linear layer ends, with a constant. */
const ofLinear = new Set(['Add', 'Mul', 'Div']);

/** Indices of the inputs that an operator works on, if its other inputs only say how or where. */
const data: Readonly<Record<string, readonly number[]>> = {
  ...Object.fromEntries(
    ['Reshape', 'Squeeze', 'Unsqueeze', 'Expand', 'Slice', 'Tile', 'Pad', 'Split', 'Clip'].map((op) => [op, [0]]),
  ),
  ...Object.fromEntries(['TopK', 'Gather', 'GatherElements', 'GatherND', 'Softmax'].map((op) => [op, [0]])),
  ...Object.fromEntries(['ReduceSum', 'ReduceMax', 'ReduceMean'].map((op) => [op, [0]])),
  Where: [1, 2],
  ScatterElements: [0, 2],
  ScatterND: [0, 2],
};

/** Operators whose output is not a score. */
const blind = new Set(['Shape', 'Size', 'NonZero', 'ConstantOfShape', 'Range', 'ArgMax', 'ArgMin', 'Constant']);

/** Operators between scores by group and one number per group (its best, or the sum of its best); those that compute that number. */
const ofGroups = new Set([...shapes, 'TopK', 'ReduceMax', 'ReduceSum']);
const sumsUp = new Set(['ReduceMax', 'ReduceSum']);

/** At most this many of them. */
const deepest = 8;

/** No model has this many operators between a router's product and its choice. */
const longestWay = 64;

/**
 * The routers in the order of the graph.
 *
 * @throws GanderError `base-invalid` if two choosers compare the scores of one router
 */
export function findRouters(graph: GraphProto): Router[] {
  const walk = walkOf(graph);
  const ways = new Map<Product, Way[]>();
  for (const chooser of graph.node) {
    const way = wayTo(walk, chooser);
    if (way) ways.set(way.product, [...(ways.get(way.product) ?? []), way]);
  }
  return [...ways.values()].map((all, i) => routerOf(walk, decisive(walk, all), i));
}

/** Whether a graph chooses by the largest score alone (ArgMax), as a sparse mixer does. */
export function hasMixer(graph: GraphProto): boolean {
  const walk = walkOf(graph);
  return graph.node.some((n) => n.opType === 'ArgMax' && scoresBehind(walk, n.input[0] ?? '') !== undefined);
}

function isHolder({ opType, domain }: NodeProto): boolean {
  return fused.has(opType) && domain === 'com.microsoft';
}

function comparedBy(chooser: NodeProto): string | undefined {
  if (chooser.opType === 'TopK') return (intAttribute(chooser, 'largest') ?? 1) === 1 ? chooser.input[0] : undefined;
  return isHolder(chooser) ? chooser.input[1] : undefined;
}

function wayTo(walk: Walk, chooser: NodeProto): Way | undefined {
  if (chooser.opType === 'Concat') return mixed(walk, chooser);
  const compared = comparedBy(chooser);
  const found = compared === undefined ? undefined : scoresBehind(walk, compared);
  return found && { chooser, ...found };
}

/** A sparse mixer: it joins the index of the largest score with that of the largest of the rest. */
function mixed(walk: Walk, chooser: NodeProto): Way | undefined {
  const makers = chooser.input.map((name) => walk.producers.get(name));
  if (makers.length < 2 || !makers.every((n) => n?.opType === 'ArgMax')) return undefined;
  const behind = makers.map((n) => scoresBehind(walk, n!.input[0] ?? ''));
  const product = behind[0]?.product;
  return product && behind.every((found) => found?.product === product) ? { chooser, product, nodes: [] } : undefined;
}

/** The only product that a value is computed from, apart from constants. */
export function scoresBehind(walk: Walk, value: string): Pick<Way, 'product' | 'nodes'> | undefined {
  const found = new Set<Product>();
  const nodes = new Set<NodeProto>();
  const open = [value];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const product = walk.products.get(name);
    const n = walk.producers.get(name);
    if (product) found.add(product);
    else if (!n) {
      if (!isConstant(walk, name)) return undefined;
    } else if (!isPlace(n, name) && !blind.has(n.opType) && !nodes.has(n)) {
      nodes.add(n);
      if (nodes.size > longestWay) return undefined;
      const inputs = data[n.opType]?.map((i) => n.input[i] ?? '') ?? n.input;
      open.push(...inputs.filter(Boolean));
    }
  }
  const [product, ...others] = found;
  return product && others.length === 0 && product.output !== 'logits' ? { product, nodes: [...nodes] } : undefined;
}

/** Whether a value is the indices of a TopK, which are not scores. */
function isPlace(n: NodeProto, value: string): boolean {
  return n.opType === 'TopK' && n.output[1] === value;
}

/**
 * The last of the choosers that compare one router's scores; choices among groups come before it. An operator that contains
 * the experts comes last too, but a TopK before it makes the choice.
 */
function decisive(walk: Walk, ways: readonly Way[]): Decisive {
  const last = ways.filter(
    ({ chooser }) => !ways.some((other) => other.chooser !== chooser && restsOn(walk, other, chooser)),
  );
  const [way, second] = last;
  if (!way || second)
    throw invalidBase(
      `Two operators choose experts by the scores of one router (${pathOf(way?.product ?? ways[0]!.product) ?? 'unnamed'})`,
      'Export the model so that each router has one TopK.',
    );
  const before = ways.filter(({ chooser }) => chooser !== way.chooser);
  if (!isHolder(way.chooser))
    return { ...way, holder: undefined, inGroups: before.some((one) => leavesOut(walk, one.chooser)) };
  const told = before.length > 0 ? decisive(walk, before) : way;
  return { inGroups: false, ...told, holder: way.chooser };
}

/** Whether the indices of an earlier chooser are used and it excludes anything, which a choice of one group out of one does not. */
function leavesOut(walk: Walk, { input, output }: NodeProto): boolean {
  const isAsked = usersOf(walk, output[1] ?? '').length > 0;
  return isAsked && integerOf(walk, input[1]) !== groupsOf(walk, input[0] ?? '');
}

/** The number of groups G of group scores [T, G] that are reduced from [T, G, n]; undefined if unknown. */
function groupsOf(walk: Walk, scores: string): number | undefined {
  let name = scores;
  let isSummedUp = false;
  for (let steps = 0; steps < deepest; steps++) {
    const n = walk.producers.get(name);
    const shape = n?.opType === 'Reshape' ? integersOf(walk, n.input[1])?.values : undefined;
    if (shape) return isSummedUp && shape.length === 3 ? shape[1] : undefined;
    if (!n || !ofGroups.has(n.opType)) return undefined;
    isSummedUp ||= sumsUp.has(n.opType);
    name = n.input[0]!;
  }
  return undefined;
}

/** Whether another chooser lies between this one and the router. */
function restsOn(walk: Walk, { chooser, product }: Way, before: NodeProto): boolean {
  const open = [comparedBy(chooser)!];
  const seen = new Set<string>();
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (seen.has(name) || name === product.output) continue;
    seen.add(name);
    const n = walk.producers.get(name);
    if (n === before) return true;
    if (n) open.push(...n.input.filter(Boolean));
  }
  return false;
}

function routerOf(walk: Walk, way: Decisive, i: number): Router {
  const { chooser, holder, product, nodes, inGroups } = way;
  const isMixer = chooser.opType === 'Concat';
  const k = isMixer
    ? chooser.input.length
    : isHolder(chooser)
      ? intAttribute(chooser, 'k')
      : integerOf(walk, chooser.input[1]);
  const path = pathOf(product);
  if (k === undefined || k < 1 || k > product.dOut)
    throw invalidBase(
      `The router ${path ?? i} chooses a number of experts that is not fixed`,
      'Export it with a fixed number of experts a token.',
    );
  const linear = linearOf(walk, product);
  const score = linear.at(-1)?.output[0] ?? product.output;
  const after = nodes.filter((n) => !linear.includes(n));
  const { weight, softens, normalised } = holder
    ? { weight: undefined, softens: true, normalised: undefined }
    : appliedWeight(walk, chooser);
  return {
    path: path ?? `layers.${i}.router`,
    layer: layerOf(path ?? '') ?? i,
    experts: product.dOut,
    k,
    product,
    score,
    scoring: scoringOf(after) ?? (softens ? 'softmax' : undefined),
    chooser,
    holder,
    chosen: isMixer ? chooser.output[0] : chooser === holder ? undefined : chooser.output[1],
    compared: comparedBy(chooser) ?? score,
    ordered: after.every(({ opType }) => keepsOrder.has(opType)),
    weight,
    softens,
    normalised: isMixer ? undefined : normalised,
    shared: gateOf(walk, product),
    uses: usesOf(walk, chooser, holder),
    mostK: inGroups ? k : product.dOut,
  };
}

/** What belongs to a linear layer after its product, in order: a separate operator adds the bias, or scales by a constant, as Muse Spark does. */
function linearOf(walk: Walk, { output }: Product): NodeProto[] {
  const found: NodeProto[] = [];
  for (let [user, ...others] = usersOf(walk, output); user && others.length === 0;) {
    // A constant that is divided by the product is no part of a linear layer.
    const constants = user.opType === 'Div' ? user.input.slice(1) : user.input;
    if (!ofLinear.has(user.opType) || !constants.some((name) => isConstant(walk, name))) break;
    found.push(user);
    [user, ...others] = usersOf(walk, user.output[0]!);
  }
  return found;
}

/** σ may be written out: 1 / (1 + e⁻ˣ). */
function scoringOf(nodes: readonly NodeProto[]): Scoring | undefined {
  const operators = new Set(nodes.map(({ opType }) => opType));
  if (operators.has('Softmax')) return 'softmax';
  if (operators.has('Sigmoid')) return 'sigmoid';
  return ['Neg', 'Exp', 'Add', 'Reciprocal'].every((op) => operators.has(op)) ? 'sigmoid' : undefined;
}

function pathOf(product: Product): string | undefined {
  const { traced, scope, weight } = namesOf(product);
  return [traced, scope, weight].find((name) => name !== undefined && layerOf(name) !== undefined);
}

/** The layer number in a product's name. */
export function layerIn(product: Product): number | undefined {
  return layerOf(pathOf(product) ?? '');
}

function layerOf(path: string): number | undefined {
  const found = /(?:^|\.)(\d+)\./.exec(path)?.[1];
  return found === undefined ? undefined : Number(found);
}
