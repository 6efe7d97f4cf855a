// What the packages give.
'use strict';
const device = require('azure-iot-device');
const mqtt = require('azure-iot-device-mqtt');
const { say } = require('../support');

say('azure-iot-device', Object.keys(device).sort().map((name) => `${name}: ${typeof device[name]}`));
say('azure-iot-device-mqtt', Object.keys(mqtt).sort().map((name) => `${name}: ${typeof mqtt[name]}`));
say('same message', device.Message === require('azure-iot-common').Message);
say('names', mqtt.Mqtt.name, mqtt.MqttWs.name);
for (const method of ['open', 'close', 'getTwin', 'setOptions', 'setTransportOptions', 'updateSharedAccessSignature', 'setRetryPolicy', 'on']) {
  say(`Client ${method}`, typeof device.Client.prototype[method], typeof device.ModuleClient.prototype[method]);
}
for (const method of ['get', 'setRetryPolicy', 'enableTwinDesiredPropertiesUpdates', 'on']) say(`Twin ${method}`, typeof device.Twin.prototype[method]);
