// By these VS Code knows the panels and viewers, before any of them is made.

export const panelType = 'gander.panel';
export const traceType = 'gander.trace';
/** For files of others: offered, never taken. */
export const importType = 'gander.import';
export const similarityType = 'gander.similarity';
