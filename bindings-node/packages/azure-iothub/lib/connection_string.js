// Connection strings of backends.
'use strict';

const { ConnectionString } = require('azure-iot-common');

/** The parts of `source`, which must name a host, a policy and its key. */
exports.parse = (source) =>
  ConnectionString.parse(source, ['HostName', 'SharedAccessKeyName', 'SharedAccessKey']);
