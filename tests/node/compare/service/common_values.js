// Paths, results, errors and encodings of azure-iot-common.
'use strict';
const { endpoint, errors, results, encodeUriComponentStrict, anHourFromNow, AuthenticationType, ConnectionString,
  SharedAccessSignature } = require('azure-iot-common');
const { say, thrown } = require('../support');

for (const [name, value] of Object.entries(endpoint).sort()) {
  say(`endpoint ${name}`, typeof value === 'function' ? value('a', 'b', 'c') : value);
}
for (const name of Object.keys(errors).sort()) {
  const err = new errors[name]('text', new RangeError('inner'));
  say(`error ${name}`, err.name, err.message, String(err), err instanceof Error, Object.keys(err).sort());
}
for (const name of Object.keys(results).sort()) {
  const result = new results[name]('first', 'second');
  say(`result ${name}`, JSON.stringify(result), result.constructor.name);
}
say('strict', encodeUriComponentStrict("a b!'()*~/ä"));
say('hour', Math.abs(anHourFromNow() - Date.now() / 1000 - 3600) < 5, Number.isInteger(anHourFromNow()));
say('types', AuthenticationType);
thrown('connection string', () => ConnectionString.parse('HostName=h;DeviceId=d;SharedAccessKey=a=b', ['HostName']));
thrown('missing', () => ConnectionString.parse('HostName=h', ['DeviceId']));
thrown('token', () => ({ ...SharedAccessSignature.parse('SharedAccessSignature sr=a&sig=b', ['sr']) }));
thrown('token missing', () => SharedAccessSignature.parse('SharedAccessSignature sr=a', ['sig']));
