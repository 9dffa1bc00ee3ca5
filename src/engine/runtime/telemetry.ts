/**
 * Must be imported before onnxruntime-node, whose builds for Linux and macOS otherwise read the machine's id, keep a database
 * of events in the home folder and upload it. On Windows, where the system records the events (ETW), there is no such switch.
 *
 * Source: docs/Privacy.md of onnxruntime.
 */
process.env['ORT_DISABLE_TELEMETRY'] = '1';
