'use strict';
// A scripted hub for AMQP, on rhea. It knows twins just well enough to tell whether a client can live with it, and misbehaves
// towards devices whose name says how. Usage: node hub.js KEY.pem CERT.pem. Prints one line of JSON: its ports.
//
//   good   TLS                     ws     a WebSocket
//   slow   TLS, byte for byte      cut    TLS; connection n is cut off at the n-th thing that happens on it

const fs = require('fs');
const http = require('https');
const tls = require('tls');
const rhea = require('rhea');
const Connection = require('rhea/lib/connection.js');
const { WebSocketServer } = require('ws');

const [key, cert] = process.argv.slice(2).map((path) => fs.readFileSync(path));
const container = rhea.create_container({ autosettle: false });
const options = { credit_window: 50, autoaccept: true, max_frame_size: 600, idle_time_out: 60000 };

// Twins by device id.
const twins = new Map();
function twin(device) {
  if (!twins.has(device)) {
    twins.set(device, { desired: { $version: 1 }, reported: { $version: 1 }, watchers: new Set(), seen: {} });
  }
  return twins.get(device);
}

function merge(into, patch) {
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete into[name];
    else if (typeof value === 'object' && !Array.isArray(value)) {
      into[name] = merge(typeof into[name] === 'object' ? into[name] : {}, value);
    } else into[name] = value;
  }
  return into;
}

function count(device, what) {
  const seen = twin(device).seen;
  seen[what] = (seen[what] || 0) + 1;
  return seen[what];
}

const data = (value) => rhea.message.data_section(Buffer.from(value));
const deviceOf = (address) => decodeURIComponent(address.split('/')[2]);

// Links that send to devices, by connection.
function senders(connection) {
  if (!connection.ours) connection.ours = { cbs: null, twins: new Map() };
  return connection.ours;
}

container.on('sender_open', ({ sender, connection }) => {
  const address = sender.source.address;
  sender.set_source({ address });
  if (address === '$cbs') senders(connection).cbs = sender;
  else if (address.endsWith('/messages/devicebound')) {
    if (deviceOf(address) === 'no-messages') sender.close({ condition: 'amqp:not-allowed', description: 'no messages' });
    else mailbox(deviceOf(address)).link = sender;
  } else if (deviceOf(address) === 'refused-links') {
    sender.close({ condition: 'amqp:not-found', description: JSON.stringify({ errorCode: 404001, trackingId: 't', message: 'no such device', timestampUtc: 'now' }) });
  } else senders(connection).twins.set(deviceOf(address), sender);
});

container.on('receiver_open', ({ receiver }) => {
  receiver.set_target({ address: receiver.target.address });
});

container.on('message', ({ message, delivery, receiver, connection }) => {
  if (receiver.target.address === '$cbs') token(message, connection);
  else if (receiver.target.address.endsWith('/messages/events')) telemetry(message, delivery, deviceOf(receiver.target.address), connection);
  else request(message, deviceOf(receiver.target.address), connection);
});

// Messages for devices. Telemetry is sent back to its device as a message, if that has a link for messages.
const mailboxes = new Map();
function mailbox(device) {
  if (!mailboxes.has(device)) mailboxes.set(device, { link: null, sent: new Map() });
  return mailboxes.get(device);
}

function telemetry(message, delivery, device, connection) {
  const what = (message.application_properties || {}).do;
  const nth = count(device, what);
  if (what === 'reject') return delivery.reject({ condition: 'com.microsoft:argument-error', description: JSON.stringify({ errorCode: 400004, trackingId: 't', message: 'not like this', timestampUtc: 'now' }) });
  if (what === 'release' && nth === 1) return delivery.release();
  if (what === 'hang up' && nth === 1) return connection.socket.destroy();
  if (what === 'close' && nth === 1) return connection.each_link((link) => link.close(), (link) => link.is_receiver() && link.target.address.endsWith('/messages/events'));
  const { link, sent } = mailbox(device);
  if (link && link.is_open()) {
    const { message_id, correlation_id, content_type, content_encoding, to, absolute_expiry_time, application_properties } = message;
    deliver(link, sent, {
      message_id, correlation_id, content_type, content_encoding, to, absolute_expiry_time, application_properties, delivery_count: 0,
      message_annotations: { 'x-opt-sequence-number': rhea.types.wrap_long(nth), 'x-opt-enqueued-time': rhea.types.wrap_timestamp(1575892800000) },
      body: message.body,
    });
  }
  return undefined;
}

function deliver(link, sent, message) {
  sent.set(link.send(message).id, message);
}

for (const outcome of ['accepted', 'rejected', 'released']) {
  container.on(outcome, ({ delivery, sender }) => {
    if (!sender || !sender.source.address.endsWith('/messages/devicebound')) return;
    const { sent } = mailbox(deviceOf(sender.source.address));
    const message = sent.get(delivery.id);
    sent.delete(delivery.id);
    delivery.update(true);
    if (message && outcome === 'released') deliver(sender, sent, { ...message, delivery_count: message.delivery_count + 1 });
    else if (message && message.application_properties) sender.send({ application_properties: { outcome }, body: message.body });
  });
}

