// What the scripts share. Each runs twice, on the official packages and on ours; what they say is compared line by line.
//
// `say` prints one JSON line, with everything replaced that no two runs have in common: ids, keys, times. What the hub
// shall do is asked of the test that runs the script: a line out, a line in.
'use strict';

const fs = require('node:fs');

/** How long something may take that should happen at once, in ms. Then it is said to have happened never. */
const PATIENCE_MS = 4000;

/** Ids of this run, and how they are called in what is said. */
const names = new Map();

const { COMPARE_HOST: host, COMPARE_RUN: run, COMPARE_TRANSPORT: transport } = process.env;
/** The package that the transport is taken from. */
const carrier = transport.replace('Ws', '').toLowerCase();

function write(line) {
  const bytes = Buffer.from(`${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length; ) {
    try {
      at += fs.writeSync(1, bytes, at);
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err;
    }
  }
}

/** Says that `what` came out as `values`. */
function say(what, ...values) {
  write({ what, values: values.map((value) => plain(value)) });
}

/** Asks the test to do something, and waits. */
function ask(request) {
  write({ ask: request });
  const byte = Buffer.alloc(1);
  let line = '';
  while (!line.endsWith('\n')) {
    try {
      if (fs.readSync(0, byte, 0, 1, null) === 0) throw new Error('the test has gone');
      line += byte.toString('latin1');
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err;
    }
  }
  const answer = JSON.parse(Buffer.from(line, 'latin1').toString());
  if (answer.error) throw new Error(`${JSON.stringify(request)}: ${answer.error}`);
  return answer.ok;
}

/** The hub, as the test has it in its hands. */
const hub = {
  /** A new device: `{ deviceId, key, connectionString }`. */
  device(name = 'device', identity = {}) {
    const deviceId = id(name);
    const { key } = ask({ create: { deviceId, ...identity } });
    return { deviceId, key, connectionString: `HostName=${host};DeviceId=${deviceId};SharedAccessKey=${key}` };
  },
  module(device, moduleId = 'module') {
    const { key } = ask({ create: { deviceId: device.deviceId, moduleId } });
    return { moduleId, key,
      connectionString: `HostName=${host};DeviceId=${device.deviceId};ModuleId=${moduleId};SharedAccessKey=${key}` };
  },
  /** Changes desired properties, as a backend. */
  desire: (device, desired) => ask({ desire: { deviceId: device.deviceId, moduleId: device.moduleId, desired } }),
  reported: (device) => ask({ reported: { deviceId: device.deviceId } }),
  /** Sends a message to a device, as a backend: a body, and what else there is of `messageId`, `properties` (pairs), `ack`, … */
  send: (device, body, more = {}) => ask({ send: { deviceId: device.deviceId, body, ...more } }),
  /** How many messages wait for a device. */
  waiting: (device) => ask({ waiting: { deviceId: device.deviceId } }),
  cut: () => ask({ cut: null }),
  /** The next `count` logins: 'Unavailable', 'NotAuthorized', 'Silence'. */
  refuseLogins: (count, how) => ask({ refuseLogins: { count, how } }),
  /** The next `count` requests: 'Throttle', 'ServerError', 'Unavailable', 'LoseAnswer', 'Cut'. */
  failRequests: (count, how) => ask({ failRequests: { count, how } }),
};

/** An id that nobody else uses, called `name` in what is said. */
function id(name) {
  const own = `${name}-${run}`;
  names.set(own, name);
  return own;
}

/** Settles as `promise` does, or says that it does not. */
function soon(promise, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(() => resolve('<never>'), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/** Says how `promise` ends. */
async function outcome(what, promise) {
  try {
    say(what, await soon(promise));
  } catch (err) {
    say(`${what} fails`, err);
  }
}

/** Says with what `start` calls its callback: an error, or how many arguments and which. */
async function called(what, start) {
  const args = await soon(new Promise((resolve) => {
    try {
      start((...given) => resolve(given));
    } catch (err) {
      resolve({ thrown: err });
    }
  }));
  if (args.thrown) say(`${what} throws`, args.thrown);
  else if (args === '<never>') say(what, args);
  else say(what, ...told(args));
}

/** Whether there is no error is said with null or undefined, and undefined arguments are passed or left out: no script can tell. */
function told([err, ...values]) {
  while (values.length > 0 && values[values.length - 1] === undefined) values.pop();
  return [err ?? null, ...values];
}

/** Says what `start` throws, or returns. */
function thrown(what, start) {
  try {
    say(what, start());
  } catch (err) {
    say(`${what} throws`, err);
  }
}

/** Says every event of `emitter`, in order. */
function hear(emitter, ...events) {
  for (const event of events) emitter.on(event, (...args) => say(`event ${event}`, ...args));
}

/** The next `event` of `emitter`. */
const next = (emitter, event) => soon(new Promise((resolve) => emitter.once(event, resolve)));

/** Waits until `condition` holds, `ms` at most. */
async function until(condition, ms = PATIENCE_MS) {
  const end = Date.now() + ms;
  while (!condition() && Date.now() < end) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Waits until what was put off to the next turn has happened. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 10));

const VOLATILE = [
  [/SharedAccessSignature sr=\S+/g, '<token>'],
  [/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<uuid>'],
  [/\b[0-9A-F]{32}\b/g, '<tracking>'],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>'],
  [/\d\d\/\d\d\/\d{4} [\d:]{8}/g, '<time>'],
  [/[A-Za-z0-9+/]{43}=/g, '<key>'],
  [/etag '(?!AAAA|\*)[^']*'/g, "etag '<etag>'"],
  [/-\d{17,}/g, '-<generation>'],
];

function text(value) {
  let said = value.replaceAll(`${host}:443`, '<hub>').replaceAll(host, '<hub>');
  for (const [own, name] of names) said = said.replaceAll(own, `<${name}>`);
  for (const [pattern, name] of VOLATILE) said = said.replace(pattern, name);
  return said;
}

/** `value` as JSON that two runs have in common. */
function plain(value, key) {
  if (value === undefined) return '<undefined>';
  if (typeof value === 'function') return '<function>';
  if (typeof value === 'number' && !Number.isFinite(value)) return `<${value}>`;
  if (typeof value === 'string') {
    if (/^(deviceE|e)tag$/.test(key) && !/^"?(AAAA|\*)/.test(value)) return '<etag>';
    return key === 'generationId' ? '<generation>' : text(value);
  }
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Error) return error(value);
  if (Buffer.isBuffer(value)) return { buffer: value.toString('base64') };
  if (Array.isArray(value)) return value.map((item) => plain(item));
  if (value.statusCode && value.rawHeaders) return response(value);
  return object(value);
}

function object(value) {
  const said = {};
  const name = value.constructor && value.constructor.name;
  if (name && name !== 'Object') said.class = name;
  for (const key of Object.keys(value)) {
    if (key.startsWith('_')) continue;
    // What is in there is the transport's own, such as a packet of the MQTT package's.
    if (key === 'transportObj' && !(value[key] instanceof Error)) continue;
    said[text(key)] = plain(value[key], key);
  }
  return said;
}

function error(err) {
  // The official package loses what follows a semicolon in a hub's message: service/long_messages.js is about that.
  const message = err.response ? err.message.split(';')[0] : String(err.message);
  const said = { class: err.constructor.name, name: err.name, message: text(message) };
  if (err.response) Object.assign(said, { response: err.response.statusCode, responseBody: text(err.responseBody) });
  if (err.transportError) said.transportError = true;
  if (err.code) said.code = err.code;
  return said;
}

function response(message) {
  const { statusCode, statusMessage, headers } = message;
  return { statusCode, statusMessage, type: headers['content-type'], etag: plain(headers.etag, 'etag'),
    more: headers['x-ms-continuation'] !== undefined };
}

process.on('uncaughtException', (err) => {
  say('uncaught', err);
  process.exit(7);
});

/** A client of a new device. Over HTTPS it asks for messages often. */
async function messenger(device) {
  const { Client } = require('azure-iot-device');
  const client = Client.fromConnectionString(device.connectionString, module.exports.Transport);
  if (carrier === 'http') await client.setOptions({ http: { receivePolicy: { interval: 0.05, drain: true } } });
  hear(client, 'disconnect', 'error');
  await client.open();
  return client;
}

module.exports = {
  carrier, messenger, say, hub, id, soon, outcome, called, thrown, hear, next, until, turn, host,
  /** Given to backends. */
  serviceConnectionString: process.env.IOTHUB_CONNECTION_STRING,
  /** The transport that this run is about. */
  get Transport() { return require(`azure-iot-device-${carrier}`)[transport]; },
};
