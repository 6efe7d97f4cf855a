// Authentication providers: the package's and one's own.
'use strict';
const { EventEmitter } = require('node:events');
const { Client, SharedAccessKeyAuthenticationProvider, SharedAccessSignatureAuthenticationProvider, X509AuthenticationProvider,
  SharedAccessSignature } = require('azure-iot-device');
const { hub, host, called, outcome, say, thrown, Transport } = require('../support');

const device = hub.device();
const token = SharedAccessSignature.create(host, device.deviceId, device.key, Math.floor(Date.now() / 1000) + 600).toString();

class Own extends EventEmitter {
  constructor() { super(); this.type = 1; }
  getDeviceCredentials(done) {
    say('asked for credentials');
    done(null, { host, deviceId: device.deviceId, sharedAccessSignature: token });
  }
  updateSharedAccessSignature() {}
  stop() {}
}

(async () => {
  const keys = SharedAccessKeyAuthenticationProvider.fromConnectionString(device.connectionString);
  say('keys', keys.type, typeof keys.getDeviceCredentials);
  await called('credentials', (done) => keys.getDeviceCredentials((err, c) =>
    done(err, Object.keys(c).sort(), c.deviceId, typeof c.sharedAccessSignature)));
  thrown('margin', () => new SharedAccessKeyAuthenticationProvider({ host: 'h', deviceId: 'd', sharedAccessKey: 'aGk=' }, 10, 20));
  keys.stop();
  for (const [name, provider] of Object.entries({
    keys: SharedAccessKeyAuthenticationProvider.fromConnectionString(device.connectionString),
    token: SharedAccessSignatureAuthenticationProvider.fromSharedAccessSignature(token),
  })) {
    const client = Client.fromAuthenticationProvider(provider, Transport);
    await outcome(`open with ${name}`, client.open());
    await outcome(`close with ${name}`, client.close());
  }
  const x509 = X509AuthenticationProvider.fromX509Options('d', 'h', { cert: 'c', key: 'k' });
  await called('x509', (done) => x509.getDeviceCredentials(done));
  const client = Client.fromAuthenticationProvider(new Own(), Transport);
  const opened = await client.open().then(() => 'opened', (err) => err);
  say('own', opened);
  await client.close();
})();
