// A message of the hub's with semicolons in it.
'use strict';
const { Registry } = require('azure-iothub');
const { say, serviceConnectionString } = require('../support');

Registry.fromConnectionString(serviceConnectionString).getTwin('a b').catch((err) => say('message', err.message));
