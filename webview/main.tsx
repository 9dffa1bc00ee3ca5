/** The routing panel's page. The host keeps every result and sends them again at `ready`; the page keeps what the user is looking at. */
import './panel.css';
import { options, render } from 'preact';
import type { HostPost } from '../src/protocol/panel.js';
import { App } from './app/app.js';
import { Store, type Host } from './store/store.js';
import { StoreProvider } from './components/context.js';
import { GridScene } from './map/scene.js';
import { translate } from './look/translated.js';
import { scopeCode } from './scope/load.js';
import { saver } from './header/save.js';
import { Background } from './background/background.js';
import workerText from './background/worker.js?worker';

declare function acquireVsCodeApi(): Host;

translate();

// Once per frame, however many messages came before it.
options.debounceRendering = requestAnimationFrame;

const host = acquireVsCodeApi();
const complain = (text: string): void => {
  host.postMessage({ type: 'log', level: 'error', text });
};
const background = new Background(
  () => new Worker(URL.createObjectURL(new Blob([workerText], { type: 'text/javascript' }))),
  complain,
);
const store = new Store(host, background, scopeCode);
const scene = new GridScene(store);
render(
  <StoreProvider value={store}>
    <App scene={scene} saver={saver(scene)} />
  </StoreProvider>,
  document.getElementById('app') ?? document.body,
);

window.addEventListener('message', ({ data }: MessageEvent<HostPost | undefined>) => {
  if (typeof data?.type === 'string') store.receive(data);
});
window.addEventListener('pagehide', () => {
  store.save();
});
window.addEventListener('error', ({ message }) => {
  complain(message);
});
window.addEventListener('unhandledrejection', ({ reason }) => {
  complain(String(reason));
});

store.send({ type: 'ready' });
