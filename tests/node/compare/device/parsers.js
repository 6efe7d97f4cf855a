// Connection strings and tokens of devices.
'use strict';
const { ConnectionString, SharedAccessSignature } = require('azure-iot-device');
const { say, thrown } = require('../support');

for (const text of ['HostName=h;DeviceId=d;SharedAccessKey=k', 'HostName=h;DeviceId=d;x509=true', 'HostName=h;DeviceId=d',
  'HostName=h;DeviceId=d;SharedAccessKey=k;x509=true', 'HostName=h;SharedAccessKey=k', 'DeviceId=d;SharedAccessKey=k',
  'HostName=h;DeviceId=d;ModuleId=m;SharedAccessKey=k;GatewayHostName=g', '', undefined]) {
  thrown(`connection string ${JSON.stringify(text)}`, () => ({ ...ConnectionString.parse(text) }));
}
thrown('with key', () => ConnectionString.createWithSharedAccessKey('h', 'd', 'k'));
thrown('with certificate', () => ConnectionString.createWithX509Certificate('h', 'd'));
const token = SharedAccessSignature.create('h.example', "d'(1)", Buffer.alloc(32, 1).toString('base64'), 1234567890);
say('token', token.sr, token.se, token.skn, token.sig, token.toString().split(/[ &]/));
thrown('parse', () => ({ ...SharedAccessSignature.parse('SharedAccessSignature sr=a&sig=b&se=1') }));
thrown('parse without se', () => SharedAccessSignature.parse('SharedAccessSignature sr=a&sig=b'));
