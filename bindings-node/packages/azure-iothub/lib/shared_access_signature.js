// Tokens of backends.
'use strict';

const { SharedAccessSignature } = require('azure-iot-common');

/** A token for the hub `host`, signed with `policy`'s `key`, that expires at `expiry` (seconds since 1970). */
exports.create = (host, policy, key, expiry) => SharedAccessSignature.create(host, policy, key, expiry);

/** The parts of the token `source`, which must be one of a policy. */
exports.parse = (source) => SharedAccessSignature.parse(source, ['sr', 'sig', 'skn', 'se']);
