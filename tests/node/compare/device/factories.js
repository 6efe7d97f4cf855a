// How a client is made, and how not.
'use strict';
const { Client, ModuleClient } = require('azure-iot-device');
const { say, thrown, Transport } = require('../support');

const kind = (make) => () => { const made = make(); return [made.constructor.name, made instanceof Client]; };

for (const text of [undefined, null, '', 'nonsense', 'HostName=h;DeviceId=d', 'HostName=h;SharedAccessKey=aGk=', 'DeviceId=d;SharedAccessKey=aGk=',
  'HostName=h;DeviceId=d;SharedAccessKey=aGk=', 'HostName=h;DeviceId=d;x509=true',
  'HostName=h;DeviceId=d;SharedAccessSignature=SharedAccessSignature sr=h%2Fdevices%2Fd&sig=s&se=9999999999', 5, {}]) {
  thrown(`Client ${JSON.stringify(text)}`, kind(() => Client.fromConnectionString(text, Transport)));
  thrown(`ModuleClient ${JSON.stringify(text)}`, kind(() => ModuleClient.fromConnectionString(text, Transport)));
}
for (const text of [undefined, '', 'nonsense', 'SharedAccessSignature sr=h%2Fdevices%2Fd&sig=s&se=9999999999', 'SharedAccessSignature sr=h&sig=s&se=1']) {
  thrown(`token ${JSON.stringify(text)}`, kind(() => Client.fromSharedAccessSignature(text, Transport)));
}
thrown('no provider', kind(() => Client.fromAuthenticationProvider(undefined, Transport)));
thrown('no transport', kind(() => Client.fromAuthenticationProvider({}, undefined)));
thrown('connection string in the constructor', kind(() => new Client({ on() {} }, 'HostName=h')));
say('undefined statics', typeof Client.sasRenewalInterval);
