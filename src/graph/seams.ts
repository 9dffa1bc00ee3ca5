import { type Builder, tokens } from './builder.js';
import type { FoundModule } from './find.js';
import { type NodeProto, node } from './model.js';
import type { Product } from './products.js';

/** Where the experts' output is added, between products and what the graph reads next. */
export interface Seam {
  /** The node after which all of it is inserted. */
  readonly after: NodeProto;
  /** Computes each module's `y`. */
  readonly open: readonly NodeProto[];
  readonly modules: readonly {
    /** Index in the group. */
    readonly j: number;
    /** [T, dOut] W u, and the bias if there is one. */
    readonly y: string;
    /** Name for the sum with the experts' output. */
    readonly sum: string;
    readonly bias?: string;
  }[];
  /** Turns the sums into what the products returned. */
  readonly close: readonly NodeProto[];
}

/**
 * Opens a group's products: their input becomes the group's `u` [T, dIn], their outputs are renamed.
 *
 * Usually a module has one product. One product of several modules (`Module.from`) is split and joined again; several
 * products of one module are joined and split again.
 */
export function seamsOf(builder: Builder, modules: readonly FoundModule[], i: number): Seam[] {
  const seams: Seam[] = [];
  const packed = new Map<Product, { readonly module: FoundModule; readonly j: number }[]>();
  modules.forEach((module, j) => {
    const [product] = module.products;
    if (module.from !== undefined) packed.set(product!, [...(packed.get(product!) ?? []), { module, j }]);
    else if (module.products.length > 1) seams.push(joined(builder, module, i, j));
    else seams.push(alone(builder, product!, i, j));
  });
  return [...seams, ...[...packed].map(([product, members]) => cut(builder, product, members, i))];
}

function alone(builder: Builder, product: Product, i: number, j: number): Seam {
  const [y, sum] = [own('y', i, j), product.flat ? product.output : own('sum', i, j)];
  rename(product, y, i);
  if (!product.flat) builder.declare({ [sum]: [tokens, product.dOut] });
  return {
    after: product.node,
    open: [],
    modules: [{ j, y, sum, ...(product.bias && { bias: product.bias }) }],
    close: restored(builder, product, sum),
  };
}

function cut(
  builder: Builder,
  product: Product,
  members: readonly { readonly module: FoundModule; readonly j: number }[],
  i: number,
): Seam {
  const whole = `gander.whole.${product.output}`;
  rename(product, whole, i);
  const widths: number[] = [];
  const before: string[] = [];
  const after: string[] = [];
  let at = 0;
  const rest = (to: number) => {
    if (to === at) return;
    const name = `${whole}.${at}`;
    widths.push(to - at);
    before.push(name);
    after.push(name);
    at = to;
  };
  const inOrder = [...members].sort((a, b) => a.module.from! - b.module.from!);
  for (const { module, j } of inOrder) {
    rest(module.from!);
    widths.push(module.dOut);
    before.push(own('y', i, j));
    after.push(own('sum', i, j));
    at += module.dOut;
  }
  rest(product.dOut);
  builder.declare({ [whole]: [tokens, product.dOut] });
  widths.forEach((width, part) =>
    builder.declare({ [before[part]!]: [tokens, width], [after[part]!]: [tokens, width] }),
  );
  const biases = before.map((name) => `${name}.bias`);
  const together = product.flat ? product.output : `${whole}.sum`;
  return {
    after: product.node,
    open: [
      node('Split', [whole, builder.shape(widths)], before, { axis: -1 }),
      ...(product.bias ? [node('Split', [product.bias, builder.shape(widths)], biases, { axis: -1 })] : []),
    ],
    modules: inOrder.map(({ j }) => ({
      j,
      y: own('y', i, j),
      sum: own('sum', i, j),
      ...(product.bias && { bias: `${own('y', i, j)}.bias` }),
    })),
    close: [node('Concat', after, [together], { axis: -1 }), ...restored(builder, product, together)],
  };
}

function joined(builder: Builder, { products, dOut }: FoundModule, i: number, j: number): Seam {
  const [y, sum] = [own('y', i, j), own('sum', i, j)];
  const parts = products.map((product) => `gander.part.${product.output}`);
  builder.declare({ [sum]: [tokens, dOut] });
  products.forEach((product, part) => {
    rename(product, parts[part]!, i);
    builder.declare({ [parts[part]!]: [tokens, product.dOut] });
  });
  const sums = products.map((product, part) => (product.flat ? product.output : `${parts[part]}.sum`));
  const biases = products.flatMap(({ bias }) => bias ?? []);
  const at = (product: Product) => builder.graph.node.indexOf(product.node);
  return {
    after: products.reduce((last, product) => (at(product) > at(last) ? product : last)).node,
    open: [
      node('Concat', parts, [y], { axis: -1 }),
      ...(biases.length > 0 ? [node('Concat', biases, [`${y}.bias`], { axis: -1 })] : []),
    ],
    modules: [{ j, y, sum, ...(biases.length > 0 && { bias: `${y}.bias` }) }],
    close: [
      node('Split', [sum, builder.shape(products.map(({ dOut }) => dOut))], sums, { axis: -1 }),
      ...products.flatMap((product, part) => restored(builder, product, sums[part]!)),
    ],
  };
}

const own = (what: string, i: number, j: number) => `gander.${what}.${i}.${j}`;

function rename(product: Product, output: string, i: number): void {
  // A flat product already gets two axes by the graph's own nodes.
  if (!product.flat) product.node.input[0] = `gander.u.${i}`;
  product.node.output[0] = output;
}

/** A product's output in its original shape, from [T, dOut]. */
function restored(builder: Builder, product: Product, value: string): NodeProto[] {
  return product.flat ? [] : [node('Reshape', [value, builder.shape([1, -1, product.dOut])], [product.output])];
}
