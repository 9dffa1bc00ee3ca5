// dependency-cruiser's configuration: checks imports against the rooms and arrows of rooms.mjs, and finds cycles.
import { rooms } from './rooms.mjs';

/** Folders with rooms. */
const inside = '^(src|webview|evaluate|python)/';
/** Packages that connect a room to something outside: native addons, the editor, the page. Others may be used anywhere. */
const guarded = [
  'vscode',
  'onnxruntime-node',
  'tokenizers',
  'pdfkit',
  'd3-',
  'preact',
  '@preact',
  '@modelcontextprotocol',
  '@huggingface',
  'undici',
];

const escaped = (/** @type {string} */ text) => text.replace(/[.$]/g, '\\$&');
/** All of a room, including the rooms inside it. */
const whole = (/** @type {string} */ room) => `^${escaped(room)}${/\.\w+$/.test(room) ? '$' : '/'}`;
/** The rooms inside a room. */
const within = (/** @type {string} */ room) => Object.keys(rooms).filter((other) => other.startsWith(`${room}/`));
/** The files of a room that are in no room inside it. */
const own = (/** @type {string} */ room) => {
  const others = within(room).map((other) => whole(other).replace(whole(room), ''));
  return others.length === 0 ? whole(room) : `${whole(room)}(?!${others.join('|')})`;
};

/** @type {import('dependency-cruiser').DependencyType[]} */
const typeOnly = ['type-only'];
/** @param {string} name */
const named = (name) => `(^|/node_modules/)${name}`;

/**
 * @param {[string, import('./rooms.mjs').Room]} _
 * @returns {import('dependency-cruiser').IForbiddenRuleType[]}
 */
const rulesOf = ([room, { from = [], types = [], packages = [] }]) => {
  const here = { path: whole(room), pathNot: within(room).map(whole) };
  const may = [own(room), ...from.map(whole)];
  const ofNode = packages.filter((name) => name.startsWith('node:'));
  /** @type {[string, import('dependency-cruiser').IRegularForbiddenRuleType['to']][]} */
  const refused = [
    ['arrows', { path: inside, pathNot: [...may, ...types.map(whole)] }],
    ['types only', { path: types.map(whole), pathNot: may, dependencyTypesNot: typeOnly }],
    [
      'of Node',
      {
        dependencyTypes: ['core'],
        pathNot: ofNode.map((name) => `^${name.slice('node:'.length)}`),
        dependencyTypesNot: typeOnly,
      },
    ],
    ['packages', { path: guarded.map(named), pathNot: packages.map(named), dependencyTypesNot: typeOnly }],
  ];
  // An empty list of paths would match anything.
  return refused
    .filter(([, { path }]) => path?.length !== 0)
    .map(([what, to]) => ({ name: `${room}: ${what}`, severity: 'error', from: here, to }));
};

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'in no room',
      severity: 'error',
      from: { path: '^(src|webview)/', pathNot: Object.keys(rooms).map(whole) },
      to: {},
    },
    ...Object.entries(rooms).flatMap(rulesOf),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    // A cycle of types counts too.
    tsPreCompilationDeps: true,
  },
};
