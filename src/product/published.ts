/** Where this build was published from; what is not known yet is absent. */
import { ganderVersion } from './version.js';

/** The repository's address: scripts/lib/bundles.mjs puts it in, from package.json or from where a release is built. */
declare const GANDER_REPOSITORY: string | null | undefined;

/** Undeclared where nothing was bundled, as in tests. */
const repository = typeof GANDER_REPOSITORY === 'string' ? GANDER_REPOSITORY : undefined;

/** The folder `models` of this version, on GitHub. */
export const modelsAddress: string | undefined = repository && `${repository}/raw/v${ganderVersion}/models`;
