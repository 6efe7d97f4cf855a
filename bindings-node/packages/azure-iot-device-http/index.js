'use strict';
// HTTPS: telemetry and messages from the cloud, no twins.

const { Client } = require('azure-iot-device');
const { Http } = require('azure-iot-device/lib/http.js');

// One assignment for each name: that is how `import { name }` of ES modules finds them.
exports.Http = Http;
exports.clientFromConnectionString = (connectionString) => Client.fromConnectionString(connectionString, Http);
