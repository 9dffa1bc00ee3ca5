/** The page that compares a pool's experts. The host sends them once, at `ready`; what the user is looking at is kept here. */
import './similarity.css';
import { render } from 'preact';
import type { FigureMessage } from '../../src/protocol/panel.js';
import type { SimilarityMessage } from '../../src/protocol/similarity.js';
import { translate } from '../look/translated.js';
import { type Looking, SimilarityView } from './view.js';

interface Host {
  postMessage(message: { readonly type: 'ready' } | FigureMessage): void;
  getState(): unknown;
  setState(state: Looking): void;
}

declare function acquireVsCodeApi(): Host;

translate();

const host = acquireVsCodeApi();
const root = document.getElementById('app') ?? document.body;

window.addEventListener('message', ({ data }: MessageEvent<SimilarityMessage | undefined>) => {
  if (data?.type !== 'similarity') return;
  render(
    <SimilarityView
      {...data}
      first={host.getState()}
      look={(looking) => host.setState(looking)}
      send={(message) => host.postMessage(message)}
    />,
    root,
  );
});

host.postMessage({ type: 'ready' });
