'use strict';
// AMQP 1.0, over TLS or over a secure WebSocket.

const { Client } = require('azure-iot-device');
const { Amqp, AmqpWs } = require('azure-iot-device/lib/transports.js');

// One assignment for each name: that is how `import { name }` of ES modules finds them.
exports.Amqp = Amqp;
exports.AmqpWs = AmqpWs;
exports.clientFromConnectionString = (connectionString) => Client.fromConnectionString(connectionString, Amqp);
