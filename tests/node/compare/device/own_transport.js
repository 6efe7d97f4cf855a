// A transport of one's own, as unit tests have it: what it is asked.
'use strict';
const { EventEmitter } = require('node:events');
const { Client } = require('azure-iot-device');
const { results, NoRetry } = require('azure-iot-common');
const { say, called, outcome, hear, turn, Transport } = require('../support');

class Fake extends EventEmitter {
  connect(done) { say('connect'); done(null, new results.Connected()); }
  disconnect(done) { say('disconnect'); done(null, new results.Disconnected()); }
  getTwin(done) { say('getTwin'); done(null, { desired: { a: 1, $version: 1 }, reported: { $version: 1 } }); }
  updateTwinReportedProperties(patch, done) { say('update', patch); done(patch.bad ? new RangeError('mine') : null); }
  enableTwinDesiredPropertiesUpdates(done) { say('enable'); done(); }
  disableTwinDesiredPropertiesUpdates(done) { say('disable'); done(); }
  setOptions(options, done) { say('options', Object.keys(options)); done(); }
  sendEvent(message, done) { say('sendEvent', message.data); done(null, new results.MessageEnqueued()); }
}

(async () => {
  say('transport', typeof Transport);
  const fake = new Fake();
  const client = new Client(fake);
  client.setRetryPolicy(new NoRetry());
  hear(client, 'connect', 'disconnect', 'error');
  await outcome('open', client.open());
  const twin = await client.getTwin();
  say('properties', JSON.stringify(twin.properties));
  await called('report', (done) => twin.properties.reported.update({ b: 1 }, done));
  await called('bad report', (done) => twin.properties.reported.update({ bad: 1 }, done));
  twin.on('properties.desired', (delta) => say('desired', delta));
  fake.emit('twinDesiredPropertiesUpdate', { a: 2, $version: 2 });
  await turn();
  say('copy', twin.properties.desired);
  await outcome('options', client.setOptions({ x: 1 }));
  fake.emit('disconnect', new Error('final'));
  await turn();
  await outcome('close', client.close());
})();
