// Backends: identities, twins and queries of a hub.
//
// Each name is loaded when it is first used. They are spelled one by one so that `import { Registry }` finds them.
'use strict';

const lazy = (name, load) => Object.defineProperty(module.exports, name, {
  configurable: true,
  enumerable: true,
  get() {
    const value = load();
    Object.defineProperty(module.exports, name, { value, configurable: true, enumerable: true, writable: true });
    return value;
  },
});

// Read by Node when an ES module imports names from here; never run.
0 && (exports.versionQueryString = exports.ConnectionString = exports.Registry = exports.SharedAccessSignature =
  exports.Device = exports.Twin = undefined);

lazy('versionQueryString', () => require('azure-iot-common').endpoint.versionQueryString);
lazy('ConnectionString', () => require('./lib/connection_string'));
lazy('Registry', () => require('./lib/registry').Registry);
lazy('SharedAccessSignature', () => require('./lib/shared_access_signature'));
lazy('Device', () => require('./lib/device').Device);
lazy('Twin', () => require('./lib/twin').Twin);
