/** The engine's child, with its file calls watched. */
import './watch.js';
import '../../src/engine/main.js';
