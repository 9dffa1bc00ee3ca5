/** The selected cell, layer or token: who leads, by how much, and how close it was, in bars and in words. */
import {
  isStart,
  layersOf,
  sharedModules,
  modulesOf,
  type Layer,
  type SharedModules,
} from '../../../src/trace/model/access.js';
import { tokenLabel, visible } from '../../../src/trace/text/label.js';
import { leadMost, ranked, shareOfTokens } from '../../../src/trace/figures/leaders.js';
import { measureOf } from '../../../src/trace/figures/measure.js';
import type { Trace } from '../../../src/trace/model/trace.js';
import { Bars, barsPlot } from '../../components/bars.js';
import { Button, classes } from '../../components/controls.js';
import { useStore } from '../../components/context.js';
import { Badge, ExpertLabel } from '../../components/expert.js';
import { Figure, Part } from '../../components/figure.js';
import { InAtlas } from '../../components/inAtlas.js';
import { rowsOf } from '../../components/table.js';
import { layerKey } from '../../../src/trace/model/shownExperts.js';
import { layerOf } from '../../../src/trace/model/shownExperts.js';
import { classOf, named } from '../../look/looks.js';
import { layerName, listed, moduleName, tokenPlace } from '../../look/names.js';
import { fixed, inPercent, kindName, percent, t } from '../../look/strings.js';
import { fullName, fullNameAt } from '../../store/atlas.js';
import { allLayers } from '../../store/state.js';
import { leadersOf } from '../../store/sums.js';
import { Both } from './both.js';
import { CellDetail } from './cell.js';
import { chosenOf, knownOf, leadOf, type At, type Lead } from './chosen.js';

export function Detail() {
  const store = useStore();
  // A token that only the other run has is described from that run.
  const isLone = store.other.isThere.value && store.view.selection.value.token < 0 && store.lone.value.token >= 0;
  const name = isLone ? 'other' : 'main';
  const side = store.side(name);
  const trace = side.trace.value;
  const { sequence, token, end = token + 1 } = store.placeIn[name].value;
  if (!trace) return <p class="hint">{t('needsTrace')}</p>;
  if (token < 0) return <HowTo trace={trace} />;
  const own = trace.sequences[sequence]!;
  const chosen = store.moduleIn[name].value;
  const layer = layerOf(trace, store.view.selection.value.layer);
  // In a layer with one router there is nothing else to describe.
  const only = layer && onlyRouter(trace, layer);
  const module = chosen < 0 && only !== undefined ? only : chosen;
  const where = module >= 0 ? moduleName(trace.modules[module]!) : layer ? layerName(layer) : '';
  const isLine = end > token + 1;
  const place = isLine
    ? t('detailTokens', token + 1, end, own.tokens.count)
    : tokenPlace(trace.sequences, sequence, token);
  const isFirst = !isLine && isStart(own, token);
  const what = [isLone ? t('compareOther') : '', place, isFirst ? t('tokenStart') : '', where];
  return (
    <>
      <header class="detailTitle">
        <h2>
          <code>
            {isLine
              ? visible(own.text!.slice(own.tokens.start![token], own.tokens.end![end - 1]).trim())
              : tokenLabel(own, token)}
          </code>
        </h2>
        <span class="faint">{what.filter(Boolean).join(' · ')}</span>
        <span class="spring" />
        <span class="links">
          {module >= 0 && module !== only && (
            <Button press={() => store.select({ module: -1 })} class="link" data-focus="detail-layer">
              {t('backToLayer')}
            </Button>
          )}
          {layer && (
            <Button press={() => store.select(allLayers)} class="link" data-focus="detail-token">
              {t(isLine ? 'backToLine' : 'backToToken')}
            </Button>
          )}
        </span>
      </header>
      <Both layer={layer} path={module >= 0 ? trace.modules[module]!.path : undefined} />
      {token >= own.done ? (
        <p class="hint">{t('tokenToCome')}</p>
      ) : module >= 0 && !isLine ? (
        <CellDetail trace={trace} module={module} sequence={sequence} token={token} looks={side.looks.value} />
      ) : module >= 0 ? (
        <Shares
          trace={trace}
          sequence={sequence}
          token={token}
          end={end}
          layer={layer}
          module={trace.modules[module]!.path}
        />
      ) : (
        <Overview trace={trace} sequence={sequence} token={token} end={end} layer={layer} />
      )}
    </>
  );
}

/** A layer's routed module if it is the only one and has its own experts; otherwise undefined. */
function onlyRouter(trace: Trace, layer: Layer): number | undefined {
  const [first, ...others] = modulesOf(trace, layer);
  const hasLayerExperts = first !== undefined && trace.expertSets[trace.modules[first]!.expertSet]!.scope === 'layer';
  return hasLayerExperts && others.length === 0 ? first : undefined;
}

