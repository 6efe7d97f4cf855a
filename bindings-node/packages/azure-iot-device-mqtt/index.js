'use strict';
// MQTT 3.1.1, over TLS or over a secure WebSocket; and AMQP, which the documented device sample takes from this package.

const { Client } = require('azure-iot-device');
const { Mqtt, MqttWs, Amqp, AmqpWs } = require('azure-iot-device/lib/transports.js');

// One assignment for each name: that is how `import { name }` of ES modules finds them.
exports.Mqtt = Mqtt;
exports.MqttWs = MqttWs;
exports.Amqp = Amqp;
exports.AmqpWs = AmqpWs;
exports.clientFromConnectionString = (connectionString) => Client.fromConnectionString(connectionString, Mqtt);
