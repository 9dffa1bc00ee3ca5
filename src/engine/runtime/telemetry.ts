/**
 * Imported before onnxruntime-node, whose builds for Linux and macOS else read the machine's id, keep a database of events
 * in the home folder and upload it. For Windows, where the events are the system's own (ETW), there is no such switch.
 *
 * Source: docs/Privacy.md of onnxruntime.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
