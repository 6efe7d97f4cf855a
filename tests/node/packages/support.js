'use strict';
// What the scenarios share: a backend over plain HTTPS, devices, a TCP relay that can be cut.

const crypto = require('crypto');
const fs = require('fs');
const https = require('https');
const net = require('net');
const { once } = require('events');
const nodeTest = require('node:test');

/** How long one scenario may take, in ms. They take a second or two where others build at the same time. */
const PATIENCE_MS = 40_000;

/** A scenario that fails when it does not end. */
const test = (name, scenario) => nodeTest.test(name, { timeout: PATIENCE_MS }, scenario);

const hub = Object.fromEntries(
  process.env.IOTHUB_CONNECTION_STRING.split(';').map((part) => [part.slice(0, part.indexOf('=')), part.slice(part.indexOf('=') + 1)]),
);
const [hostname, port = '443'] = hub.HostName.split(':');
const caFile = process.env.HUB_CA_FILE;
const ca = fs.readFileSync(caFile, 'utf8');

function token(resource, key, policy, seconds = 3600) {
  const se = Math.floor(Date.now() / 1000) + seconds;
  const sr = encodeURIComponent(resource);
  const sig = crypto.createHmac('sha256', Buffer.from(key, 'base64')).update(`${sr}\n${se}`).digest('base64');
  return `SharedAccessSignature sr=${sr}&sig=${encodeURIComponent(sig)}&se=${se}${policy ? `&skn=${policy}` : ''}`;
}

/** One request of the backend; resolves to the JSON body, rejects for a refusal. */
function backend(method, path, body) {
  const authorization = token(hub.HostName, hub.SharedAccessKey, hub.SharedAccessKeyName);
  const headers = { authorization, 'content-type': 'application/json' };
  return new Promise((resolve, reject) => {
    const request = https.request(
      { hostname, port, method, path: `${path}?api-version=2021-04-12`, headers, ca, agent: false },
      (response) => {
        let text = '';
        response.on('data', (chunk) => (text += chunk));
        response.on('end', () => {
          if (response.statusCode >= 300) return reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
          resolve(text ? JSON.parse(text) : undefined);
        });
      },
    );
    request.on('error', reject);
    request.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

let made = 0;

/** A new device: its id, key and connection string. */
async function device(name = 'device') {
  const deviceId = `${name}-${process.pid}-${made++}`;
  const identity = await backend('PUT', `/devices/${deviceId}`, { deviceId });
  const key = identity.authentication.symmetricKey.primaryKey;
  return { deviceId, key, connectionString: `HostName=${hub.HostName};DeviceId=${deviceId};SharedAccessKey=${key}` };
}

async function module_(deviceId, moduleId = 'module') {
  const identity = await backend('PUT', `/devices/${deviceId}/modules/${moduleId}`, { deviceId, moduleId });
  const key = identity.authentication.symmetricKey.primaryKey;
  return `HostName=${hub.HostName};DeviceId=${deviceId};ModuleId=${moduleId};SharedAccessKey=${key}`;
}

const desire = (deviceId, desired) => backend('PATCH', `/twins/${deviceId}`, { properties: { desired } });
const reported = async (deviceId) => {
  const twin = await backend('GET', `/twins/${deviceId}`);
  const { $metadata, $version, ...rest } = twin.properties.reported;
  return rest;
};

/**
 * One listener for each event, and everything they hear as `[event, value]`, copied. `until` waits for a condition: without
 * further listeners, because adding one to a twin makes it tell all of them again.
 */
function listen(emitter, ...events) {
  const heard = [];
  let waiting = () => {};
  for (const event of events) {
    emitter.on(event, (value) => {
      heard.push([event, structuredClone(value)]);
      waiting();
    });
  }
  const until = (condition) =>
    new Promise((resolve) => {
      waiting = () => condition(heard) && resolve();
      waiting();
    });
  return { heard, until };
}

/** A relay to the hub on a port of its own, whose connections can be cut and refused. */
async function relay() {
  const sockets = new Set();
  let refusing = false;
  const server = net.createServer((socket) => {
    if (refusing) return socket.destroy();
    const to = net.connect({ host: hostname, port: Number(port) });
    for (const end of [socket, to]) {
      sockets.add(end);
      end.on('error', () => {});
      end.on('close', () => {
        sockets.delete(end);
        socket.destroy();
        to.destroy();
      });
    }
    socket.pipe(to).pipe(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    host: `localhost:${server.address().port}`,
    cut: () => sockets.forEach((socket) => socket.destroy()),
    refuse: (yes) => (refusing = yes),
    close: () => {
      sockets.forEach((socket) => socket.destroy());
      server.close();
    },
  };
}

module.exports = { backend, ca, caFile, desire, device, hub, listen, module: module_, relay, reported, test, token };
