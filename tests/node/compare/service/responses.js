// The third argument of callbacks.
'use strict';
const { Registry } = require('azure-iothub');
const { say, id, serviceConnectionString } = require('../support');

const registry = Registry.fromConnectionString(serviceConnectionString);

(async () => {
  const deviceId = id('device');
  await registry.create({ deviceId });
  registry.getTwin(deviceId, (err, twin, response) => {
    say('status', response.statusCode, response.statusMessage);
    say('headers', Object.keys(response.headers).sort(), response.headers['content-type'], response.headers.etag === `"${twin.etag}"`);
    say('raw', Array.isArray(response.rawHeaders), response.rawHeaders.length % 2);
    say('stream', typeof response.on, typeof response.pipe, typeof response.setEncoding, response.httpVersion);
  });
})();
