/**
 * The host of the page that `npm run page` serves: it shows one trace file, like the viewer in VS Code, and logs everything
 * else that the page asks for to the console.
 */
import { name, url } from 'opened-trace';
import { GanderError } from '../../src/errors/errors.js';
import type { HostMessage, PageMessage } from '../../src/protocol/panel.js';
import { FileSource, sideOfFile } from '../../src/source/file.js';
import { decodeTrace } from '../../src/trace/file/file.js';
import { SideSender } from '../../src/transport/sides.js';
import { themeClass, themeNames, themeStyle } from './themes.js';

const asked = new URLSearchParams(location.search).get('theme');
const theme = themeNames.find((one) => one === asked) ?? 'dark';
document.documentElement.style.cssText = themeStyle(theme);
document.body.className = themeClass(theme);

const post = (data: HostMessage) => window.dispatchEvent(new MessageEvent('message', { data }));

async function replay(): Promise<void> {
  try {
    const trace = decodeTrace(new Uint8Array(await (await fetch(url)).arrayBuffer()));
    post({ type: 'pool', description: await new FileSource(name).describe() });
    post({ type: 'textVisible', is: false });
    for (const message of new SideSender().messages('main', sideOfFile(name, trace))) post(message);
  } catch (thrown) {
    post({ type: 'pool', description: undefined, error: GanderError.from(thrown).toData() });
  }
}

function receive(message: PageMessage): void {
  if (message.type === 'ready') void replay();
  else if (message.type === 'log') console[message.level](message.text);
  else if (message.type === 'copy') void navigator.clipboard.writeText(message.text);
  else console.info('to the host', message);
}

// The page's memory is per trace.
const kept = `state of ${name}`;
Object.assign(window, {
  acquireVsCodeApi: () => ({
    postMessage: receive,
    getState: (): unknown => JSON.parse(sessionStorage.getItem(kept) ?? 'null') ?? undefined,
    setState: (state: unknown) => sessionStorage.setItem(kept, JSON.stringify(state)),
  }),
});
