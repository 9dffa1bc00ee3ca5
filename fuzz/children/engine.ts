/** The engine's child, watched. */
import './watch.js';
import '../../src/engine/main.js';
