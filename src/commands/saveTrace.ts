import { nothingToSave } from '../panel/routedScene.js';
import { saveTrace as save } from '../panel/save.js';
import type { Command } from './services.js';
import { target } from './target.js';

export const saveTrace: Command = {
  id: 'gander.saveTrace',
  async run(services) {
    const { main } = target(services);
    if (!main.trace) throw nothingToSave();
    return save(main.trace, main.title);
  },
};