/** Shown before anything is selected: what to do, and what there is to see. */
function HowTo({ trace }: { readonly trace: Trace }) {
  const store = useStore();
  const shownExperts = store.main.shownExperts.value;
  const by = store.colouredBy.value;
  const isLines = store.view.map.value === 'lines';
  // Only the panel's own text has short labels and shades.
  const isInEditor = store.isTextFolded.value && store.isTextVisible.value;
  return (
    <>
      <p class="sentence">{t('howSelect')}</p>
      <h2>{t('howTitle')}</h2>
      <ul class="how">
        <li>
          {by !== 'experts'
            ? t(by === 'nothing' ? 'howTextPlain' : 'howTextBy')
            : shownExperts?.layer
              ? t('howTextLayer', layerName(shownExperts.layer))
              : trace.sequences.length > 1
                ? t('howTexts')
                : t(isInEditor ? 'howTextEditor' : 'howText', trace.modules.length)}
        </li>
        <li>{t(!shownExperts?.layer ? 'howGrid' : isLines ? 'howLinesOwn' : 'howGridOwn')}</li>
        <li>{t('howKeys')}</li>
      </ul>
    </>
  );
}

/** Which experts lead at most of these tokens, taken one by one as on the map, and at what share of them. */
function leadsMost(
  { trace, token, end }: At,
  modules: SharedModules,
  nameOf: (expert: number, isOneOfMany: boolean) => string,
): string {
  const leaders = leadersOf(trace, modules)
    .expert.subarray(token, end)
    .filter((e) => e >= 0);
  const { experts, share } = leadMost(leaders);
  if (experts.length === 0) return '';
  const isTie = experts.length > 1;
  const names = listed(experts.map((e) => nameOf(e, isTie)));
  if (leaders.length === end - token) return t(isTie ? 'detailLineLeaders' : 'detailLineLeader', names, percent(share));
  return t(isTie ? 'detailLineLeadersOf' : 'detailLineLeaderOf', names, percent(share), leaders.length);
}

/** One token over all routed modules of its sequence, or over those of a layer. */
function Overview({ layer, ...at }: At & { readonly layer: Layer | undefined }) {
  const { trace, sequence } = at;
  const about = { ...layer, sequence };
  const count = modulesOf(trace, about).length;
  const modules = sharedModules(trace, about);
  return (
    <>
      {count === 0 ? (
        <p class="sentence">{t('detailElsewhere', layer ? layerName(layer) : t('everywhere'))}</p>
      ) : modules ? (
        <Shares {...at} layer={layer} />
      ) : (
        <p class="sentence">{t('detailLayerExperts')}</p>
      )}
      {layer ? <ByModule {...at} layer={layer} /> : <ByLayer {...at} />}
    </>
  );
}

function Shares({
  trace,
  sequence,
  token,
  end,
  layer,
  module,
}: At & { readonly layer: Layer | undefined; readonly module?: string }) {
  const store = useStore();
  const modules = sharedModules(trace, { ...layer, sequence, module });
  if (!modules) return <p class="sentence">{t('detailElsewhere', layer ? layerName(layer) : t('everywhere'))}</p>;
  const count = modules.modules.length;
  const isWeighed = measureOf(trace, modules.modules, 'weight') === 'weight';
  const looks = store.main.looks.value(modules.set);
  const isLine = end > token + 1;
  const known = knownOf({ trace, token, end }, modules);
  if (known === 0) return <p class="sentence">{t('detailTokenUnknown', end - token)}</p>;
  const shares = shareOfTokens(trace, modules, token, end);
  const order = ranked(shares);
  if (order.length === 0) return <p class="sentence">{t('detailCellNone')}</p>;
  const here = { set: modules.set, layer };
  const called = (e: number) => fullName(store, trace, here, e);
  const nameOf = (e: number, isOneOfMany: boolean) => (isOneOfMany ? called(e) : fullNameAt(store, trace, here, e));
  const lead = leadOf(
    order.map((expert) => ({ expert, weight: shares[expert] })),
    modules,
  );
  const isTie = lead.experts.length > 1;
  const names = listed(lead.experts.map((e) => nameOf(e, isTie)));
  const share = percent(shares[order[0]!]!);
  const leads = (): string => {
    if (lead.experts.length === 0) return t('detailAlike', share);
    if (isLine) {
      const of = isWeighed ? 'detailLine' : 'detailLineChoices';
      return t(isTie ? `${of}Tie` : of, known, names, share);
    }
    if (layer) return t(isTie ? 'detailLayerTie' : 'detailLayer', count, String(layer.layer), names, share);
    return t(isTie ? 'detailTokenTie' : 'detailToken', count, names, share);
  };
  const rest = end - token - known;
  const sentence = isLine
    ? [
        leads(),
        ...(rest > 0 ? [t('detailLineRest', rest)] : []),
        // What a map of lines shows, where another may lead.
        leadsMost({ trace, sequence, token, end }, modules, nameOf),
      ].join(' ')
    : isWeighed
      ? leads()
      : t('detailUnweighed', order.map(called).join(', '));
  const title = t(isWeighed ? 'shareOfWeight' : 'shareOfChoices');
  const list = order.map((e) => ({
    expert: e,
    name: called(e),
    value: shares[e]!,
    text: percent(shares[e]!),
    reference: 1 / modules.experts.length,
  }));
  return (
    <>
      <p class="sentence">{sentence}</p>
      <InAtlas trace={trace} {...here} experts={order} />
      {(isWeighed || count > 1 || isLine) && (
        <Figure
          name="shares"
          title={title}
          plot={() => barsPlot(looks, list, inPercent(title), { reference: t('chance') })}
          chart={() => <Bars looks={looks} least={0.3} list={list} />}
          table={() =>
            rowsOf(
              [t('expert'), title],
              order.map((e) => [called(e), percent(shares[e]!)]),
            )
          }
        />
      )}
    </>
  );
}

