'use strict';
// The transports over a native session. The packages azure-iot-device-mqtt and azure-iot-device-amqp are their doors; they live
// here because the documented sample takes `Amqp` from the MQTT package too, and it shall be the same class.

const { errors, results } = require('azure-iot-common');
const { SessionTransport } = require('./session_transport.js');

/** MQTT over TLS, port 8883 unless the host name has another. */
class Mqtt extends SessionTransport {
  /** Done as soon as the listeners were called (`_delivered`): the official package leaves nothing to complete either. */
  complete(_message, callback) {
    callback(null, new results.MessageCompleted());
  }
  reject() {
    throw new errors.NotImplementedError('the MQTT transport does not support rejecting messages.');
  }
  abandon() {
    throw new errors.NotImplementedError('The MQTT transport does not support abandoning messages.');
  }
  _delivered(lockToken) {
    this._session?.native.settle(lockToken, 'complete', () => {});
  }
  get _protocol() {
    return 'Mqtt';
  }
  _agentIn(options) {
    return options.mqtt?.webSocketAgent;
  }
  setOptions(options, done) {
    // It is said at the login, which over MQTT is once (mqtt.ts); the official AMQP transport takes it at any time.
    if (options?.productInfo && this._session) {
      throw Error('Ensure you call setOption for productInfo before initiating any connection to IoT Hub');
    }
    super.setOptions(options, done);
  }
}

/** MQTT over a secure WebSocket, port 443 unless the host name has another. */
class MqttWs extends Mqtt {
  get _protocol() {
    return 'MqttWs';
  }
}

/** AMQP 1.0 over TLS, port 5671 unless the host name has another. */
class Amqp extends SessionTransport {
  get _protocol() {
    return 'Amqp';
  }
  _agentIn(options) {
    return options.amqp?.webSocketAgent;
  }
}

/** AMQP 1.0 over a secure WebSocket, port 443 unless the host name has another. */
class AmqpWs extends Amqp {
  get _protocol() {
    return 'AmqpWs';
  }
}

module.exports = { Mqtt, MqttWs, Amqp, AmqpWs };
