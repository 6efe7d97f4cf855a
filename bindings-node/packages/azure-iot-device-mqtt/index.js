'use strict';
// MQTT 3.1.1, over TLS or over a secure WebSocket.

const { Client } = require('azure-iot-device');
const { SessionTransport } = require('azure-iot-device/lib/session_transport.js');

const agentOf = (options) => options.mqtt?.webSocketAgent;

/** MQTT over TLS, port 8883 unless the host name has another. */
class Mqtt extends SessionTransport {
  constructor(authenticationProvider) {
    super(authenticationProvider, { agentOf });
  }
}

/** MQTT over a secure WebSocket, port 443 unless the host name has another. */
class MqttWs extends SessionTransport {
  constructor(authenticationProvider) {
    super(authenticationProvider, { webSocket: true, agentOf });
  }
}

// One assignment for each name: that is how `import { name }` of ES modules finds them.
exports.Mqtt = Mqtt;
exports.MqttWs = MqttWs;
exports.clientFromConnectionString = (connectionString) => Client.fromConnectionString(connectionString, Mqtt);