/** Where a layer's modules have nothing in common. */
const nobody: Lead = { experts: [], share: undefined };

/** A ladder: for each layer, who leads and with what share. Pressing a rung goes to its layer. */
function ByLayer(at: At) {
  const { trace, sequence } = at;
  const store = useStore();
  const looks = store.main.looks.value;
  const rungs = layersOf(trace, { sequence }).map((layer) => {
    const part = sharedModules(trace, { ...layer, sequence });
    const { experts, share } = part ? leadOf(chosenOf(at, part), part) : nobody;
    const name = listed(experts.map((e) => fullName(store, trace, { set: part!.set, layer }, e)));
    const without = t(part && knownOf(at, part) > 0 ? 'noChoice' : 'unknownCell');
    return { layer, part, first: experts[0], share: experts.length > 0 ? share : undefined, name: name || without };
  });
  const go = (layer: Layer): void => store.select({ layer: layerKey(layer), module: -1 });
  const isWeighed = rungs.some(({ share }) => share !== undefined);
  const isNumbered = rungs.some(({ part }) => part?.set.scope === 'layer');
  const written = (share: number | undefined) => (share === undefined ? '' : percent(share));
  return (
    <Figure
      name="layers"
      title={t(isWeighed ? 'byLayer' : 'byLayerFirst')}
      plot={() => ({
        kind: 'bars',
        of: t('layerHead'),
        value: inPercent(t('share')),
        bars: rungs.flatMap(({ layer, part, first, share, name }) => {
          if (!part || first === undefined) return [];
          const of = named(looks(part.set), first, `${layerName(layer)}, ${name}`);
          return [{ of, value: share ?? 1 }];
        }),
      })}
      chart={() => (
        <div class={classes('ladder', isNumbered && 'numbered')}>
          {rungs.map(({ layer, part, first, share, name }) => (
            <span
              key={layerKey(layer)}
              class={`rung ${part && first !== undefined ? classOf(looks(part.set).slots[first]!) : 'none'}`}
              title={`${layerName(layer)}: ${name} ${written(share)}`}
              onClick={() => go(layer)}
            >
              <span class="number">{layer.layer}</span>
              {part && first !== undefined ? <Badge looks={looks(part.set)} expert={first} /> : '–'}
            </span>
          ))}
        </div>
      )}
      table={() => ({
        head: [t('layerHead'), t('expert'), t('share')],
        count: rungs.length,
        row: (i) => {
          const { layer, share, name } = rungs[i]!;
          return [
            <Button key="go" press={() => go(layer)} class="link" data-focus={`ladder-${layerKey(layer)}`}>
              {layerName(layer)}
            </Button>,
            name,
            written(share) || '–',
          ];
        },
      })}
    />
  );
}

function ByModule({ layer, ...at }: At & { readonly layer: Layer }) {
  const { trace, sequence } = at;
  const store = useStore();
  const looks = store.main.looks.value;
  return (
    <Part name="modules" title={t('byModule')}>
      <table class="modules">
        <thead class="unseen">
          <tr>
            <th scope="col">{t('module')}</th>
            <th scope="col">{t('chosen')}</th>
          </tr>
        </thead>
        <tbody>
          {[...modulesOf(trace, { ...layer, sequence })].map((s) => {
            const { kind, path } = trace.modules[s]!;
            const part = sharedModules(trace, { module: path, sequence });
            const chosen = part ? chosenOf(at, part) : [];
            return (
              <tr key={path}>
                <th scope="row">
                  <Button
                    press={() => store.select({ layer: layerKey(layer), module: s })}
                    class="link"
                    data-focus={`module-${kind}`}
                  >
                    {kindName(kind)}
                  </Button>
                </th>
                <td>
                  {chosen.slice(0, 4).map(({ expert, weight }) => (
                    <span key={expert} class="chosen">
                      <ExpertLabel
                        looks={looks(part!.set)}
                        expert={expert}
                        name={fullName(store, trace, { set: part!.set, layer }, expert)}
                      />
                      {weight !== undefined && <span class="value">{fixed(weight)}</span>}
                    </span>
                  ))}
                  {chosen.length > 4 && <span class="faint">{t('chosenMore', chosen.length - 4)}</span>}
                  {chosen.length === 0 && t(part && knownOf(at, part) > 0 ? 'none' : 'unknownCell')}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </Part>
  );
}
