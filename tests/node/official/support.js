// What the scenarios share. Everything that drives the hub here is an official package, as published.
'use strict';

const assert = require('node:assert/strict');
const iothub = require('azure-iothub');
const { Client, ModuleClient } = require('azure-iot-device');
const { Amqp, AmqpWs } = require('azure-iot-device-amqp');
const { Mqtt, MqttWs } = require('azure-iot-device-mqtt');

const connectionString = process.env.IOTHUB_CONNECTION_STRING;
assert.ok(connectionString, 'IOTHUB_CONNECTION_STRING is not set');
const hostName = iothub.ConnectionString.parse(connectionString).HostName;

/** How long a scenario waits for something that the hub should do at once, in ms. */
const PATIENCE_MS = 20_000;

const transports = { Mqtt, MqttWs, Amqp, AmqpWs };
const registry = iothub.Registry.fromConnectionString(connectionString);

let serial = 0;
/** A device id nobody else uses. */
const freshId = (name) => `${name}-${process.pid}-${++serial}`;

/** Creates a device; answers its id and connection string. */
async function createDevice(name, extra = {}) {
  const deviceId = freshId(name);
  const { responseBody } = await registry.create({ deviceId, ...extra });
  const key = responseBody.authentication.symmetricKey?.primaryKey;
  return { deviceId, key, identity: responseBody,
    connectionString: `HostName=${hostName};DeviceId=${deviceId};SharedAccessKey=${key}` };
}

/** Runs `work` with an open device client, and closes it whatever happens. */
async function withDevice(device, Transport, work) {
  const client = Client.fromConnectionString(device.connectionString, Transport);
  client.on('error', () => {}); // an unheard 'error' event would end the process
  await client.open();
  try {
    return await work(client);
  } finally {
    await client.close();
  }
}

/** Fails unless `promise` settles in time. */
function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${PATIENCE_MS} ms for ${what}`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** The next time `emitter` says `event`; its first argument. */
const next = (emitter, event) => soon(new Promise((resolve) => emitter.once(event, resolve)), `'${event}'`);

/** `twin.properties.reported.update`, which takes a callback only. */
const report = (twin, patch) => soon(new Promise((resolve, reject) =>
  twin.properties.reported.update(patch, (err) => (err ? reject(err) : resolve()))), 'the report');

/** The error of `promise`, which must fail. */
async function refusal(promise, what = 'the refusal') {
  try {
    await soon(promise, what);
  } catch (err) {
    return err;
  }
  assert.fail(`${what}: it succeeded`);
}

module.exports = { assert, iothub, Client, ModuleClient, transports, registry, hostName, connectionString, freshId,
  createDevice, withDevice, soon, next, report, refusal };
