/** The page of an atlas. The host keeps the atlas and sends it at `ready`; what the user is looking at is kept here. */
import './atlas.css';
import { options, render } from 'preact';
import type { AtlasHostPost } from '../../src/atlas/protocol.js';
import { translate } from '../look/translated.js';
import { App } from './app.js';
import { AtlasProvider, AtlasStore, type Host } from './store.js';

declare function acquireVsCodeApi(): Host;

translate();

// Once per frame, however many messages came before it.
options.debounceRendering = requestAnimationFrame;

const host = acquireVsCodeApi();
const store = new AtlasStore(host);
render(
  <AtlasProvider value={store}>
    <App />
  </AtlasProvider>,
  document.getElementById('app') ?? document.body,
);

window.addEventListener('message', ({ data }: MessageEvent<AtlasHostPost | undefined>) => {
  if (typeof data?.type === 'string') store.receive(data);
});

host.postMessage({ type: 'ready' });
