// What the packages give.
'use strict';
const { EventEmitter } = require('node:events');
const device = require('azure-iot-device');
const mqtt = require('azure-iot-device-mqtt');
const amqp = require('azure-iot-device-amqp');
const { say } = require('../support');

say('azure-iot-device', Object.keys(device).sort().map((name) => `${name}: ${typeof device[name]}`));
say('azure-iot-device-mqtt', Object.keys(mqtt).sort().map((name) => `${name}: ${typeof mqtt[name]}`));
say('same message', device.Message === require('azure-iot-common').Message);
say('names', mqtt.Mqtt.name, mqtt.MqttWs.name);
say('azure-iot-device-amqp', Object.keys(amqp).sort().map((name) => `${name}: ${typeof amqp[name]}`));
say('who extends whom', mqtt.MqttWs.prototype instanceof mqtt.Mqtt, amqp.AmqpWs.prototype instanceof amqp.Amqp,
  [device.Client, device.ModuleClient, device.Twin, mqtt.Mqtt, amqp.Amqp].every((one) => one.prototype instanceof EventEmitter));

/** The public names of a class and of those it extends, as far as they are the package's own. */
function methods(one) {
  const names = new Set();
  for (let of = one.prototype; of !== Object.prototype && of !== EventEmitter.prototype; of = Object.getPrototypeOf(of)) {
    for (const name of Object.getOwnPropertyNames(of)) if (!name.startsWith('_')) names.add(name);
  }
  return [...names].sort();
}
const statics = (one) => Object.keys(Object.getOwnPropertyDescriptors(one))
  .filter((name) => !name.startsWith('_') && !['length', 'name', 'prototype', 'arguments', 'caller'].includes(name)).sort();
for (const name of ['Client', 'ModuleClient', 'Twin', 'Message', 'X509AuthenticationProvider',
  'SharedAccessSignatureAuthenticationProvider', 'SharedAccessKeyAuthenticationProvider']) {
  say(`methods of ${name}`, methods(device[name]));
  say(`statics of ${name}`, statics(device[name]));
}
for (const method of ['open', 'close', 'getTwin', 'setOptions', 'setTransportOptions', 'updateSharedAccessSignature', 'setRetryPolicy', 'on']) {
  say(`Client ${method}`, typeof device.Client.prototype[method], typeof device.ModuleClient.prototype[method]);
}
for (const method of ['get', 'setRetryPolicy', 'enableTwinDesiredPropertiesUpdates', 'on']) say(`Twin ${method}`, typeof device.Twin.prototype[method]);