function token(message, connection) {
  const { operation, type, name } = message.application_properties;
  const device = decodeURIComponent(name).split('/').pop();
  const ok = operation === 'put-token' && type === 'servicebus.windows.net:sastoken' && String(message.body).startsWith('SharedAccessSignature sr=' + name + '&');
  const puts = count(device, 'token');
  const answer = (code, text) => senders(connection).cbs.send({
    correlation_id: message.message_id,
    application_properties: { 'status-code': rhea.types.wrap_int(code), 'status-description': text },
  });
  if (device === 'silent-cbs' && puts === 1) return;
  if (device === 'refused' || !ok) return answer(401, 'ErrorCode:IotHubUnauthorizedAccess;wrong signature');
  if (device === 'refused-renewal' && puts === 2) return answer(401, 'ErrorCode:IotHubUnauthorizedAccess;wrong signature');
  answer(200, 'OK');
}

function request(message, device, connection) {
  const it = twin(device);
  const link = senders(connection).twins.get(device);
  const { operation, resource } = message.message_annotations;
  const nth = count(device, operation);
  const answer = (status, body, version, id = message.correlation_id) => link && link.send({
    correlation_id: id,
    message_annotations: {
      ...(status === undefined ? {} : { status: rhea.types.wrap_int(status) }),
      ...(version === undefined ? {} : { version: rhea.types.wrap_long(version) }),
    },
    body: data(body),
  });
  if (device === 'wrong-correlation' && nth === 1) {
    for (const id of ['nobody', rhea.generate_uuid(), 77, undefined]) answer(200, '{"desired":{"$version":9},"reported":{"$version":9}}', 9, id || 'x');
    return;
  }
  if (device === 'no-status' && nth === 1) return answer(undefined, '{}');
  if (device === 'no-json' && operation === 'GET') return answer(200, 'twin?');
  if (device === 'busy' && nth <= 2) return answer(503, '');
  if (device === 'silent' && nth === 1) return;
  if (device === 'detaches' && nth === 1) return link.close();
  if (device === 'throttled-link' && nth === 1) return link.close({ condition: 'com.microsoft:device-container-throttled', description: 'slow down' });
  if (device === 'closes' && nth === 1) return connection.close({ condition: 'amqp:connection:forced', description: 'going down' });
  if (device === 'hangs-up' && nth === 1) return connection.socket.destroy();
  switch (operation + ' ' + (resource || '')) {
    case 'GET ':
      return answer(200, JSON.stringify({ desired: it.desired, reported: { ...it.reported, tokens: it.seen.token } }));
    case 'PATCH /properties/reported': {
      if (device === 'refuses-reports') return answer(400, JSON.stringify({ errorCode: 400006, trackingId: 't', message: 'too deep', timestampUtc: 'now' }));
      const version = message.message_annotations.version;
      if (version !== undefined && Number(version) !== it.reported.$version) return answer(412, '');
      const patch = JSON.parse(message.body.content.toString());
      merge(it.reported, patch);
      it.reported.$version += 1;
      answer(200, '', it.reported.$version);
      // A report of "poke" makes the backend change desired properties that often.
      for (let i = 0; i < (patch.poke || 0); i += 1) {
        it.desired.n = (it.desired.n || 0) + 1;
        it.desired.$version += 1;
        const changed = { n: it.desired.n, $version: it.desired.$version };
        for (const watcher of it.watchers) {
          if (watcher.is_open()) watcher.send({ message_annotations: { resource: '/properties/desired', version: rhea.types.wrap_long(changed.$version) }, body: data(JSON.stringify(changed)) });
        }
      }
      return undefined;
    }
    case 'PUT /notifications/twin/properties/desired':
      it.watchers.add(link);
      return answer(200, '');
    case 'DELETE /notifications/twin/properties/desired':
      it.watchers.clear();
      return answer(200, '');
    default:
      return answer(400, JSON.stringify({ errorCode: 400004, message: `no ${operation} on ${resource}` }));
  }
}

for (const event of ['connection_error', 'session_error', 'error', 'disconnected', 'protocol_error', 'sender_error', 'receiver_error']) container.on(event, () => {});
process.on('uncaughtException', (error) => {
  // rhea throws when a connection dies under its hands.
  process.stderr.write(`${error.stack}\n`);
});

function accept(socket, more = {}) {
  socket.on('error', () => {});
  new Connection({ ...options, ...more }, container).accept(socket);
}

let connections = 0;
function acceptAndCut(socket) {
  connections += 1;
  let left = connections;
  const step = () => {
    left -= 1;
    if (left <= 0) socket.destroy();
  };
  // What is heard and what is said both count.
  socket.on('data', step);
  const write = socket.write.bind(socket);
  socket.write = (...args) => {
    step();
    return socket.destroyed ? false : write(...args);
  };
  accept(socket);
}

function acceptSlowly(socket) {
  const write = socket.write.bind(socket);
  socket.write = (chunk) => {
    for (const byte of Buffer.from(chunk)) write(Buffer.from([byte]));
    return true;
  };
  accept(socket);
}

const web = http.createServer({ key, cert });
new WebSocketServer({
  server: web,
  path: '/$iothub/websocket',
  handleProtocols: (protocols) => (protocols.has('AMQPWSB10') ? 'AMQPWSB10' : false),
}).on('connection', (socket) => container.websocket_accept(socket, options));

const servers = {
  good: tls.createServer({ key, cert }, (socket) => accept(socket)),
  slow: tls.createServer({ key, cert }, acceptSlowly),
  cut: tls.createServer({ key, cert }, acceptAndCut),
  ws: web,
};
const names = Object.keys(servers);
Promise.all(names.map((name) => new Promise((done) => servers[name].listen(0, '127.0.0.1', done)))).then(() => {
  const ports = Object.fromEntries(names.map((name) => [name, servers[name].address().port]));
  process.stdout.write(`${JSON.stringify(ports)}\n`);
});
// Gone with whoever started it.
process.stdin.on('end', () => process.exit()).resume();
