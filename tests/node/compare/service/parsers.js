// Connection strings and tokens.
'use strict';
const { ConnectionString, SharedAccessSignature, versionQueryString } = require('azure-iothub');
const { say, thrown } = require('../support');

say('version', versionQueryString());
for (const text of ['HostName=h;SharedAccessKeyName=p;SharedAccessKey=k', 'HostName=h;SharedAccessKeyName=p;SharedAccessKey=k==;X=1',
  'hostname=h;SharedAccessKeyName=p;SharedAccessKey=k', ' HostName = h ;SharedAccessKeyName=p;SharedAccessKey=k',
  'HostName=a;HostName=b;SharedAccessKeyName=p;SharedAccessKey=k', '', undefined, null, 5]) {
  thrown(`connection string ${JSON.stringify(text)}`, () => ConnectionString.parse(text));
}
const key = Buffer.alloc(32, 1).toString('base64');
const token = SharedAccessSignature.create('h.example', 'po licy', key, 1234567890);
say('token', token.sr, token.skn, token.se, token.sig);
say('text', token.toString().split(/[ &]/));
say('extended', token.extend(2345678901).split(/[ &]/));
for (const args of [[], ['h'], ['h', 'p'], ['h', 'p', key], ['h', 'p', key, 0], ['h', '', key, 5], ['h', null, key, '5']]) {
  thrown(`create(${JSON.stringify(args).replace(key, 'key')})`, () => SharedAccessSignature.create(...args).toString().split(/[ &]/));
}
for (const text of ['SharedAccessSignature sr=a&sig=b&skn=c&se=1', 'SharedAccessSignature sr=a&sig=b&se=1', 'sr=a&sig=b&skn=c&se=1',
  'SharedAccessSignature  sr=a', '', undefined]) {
  thrown(`parse(${JSON.stringify(text)})`, () => ({ ...SharedAccessSignature.parse(text) }));
}
