// The names by which VS Code knows the panels and viewers before they are created.

export const panelType = 'gander.panel';
export const traceType = 'gander.trace';
/** For files of other programs: an option, never the default. */
export const importType = 'gander.import';
export const similarityType = 'gander.similarity';
export const atlasType = 'gander.atlas';
