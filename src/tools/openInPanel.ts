import { z } from 'zod';
import { GanderError } from '../errors/errors.js';
import { runInput } from './inputs.js';
import { titleOf } from './runs.js';
import { answer } from './text.js';
import { tool } from './tool.js';

export const openInPanel = tool({
  name: 'open_in_panel',
  title: 'Open in Panel',
  description: [
    'Shows a kept run to the user in the editor: its text with the experts of each token, the map of all layers, and the numbers.',
    'Use it when the user asks to see a run, or when a picture says more than numbers. Do not use it to find something out: it answers only that the run is shown.',
    'It shows runs of the model in use, and may open an editor with the text.',
  ].join(' '),
  input: z.strictObject({ run: runInput.describe('The number of a run.') }),
  needsEditor: true,
  async run({ run: id }, reach) {
    const run = reach.runs.get(id);
    if (!reach.open) throw new GanderError('request-invalid', 'There is no editor here.', 'Answer in words instead.');
    await reach.open(run);
    return answer(`The routing panel shows ${titleOf(run)}.`);
  },
});
